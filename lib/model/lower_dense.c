/* lower_dense.c - products with constant matrices: MatMul, Gemm, and BatchNormalization. */
#include "lib/model/lower.h"

#include <math.h>
#include <string.h>

#include "lib/model/fold_sum.h"

/* ---- products ----------------------------------------------------------------------------- */

/* The matrix of a constant [1, .., 1, K, N] or [K]; [K][N] floats. */
static int lower_matrix(struct lower *lower, const struct value *constant, struct value *ret_matrix)
{
    struct value spread;
    int err = value_spread(&lower->load, constant, &spread);
    if (err == 0 && spread.type != GRAPH_FLOAT)
        err = load_refuse(&lower->load, "multiplies with a matrix of integers");
    if (err < 0)
        return err;
    size_t n = spread.n_axes;
    int64_t dims[2] = {n == 1  ? spread.dims[0]
                       : n > 1 ? spread.dims[n - 2]
                               : 1,
                       n > 1 ? spread.dims[n - 1] : 1};
    if (n == 0 || dims[0] * dims[1] != spread.size)
        return load_refuse(&lower->load, "multiplies with %s: only a single matrix is supported",
                           n == 0 ? "a single number" : "a stack of matrices");
    err = value_reshape(&lower->load, &spread, 2, dims, ret_matrix);
    return err;
}

static int lower_swap(struct lower *lower, const struct value *value, struct value *ret_value)
{
    size_t order[VALUE_AXES_MAX];
    for (size_t k = 0; k < value->n_axes; k++)
        order[k] = k;
    order[value->n_axes - 1] = value->n_axes - 2;
    order[value->n_axes - 2] = value->n_axes - 1;
    return move_permute(&lower->load, value, order, ret_value);
}

static int lower_dense_check(struct lower *lower, const struct value *x, const struct value *matrix)
{
    struct load *load = &lower->load;
    size_t last = x->n_axes - 1;
    if (x->type != GRAPH_FLOAT)
        return load_refuse(load, "computes with integers of the input: cast it to float first");
    if (*value_axis_word(x, last) != '\0')
        return load_refuse(
            load, "multiplies along the %s axis: it mixes %s", value_axis_word(x, last),
            value_axis_has(x, last, FACTOR_TIME) ? "timesteps" : "the streams of a batch");
    if (x->dims[last] != matrix->dims[0])
        return load_invalid(load, "multiplies %lld values with a matrix of %lld rows",
                            (long long)x->dims[last], (long long)matrix->dims[0]);
    return 0;
}

/* x [.., K] times matrix [K][N] -> [.., N], a dense step. */
static int lower_dense(struct lower *lower, const struct graph_node *node, const struct value *x,
                       const struct value *matrix, float scale, bool layer, struct value *ret_value)
{
    struct load *load = &lower->load;
    size_t last = x->n_axes - 1, slot, K = (size_t)matrix->dims[0], N = (size_t)matrix->dims[1];
    int err = lower_dense_check(lower, x, matrix);
    if (err < 0)
        return err;
    struct plan_step step = {.kind = PLAN_DENSE,
                             .node = node,
                             .op = "Dense",
                             .origin = matrix->origin,
                             .layer = layer,
                             .dense = {.n_inputs = K,
                                       .n_outputs = N,
                                       .n_rows = x->n / K,
                                       .W = matrix->floats,
                                       .row_stride = 1,
                                       .column_stride = N,
                                       .scale = scale}};
    struct value to = value_like(x);
    for (size_t k = 0; err == 0 && k < last; k++)
        err = value_copy_axis(load, &to, x, k);
    if (err == 0)
        err = value_add_axis(load, &to);
    if (err == 0)
        err = value_add_factor(load, &to, FACTOR_ITEM, matrix->dims[1]);
    if (err == 0)
        err = lower_slot(lower, node, x, &slot);
    if (err == 0)
        err = lower_step(lower, &step, &slot, 1, &to);
    if (err == 0)
        *ret_value = to;
    return err;
}

/* Constant on the left: (A B) = (B' A')'. */
static int lower_dense_left(struct lower *lower, const struct graph_node *node,
                            const struct value *a, const struct value *b, float scale, bool layer,
                            struct value *ret_value)
{
    struct value row = *a, matrix, swapped = *b;
    int64_t dims[2] = {1, a->n_axes == 1 ? a->dims[0] : 1};
    bool vector = b->n_axes == 1;
    int err = a->n_axes == 1 ? value_reshape(&lower->load, a, 2, dims, &row) : 0;
    if (err == 0)
        err = lower_matrix(lower, &row, &matrix);
    if (err == 0)
        err = lower_swap(lower, &matrix, &matrix);
    if (err == 0 && !vector)
        err = lower_swap(lower, b, &swapped);
    if (err == 0)
        err = lower_dense(lower, node, &swapped, &matrix, scale, layer, ret_value);
    if (err == 0 && !vector)
        err = lower_swap(lower, ret_value, ret_value);
    return err;
}

static int lower_fold_product(struct lower *lower, const struct value *a, const struct value *b,
                              struct value *ret_value)
{
    struct value left, right, to = {.defined = true, .type = GRAPH_FLOAT, .n = 1, .size = 1};
    int64_t dims[2] = {1, a->n_axes > 0 ? a->dims[a->n_axes - 1] : 1};
    int err = a->n_axes == 1 ? value_reshape(&lower->load, a, 2, dims, &left)
                             : lower_matrix(lower, a, &left);
    if (err == 0)
        err = value_spread(&lower->load, &left, &left);
    if (err == 0)
        err = lower_matrix(lower, b, &right);
    if (err == 0 && (left.dims[1] != right.dims[0] || left.type != GRAPH_FLOAT))
        err = load_invalid(&lower->load, "multiplies matrices that do not fit");
    for (size_t k = 0; err == 0 && k < 2; k++) {
        err = value_add_axis(&lower->load, &to);
        if (err == 0)
            err = value_add_factor(&lower->load, &to, FACTOR_ITEM,
                                   k == 0 ? left.dims[0] : right.dims[1]);
    }
    if (err == 0)
        err = fold_sum_matmul(&lower->load, &left, &right, (size_t)left.dims[0],
                              (size_t)left.dims[1], (size_t)right.dims[1], &to);
    to.origin = a->origin != NULL ? a->origin : b->origin;
    if (err == 0)
        *ret_value = to;
    return err;
}

/* Numpy's matmul drops the axis that a vector was given. */
static int lower_drop_axis(struct lower *lower, size_t axis, struct value *value)
{
    int64_t dims[VALUE_AXES_MAX];
    size_t n = 0;
    for (size_t k = 0; k < value->n_axes; k++)
        if (k != axis)
            dims[n++] = value->dims[k];
    return value_reshape(&lower->load, value, n, dims, value);
}

static int lower_product(struct lower *lower, const struct graph_node *node, const struct value *a,
                         const struct value *b, float scale, bool layer, struct value *ret_value)
{
    struct value matrix, to;
    int err;
    if (a->n_axes == 0 || b->n_axes == 0)
        return load_invalid(&lower->load, "multiplies with a single number");
    if (a->data && b->data)
        return load_refuse(&lower->load, "multiplies two tensors that are both computed from the "
                                         "inputs (attention): that is not supported");
    if (!a->data && !b->data) {
        err = lower_fold_product(lower, a, b, &to);
        if (err == 0 && a->n_axes == 1)
            err = lower_drop_axis(lower, 0, &to);
    } else if (b->data) {
        err = lower_dense_left(lower, node, a, b, scale, layer, &to);
        if (err == 0 && a->n_axes == 1)
            err = lower_drop_axis(lower, to.n_axes - 2, &to);
    } else {
        err = lower_matrix(lower, b, &matrix);
        if (err == 0)
            err = lower_dense(lower, node, a, &matrix, scale, layer, &to);
    }
    if (err == 0 && !b->data && b->n_axes == 1)
        err = lower_drop_axis(lower, to.n_axes - 1, &to);
    if (err == 0)
        *ret_value = to;
    return err;
}

int lower_dense_matmul(struct lower *lower, const struct graph_node *node)
{
    const struct value *a = lower_in(lower, node, 0), *b = lower_in(lower, node, 1);
    struct value to;
    int err = a == NULL || b == NULL ? load_invalid(&lower->load, "needs two operands")
                                     : lower_product(lower, node, a, b, 1, true, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- Gemm --------------------------------------------------------------------------------- */

static int lower_gemm_operand(struct lower *lower, const struct graph_node *node, size_t k,
                              const char *transposed, struct value *ret_value)
{
    const struct value *value = lower_in(lower, node, k);
    if (value == NULL || value->n_axes != 2)
        return load_invalid(&lower->load, "operand %zu is not a matrix", k);
    if (graph_attr_int(node, transposed, 0) != 0)
        return lower_swap(lower, value, ret_value);
    *ret_value = *value;
    return 0;
}

int lower_dense_gemm(struct lower *lower, const struct graph_node *node)
{
    static const int64_t scalar[1];
    const struct value *c = lower_in(lower, node, 2);
    float alpha = graph_attr_real(node, "alpha", 1), beta = graph_attr_real(node, "beta", 1);
    struct value a, b, to, bias, factor;
    bool adds = c != NULL && beta != 0;
    int err = lower_gemm_operand(lower, node, 0, "transA", &a);
    if (err == 0)
        err = lower_gemm_operand(lower, node, 1, "transB", &b);
    if (err == 0 && !a.data && !b.data && alpha != 1)
        err = load_refuse(&lower->load, "scales a product of constants");
    if (err == 0)
        err = lower_product(lower, node, &a, &b, alpha, !adds, &to);
    if (err == 0 && adds && beta != 1) {
        err = value_constant(&lower->load, GRAPH_FLOAT, &beta, 0, scalar, &factor);
        if (err == 0)
            err = lower_math_combine(lower, node, "Mul", false, c, &factor, &bias);
        c = &bias;
    }
    if (err == 0 && adds)
        err = lower_math_combine(lower, node, "Add", true, &to, c, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- BatchNormalization ------------------------------------------------------------------- */

/* One of the four vectors as [C, 1, .., 1], to meet axis 1 of x. */
static int lower_channel(struct lower *lower, const struct graph_node *node, size_t k,
                         const char *what, const struct value *x, float **ret_items,
                         struct value *ret_value)
{
    const float *from;
    size_t n;
    int64_t dims[VALUE_AXES_MAX] = {0};
    int64_t channels = x->n_axes > 1 ? x->dims[1] : 1;
    int err = lower_floats(lower, node, k, what, &from, &n);
    if (err == 0 && (int64_t)n != channels)
        err = load_invalid(&lower->load, "%s has %zu values for %lld channels", what, n,
                           (long long)channels);
    if (err == 0)
        err = load_take(&lower->load, n, sizeof **ret_items, ret_items);
    if (err < 0)
        return err;
    memcpy(*ret_items, from, n * sizeof *from);
    size_t n_dims = x->n_axes > 1 ? x->n_axes - 1 : 1;
    for (size_t d = 0; d < n_dims; d++)
        dims[d] = d == 0 ? channels : 1;
    return value_constant(&lower->load, GRAPH_FLOAT, *ret_items, n_dims, dims, ret_value);
}

/* (x - mean) scale / sqrt(variance + epsilon) + bias: subtracting first keeps what a large mean
 * would cancel. */
int lower_dense_batch_norm(struct lower *lower, const struct graph_node *node)
{
    static const char *const names[4] = {"scale", "bias", "mean", "variance"};
    const struct value *x = lower_in(lower, node, 0);
    struct value parts[4], to;
    float *items[4];
    float epsilon = graph_attr_real(node, "epsilon", 1e-5f);
    if (x == NULL || graph_attr_int(node, "training_mode", 0) != 0 ||
        graph_attr_int(node, "spatial", 1) == 0)
        return load_refuse(&lower->load, "learns while it runs, or has one scale per position: "
                                         "export the model in inference mode (model.eval())");
    int err = 0;
    for (size_t k = 0; err == 0 && k < 4; k++)
        err = lower_channel(lower, node, k + 1, names[k], x, &items[k], &parts[k]);
    for (size_t k = 0; err == 0 && k < parts[0].n; k++)
        items[0][k] = (float)(items[0][k] / sqrt((double)items[3][k] + (double)epsilon));
    if (err == 0)
        err = lower_math_combine(lower, node, "Sub", false, x, &parts[2], &to);
    if (err == 0)
        err = lower_math_combine(lower, node, "Mul", false, &to, &parts[0], &to);
    if (err == 0)
        err = lower_math_combine(lower, node, "Add", true, &to, &parts[1], &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}
