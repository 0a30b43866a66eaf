/* value.c - shapes made of factors, and walks over items. */
#include "lib/model/value.h"

#include <stdio.h>
#include <string.h>

/* ---- shape -------------------------------------------------------------------------------- */

struct value value_like(const struct value *value)
{
    return (struct value){
        .defined = true,
        .data = value->data,
        .last = value->last,
        .zero_state = value->zero_state,
        .type = value->type,
        .n = 1,
        .size = 1,
        .origin = value->origin,
    };
}

int value_add_axis(struct load *load, struct value *value)
{
    if (value->n_axes == VALUE_AXES_MAX)
        return load_refuse(load, "a tensor with more than %d axes", VALUE_AXES_MAX);
    value->dims[value->n_axes++] = 1;
    value->first[value->n_axes] = value->first[value->n_axes - 1];
    return 0;
}

int value_add_factor(struct load *load, struct value *value, enum value_factor_kind kind,
                     int64_t size)
{
    if (size == 1)
        return 0;
    int64_t *dim = &value->dims[value->n_axes - 1];
    if (size <= 0)
        return load_refuse(load, "an empty tensor (an axis of size %lld)", (long long)size);
    if (__builtin_mul_overflow(value->size, size, &value->size))
        return load_refuse(load, "a tensor that is too large");
    *dim *= size;
    value->n *= kind == FACTOR_ITEM ? (size_t)size : 1;
    size_t *end = &value->first[value->n_axes];
    struct value_factor *before =
        *end > value->first[value->n_axes - 1] ? &value->factors[*end - 1] : NULL;
    if (before != NULL && before->kind == kind && (kind == FACTOR_ITEM || kind == FACTOR_REPEAT)) {
        before->size *= size;
        return 0;
    }
    if (*end == VALUE_FACTORS_MAX)
        return load_refuse(load, "a tensor whose axes are made of too many others");
    value->factors[(*end)++] = (struct value_factor){kind, size};
    return 0;
}

int value_copy_axis(struct load *load, struct value *value, const struct value *from, size_t axis)
{
    int err = value_add_axis(load, value);
    for (size_t f = from->first[axis]; err == 0 && f < from->first[axis + 1]; f++)
        err = value_add_factor(load, value, from->factors[f].kind, from->factors[f].size);
    return err;
}

size_t value_axis_items(const struct value *value, size_t axis)
{
    size_t n = 1;
    for (size_t f = value->first[axis]; f < value->first[axis + 1]; f++)
        if (value->factors[f].kind == FACTOR_ITEM)
            n *= (size_t)value->factors[f].size;
    return n;
}

bool value_axis_has(const struct value *value, size_t axis, enum value_factor_kind kind)
{
    for (size_t f = value->first[axis]; f < value->first[axis + 1]; f++)
        if (value->factors[f].kind == kind)
            return true;
    return false;
}

bool value_axis_is(const struct value *value, size_t axis, enum value_factor_kind kind)
{
    for (size_t f = value->first[axis]; f < value->first[axis + 1]; f++)
        if (value->factors[f].kind != kind)
            return false;
    return true;
}

bool value_has(const struct value *value, enum value_factor_kind kind)
{
    for (size_t axis = 0; axis < value->n_axes; axis++)
        if (value_axis_has(value, axis, kind))
            return true;
    return false;
}

bool value_same_axis(const struct value *a, size_t axis_a, const struct value *b, size_t axis_b)
{
    size_t first_a = a->first[axis_a], first_b = b->first[axis_b];
    size_t n = a->first[axis_a + 1] - first_a;
    if (n != b->first[axis_b + 1] - first_b)
        return false;
    for (size_t k = 0; k < n; k++)
        if (a->factors[first_a + k].kind != b->factors[first_b + k].kind ||
            a->factors[first_a + k].size != b->factors[first_b + k].size)
            return false;
    return true;
}

const char *value_axis_word(const struct value *value, size_t axis)
{
    return value_axis_has(value, axis, FACTOR_TIME)    ? "time"
           : value_axis_has(value, axis, FACTOR_BATCH) ? "batch"
                                                       : "";
}

char *value_shape_text(const struct value *value, char *text)
{
    static const char *const words[] = {
        [FACTOR_TIME] = "time", [FACTOR_BATCH] = "batch", [FACTOR_ITEM] = NULL};
    size_t at = (size_t)sprintf(text, "[");
    for (size_t axis = 0; axis < value->n_axes && at < 100; axis++) {
        at += (size_t)sprintf(text + at, axis > 0 ? ", " : "");
        if (value->first[axis] == value->first[axis + 1])
            at += (size_t)sprintf(text + at, "1");
        for (size_t f = value->first[axis]; f < value->first[axis + 1] && at < 100; f++) {
            const char *word = words[value->factors[f].kind % 4];
            const char *times = f > value->first[axis] ? "*" : "";
            if (word != NULL)
                at += (size_t)sprintf(text + at, "%s%s", times, word);
            else
                at +=
                    (size_t)sprintf(text + at, "%s%lld", times, (long long)value->factors[f].size);
        }
    }
    sprintf(text + at, "]");
    return text;
}

/* ---- whole values ------------------------------------------------------------------------- */

static int value_of_dims(struct load *load, enum value_factor_kind kind, size_t n_dims,
                         const int64_t *dims, struct value *value)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n_dims; k++) {
        err = value_add_axis(load, value);
        if (err == 0 && dims[k] == 0) { /* an empty constant, as torch writes for "no pads" */
            value->dims[k] = 0;
            value->n = 0;
            value->size = 0;
        } else if (err == 0) {
            err = value_add_factor(load, value, kind, dims[k]);
        }
    }
    return err;
}

int value_uniform(struct load *load, enum graph_type type, const void *item, size_t n_dims,
                  const int64_t *dims, struct value *ret_value)
{
    struct value value = {.defined = true, .type = type, .n = 1, .size = 1};
    size_t bytes = value_item_bytes(&value);
    void *copy;
    int err = value_of_dims(load, FACTOR_REPEAT, n_dims, dims, &value);
    if (err == 0)
        err = load_take(load, 1, bytes, &copy);
    if (err < 0)
        return err;
    value.items = memcpy(copy, item, bytes);
    *ret_value = value;
    return 0;
}

int value_constant(struct load *load, enum graph_type type, const void *items, size_t n_dims,
                   const int64_t *dims, struct value *ret_value)
{
    struct value value = {.defined = true, .type = type, .n = 1, .size = 1, .items = items};
    int err = value_of_dims(load, FACTOR_ITEM, n_dims, dims, &value);
    if (err == 0)
        *ret_value = value;
    return err;
}

/* The next factors of `from` for an axis of size dim; *at and *left say how far they are used. */
static int value_regroup(struct load *load, const struct value *from, size_t n_factors, int64_t dim,
                         size_t *at, int64_t *left, struct value *to)
{
    int err = value_add_axis(load, to);
    for (int64_t rest = dim; err == 0 && rest > 1;) {
        if (*at == n_factors)
            return load_refuse(load, "a reshape to another number of values");
        const struct value_factor *factor = &from->factors[*at];
        int64_t size = *left > 0 ? *left : factor->size;
        bool splits = factor->kind == FACTOR_ITEM || factor->kind == FACTOR_REPEAT;
        int64_t part = rest % size == 0 ? size : splits && size % rest == 0 ? rest : 0;
        if (part == 0)
            return load_refuse(load,
                               "a reshape cuts the %s axis into pieces, or mixes it with "
                               "others: timesteps must stay apart",
                               factor->kind == FACTOR_BATCH ? "batch" : "time");
        err = value_add_factor(load, to, factor->kind, part);
        rest /= part;
        *left = size / part == 1 ? 0 : size / part;
        *at += *left == 0;
    }
    return err;
}

/* The factors in one row, neighbours of one kind joined across axes; the number of them. */
static size_t value_join(const struct value *value, struct value *ret_joined)
{
    size_t n = 0;
    for (size_t f = 0; f < value->first[value->n_axes]; f++) {
        const struct value_factor *factor = &value->factors[f];
        if (n > 0 && ret_joined->factors[n - 1].kind == factor->kind &&
            (factor->kind == FACTOR_ITEM || factor->kind == FACTOR_REPEAT))
            ret_joined->factors[n - 1].size *= factor->size;
        else
            ret_joined->factors[n++] = *factor;
    }
    return n;
}

/* Can ITEM and REPEAT factors of a constant be regrouped without mixing them? */
static int value_reshape_factors(struct load *load, const struct value *value, size_t n_dims,
                                 const int64_t *dims, struct value *ret_value)
{
    if (value->n == 0)
        return load_refuse(load, "works on an empty tensor");
    struct value joined, to = value_like(value);
    size_t n_factors = value_join(value, &joined), at = 0;
    int64_t left = 0;
    int err = 0;
    for (size_t k = 0; err == 0 && k < n_dims; k++)
        err = value_regroup(load, &joined, n_factors, dims[k], &at, &left, &to);
    if (err < 0)
        return err;
    if (at != n_factors)
        return load_refuse(load, "a reshape to another number of values");
    to.items = value->items;
    *ret_value = to;
    return 0;
}

int value_reshape(struct load *load, const struct value *value, size_t n_dims, const int64_t *dims,
                  struct value *ret_value)
{
    int err = value_reshape_factors(load, value, n_dims, dims, ret_value);
    if (err != CELLTAP_EREFUSED || value->data || !value_has(value, FACTOR_REPEAT))
        return err;
    struct value spread;
    err = value_spread(load, value, &spread);
    return err < 0 ? err : value_reshape_factors(load, &spread, n_dims, dims, ret_value);
}

int value_spread(struct load *load, const struct value *value, struct value *ret_value)
{
    if (!value_has(value, FACTOR_REPEAT)) {
        *ret_value = *value;
        return 0;
    }
    struct value to = value_like(value);
    struct value_walk walk = {0};
    int err = 0;
    for (size_t axis = 0; err == 0 && axis < value->n_axes; axis++) {
        err = value_add_axis(load, &to);
        for (size_t f = value->first[axis]; err == 0 && f < value->first[axis + 1]; f++)
            err = value_add_factor(load, &to, FACTOR_ITEM, value->factors[f].size);
    }
    walk.n_axes = value->first[value->n_axes];
    ptrdiff_t stride = 1;
    for (size_t f = walk.n_axes; f-- > 0;) {
        bool item = value->factors[f].kind == FACTOR_ITEM;
        walk.dims[f] = (size_t)value->factors[f].size;
        walk.strides[f] = item ? stride : 0;
        stride *= item ? (ptrdiff_t)value->factors[f].size : 1;
    }
    if (err == 0)
        err = value_take_walk(load, &to, &walk, value);
    if (err == 0)
        *ret_value = to;
    return err;
}

/* ---- items -------------------------------------------------------------------------------- */

struct value_walk value_walk_of(const struct value *value)
{
    struct value_walk walk = {.n_axes = value->n_axes};
    ptrdiff_t stride = 1;
    for (size_t axis = value->n_axes; axis-- > 0;) {
        walk.dims[axis] = value_axis_items(value, axis);
        walk.strides[axis] = stride;
        stride *= (ptrdiff_t)walk.dims[axis];
    }
    return walk;
}

void value_walk_copy(const struct value_walk *walk, const void *from, size_t item_bytes, void *to)
{
    size_t at[VALUE_FACTORS_MAX] = {0}, n = 1;
    for (size_t axis = 0; axis < walk->n_axes; axis++)
        n *= walk->dims[axis];
    ptrdiff_t offset = walk->start;
    char *out = to;
    for (size_t k = 0; k < n; k++, out += item_bytes) {
        memcpy(out, (const char *)from + offset * (ptrdiff_t)item_bytes, item_bytes);
        for (size_t axis = walk->n_axes; axis-- > 0;) {
            offset += walk->strides[axis];
            if (++at[axis] < walk->dims[axis])
                break;
            offset -= walk->strides[axis] * (ptrdiff_t)walk->dims[axis];
            at[axis] = 0;
        }
    }
}

int value_take_walk(struct load *load, struct value *value, const struct value_walk *walk,
                    const struct value *from)
{
    size_t bytes = value_item_bytes(from);
    void *items;
    if (from->n == 0)
        return load_refuse(load, "works on an empty tensor");
    if (value->data && value->n > VALUE_ITEMS_MAX)
        return load_refuse(load, "a tensor of %zu values in one timestep", value->n);
    int err = load_take(load, value->n, bytes, &items);
    if (err < 0)
        return err;
    value_walk_copy(walk, from->items, bytes, items);
    value->items = items;
    return 0;
}
