/* move.c - moves items about, and takes care of time and batch. */
#include "lib/model/move.h"

#include <string.h>

int move_permute(struct load *load, const struct value *value, const size_t *order,
                 struct value *ret_value)
{
    struct value to = value_like(value);
    struct value_walk from = value_walk_of(value), walk = {.n_axes = value->n_axes};
    int err = 0;
    for (size_t k = 0; err == 0 && k < value->n_axes; k++) {
        err = value_copy_axis(load, &to, value, order[k]);
        walk.dims[k] = from.dims[order[k]];
        walk.strides[k] = from.strides[order[k]];
    }
    if (err == 0)
        err = value_take_walk(load, &to, &walk, value);
    if (err == 0)
        *ret_value = to;
    return err;
}

/* ---- slices ------------------------------------------------------------------------------- */

/* All axes but one are copied; that one is made of `kind` factors of size count. */
static int move_resized(struct load *load, const struct value *value, size_t axis,
                        enum value_factor_kind kind, int64_t count, struct value *to)
{
    int err = 0;
    *to = value_like(value);
    for (size_t k = 0; err == 0 && k < value->n_axes; k++) {
        if (k != axis) {
            err = value_copy_axis(load, to, value, k);
            continue;
        }
        err = value_add_axis(load, to);
        if (err == 0)
            err = value_add_factor(load, to, kind, count);
    }
    return err;
}

static int move_refuse_timestep(struct load *load, const struct value *value, size_t axis,
                                int64_t first, int64_t count, int64_t step)
{
    if (value_axis_is(value, axis, FACTOR_BATCH))
        return load_refuse(load, "selects rows of the batch: the streams of a batch must stay "
                                 "apart");
    if (!value_axis_is(value, axis, FACTOR_TIME))
        return load_refuse(load, "selects from an axis that mixes %s with others",
                           value_axis_word(value, axis));
    if (step < 0 && count > 1)
        return load_refuse(load, "reverses the time axis: it would look ahead");
    /* (as it counts: an open length of the sequence is a stand-in that nobody has written) */
    int64_t last = value->dims[axis] - 1;
    if (count == 1 && first <= last / 2)
        return load_refuse(load,
                           "selects timestep %lld of the sequence: only the last one "
                           "(y[:, -1]) can stream",
                           (long long)first);
    if (count == 1)
        return load_refuse(load,
                           "selects timestep %lld of the sequence: only the last one "
                           "(y[:, -1]) can stream",
                           (long long)(first - last - 1));
    return load_refuse(load, "selects a part of the timesteps: only the last one, or all, can "
                             "stream");
}

static int move_slice_items(struct load *load, const struct value *value, size_t axis,
                            int64_t first, int64_t count, int64_t step, struct value *ret_value)
{
    struct value to;
    int err = move_resized(load, value, axis, FACTOR_ITEM, count, &to);
    struct value_walk walk = value_walk_of(value);
    walk.start = (ptrdiff_t)first * walk.strides[axis];
    walk.strides[axis] *= (ptrdiff_t)step;
    walk.dims[axis] = (size_t)count;
    if (err == 0)
        err = value_take_walk(load, &to, &walk, value);
    if (err == 0)
        *ret_value = to;
    return err;
}

static int move_slice_time(struct load *load, const struct value *value, size_t axis, int64_t first,
                           int64_t count, int64_t step, struct value *ret_value)
{
    bool is_last =
        value_axis_is(value, axis, FACTOR_TIME) && count == 1 && first == value->dims[axis] - 1;
    if (!is_last)
        return move_refuse_timestep(load, value, axis, first, count, step);
    struct value to;
    int err = move_resized(load, value, axis, FACTOR_ITEM, 1, &to);
    if (err < 0)
        return err;
    to.items = value->items;
    to.last = true;
    *ret_value = to;
    return 0;
}

int move_slice(struct load *load, const struct value *value, size_t axis, int64_t first,
               int64_t count, int64_t step, struct value *ret_value)
{
    if (count == value->dims[axis] && first == 0 && (step == 1 || count == 1)) {
        *ret_value = *value;
        return 0;
    }
    if (count == 0) {
        static const int64_t nothing;
        if (value->data)
            return load_refuse(load, "selects nothing at all");
        int64_t dims[VALUE_AXES_MAX];
        memcpy(dims, value->dims, sizeof dims);
        dims[axis] = 0;
        return value_constant(load, value->type, &nothing, value->n_axes, dims, ret_value);
    }
    if (*value_axis_word(value, axis) != '\0')
        return move_slice_time(load, value, axis, first, count, step, ret_value);
    if (value_axis_is(value, axis, FACTOR_ITEM))
        return move_slice_items(load, value, axis, first, count, step, ret_value);
    struct value spread;
    int err = 0;
    if (value_axis_is(value, axis, FACTOR_REPEAT)) {
        err = move_resized(load, value, axis, FACTOR_REPEAT, count, &spread);
        spread.items = value->items;
        *ret_value = spread;
        return err;
    }
    err = value_spread(load, value, &spread);
    return err < 0 ? err : move_slice_items(load, &spread, axis, first, count, step, ret_value);
}

/* ---- gather ------------------------------------------------------------------------------- */

static int move_gather_shape(struct load *load, const struct value *value, size_t axis,
                             size_t n_dims, const int64_t *dims, struct value *to)
{
    int err = 0;
    *to = value_like(value);
    for (size_t k = 0; err == 0 && k < axis; k++)
        err = value_copy_axis(load, to, value, k);
    for (size_t k = 0; err == 0 && k < n_dims; k++) {
        err = value_add_axis(load, to);
        if (err == 0)
            err = value_add_factor(load, to, FACTOR_ITEM, dims[k]);
    }
    for (size_t k = axis + 1; err == 0 && k < value->n_axes; k++)
        err = value_copy_axis(load, to, value, k);
    return err;
}

static int move_gather_items(struct load *load, const struct value *value, size_t axis,
                             const int64_t *list, size_t n_list, struct value *to)
{
    size_t bytes = value_item_bytes(value), outer = 1, inner = 1;
    char *items;
    for (size_t k = 0; k < axis; k++)
        outer *= value_axis_items(value, k);
    for (size_t k = axis + 1; k < value->n_axes; k++)
        inner *= value_axis_items(value, k);
    size_t n_axis = value_axis_items(value, axis);
    int err = load_take(load, to->n, bytes, &items);
    if (err < 0)
        return err;
    to->items = items;
    for (size_t o = 0; o < outer; o++)
        for (size_t k = 0; k < n_list; k++, items += inner * bytes)
            memcpy(items,
                   (const char *)value->items + (o * n_axis + (size_t)list[k]) * inner * bytes,
                   inner * bytes);
    return 0;
}

int move_gather(struct load *load, const struct value *value, size_t axis, const int64_t *list,
                size_t n_dims, const int64_t *dims, struct value *ret_value)
{
    struct value from, to;
    const int64_t first = 0;
    size_t n_list = 1;
    for (size_t k = 0; k < n_dims; k++)
        n_list *= (size_t)dims[k];
    int err = 0;
    if (*value_axis_word(value, axis) != '\0') { /* its last timestep, then an axis of one item */
        if (n_list != 1)
            return move_refuse_timestep(load, value, axis, list[0], (int64_t)n_list, 1);
        err = move_slice(load, value, axis, list[0], 1, 1, &from);
        list = &first;
    } else {
        from = *value;
        if (!value_axis_is(value, axis, FACTOR_ITEM))
            err = value_spread(load, value, &from);
    }
    if (err == 0)
        err = move_gather_shape(load, &from, axis, n_dims, dims, &to);
    if (err == 0)
        err = move_gather_items(load, &from, axis, list, n_list, &to);
    if (err == 0)
        *ret_value = to;
    return err;
}

/* ---- concat ------------------------------------------------------------------------------- */

static int move_concat_check(struct load *load, const struct value *a, const struct value *b,
                             size_t axis)
{
    char text_a[160], text_b[160];
    bool same = a->n_axes == b->n_axes && value_axis_is(b, axis, FACTOR_ITEM);
    for (size_t k = 0; same && k < a->n_axes; k++)
        same = k == axis || value_same_axis(a, k, b, k);
    if (same)
        return 0;
    if ((a->last && value_has(b, FACTOR_TIME)) || (b->last && value_has(a, FACTOR_TIME)))
        return load_refuse(load, "joins the last timestep with the whole sequence");
    if (*value_axis_word(b, axis) != '\0')
        return load_refuse(load, "joins values along the %s axis", value_axis_word(b, axis));
    return load_refuse(load, "cannot join %s and %s along axis %zu", value_shape_text(a, text_a),
                       value_shape_text(b, text_b), axis);
}

int move_concat(struct load *load, const struct value *values, size_t n_values, size_t axis,
                struct value *ret_value)
{
    int64_t size = 0;
    bool last = false;
    int err = 0;
    for (size_t k = 0; err == 0 && k < n_values; k++) {
        err = move_concat_check(load, &values[0], &values[k], axis);
        if (err == 0 && __builtin_add_overflow(size, values[k].dims[axis], &size))
            err = load_refuse(load, "a tensor that is too large");
        last |= values[k].last;
    }
    struct value to;
    char *items;
    if (err == 0)
        err = move_resized(load, &values[0], axis, FACTOR_ITEM, size, &to);
    size_t bytes = value_item_bytes(&values[0]), outer = 1;
    if (err == 0)
        err = load_take(load, to.n, bytes, &items);
    if (err < 0)
        return err;
    to.items = items;
    to.last = last;
    for (size_t k = 0; k < axis; k++)
        outer *= value_axis_items(&to, k);
    for (size_t o = 0; o < outer; o++) {
        for (size_t k = 0; k < n_values; k++) {
            size_t block = values[k].n / outer * bytes;
            if (block > 0)
                memcpy(items, (const char *)values[k].items + o * block, block);
            items += block;
        }
    }
    *ret_value = to;
    return 0;
}

/* ---- expand ------------------------------------------------------------------------------- */

int move_add_broadcast(struct load *load, const struct move_sizes *sizes, const struct value *from,
                       int64_t dim, struct value *ret)
{
    int err = value_add_axis(load, ret);
    if (err < 0 || !from->data)
        return err < 0 ? err : value_add_factor(load, ret, FACTOR_REPEAT, dim);
    if (dim > 1 && dim == sizes->time && from->last && !sizes->time_known)
        return load_refuse(load, "repeats the last timestep over a whole sequence");
    if (dim > 1 && dim == sizes->time && !from->last && !value_has(from, FACTOR_TIME))
        return value_add_factor(load, ret, FACTOR_TIME, dim);
    if (dim > 1 && dim == sizes->batch && !value_has(from, FACTOR_BATCH))
        return value_add_factor(load, ret, FACTOR_BATCH, dim);
    return value_add_factor(load, ret, FACTOR_ITEM, dim);
}

int move_expand(struct load *load, const struct move_sizes *sizes, const struct value *value,
                size_t n_dims, const int64_t *dims, struct value *ret_value)
{
    size_t n_axes = n_dims > value->n_axes ? n_dims : value->n_axes;
    struct value to = value_like(value);
    struct value_walk from = value_walk_of(value), walk = {.n_axes = n_axes};
    int err = 0;
    for (size_t k = 0; err == 0 && k < n_axes; k++) {
        bool has = k + value->n_axes >= n_axes, wants = k + n_dims >= n_axes;
        size_t axis = has ? k + value->n_axes - n_axes : 0;
        int64_t dim = has ? value->dims[axis] : 1, want = wants ? dims[k + n_dims - n_axes] : 1;
        if (dim != 1 && want != 1 && dim != want)
            return load_refuse(load, "cannot expand an axis of size %lld to %lld", (long long)dim,
                               (long long)want);
        if (has && (dim != 1 || want == 1))
            err = value_copy_axis(load, &to, value, axis);
        else
            err = move_add_broadcast(load, sizes, value, want, &to);
        walk.dims[k] = err < 0 ? 1 : value_axis_items(&to, k);
        walk.strides[k] = has && dim != 1 ? from.strides[axis] : 0;
    }
    if (err == 0)
        err = value_take_walk(load, &to, &walk, value);
    if (err == 0)
        *ret_value = to;
    return err;
}
