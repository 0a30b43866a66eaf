/* broadcast.c - axis by axis, from the right: which factors, and how items repeat.
 *
 *     data   [batch, time, 5]
 *     const  [        1013, 5]   must say the same at all 1013 timesteps; it takes part as [5] */
#include "lib/model/broadcast.h"

#include <string.h>

/* The axis of `value` that meets axis k of n_axes; false when it is missing or of size 1. */
static bool broadcast_axis(const struct value *value, size_t k, size_t n_axes, size_t *ret_axis)
{
    if (k + value->n_axes < n_axes)
        return false;
    *ret_axis = k + value->n_axes - n_axes;
    return value->dims[*ret_axis] != 1;
}

/* The axis of `wide`, which `narrow` repeats itself along. */
static int broadcast_over(struct load *load, const struct move_sizes *sizes,
                          const struct value *narrow, const struct value *wide, size_t axis,
                          struct value *shape)
{
    int64_t dim = wide->dims[axis];
    if (!narrow->data || wide->data) {
        if (narrow->last && value_axis_has(wide, axis, FACTOR_TIME))
            return load_refuse(load, "combines the last timestep with the whole sequence");
        return value_copy_axis(load, shape, wide, axis);
    }
    if (value_axis_is(wide, axis, FACTOR_REPEAT))
        return move_add_broadcast(load, sizes, narrow, dim, shape);
    int err = value_add_axis(load, shape);
    return err < 0 ? err : value_add_factor(load, shape, FACTOR_ITEM, dim);
}

/* Both have the axis. */
static int broadcast_both(struct load *load, const struct value *a, size_t axis_a,
                          const struct value *b, size_t axis_b, struct value *shape)
{
    char text_a[160], text_b[160];
    bool same = value_same_axis(a, axis_a, b, axis_b);
    if (a->dims[axis_a] != b->dims[axis_b] || (a->data && b->data && !same))
        return load_refuse(load, "shapes %s and %s do not fit together",
                           value_shape_text(a, text_a), value_shape_text(b, text_b));
    if (same || a->data || (!b->data && value_axis_is(b, axis_b, FACTOR_REPEAT)))
        return value_copy_axis(load, shape, a, axis_a);
    if (b->data || value_axis_is(a, axis_a, FACTOR_REPEAT))
        return value_copy_axis(load, shape, b, axis_b);
    int err = value_add_axis(load, shape);
    return err < 0 ? err : value_add_factor(load, shape, FACTOR_ITEM, a->dims[axis_a]);
}

int broadcast_shape(struct load *load, const struct move_sizes *sizes, const struct value *a,
                    const struct value *b, struct value *ret_shape)
{
    size_t n_axes = a->n_axes > b->n_axes ? a->n_axes : b->n_axes;
    struct value shape = value_like(a->data ? a : b);
    shape.last = a->last || b->last;
    shape.zero_state = a->zero_state && b->zero_state;
    shape.type = a->type;
    shape.origin = a->origin != NULL ? a->origin : b->origin;
    int err = 0;
    for (size_t k = 0; err == 0 && k < n_axes; k++) {
        size_t axis_a, axis_b;
        bool has_a = broadcast_axis(a, k, n_axes, &axis_a);
        bool has_b = broadcast_axis(b, k, n_axes, &axis_b);
        if (has_a && has_b)
            err = broadcast_both(load, a, axis_a, b, axis_b, &shape);
        else if (has_a)
            err = broadcast_over(load, sizes, b, a, axis_a, &shape);
        else if (has_b)
            err = broadcast_over(load, sizes, a, b, axis_b, &shape);
        else
            err = value_add_axis(load, &shape);
    }
    if (err == 0)
        *ret_shape = shape;
    return err;
}

/* ---- items -------------------------------------------------------------------------------- */

/* How a value's items are met while the items of a shape are walked in order, and the loops over
 * time and batch along which the value must not change. */
struct broadcast_loops {
    struct value_walk items, fixed;
};

static void broadcast_loop(struct value_walk *walk, int64_t size, ptrdiff_t stride)
{
    walk->dims[walk->n_axes] = (size_t)size;
    walk->strides[walk->n_axes++] = stride;
}

/* The loops along one axis of the shape.  `stride` is the value's along its axis; 0: it repeats.
 * by_items: the value's axis has the shape's own factors, so only ITEMs take room in it. */
static void broadcast_axis_loops(const struct value *shape, size_t axis, ptrdiff_t stride,
                                 bool by_items, struct broadcast_loops *loops)
{
    size_t first = shape->first[axis], end = shape->first[axis + 1];
    ptrdiff_t strides[VALUE_FACTORS_MAX];
    for (size_t f = end; f-- > first;) {
        bool takes_room = shape->factors[f].kind == FACTOR_ITEM || !by_items;
        strides[f] = takes_room ? stride : 0;
        stride *= takes_room ? (ptrdiff_t)shape->factors[f].size : 1;
    }
    for (size_t f = first; f < end; f++) {
        bool item = shape->factors[f].kind == FACTOR_ITEM;
        if (item || strides[f] != 0)
            broadcast_loop(item ? &loops->items : &loops->fixed, shape->factors[f].size,
                           strides[f]);
    }
}

/* False when the value must be spread first: an axis is partly REPEAT, and not as the shape's. */
static bool broadcast_find_loops(const struct value *value, const struct value *shape,
                                 struct broadcast_loops *loops)
{
    struct value_walk walk = value_walk_of(value);
    *loops = (struct broadcast_loops){0};
    for (size_t k = 0; k < shape->n_axes; k++) {
        size_t axis;
        bool has = broadcast_axis(value, k, shape->n_axes, &axis);
        bool same = has && value_same_axis(value, axis, shape, k);
        bool repeats = !has || value_axis_is(value, axis, FACTOR_REPEAT);
        if (!same && !repeats && !value_axis_is(value, axis, FACTOR_ITEM))
            return false;
        broadcast_axis_loops(shape, k, repeats ? 0 : walk.strides[axis], same, loops);
    }
    return true;
}

static int broadcast_check(struct load *load, const struct value *value,
                           const struct broadcast_loops *loops, size_t n, const void *items)
{
    size_t bytes = value_item_bytes(value), at[VALUE_FACTORS_MAX] = {0}, n_fixed = 1;
    struct value_walk walk = loops->items;
    const struct value_walk *fixed = &loops->fixed;
    void *other;
    int err = fixed->n_axes == 0 ? 0 : load_take(load, n, bytes, &other);
    for (size_t k = 0; k < fixed->n_axes; k++)
        n_fixed *= fixed->dims[k];
    for (size_t k = 1; err == 0 && k < n_fixed; k++) {
        for (size_t axis = fixed->n_axes; axis-- > 0;) {
            walk.start += fixed->strides[axis];
            if (++at[axis] < fixed->dims[axis])
                break;
            walk.start -= fixed->strides[axis] * (ptrdiff_t)fixed->dims[axis];
            at[axis] = 0;
        }
        value_walk_copy(&walk, value->items, bytes, other);
        if (memcmp(other, items, n * bytes) != 0)
            return load_refuse(load, "uses a constant that changes from timestep to timestep, or "
                                     "from row to row of the batch");
    }
    return err;
}

int broadcast_items(struct load *load, const struct value *value, const struct value *shape,
                    const void **ret_items)
{
    struct broadcast_loops loops;
    struct value spread;
    int err = 0;
    if (!broadcast_find_loops(value, shape, &loops)) {
        err = value_spread(load, value, &spread);
        value = &spread;
        if (err == 0)
            broadcast_find_loops(value, shape, &loops);
    }
    void *items;
    if (err == 0 && (value->n == 0 || (shape->data && shape->n > VALUE_ITEMS_MAX)))
        err = load_refuse(load, "works on a tensor that is empty or too large");
    if (err == 0)
        err = load_take(load, shape->n, value_item_bytes(value), &items);
    if (err < 0)
        return err;
    value_walk_copy(&loops.items, value->items, value_item_bytes(value), items);
    err = broadcast_check(load, value, &loops, shape->n, items);
    if (err == 0)
        *ret_items = items;
    return err;
}
