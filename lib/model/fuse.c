/* fuse.c - joins steps that are one layer, and drops those that nobody needs.
 *
 *     dense --> add constant                                         -->  dense with bias
 *     mean --> sub --> square --> mean --> add eps --> sqrt --> div --> mul --> add  -->  norm
 *
 * A step may only disappear into another when nobody else reads what it wrote. */
#include <string.h>

#include "lib/model/plan.h"

struct fuse {
    struct plan *plan;
    unsigned *n_readers; /* of each slot */
};

static void fuse_count(struct fuse *fuse)
{
    struct plan *plan = fuse->plan;
    memset(fuse->n_readers, 0, plan->n_slots * sizeof *fuse->n_readers);
    for (size_t k = 0; k < plan->n_steps; k++)
        for (size_t j = 0; !plan->steps[k].gone && j < plan->steps[k].n_in; j++)
            fuse->n_readers[plan->steps[k].in[j]]++;
    for (size_t k = 0; k < plan->n_outputs; k++)
        fuse->n_readers[plan->outputs[k]]++;
}

/* The step of this kind that writes the slot; NULL: another kind, or an input. */
static struct plan_step *fuse_writer(struct fuse *fuse, size_t slot, enum plan_kind kind)
{
    size_t ix = fuse->plan->slots[slot].step;
    struct plan_step *step = ix == PLAN_NO_STEP ? NULL : &fuse->plan->steps[ix];
    return step == NULL || step->gone || step->kind != kind ? NULL : step;
}

/* The constant operand of a binary step, when the other one is data. */
static const float *fuse_constant(const struct plan_step *step)
{
    return step->binary.a != NULL ? step->binary.a : step->binary.b;
}

/* True when a constant [n] says the same in each row of `width`. */
static bool fuse_same_rows(const float *items, size_t n, size_t width)
{
    for (size_t at = width; at < n; at += width)
        if (memcmp(items + at, items, width * sizeof *items) != 0)
            return false;
    return true;
}

/* `into` takes the place of `last`: it writes what last wrote. */
static void fuse_replace(struct fuse *fuse, struct plan_step *into, struct plan_step *last)
{
    struct plan *plan = fuse->plan;
    into->out = last->out;
    plan->slots[last->out].step = (size_t)(into - plan->steps);
    into->layer |= last->layer;
    last->gone = true;
}

static void fuse_bias(struct fuse *fuse, struct plan_step *add)
{
    const float *bias = fuse_constant(add);
    size_t n = fuse->plan->slots[add->out].n;
    if (add->binary.operator!= CELL_ADD || bias == NULL)
        return;
    struct plan_step *dense = fuse_writer(fuse, add->in[0], PLAN_DENSE);
    if (dense == NULL || dense->dense.b != NULL || fuse->n_readers[add->in[0]] != 1 ||
        !fuse_same_rows(bias, n, dense->dense.n_outputs))
        return;
    dense->dense.b = bias;
    fuse_replace(fuse, dense, add);
}

/* Steps whose outputs nobody reads, from the end; a recurrent layer stays. */
static void fuse_drop(struct fuse *fuse)
{
    struct plan *plan = fuse->plan;
    for (size_t k = plan->n_steps; k-- > 0;) {
        struct plan_step *step = &plan->steps[k];
        bool needed = step->kind == PLAN_LSTM || step->kind == PLAN_GRU || step->kind == PLAN_RNN;
        for (size_t j = 0; j < step->n_out; j++)
            needed |= fuse->n_readers[step->out + j] > 0;
        if (step->gone || needed)
            continue;
        step->gone = true;
        for (size_t j = 0; j < step->n_in; j++)
            fuse->n_readers[step->in[j]]--;
    }
}

int fuse_plan(struct plan *plan)
{
    struct fuse fuse = {.plan = plan};
    int err = load_take(plan->load, plan->n_slots, sizeof *fuse.n_readers, &fuse.n_readers);
    if (err < 0)
        return err;
    fuse_count(&fuse);
    fuse_drop(&fuse);
    for (size_t k = 0; k < plan->n_steps; k++)
        if (!plan->steps[k].gone && plan->steps[k].kind == PLAN_BINARY)
            fuse_bias(&fuse, &plan->steps[k]);
    return 0;
}
