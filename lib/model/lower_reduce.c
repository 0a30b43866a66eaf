/* lower_reduce.c - operators that bring the values of some axes together: sums, softmax, norms. */
#include "lib/model/lower.h"

#include <string.h>

#include "lib/model/broadcast.h"
#include "lib/model/fold_sum.h"

/* Axes that are reduced, seen as the middle one of [outer][n][inner]. */
struct lower_middle {
    size_t outer, n, inner;
};

static int lower_check_axis(struct lower *lower, const struct value *x, size_t axis,
                            const char *what)
{
    if (*value_axis_word(x, axis) == '\0')
        return 0;
    return load_refuse(
        &lower->load, "%s over the %s axis: it needs %s", what, value_axis_word(x, axis),
        value_axis_has(x, axis, FACTOR_TIME) ? "the whole sequence" : "all rows of the batch");
}

/* ---- Reduce ------------------------------------------------------------------------------- */

/* False when items that stay lie between items that are reduced. */
static bool lower_find_middle(const struct value *x, const bool *reduced, struct lower_middle *ret)
{
    *ret = (struct lower_middle){1, 1, 1};
    for (size_t axis = 0; axis < x->n_axes; axis++) {
        size_t n = value_axis_items(x, axis);
        if (n == 1)
            continue;
        if (reduced[axis] && ret->inner > 1)
            return false;
        *(reduced[axis] ? &ret->n : ret->n > 1 ? &ret->inner : &ret->outer) *= n;
    }
    return true;
}

/* x with the reduced axes last, if they are not already in one piece. */
static int lower_bring_together(struct lower *lower, const struct value *x, bool *reduced,
                                struct lower_middle *middle, struct value *ret_value)
{
    size_t order[VALUE_AXES_MAX], n = 0;
    bool moved[VALUE_AXES_MAX];
    *ret_value = *x;
    if (lower_find_middle(x, reduced, middle))
        return 0;
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t axis = 0; axis < x->n_axes; axis++)
            if (reduced[axis] == (pass == 1)) {
                moved[n] = reduced[axis];
                order[n++] = axis;
            }
    int err = move_permute(&lower->load, x, order, ret_value);
    if (err == 0)
        lower_find_middle(ret_value, moved, middle);
    return err;
}

static int lower_reduced_shape(struct lower *lower, const struct value *x, const bool *reduced,
                               bool keep, struct value *ret_shape)
{
    struct value to = value_like(x);
    int err = 0;
    for (size_t axis = 0; err == 0 && axis < x->n_axes; axis++) {
        if (!reduced[axis])
            err = value_copy_axis(&lower->load, &to, x, axis);
        else if (keep)
            err = value_add_axis(&lower->load, &to);
    }
    *ret_shape = to;
    return err;
}

static int lower_reduce_step(struct lower *lower, const struct graph_node *node,
                             const struct value *x, enum cell_reduction reduction,
                             struct lower_middle middle, bool layer, struct value *shape)
{
    struct plan_step step = {.kind = PLAN_REDUCE,
                             .node = node,
                             .op = node->op,
                             .layer = layer,
                             .reduce = {reduction, middle.outer, middle.n, middle.inner}};
    size_t slot;
    if (x->type != GRAPH_FLOAT)
        return load_refuse(&lower->load, "computes with integers of the input: cast it to float "
                                         "first");
    int err = lower_slot(lower, node, x, &slot);
    return err < 0 ? err : lower_step(lower, &step, &slot, 1, shape);
}

static int lower_one_function(struct lower *lower, const struct graph_node *node,
                              enum cell_function function, bool layer, struct value *x)
{
    struct plan_step step = {.kind = PLAN_UNARY,
                             .node = node,
                             .op = node->op,
                             .layer = layer,
                             .unary = {function, 0, 0}};
    size_t slot;
    int err = lower_slot(lower, node, x, &slot);
    return err < 0 ? err : lower_step(lower, &step, &slot, 1, x);
}

static const struct lower_reduction {
    const char *op;
    enum cell_reduction reduction;
    bool square, absolute, root; /* of each value before; of the sum after */
} lower_reductions[] = {
    {"ReduceSum", CELL_SUM, false, false, false},
    {"ReduceMean", CELL_MEAN, false, false, false},
    {"ReduceMax", CELL_REDUCE_MAX, false, false, false},
    {"ReduceMin", CELL_REDUCE_MIN, false, false, false},
    {"ReduceL1", CELL_SUM, false, true, false},
    {"ReduceL2", CELL_SUM, true, false, true},
    {"ReduceSumSquare", CELL_SUM, true, false, false},
};

static int lower_reduce_data(struct lower *lower, const struct graph_node *node,
                             const struct value *x, struct lower_middle middle, struct value *shape)
{
    const struct lower_reduction *row = NULL;
    for (size_t k = 0; k < sizeof lower_reductions / sizeof *lower_reductions; k++)
        if (strcmp(lower_reductions[k].op, node->op) == 0)
            row = &lower_reductions[k];
    if (row == NULL)
        return load_refuse(&lower->load, "%s of data is not supported", node->op);
    struct value from = *x;
    int err = 0;
    if (row->square)
        err = lower_math_combine(lower, node, "Mul", false, x, x, &from);
    else if (row->absolute)
        err = lower_one_function(lower, node, CELL_ABS, false, &from);
    if (err == 0)
        err = lower_reduce_step(lower, node, &from, row->reduction, middle, !row->root, shape);
    if (err == 0 && row->root)
        err = lower_one_function(lower, node, CELL_SQRT, true, shape);
    return err;
}

static int lower_reduce_which(struct lower *lower, const struct graph_node *node,
                              const struct value *x, bool *reduced, bool *ret_nothing)
{
    size_t axes[VALUE_AXES_MAX], n;
    int err = lower_axes(lower, node, 1, x->n_axes, axes, &n);
    if (err < 0)
        return err;
    bool named = n != SIZE_MAX && n > 0;
    *ret_nothing = !named && graph_attr_int(node, "noop_with_empty_axes", 0) != 0;
    for (size_t axis = 0; axis < x->n_axes; axis++)
        reduced[axis] = !named;
    for (size_t k = 0; named && k < n; k++)
        reduced[axes[k]] = true;
    for (size_t axis = 0; err == 0 && !*ret_nothing && axis < x->n_axes; axis++)
        if (reduced[axis])
            err = lower_check_axis(lower, x, axis, node->op);
    return err;
}

int lower_reduce_axes(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    bool reduced[VALUE_AXES_MAX], nothing;
    struct value from, shape;
    struct lower_middle middle;
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    int err = lower_reduce_which(lower, node, x, reduced, &nothing);
    if (err == 0 && nothing) {
        lower_out(lower, node, 0, x);
        return 0;
    }
    struct value spread = *x;
    if (err == 0 && !x->data)
        err = value_spread(&lower->load, x, &spread);
    if (err == 0)
        err = lower_bring_together(lower, &spread, reduced, &middle, &from);
    if (err == 0)
        err = lower_reduced_shape(lower, &spread, reduced, graph_attr_int(node, "keepdims", 1) != 0,
                                  &shape);
    if (err == 0 && x->data)
        err = lower_reduce_data(lower, node, &from, middle, &shape);
    else if (err == 0)
        err = fold_sum_reduce(&lower->load, node->op, &from, middle.outer, middle.n, middle.inner,
                              &shape);
    if (err == 0)
        lower_out(lower, node, 0, &shape);
    return err;
}

/* ---- Softmax ------------------------------------------------------------------------------ */

/* Since operator set 13 over one axis, by default the last; before over all from `axis` on, by
 * default 1. */
int lower_reduce_softmax(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    bool old = lower->graph->opset < 13;
    size_t first;
    if (x == NULL || !x->data)
        return load_refuse(&lower->load, "%s of a constant is not supported", node->op);
    int64_t axis = graph_attr_int(node, "axis", old ? 1 : -1);
    int err = old && axis == (int64_t)x->n_axes ? 0 : lower_axis(lower, axis, x->n_axes, &first);
    struct lower_middle middle = {1, 1, 1};
    struct value to = *x;
    if (old && axis == (int64_t)x->n_axes)
        first = x->n_axes;
    for (size_t k = 0; err == 0 && k < x->n_axes; k++) {
        bool inside = k == first || (old && k > first);
        if (inside)
            err = lower_check_axis(lower, x, k, node->op);
        *(inside ? &middle.n : k < first ? &middle.outer : &middle.inner) *= value_axis_items(x, k);
    }
    if (err == 0)
        err = lower_reduce_step(lower, node, x, *node->op == 'S' ? CELL_SOFTMAX : CELL_LOG_SOFTMAX,
                                middle, true, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- LayerNormalization ------------------------------------------------------------------- */

/* Scale or bias, spread to the normalised values [n]. */
static int lower_norm_vector(struct lower *lower, const struct graph_node *node, size_t k,
                             const char *what, const struct value *inner, const float **ret_items)
{
    const struct value *value;
    const void *items;
    if (lower_in(lower, node, k) == NULL) {
        *ret_items = NULL;
        return 0;
    }
    int err = lower_constant(lower, node, k, what, &value);
    if (err == 0 && (value->type != GRAPH_FLOAT || value->n_axes > inner->n_axes))
        err = load_invalid(&lower->load, "%s does not fit the axes that are normalised", what);
    for (size_t axis = 0; err == 0 && axis < value->n_axes; axis++)
        if (value->dims[axis] != 1 &&
            value->dims[axis] != inner->dims[axis + inner->n_axes - value->n_axes])
            err = load_invalid(&lower->load, "%s does not fit the axes that are normalised", what);
    if (err == 0)
        err = broadcast_items(&lower->load, value, inner, &items);
    if (err == 0)
        *ret_items = items;
    return err;
}

/* The statistics that the operator may give too. */
static int lower_norm_statistics(struct lower *lower, const struct graph_node *node,
                                 const struct value *x, const bool *reduced,
                                 struct lower_middle middle, float epsilon)
{
    static const int64_t scalar[1];
    struct value mean, centred, square, spread, small, one;
    float *numbers;
    if (lower_out_unused(lower, node, 1) && lower_out_unused(lower, node, 2))
        return 0;
    int err = lower_reduced_shape(lower, x, reduced, true, &mean);
    spread = mean;
    if (err == 0)
        err = lower_reduce_step(lower, node, x, CELL_MEAN, middle, false, &mean);
    if (err == 0)
        err = lower_math_combine(lower, node, "Sub", false, x, &mean, &centred);
    if (err == 0)
        err = lower_math_combine(lower, node, "Mul", false, &centred, &centred, &square);
    if (err == 0)
        err = lower_reduce_step(lower, node, &square, CELL_MEAN, middle, false, &spread);
    if (err == 0)
        err = load_take(&lower->load, 2, sizeof *numbers, &numbers);
    if (err < 0)
        return err;
    numbers[0] = epsilon;
    numbers[1] = 1;
    err = value_constant(&lower->load, GRAPH_FLOAT, &numbers[0], 0, scalar, &small);
    if (err == 0)
        err = value_constant(&lower->load, GRAPH_FLOAT, &numbers[1], 0, scalar, &one);
    if (err == 0)
        err = lower_math_combine(lower, node, "Add", false, &spread, &small, &spread);
    if (err == 0)
        err = lower_one_function(lower, node, CELL_SQRT, false, &spread);
    if (err == 0)
        err = lower_math_combine(lower, node, "Div", false, &one, &spread, &spread);
    if (err == 0) {
        lower_out(lower, node, 1, &mean);
        lower_out(lower, node, 2, &spread);
    }
    return err;
}

int lower_reduce_layer_norm(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    bool reduced[VALUE_AXES_MAX];
    size_t first, slot;
    if (x == NULL || !x->data)
        return load_refuse(&lower->load, "%s of a constant is not supported", node->op);
    int err = lower_axis(lower, graph_attr_int(node, "axis", -1), x->n_axes, &first);
    struct value inner = value_like(x), to = *x;
    for (size_t axis = 0; err == 0 && axis < x->n_axes; axis++) {
        reduced[axis] = axis >= first;
        if (axis < first)
            continue;
        err = lower_check_axis(lower, x, axis, "LayerNormalization");
        if (err == 0)
            err = value_copy_axis(&lower->load, &inner, x, axis);
    }
    float epsilon = graph_attr_real(node, "epsilon", 1e-5f);
    struct plan_step step = {.kind = PLAN_NORM, .node = node, .op = node->op, .layer = true};
    if (err == 0)
        step.norm = (struct plan_norm){x->n / inner.n, inner.n, epsilon, NULL, NULL};
    if (err == 0)
        err = lower_norm_vector(lower, node, 1, "scale", &inner, &step.norm.scale);
    if (err == 0)
        err = lower_norm_vector(lower, node, 2, "bias", &inner, &step.norm.bias);
    if (err == 0)
        err = lower_slot(lower, node, x, &slot);
    if (err == 0)
        err = lower_step(lower, &step, &slot, 1, &to);
    if (err == 0)
        err =
            lower_norm_statistics(lower, node, x, reduced,
                                  (struct lower_middle){step.norm.outer, step.norm.n, 1}, epsilon);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- RMSNormalization --------------------------------------------------------------------- */

/* x / sqrt(mean(x x) + epsilon) * scale, over the axes from `axis` on. */
int lower_reduce_rms_norm(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0), *scale = lower_in(lower, node, 1);
    struct value square, mean, small, to;
    bool reduced[VALUE_AXES_MAX];
    size_t first;
    if (x == NULL || !x->data || scale == NULL)
        return load_refuse(&lower->load, "%s of a constant is not supported", node->op);
    int err = lower_axis(lower, graph_attr_int(node, "axis", -1), x->n_axes, &first);
    size_t n = 1;
    for (size_t axis = 0; err == 0 && axis < x->n_axes; axis++) {
        reduced[axis] = axis >= first;
        if (axis < first)
            continue;
        err = lower_check_axis(lower, x, axis, node->op);
        n *= value_axis_items(x, axis);
    }
    if (err == 0)
        err = lower_math_combine(lower, node, "Mul", false, x, x, &square);
    if (err == 0)
        err = lower_reduced_shape(lower, x, reduced, true, &mean);
    if (err == 0)
        err = lower_reduce_step(lower, node, &square, CELL_MEAN,
                                (struct lower_middle){x->n / n, n, 1}, false, &mean);
    if (err == 0)
        err = lower_math_number(lower, graph_attr_real(node, "epsilon", 1e-5f), &small);
    if (err == 0)
        err = lower_math_combine(lower, node, "Add", false, &mean, &small, &mean);
    if (err == 0)
        err = lower_one_function(lower, node, CELL_SQRT, false, &mean);
    if (err == 0)
        err = lower_math_combine(lower, node, "Div", false, x, &mean, &to);
    if (err == 0)
        err = lower_math_combine(lower, node, "Mul", true, &to, scale, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}
