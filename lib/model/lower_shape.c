/* lower_shape.c - shape arithmetic: operators whose result is known at load. */
#include "lib/model/lower.h"

#include <math.h>
#include <string.h>

#include "lib/model/fold.h"

static int lower_made(struct lower *lower, const struct graph_node *node, enum graph_type type,
                      const void *items, size_t n_dims, const int64_t *dims)
{
    struct value value;
    int err = value_constant(&lower->load, type, items, n_dims, dims, &value);
    if (err == 0)
        lower_out(lower, node, 0, &value);
    return err;
}

int lower_shape_shape(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    int64_t *dims;
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    int64_t n = (int64_t)x->n_axes, start = graph_attr_int(node, "start", 0);
    int64_t end = graph_attr_int(node, "end", n);
    start = start < -n ? 0 : start < 0 ? start + n : start > n ? n : start;
    end = end < -n ? 0 : end < 0 ? end + n : end > n ? n : end;
    int64_t count = end > start ? end - start : 0;
    int err = load_take(&lower->load, (size_t)count, sizeof *dims, &dims);
    if (err < 0)
        return err;
    memcpy(dims, x->dims + start, (size_t)count * sizeof *dims);
    return lower_made(lower, node, GRAPH_INT, dims, 1, &count);
}

int lower_shape_size(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    int64_t *size;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : load_take(&lower->load, 1, sizeof *size, &size);
    if (err < 0)
        return err;
    *size = x->size;
    return lower_made(lower, node, GRAPH_INT, size, 0, NULL);
}

int lower_shape_constant(struct lower *lower, const struct graph_node *node)
{
    const struct graph_attr *attr = node->n_attrs == 1 ? &node->attrs[0] : NULL;
    int64_t n = attr == NULL ? 0 : (int64_t)attr->n;
    switch (attr == NULL ? GRAPH_ATTR_OTHER : attr->kind) {
    case GRAPH_ATTR_TENSOR:
        return lower_made(lower, node, attr->tensor->type, attr->tensor->items,
                          attr->tensor->n_dims, attr->tensor->dims);
    case GRAPH_ATTR_REAL:
        return lower_made(lower, node, GRAPH_FLOAT, &attr->f, 0, NULL);
    case GRAPH_ATTR_INT:
        return lower_made(lower, node, GRAPH_INT, &attr->i, 0, NULL);
    case GRAPH_ATTR_REALS:
        return lower_made(lower, node, GRAPH_FLOAT, attr->reals, 1, &n);
    case GRAPH_ATTR_INTS:
        return lower_made(lower, node, GRAPH_INT, attr->ints, 1, &n);
    default:
        return load_refuse(&lower->load, "is not a constant of numbers");
    }
}

/* ConstantOfShape */
int lower_shape_fill(struct lower *lower, const struct graph_node *node)
{
    static const float zero = 0;
    const struct graph_attr *attr = graph_attr(node, "value");
    const int64_t *dims;
    size_t n_dims;
    struct value value;
    int err = lower_ints(lower, node, 0, "the shape", &dims, &n_dims);
    if (err == 0 && n_dims > VALUE_AXES_MAX)
        err = load_refuse(&lower->load, "makes more than %d axes", VALUE_AXES_MAX);
    if (err == 0 && attr != NULL && (attr->kind != GRAPH_ATTR_TENSOR || attr->tensor->n != 1))
        err = load_invalid(&lower->load, "has no value to repeat");
    if (err == 0)
        err = value_uniform(&lower->load, attr == NULL ? GRAPH_FLOAT : attr->tensor->type,
                            attr == NULL ? &zero : attr->tensor->items, n_dims, dims, &value);
    if (err == 0)
        lower_out(lower, node, 0, &value);
    return err;
}

int lower_shape_range(struct lower *lower, const struct graph_node *node)
{
    const struct value *args[3];
    double numbers[3];
    int err = 0;
    for (size_t k = 0; err == 0 && k < 3; k++) {
        err = lower_constant(lower, node, k, "a bound of the range", &args[k]);
        if (err == 0 && args[k]->n != 1)
            err = load_invalid(&lower->load, "needs three single numbers");
        if (err == 0)
            numbers[k] = args[k]->type == GRAPH_FLOAT ? (double)args[k]->floats[0]
                                                      : (double)args[k]->ints[0];
    }
    if (err < 0)
        return err;
    double count = ceil((numbers[1] - numbers[0]) / numbers[2]);
    if (!(count >= 0 && count < 0x1p40))
        return load_refuse(&lower->load, "is a range without end");
    bool real = args[0]->type == GRAPH_FLOAT;
    int64_t n = (int64_t)count;
    void *items;
    err = load_take(&lower->load, (size_t)n, real ? sizeof(float) : sizeof(int64_t), &items);
    for (int64_t k = 0; err == 0 && k < n; k++) {
        double x = numbers[0] + (double)k * numbers[2];
        if (real)
            ((float *)items)[k] = (float)x;
        else
            ((int64_t *)items)[k] = fabs(x) < 0x1p62 ? (int64_t)x : 0;
    }
    return err < 0 ? err : lower_made(lower, node, args[0]->type, items, 1, &n);
}

/* Operators that are there for shape arithmetic alone: their operands, all constants. */
static int lower_shape_operands(struct lower *lower, const struct graph_node *node, size_t n,
                                const struct value **ret_operands)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n; k++) {
        const struct value *operand = lower_in(lower, node, k);
        if (operand != NULL && operand->data)
            return load_refuse(&lower->load,
                               "operator %s of values that change from frame to frame is not "
                               "supported",
                               node->op);
        err = lower_constant(lower, node, k, "operand", &ret_operands[k]);
    }
    return err;
}

int lower_shape_where(struct lower *lower, const struct graph_node *node)
{
    const struct value *args[3];
    struct value to;
    int err = lower_shape_operands(lower, node, 3, args);
    if (err == 0)
        err = fold_where(&lower->load, args[0], args[1], args[2], &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_shape_binary(struct lower *lower, const struct graph_node *node)
{
    const struct value *operands[2];
    struct value to;
    int err = lower_shape_operands(lower, node, 2, operands);
    if (err == 0)
        err = fold_binary(&lower->load, node->op, operands[0], operands[1], &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_shape_unary(struct lower *lower, const struct graph_node *node)
{
    const struct value *x;
    struct value to;
    int err = lower_shape_operands(lower, node, 1, &x);
    if (err == 0)
        err = fold_unary(&lower->load, node->op, x, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}
