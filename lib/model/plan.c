/* plan.c - slots and steps, and the selections that bring data into a slot. */
#include "lib/model/plan.h"

#include <string.h>

#define PLAN_COLUMN_MAX ((size_t)1 << 28) /* values of a column: 1 GiB */

/* Room for one more item in an array that doubles; the old one stays in the arena. */
static int plan_grow(struct load *load, void *array, size_t n, size_t *room, size_t item_bytes)
{
    void *old, *grown;
    if (n < *room)
        return 0;
    int err = load_take(load, *room == 0 ? 16 : 2 * *room, item_bytes, &grown);
    if (err < 0)
        return err;
    memcpy(&old, array, sizeof old);
    if (n > 0)
        memcpy(grown, old, n * item_bytes);
    memcpy(array, &grown, sizeof grown);
    *room = *room == 0 ? 16 : 2 * *room;
    return 0;
}

int plan_slot(struct plan *plan, size_t n, size_t *ret_slot)
{
    if (n > VALUE_ITEMS_MAX || plan->n_values + n > PLAN_COLUMN_MAX)
        return load_refuse(plan->load, "one timestep has more values than can be kept");
    int err =
        plan_grow(plan->load, &plan->slots, plan->n_slots, &plan->slots_room, sizeof *plan->slots);
    if (err < 0)
        return err;
    plan->slots[plan->n_slots] = (struct plan_slot){.n = n, .step = PLAN_NO_STEP};
    plan->n_values += n;
    *ret_slot = plan->n_slots++;
    return 0;
}

int plan_append(struct plan *plan, const struct plan_step *step, const size_t *in, size_t n_in,
                const size_t *out_sizes, size_t n_out, size_t *ret_slot)
{
    size_t *in_copy, first = 0;
    int err =
        plan_grow(plan->load, &plan->steps, plan->n_steps, &plan->steps_room, sizeof *plan->steps);
    if (err == 0)
        err = load_take(plan->load, n_in, sizeof *in_copy, &in_copy);
    for (size_t k = 0; err == 0 && k < n_out; k++) {
        size_t slot;
        err = plan_slot(plan, out_sizes[k], &slot);
        if (err == 0)
            plan->slots[slot].step = plan->n_steps;
        if (k == 0)
            first = slot;
    }
    if (err < 0)
        return err;
    struct plan_step *made = &plan->steps[plan->n_steps++];
    *made = *step;
    if (n_in > 0)
        memcpy(in_copy, in, n_in * sizeof *in);
    made->in = in_copy;
    made->n_in = n_in;
    made->n_out = n_out;
    made->out = first;
    *ret_slot = first;
    return 0;
}

/* ---- data into a slot --------------------------------------------------------------------- */

static bool plan_is_slot(const struct plan *plan, const struct value *value, size_t *ret_slot)
{
    if (value->n == 0)
        return false;
    size_t slot = value_ref_slot(value->ints[0]);
    if (plan->slots[slot].n != value->n)
        return false;
    for (size_t k = 0; k < value->n; k++)
        if (value->ints[k] != value_ref(slot, k))
            return false;
    *ret_slot = slot;
    return true;
}

static bool plan_selects(const struct plan_step *step, const struct value *value)
{
    for (size_t k = 0; k < value->n; k++)
        if (step->in[step->select[k].input] != value_ref_slot(value->ints[k]) ||
            step->select[k].index != value_ref_index(value->ints[k]))
            return false;
    return true;
}

static bool plan_has_select(const struct plan *plan, const struct value *value, size_t *ret_slot)
{
    for (size_t k = 0; k < plan->n_steps; k++) {
        const struct plan_step *step = &plan->steps[k];
        if (step->kind == PLAN_SELECT && plan->slots[step->out].n == value->n &&
            plan_selects(step, value)) {
            *ret_slot = step->out;
            return true;
        }
    }
    return false;
}

/* Numbers the slots that the references name, in order of first use. */
static int plan_select_inputs(struct plan *plan, const struct value *value,
                              struct select_from *from, size_t **ret_in, size_t *ret_n_in)
{
    uint32_t *number; /* of each slot, counted from 1 */
    size_t *in, n_in = 0;
    int err = load_take(plan->load, plan->n_slots, sizeof *number, &number);
    if (err == 0)
        err = load_take(plan->load, plan->n_slots, sizeof *in, &in);
    if (err < 0)
        return err;
    for (size_t k = 0; k < value->n; k++) {
        size_t slot = value_ref_slot(value->ints[k]);
        if (number[slot] == 0) {
            in[n_in] = slot;
            number[slot] = (uint32_t)++n_in;
        }
        from[k].input = number[slot] - 1;
        from[k].index = (uint32_t)value_ref_index(value->ints[k]);
    }
    *ret_in = in;
    *ret_n_in = n_in;
    return 0;
}

int plan_materialise(struct plan *plan, const struct graph_node *node, const struct value *value,
                     size_t *ret_slot)
{
    if (plan_is_slot(plan, value, ret_slot) || plan_has_select(plan, value, ret_slot))
        return 0;
    struct select_from *from;
    size_t *in = NULL, n_in = 0;
    int err = load_take(plan->load, value->n, sizeof *from, &from);
    if (err == 0)
        err = plan_select_inputs(plan, value, from, &in, &n_in);
    if (err < 0)
        return err;
    struct plan_step step = {.kind = PLAN_SELECT, .node = node, .op = node->op, .select = from};
    return plan_append(plan, &step, in, n_in, &value->n, 1, ret_slot);
}

int plan_refs(struct plan *plan, size_t slot, const int64_t **ret_refs)
{
    int64_t *refs;
    size_t n = plan->slots[slot].n;
    int err = load_take(plan->load, n, sizeof *refs, &refs);
    if (err < 0)
        return err;
    for (size_t k = 0; k < n; k++)
        refs[k] = value_ref(slot, k);
    *ret_refs = refs;
    return 0;
}

/* ---- comparison --------------------------------------------------------------------------- */

static bool plan_same_floats(const float *a, const float *b, size_t n)
{
    if (a == NULL || b == NULL)
        return a == b;
    return memcmp(a, b, n * sizeof *a) == 0;
}

/* Whatever a graph may compute from shapes is compared: sizes, selections, constants, weights and
 * initial states; two lowerings of one graph agree in all the rest. */
static bool plan_same_step(const struct plan *plan, const struct plan_step *a,
                           const struct plan_step *b)
{
    size_t n = plan->slots[a->out].n;
    switch (a->kind) {
    case PLAN_SELECT:
        return memcmp(a->select, b->select, n * sizeof *a->select) == 0;
    case PLAN_BINARY:
        return plan_same_floats(a->binary.a, b->binary.a, n) &&
               plan_same_floats(a->binary.b, b->binary.b, n);
    case PLAN_UNARY:
        return memcmp(&a->unary, &b->unary, sizeof a->unary) == 0;
    case PLAN_DENSE:
        return a->dense.n_rows == b->dense.n_rows &&
               plan_same_floats(a->dense.W, b->dense.W, a->dense.n_inputs * a->dense.n_outputs) &&
               plan_same_floats(a->dense.b, b->dense.b, a->dense.n_outputs);
    case PLAN_LSTM:
        return plan_same_floats(a->lstm.W, b->lstm.W, 4 * n * a->lstm.n_inputs) &&
               plan_same_floats(a->lstm.R, b->lstm.R, 4 * n * n) &&
               plan_same_floats(a->lstm.B, b->lstm.B, 8 * n) &&
               plan_same_floats(a->lstm.h0, b->lstm.h0, n) &&
               plan_same_floats(a->lstm.c0, b->lstm.c0, n);
    case PLAN_GRU:
        return plan_same_floats(a->gru.W, b->gru.W, 3 * n * a->gru.n_inputs) &&
               plan_same_floats(a->gru.R, b->gru.R, 3 * n * n) &&
               plan_same_floats(a->gru.B, b->gru.B, 6 * n) &&
               plan_same_floats(a->gru.h0, b->gru.h0, n);
    case PLAN_RNN:
        return plan_same_floats(a->rnn.W, b->rnn.W, n * a->rnn.n_inputs) &&
               plan_same_floats(a->rnn.R, b->rnn.R, n * n) &&
               plan_same_floats(a->rnn.B, b->rnn.B, 2 * n) &&
               plan_same_floats(a->rnn.h0, b->rnn.h0, n);
    case PLAN_NORM:
        return plan_same_floats(a->norm.scale, b->norm.scale, a->norm.n) &&
               plan_same_floats(a->norm.bias, b->norm.bias, a->norm.n);
    default:
        return true;
    }
}

bool plan_same(const struct plan *a, const struct plan *b, const struct graph_node **ret_node)
{
    for (size_t k = 0; k < a->n_steps; k++) {
        const struct plan_step *mine = &a->steps[k], *other = &b->steps[k];
        *ret_node = mine->node;
        if (k >= b->n_steps || mine->kind != other->kind || mine->n_in != other->n_in ||
            mine->gone != other->gone || mine->n_out != other->n_out)
            return false;
        if (a->slots[mine->out].n != b->slots[other->out].n || !plan_same_step(a, mine, other))
            return false;
    }
    return a->n_steps == b->n_steps;
}
