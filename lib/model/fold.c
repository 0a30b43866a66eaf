/* fold.c - arithmetic on constants: one row per operator, for float and for int64.
 *
 * Integers are shapes and indices: they wrap as the hardware's do, and a division by zero is a
 * fault of the file.  Floats are computed in double and rounded once. */
#include "lib/model/fold.h"

#include <math.h>
#include <string.h>

typedef double fold_real1(double x);
typedef double fold_real2(double a, double b);
typedef int64_t fold_int1(int64_t x);
typedef int64_t fold_int2(int64_t a, int64_t b);

/* ---- the operators ------------------------------------------------------------------------ */

static double real_add(double a, double b)
{
    return a + b;
}
static double real_sub(double a, double b)
{
    return a - b;
}
static double real_mul(double a, double b)
{
    return a * b;
}
static double real_div(double a, double b)
{
    return a / b;
}
static double real_max(double a, double b)
{
    return a > b ? a : b;
}
static double real_min(double a, double b)
{
    return a < b ? a : b;
}
static double real_neg(double x)
{
    return -x;
}
static double real_inverse(double x)
{
    return 1 / x;
}
static double real_relu(double x)
{
    return x > 0 ? x : 0;
}
static double real_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double real_softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double real_sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}
static double real_eq(double a, double b)
{
    return a == b;
}
static double real_lt(double a, double b)
{
    return a < b;
}
static double real_gt(double a, double b)
{
    return a > b;
}
static double real_le(double a, double b)
{
    return a <= b;
}
static double real_ge(double a, double b)
{
    return a >= b;
}
static double real_identity(double x)
{
    return x;
}

static int64_t int_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static int64_t int_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static int64_t int_mul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}
static int64_t int_div(int64_t a, int64_t b)
{
    return b == -1 ? int_sub(0, a) : a / b;
}
static int64_t int_mod(int64_t a, int64_t b)
{
    int64_t rest = b == -1 ? 0 : a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
static int64_t int_pow(int64_t a, int64_t b)
{
    int64_t power = b < 0 ? (a == 1) : 1;
    for (; b > 0; b >>= 1, a = int_mul(a, a))
        power = b & 1 ? int_mul(power, a) : power;
    return power;
}
static int64_t int_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}
static int64_t int_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static int64_t int_neg(int64_t x)
{
    return int_sub(0, x);
}
static int64_t int_abs(int64_t x)
{
    return x < 0 ? int_sub(0, x) : x;
}
static int64_t int_relu(int64_t x)
{
    return x > 0 ? x : 0;
}
static int64_t int_not(int64_t x)
{
    return x == 0;
}
static int64_t int_sign(int64_t x)
{
    return (x > 0) - (x < 0);
}
static int64_t int_identity(int64_t x)
{
    return x;
}
static int64_t int_eq(int64_t a, int64_t b)
{
    return a == b;
}
static int64_t int_lt(int64_t a, int64_t b)
{
    return a < b;
}
static int64_t int_gt(int64_t a, int64_t b)
{
    return a > b;
}
static int64_t int_le(int64_t a, int64_t b)
{
    return a <= b;
}
static int64_t int_ge(int64_t a, int64_t b)
{
    return a >= b;
}
static int64_t int_and(int64_t a, int64_t b)
{
    return a && b;
}
static int64_t int_or(int64_t a, int64_t b)
{
    return a || b;
}
static int64_t int_xor(int64_t a, int64_t b)
{
    return !a != !b;
}

static const struct fold_row1 {
    const char *op;
    fold_real1 *real;
    fold_int1 *whole;
} fold_rows1[] = {
    {"Neg", real_neg, int_neg},
    {"Abs", fabs, int_abs},
    {"Sqrt", sqrt, NULL},
    {"Exp", exp, NULL},
    {"Log", log, NULL},
    {"Erf", erf, NULL},
    {"Floor", floor, int_identity},
    {"Ceil", ceil, int_identity},
    {"Round", rint, int_identity},
    {"Reciprocal", real_inverse, NULL},
    {"Relu", real_relu, int_relu},
    {"Sigmoid", real_sigmoid, NULL},
    {"Tanh", tanh, NULL},
    {"Softplus", real_softplus, NULL},
    {"Sign", real_sign, int_sign},
    {"Not", NULL, int_not},
    {"Sin", sin, NULL},
    {"Cos", cos, NULL},
    {"Identity", real_identity, int_identity},
};

static const struct fold_row2 {
    const char *op;
    fold_real2 *real;
    fold_int2 *whole;
    bool asks;    /* gives BOOL */
    bool divides; /* b must not be 0 */
} fold_rows2[] = {
    {"Add", real_add, int_add, false, false},
    {"Sub", real_sub, int_sub, false, false},
    {"Mul", real_mul, int_mul, false, false},
    {"Div", real_div, int_div, false, true},
    {"Mod", fmod, int_mod, false, true},
    {"Pow", pow, int_pow, false, false},
    {"Max", real_max, int_max, false, false},
    {"Min", real_min, int_min, false, false},
    {"Equal", real_eq, int_eq, true, false},
    {"Less", real_lt, int_lt, true, false},
    {"Greater", real_gt, int_gt, true, false},
    {"LessOrEqual", real_le, int_le, true, false},
    {"GreaterOrEqual", real_ge, int_ge, true, false},
    {"And", NULL, int_and, true, false},
    {"Or", NULL, int_or, true, false},
    {"Xor", NULL, int_xor, true, false},
};

/* ---- one and two operands ----------------------------------------------------------------- */

int fold_unary(struct load *load, const char *op, const struct value *x, struct value *ret_value)
{
    const struct fold_row1 *row = NULL;
    for (size_t k = 0; row == NULL && k < sizeof fold_rows1 / sizeof *fold_rows1; k++)
        if (strcmp(fold_rows1[k].op, op) == 0)
            row = &fold_rows1[k];
    bool real = x->type == GRAPH_FLOAT;
    if (row == NULL || (real ? row->real == NULL : row->whole == NULL))
        return load_refuse(load, "%s of a constant is not supported", op);
    void *items;
    int err = load_take(load, x->n, value_item_bytes(x), &items);
    if (err < 0)
        return err;
    for (size_t k = 0; k < x->n; k++) {
        if (real)
            ((float *)items)[k] = (float)row->real(x->floats[k]);
        else
            ((int64_t *)items)[k] = row->whole(x->ints[k]);
    }
    *ret_value = *x;
    ret_value->zero_state = false;
    ret_value->items = items;
    return 0;
}

static const struct fold_row2 *fold_find2(const char *op)
{
    for (size_t k = 0; k < sizeof fold_rows2 / sizeof *fold_rows2; k++)
        if (strcmp(fold_rows2[k].op, op) == 0)
            return &fold_rows2[k];
    return NULL;
}

static int fold_whole(struct load *load, const struct fold_row2 *row, const int64_t *a,
                      const int64_t *b, size_t n, int64_t *to)
{
    for (size_t k = 0; k < n; k++) {
        if (row->divides && b[k] == 0)
            return load_invalid(load, "divides an integer by zero");
        to[k] = row->whole(a[k], b[k]);
    }
    return 0;
}

static int fold_real(struct load *load, const struct fold_row2 *row, const float *a, const float *b,
                     struct value *to)
{
    size_t n = to->n;
    void *items;
    to->type = row->asks ? GRAPH_BOOL : GRAPH_FLOAT;
    int err = load_take(load, n, value_item_bytes(to), &items);
    if (err < 0)
        return err;
    for (size_t k = 0; k < n; k++) {
        double y = row->real(a[k], b[k]);
        if (row->asks)
            ((int64_t *)items)[k] = y != 0;
        else
            ((float *)items)[k] = (float)y;
    }
    to->items = items;
    return 0;
}

int fold_binary(struct load *load, const char *op, const struct value *a, const struct value *b,
                struct value *ret_value)
{
    static const struct move_sizes no_axes = {1, 1, false};
    const struct fold_row2 *row = fold_find2(op);
    bool real = a->type == GRAPH_FLOAT;
    if (row == NULL || (real ? row->real == NULL : row->whole == NULL))
        return load_refuse(load, "%s of constants is not supported", op);
    struct value to, cast;
    const void *x, *y;
    int err = 0;
    if (real != (b->type == GRAPH_FLOAT)) { /* Pow's exponent may be of another type */
        err = fold_cast(load, b, a->type, &cast);
        b = &cast;
    }
    if (err == 0)
        err = broadcast_shape(load, &no_axes, a, b, &to);
    if (err == 0)
        err = broadcast_items(load, a, &to, &x);
    if (err == 0)
        err = broadcast_items(load, b, &to, &y);
    if (err == 0 && real) {
        err = fold_real(load, row, x, y, &to);
    } else if (err == 0) {
        int64_t *items;
        err = load_take(load, to.n, sizeof *items, &items);
        if (err == 0)
            err = fold_whole(load, row, x, y, to.n, items);
        to.items = items;
        to.type = row->asks ? GRAPH_BOOL : a->type;
    }
    if (err < 0)
        return err;
    to.zero_state = false;
    *ret_value = to;
    return 0;
}

int fold_where(struct load *load, const struct value *condition, const struct value *a,
               const struct value *b, struct value *ret_value)
{
    static const struct move_sizes no_axes = {1, 1, false};
    struct value pair, to;
    const void *asks, *x, *y;
    if ((a->type == GRAPH_FLOAT) != (b->type == GRAPH_FLOAT) || condition->type == GRAPH_FLOAT)
        return load_invalid(load, "chooses between tensors of different types");
    int err = broadcast_shape(load, &no_axes, a, b, &pair);
    if (err == 0)
        err = broadcast_shape(load, &no_axes, &pair, condition, &to);
    if (err == 0)
        err = broadcast_items(load, condition, &to, &asks);
    if (err == 0)
        err = broadcast_items(load, a, &to, &x);
    if (err == 0)
        err = broadcast_items(load, b, &to, &y);
    to.type = a->type;
    to.zero_state = false;
    size_t bytes = value_item_bytes(a);
    char *items;
    if (err == 0)
        err = load_take(load, to.n, bytes, &items);
    if (err < 0)
        return err;
    for (size_t k = 0; k < to.n; k++)
        memcpy(items + k * bytes,
               (const char *)(((const int64_t *)asks)[k] != 0 ? x : y) + k * bytes, bytes);
    to.items = items;
    *ret_value = to;
    return 0;
}

/* A float that int64 cannot hold becomes its limit. */
static int64_t fold_truncate(float x)
{
    if (!(x > -0x1p63f))
        return INT64_MIN;
    return x >= 0x1p63f ? INT64_MAX : (int64_t)x;
}

int fold_cast(struct load *load, const struct value *x, enum graph_type type,
              struct value *ret_value)
{
    struct value to = *x;
    void *items;
    to.type = type;
    int err = load_take(load, x->n, value_item_bytes(&to), &items);
    if (err < 0)
        return err;
    bool from_real = x->type == GRAPH_FLOAT;
    for (size_t k = 0; k < x->n; k++) {
        if (type == GRAPH_FLOAT)
            ((float *)items)[k] = from_real ? x->floats[k] : (float)x->ints[k];
        else if (type == GRAPH_BOOL)
            ((int64_t *)items)[k] = from_real ? x->floats[k] != 0 : x->ints[k] != 0;
        else
            ((int64_t *)items)[k] = from_real ? fold_truncate(x->floats[k]) : x->ints[k];
    }
    to.items = items;
    *ret_value = to;
    return 0;
}
