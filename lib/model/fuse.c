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
    if (into->origin == NULL || strchr(into->origin, '.') == NULL) /* says no module */
        into->origin = last->origin;
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

/* ---- layer normalisation, spelled out ------------------------------------------------------ */

/* What reads a slot alone; the slot it reads, through an expansion of [outer] to [outer][n]. */
static bool fuse_expanded(struct fuse *fuse, size_t slot, size_t n, size_t *ret_slot)
{
    struct plan_step *select = fuse_writer(fuse, slot, PLAN_SELECT);
    if (select == NULL || select->n_in != 1 || fuse->n_readers[slot] != 1)
        return false;
    for (size_t k = 0; k < fuse->plan->slots[slot].n; k++)
        if (select->select[k].index != k / n)
            return false;
    *ret_slot = select->in[0];
    return fuse->n_readers[*ret_slot] == 1;
}

/* The mean over the last axis that writes the slot. */
static struct plan_step *fuse_mean(struct fuse *fuse, size_t slot)
{
    struct plan_step *mean = fuse_writer(fuse, slot, PLAN_REDUCE);
    return mean == NULL || mean->reduce.reduction != CELL_MEAN || mean->reduce.inner != 1 ? NULL
                                                                                          : mean;
}

static struct plan_step *fuse_operator(struct fuse *fuse, size_t slot, enum cell_operator operator)
{
    struct plan_step *step = fuse_writer(fuse, slot, PLAN_BINARY);
    return step == NULL || step->binary.operator!= operator? NULL : step;
}

/* sqrt(mean(d d) + epsilon) in the slot: the mean's step, and epsilon. */
static struct plan_step *fuse_deviation(struct fuse *fuse, size_t slot, size_t d,
                                        float *ret_epsilon)
{
    struct plan_step *root = fuse_writer(fuse, slot, PLAN_UNARY);
    if (root == NULL || root->unary.function != CELL_SQRT)
        return NULL;
    struct plan_step *add = fuse_operator(fuse, root->in[0], CELL_ADD);
    const float *epsilon = add == NULL ? NULL : fuse_constant(add);
    if (epsilon == NULL || fuse->n_readers[add->out] != 1 ||
        !fuse_same_rows(epsilon, fuse->plan->slots[add->out].n, 1))
        return NULL;
    struct plan_step *mean = fuse_mean(fuse, add->in[0]);
    struct plan_step *square = mean == NULL ? NULL : fuse_operator(fuse, mean->in[0], CELL_MUL);
    if (square == NULL || square->n_in != 2 || square->in[0] != d || square->in[1] != d ||
        fuse->n_readers[square->out] != 1 || fuse->n_readers[mean->out] != 1)
        return NULL;
    *ret_epsilon = *epsilon;
    return mean;
}

/* A division (x - mean) / deviation becomes a norm; what it was made of is dropped afterwards. */
static void fuse_norm(struct fuse *fuse, struct plan_step *divide)
{
    size_t mean_at, deviation_at;
    float epsilon;
    if (divide->binary.operator!= CELL_DIV || divide->n_in != 2)
        return;
    struct plan_step *centre = fuse_operator(fuse, divide->in[0], CELL_SUB);
    if (centre == NULL || centre->n_in != 2 || fuse->n_readers[centre->out] != 3)
        return;
    struct plan_step *expand = fuse_writer(fuse, centre->in[1], PLAN_SELECT);
    struct plan_step *mean = expand == NULL ? NULL : fuse_mean(fuse, expand->in[0]);
    if (mean == NULL || mean->in[0] != centre->in[0] ||
        !fuse_expanded(fuse, centre->in[1], mean->reduce.n, &mean_at) ||
        !fuse_expanded(fuse, divide->in[1], mean->reduce.n, &deviation_at))
        return;
    struct plan_step *variance = fuse_deviation(fuse, deviation_at, centre->out, &epsilon);
    if (variance == NULL || variance->reduce.n != mean->reduce.n)
        return;
    struct plan_norm norm = {mean->reduce.outer, mean->reduce.n, epsilon, NULL, NULL};
    divide->kind = PLAN_NORM;
    divide->op = "LayerNormalization";
    divide->n_in = 1;
    divide->in = mean->in;
    divide->norm = norm;
    fuse_count(fuse);
    fuse_drop(fuse);
}

/* norm --> times constant --> plus constant: its scale and its bias. */
static void fuse_norm_vector(struct fuse *fuse, struct plan_step *step)
{
    const float *items = fuse_constant(step);
    struct plan_step *norm = items == NULL ? NULL : fuse_writer(fuse, step->in[0], PLAN_NORM);
    bool scales = step->binary.operator== CELL_MUL;
    if (norm == NULL || (!scales && step->binary.operator!= CELL_ADD) ||
        fuse->n_readers[step->in[0]] != 1 || strcmp(norm->node->op, norm->op) == 0 ||
        !fuse_same_rows(items, fuse->plan->slots[step->out].n, norm->norm.n) ||
        norm->norm.bias != NULL || (scales && norm->norm.scale != NULL))
        return;
    *(scales ? &norm->norm.scale : &norm->norm.bias) = items;
    fuse_replace(fuse, norm, step);
}

int fuse_plan(struct plan *plan)
{
    static void (*const rules[])(struct fuse *, struct plan_step *) = {fuse_bias, fuse_norm,
                                                                       fuse_norm_vector};
    struct fuse fuse = {.plan = plan};
    int err = load_take(plan->load, plan->n_slots, sizeof *fuse.n_readers, &fuse.n_readers);
    if (err < 0)
        return err;
    fuse_count(&fuse);
    fuse_drop(&fuse);
    for (size_t k = 0; k < plan->n_steps; k++)
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
            if (!plan->steps[k].gone && plan->steps[k].kind == PLAN_BINARY)
                rules[r](&fuse, &plan->steps[k]);
    return 0;
}
