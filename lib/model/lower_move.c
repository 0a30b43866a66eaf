/* lower_move.c - operators that move values about without choosing: shapes, order, side by side. */
#include "lib/model/broadcast.h"
#include "lib/model/fold.h"
#include "lib/model/lower.h"

#include <string.h>

int lower_move_identity(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    lower_out(lower, node, 0, x);
    return 0;
}

int lower_move_dropout(struct lower *lower, const struct graph_node *node)
{
    const struct value *training = lower_in(lower, node, 2);
    if (training != NULL && !(training->n >= 1 && !training->data && training->ints[0] == 0))
        return load_refuse(&lower->load, "drops values at random: export the model in inference "
                                         "mode (model.eval())");
    return lower_move_identity(lower, node);
}

int lower_move_cast(struct lower *lower, const struct graph_node *node)
{
    static const struct {
        int64_t to;
        enum graph_type type;
    } types[] = {{1, GRAPH_FLOAT}, {11, GRAPH_FLOAT}, {10, GRAPH_FLOAT}, {16, GRAPH_FLOAT},
                 {6, GRAPH_INT},   {7, GRAPH_INT},    {9, GRAPH_BOOL}};
    const struct value *x = lower_in(lower, node, 0);
    int64_t to = graph_attr_int(node, "to", 0);
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        if (types[k].to != to)
            continue;
        struct value cast = *x;
        bool rounds =
            to == 10 || to == 16 || (types[k].type != GRAPH_FLOAT && x->type != types[k].type);
        if (x->data && rounds)
            return load_refuse(&lower->load,
                               "rounds data to ONNX type %lld: only float is "
                               "computed with",
                               (long long)to);
        cast.type = types[k].type;
        int err = x->data ? 0 : fold_cast(&lower->load, x, types[k].type, &cast);
        if (err == 0)
            lower_out(lower, node, 0, &cast);
        return err;
    }
    return load_refuse(&lower->load, "casts to ONNX type %lld, which is not known", (long long)to);
}

/* To the type of another value: float, for all that is computed with. */
int lower_move_cast_like(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0), *like = lower_in(lower, node, 1);
    struct value cast;
    if (x == NULL || like == NULL)
        return load_invalid(&lower->load, "needs two inputs");
    cast = *x;
    if (x->data && x->type != like->type && like->type != GRAPH_FLOAT)
        return load_refuse(&lower->load, "rounds data: only float is computed with");
    cast.type = like->type;
    int err = x->data ? 0 : fold_cast(&lower->load, x, like->type, &cast);
    if (err == 0)
        lower_out(lower, node, 0, &cast);
    return err;
}

/* ---- shapes ------------------------------------------------------------------------------- */

static int lower_reshaped(struct lower *lower, const struct graph_node *node, size_t n_dims,
                          const int64_t *dims)
{
    struct value to;
    int err = value_reshape(&lower->load, lower_in(lower, node, 0), n_dims, dims, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* 0 copies a dim, -1 is what remains. */
static int lower_resolve_dims(struct lower *lower, const struct value *x, bool allow_zero,
                              size_t n_dims, int64_t *dims)
{
    int64_t known = 1;
    size_t unknown = SIZE_MAX;
    for (size_t k = 0; k < n_dims; k++) {
        if (dims[k] == 0 && !allow_zero && k < x->n_axes)
            dims[k] = x->dims[k];
        if (dims[k] == -1 && unknown == SIZE_MAX)
            unknown = k;
        else if (dims[k] <= 0 || __builtin_mul_overflow(known, dims[k], &known))
            return load_invalid(&lower->load, "reshapes to an impossible shape");
    }
    if (unknown != SIZE_MAX) {
        if (x->size % known != 0)
            return load_invalid(&lower->load, "reshapes to another number of values");
        dims[unknown] = x->size / known;
    }
    return 0;
}

int lower_move_reshape(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    const int64_t *shape;
    int64_t dims[VALUE_AXES_MAX];
    size_t n_dims;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : lower_ints(lower, node, 1, "the shape", &shape, &n_dims);
    if (err == 0 && n_dims > VALUE_AXES_MAX)
        err = load_refuse(&lower->load, "reshapes to more than %d axes", VALUE_AXES_MAX);
    if (err < 0)
        return err;
    memcpy(dims, shape, n_dims * sizeof *dims);
    err = lower_resolve_dims(lower, x, graph_attr_int(node, "allowzero", 0) != 0, n_dims, dims);
    return err < 0 ? err : lower_reshaped(lower, node, n_dims, dims);
}

int lower_move_flatten(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    int64_t axis = graph_attr_int(node, "axis", 1), dims[2] = {1, 1};
    size_t at = 0;
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    int err = axis == (int64_t)x->n_axes ? 0 : lower_axis(lower, axis, x->n_axes, &at);
    at = axis == (int64_t)x->n_axes ? x->n_axes : at;
    for (size_t k = 0; k < x->n_axes; k++)
        dims[k >= at] *= x->dims[k];
    return err < 0 ? err : lower_reshaped(lower, node, 2, dims);
}

int lower_move_transpose(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    const struct graph_attr *perm = graph_attr(node, "perm");
    if (x == NULL || (perm != NULL && (perm->kind != GRAPH_ATTR_INTS || perm->n != x->n_axes)))
        return load_invalid(&lower->load, "has an order of axes that does not fit its input");
    size_t order[VALUE_AXES_MAX];
    unsigned seen = 0;
    int err = 0;
    for (size_t k = 0; err == 0 && k < x->n_axes; k++) {
        order[k] = x->n_axes - 1 - k;
        if (perm != NULL)
            err = lower_axis(lower, perm->ints[k], x->n_axes, &order[k]);
        if (err == 0 && (seen & 1u << order[k]) != 0)
            err = load_invalid(&lower->load, "names an axis twice");
        seen |= 1u << order[k];
    }
    struct value to;
    if (err == 0)
        err = move_permute(&lower->load, x, order, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_move_squeeze(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    size_t axes[VALUE_AXES_MAX], n_axes, n_dims = 0;
    int64_t dims[VALUE_AXES_MAX];
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    int err = lower_axes(lower, node, 1, x->n_axes, axes, &n_axes);
    for (size_t k = 0; err == 0 && k < x->n_axes; k++) {
        bool goes = n_axes == SIZE_MAX && x->dims[k] == 1;
        for (size_t j = 0; n_axes != SIZE_MAX && j < n_axes; j++)
            goes |= axes[j] == k;
        if (goes && x->dims[k] != 1)
            return load_invalid(&lower->load, "squeezes axis %zu, which is not of size 1%s%s", k,
                                *value_axis_word(x, k) != '\0' ? " but " : "",
                                value_axis_word(x, k));
        if (!goes)
            dims[n_dims++] = x->dims[k];
    }
    return err < 0 ? err : lower_reshaped(lower, node, n_dims, dims);
}

int lower_move_unsqueeze(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    const struct graph_attr *attr = graph_attr(node, "axes");
    const int64_t *list = NULL;
    size_t n_new = 0, axes[VALUE_AXES_MAX], n_axes;
    int err = x == NULL ? load_invalid(&lower->load, "has no input") : 0;
    if (err == 0 && attr != NULL)
        n_new = attr->n;
    else if (err == 0)
        err = lower_ints(lower, node, 1, "axes", &list, &n_new);
    if (err == 0 && x->n_axes + n_new > VALUE_AXES_MAX)
        err = load_refuse(&lower->load, "makes more than %d axes", VALUE_AXES_MAX);
    if (err == 0)
        err = lower_axes(lower, node, 1, x->n_axes + n_new, axes, &n_axes);
    if (err < 0)
        return err;
    int64_t dims[VALUE_AXES_MAX];
    for (size_t k = 0, from = 0; k < x->n_axes + n_new; k++) {
        bool fresh = false;
        for (size_t j = 0; j < n_new; j++)
            fresh |= axes[j] == k;
        dims[k] = fresh ? 1 : x->dims[from++];
    }
    return lower_reshaped(lower, node, x->n_axes + n_new, dims);
}

/* ---- side by side ------------------------------------------------------------------------- */

/* A constant beside data: brought to the data's time and batch, then into a slot. */
static int lower_concat_constant(struct lower *lower, const struct graph_node *node,
                                 const struct value *data, size_t axis, struct value *value)
{
    struct value shape = value_like(data);
    const void *items;
    int err = value->n_axes != data->n_axes || value->type != GRAPH_FLOAT
                  ? load_invalid(&lower->load, "joins tensors that do not fit")
                  : 0;
    for (size_t k = 0; err == 0 && k < data->n_axes; k++) {
        if (k != axis && value->dims[k] != data->dims[k])
            err = load_invalid(&lower->load, "joins tensors that do not fit");
        else if (k != axis)
            err = value_copy_axis(&lower->load, &shape, data, k);
        else
            err = value_add_axis(&lower->load, &shape);
        if (err == 0 && k == axis)
            err = value_add_factor(&lower->load, &shape, FACTOR_ITEM, value->dims[k]);
    }
    if (err == 0)
        err = broadcast_items(&lower->load, value, &shape, &items);
    if (err < 0)
        return err;
    return lower_as_data(lower, node, &shape, items, value_ref_slot(data->ints[0]), value);
}

/* Every input that is not empty, in one nature: all data, or all constants with nothing left to
 * repeat. */
static int lower_concat_inputs(struct lower *lower, const struct graph_node *node,
                               struct value **ret_values, size_t *ret_n, size_t *ret_axis)
{
    struct value *values;
    const struct value *data = NULL;
    size_t n = 0;
    int err = load_take(&lower->load, node->n_in, sizeof *values, &values);
    for (size_t k = 0; err == 0 && k < node->n_in; k++) {
        const struct value *value = lower_in(lower, node, k);
        if (value == NULL)
            return load_invalid(&lower->load, "has no input %zu", k);
        data = value->data ? value : data;
        if (value->size > 0)
            values[n++] = *value;
    }
    *ret_values = values;
    *ret_n = n;
    if (err == 0 && n > 0)
        err = lower_axis(lower, graph_attr_int(node, "axis", 1), values[0].n_axes, ret_axis);
    for (size_t k = 0; err == 0 && k < n; k++) {
        if (!values[k].data && data != NULL)
            err = lower_concat_constant(lower, node, data, *ret_axis, &values[k]);
        else if (!values[k].data)
            err = value_spread(&lower->load, &values[k], &values[k]);
        if (err == 0 && value_item_bytes(&values[k]) != value_item_bytes(&values[0]))
            err = load_invalid(&lower->load, "joins tensors of different types");
    }
    return err;
}

int lower_move_concat(struct lower *lower, const struct graph_node *node)
{
    struct value *values = NULL, to;
    size_t n = 0, axis = 0;
    int err = lower_concat_inputs(lower, node, &values, &n, &axis);
    if (err == 0 && n == 0 && node->n_in == 0)
        err = load_invalid(&lower->load, "has no input");
    if (err == 0 && n == 0) { /* all empty */
        lower_out(lower, node, 0, lower_in(lower, node, 0));
        return 0;
    }
    if (err == 0)
        err = move_concat(&lower->load, values, n, axis, &to);
    size_t slot, before = lower->plan.n_steps;
    if (err == 0 && to.data && n > 1 && axis + 1 == to.n_axes) { /* of features: a layer */
        err = lower_slot(lower, node, &to, &slot);
        if (err == 0 && lower->plan.n_steps > before)
            lower->plan.steps[before].layer = true;
        if (err == 0)
            err = plan_refs(&lower->plan, slot, &to.ints);
    }
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_move_expand(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    const int64_t *shape;
    size_t n_dims;
    struct value to;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : lower_ints(lower, node, 1, "the shape", &shape, &n_dims);
    if (err == 0 && n_dims > VALUE_AXES_MAX)
        err = load_refuse(&lower->load, "expands to more than %d axes", VALUE_AXES_MAX);
    if (err == 0)
        err = move_expand(&lower->load, &lower->sizes, x, n_dims, shape, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* An axis of size 1 that is tiled is expanded; others repeat by an axis in front of them that is
 * expanded and merged. */
int lower_move_tile(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    const int64_t *repeats;
    size_t n_repeats;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : lower_ints(lower, node, 1, "the repeats", &repeats, &n_repeats);
    if (err == 0 && n_repeats != x->n_axes)
        err = load_invalid(&lower->load, "needs one repeat for each axis");
    struct value to;
    if (err == 0)
        to = *x;
    for (size_t k = 0; err == 0 && k < n_repeats; k++) {
        int64_t open[VALUE_AXES_MAX + 1], wide[VALUE_AXES_MAX + 1], dims[VALUE_AXES_MAX];
        if (repeats[k] == 1)
            continue;
        size_t n = to.n_axes;
        if (n == VALUE_AXES_MAX)
            return load_refuse(&lower->load, "tiles a tensor with too many axes");
        for (size_t j = 0; j < n; j++) {
            open[j + (j >= k)] = wide[j + (j >= k)] = dims[j] = to.dims[j];
        }
        open[k] = 1;
        wide[k] = repeats[k];
        if (repeats[k] < 1 || __builtin_mul_overflow(dims[k], repeats[k], &dims[k]))
            return load_refuse(&lower->load, "repeats an axis %lld times", (long long)repeats[k]);
        err = value_reshape(&lower->load, &to, n + 1, open, &to);
        if (err == 0)
            err = move_expand(&lower->load, &lower->sizes, &to, n + 1, wide, &to);
        if (err == 0)
            err = value_reshape(&lower->load, &to, n, dims, &to);
    }
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}
