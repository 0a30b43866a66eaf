/* lower_math.c - operators on one number, or on two side by side. */
#include "lib/model/broadcast.h"
#include "lib/model/lower.h"

#include <math.h>
#include <string.h>

#include "lib/model/fold.h"

/* ---- one operand -------------------------------------------------------------------------- */

static const struct {
    const char *op;
    enum cell_function function;
    const char *alpha, *beta; /* attributes; NULL: none */
    float alpha_otherwise, beta_otherwise;
} lower_unaries[] = {
    {"Neg", CELL_NEG, NULL, NULL, 0, 0},
    {"Sqrt", CELL_SQRT, NULL, NULL, 0, 0},
    {"Exp", CELL_EXP, NULL, NULL, 0, 0},
    {"Log", CELL_LOG, NULL, NULL, 0, 0},
    {"Abs", CELL_ABS, NULL, NULL, 0, 0},
    {"Erf", CELL_ERF, NULL, NULL, 0, 0},
    {"Relu", CELL_RELU, NULL, NULL, 0, 0},
    {"LeakyRelu", CELL_LEAKY_RELU, "alpha", NULL, 0.01f, 0},
    {"Elu", CELL_ELU, "alpha", NULL, 1, 0},
    {"Selu", CELL_SELU, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {"Softplus", CELL_SOFTPLUS, NULL, NULL, 0, 0},
    {"Softsign", CELL_SOFTSIGN, NULL, NULL, 0, 0},
    {"HardSigmoid", CELL_HARD_SIGMOID, "alpha", "beta", 0.2f, 0.5f},
    {"Sigmoid", CELL_SIGMOID, NULL, NULL, 0, 0},
    {"Tanh", CELL_TANH, NULL, NULL, 0, 0},
};

static int lower_apply(struct lower *lower, const struct graph_node *node, const struct value *x,
                       struct cell_activation activation, bool layer, struct value *ret_value)
{
    struct plan_step step = {
        .kind = PLAN_UNARY, .node = node, .op = node->op, .layer = layer, .unary = activation};
    struct value to = *x;
    size_t slot;
    if (x->type != GRAPH_FLOAT)
        return load_refuse(&lower->load, "computes with integers of the input: cast it to float "
                                         "first");
    int err = lower_slot(lower, node, x, &slot);
    if (err == 0)
        err = lower_step(lower, &step, &slot, 1, &to);
    if (err == 0)
        *ret_value = to;
    return err;
}

/* One input through one function; a constant folds. */
static int lower_unary_as(struct lower *lower, const struct graph_node *node,
                          struct cell_activation activation)
{
    const struct value *x = lower_in(lower, node, 0);
    struct value to;
    if (x == NULL)
        return load_invalid(&lower->load, "has no input");
    int err = x->data ? lower_apply(lower, node, x, activation, true, &to)
                      : fold_unary(&lower->load, node->op, x, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_math_unary(struct lower *lower, const struct graph_node *node)
{
    size_t row = 0;
    while (strcmp(lower_unaries[row].op, node->op) != 0)
        row++;
    struct cell_activation activation = {
        .function = lower_unaries[row].function,
        .alpha = lower_unaries[row].alpha_otherwise,
        .beta = lower_unaries[row].beta_otherwise,
    };
    if (lower_unaries[row].alpha != NULL)
        activation.alpha = graph_attr_real(node, lower_unaries[row].alpha, activation.alpha);
    if (lower_unaries[row].beta != NULL)
        activation.beta = graph_attr_real(node, lower_unaries[row].beta, activation.beta);
    return lower_unary_as(lower, node, activation);
}

int lower_math_gelu(struct lower *lower, const struct graph_node *node)
{
    const char *how = graph_attr_text(node, "approximate", "none");
    bool is_tanh = strcmp(how, "tanh") == 0;
    if (!is_tanh && strcmp(how, "none") != 0)
        return load_refuse(&lower->load, "approximation '%s' is not known", how);
    return lower_unary_as(lower, node,
                          (struct cell_activation){is_tanh ? CELL_GELU_TANH : CELL_GELU, 0, 0});
}

/* min and max as attributes (operator set 10 and older) or inputs. */
static int lower_clip_bound(struct lower *lower, const struct graph_node *node, const char *attr,
                            size_t k, float *bound)
{
    const float *items;
    size_t n;
    *bound = graph_attr_real(node, attr, *bound);
    if (lower_in(lower, node, k) == NULL)
        return 0;
    int err = lower_floats(lower, node, k, attr, &items, &n);
    if (err == 0 && n != 1)
        err = load_invalid(&lower->load, "%s is not a single number", attr);
    if (err == 0)
        *bound = items[0];
    return err;
}

int lower_math_clip(struct lower *lower, const struct graph_node *node)
{
    struct cell_activation clip = {CELL_CLIP, -INFINITY, INFINITY};
    const struct value *x = lower_in(lower, node, 0);
    struct value bound, to;
    static const int64_t scalar[1];
    if (x != NULL && !x->data && x->type != GRAPH_FLOAT) /* of a shape: rare, and folds */
        return load_refuse(&lower->load, "clips integers");
    int err = lower_clip_bound(lower, node, "min", 1, &clip.alpha);
    if (err == 0)
        err = lower_clip_bound(lower, node, "max", 2, &clip.beta);
    if (err < 0 || x == NULL || x->data)
        return err < 0 ? err : lower_unary_as(lower, node, clip);
    err = value_constant(&lower->load, GRAPH_FLOAT, &clip.alpha, 0, scalar, &bound);
    if (err == 0)
        err = fold_binary(&lower->load, "Max", x, &bound, &to);
    if (err == 0)
        err = value_constant(&lower->load, GRAPH_FLOAT, &clip.beta, 0, scalar, &bound);
    if (err == 0)
        err = fold_binary(&lower->load, "Min", &to, &bound, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- two operands ------------------------------------------------------------------------- */

static const struct {
    const char *op;
    enum cell_operator operator;
} lower_binaries[] = {
    {"Add", CELL_ADD},     {"Sum", CELL_ADD},   {"Sub", CELL_SUB},     {"Mul", CELL_MUL},
    {"Div", CELL_DIV},     {"Pow", CELL_POW},   {"Max", CELL_MAX},     {"Min", CELL_MIN},
    {"PRelu", CELL_PRELU}, {"Less", CELL_LESS}, {"Equal", CELL_EQUAL}, {"Keep", CELL_KEEP},
};

/* Brings one operand to the shape of the result: a constant's numbers, or a slot. */
static int lower_operand(struct lower *lower, const struct graph_node *node,
                         const struct value *value, const struct value *shape,
                         const float **ret_constant, size_t *in, size_t *n_in)
{
    const void *items;
    int err = broadcast_items(&lower->load, value, shape, &items);
    if (err < 0)
        return err;
    if (!value->data) {
        *ret_constant = items;
        return 0;
    }
    struct value wide = *shape;
    wide.items = items;
    wide.data = true;
    *ret_constant = NULL;
    return lower_slot(lower, node, &wide, &in[(*n_in)++]);
}

int lower_math_combine(struct lower *lower, const struct graph_node *node, const char *op,
                       bool layer, const struct value *a, const struct value *b,
                       struct value *ret_value)
{
    size_t row = 0, in[2], n_in = 0;
    while (strcmp(lower_binaries[row].op, op) != 0)
        row++;
    if (!a->data && !b->data)
        return fold_binary(&lower->load, strcmp(op, "Sum") == 0 ? "Add" : op, a, b, ret_value);
    if (a->type != GRAPH_FLOAT || b->type != GRAPH_FLOAT)
        return load_refuse(&lower->load, "computes with integers of the input: cast it to float "
                                         "first");
    struct value shape;
    struct plan_step step = {.kind = PLAN_BINARY,
                             .node = node,
                             .op = node->op,
                             .origin = a->data ? b->origin : a->origin,
                             .layer = layer,
                             .binary = {.operator= lower_binaries[row].operator} };
    int err = broadcast_shape(&lower->load, &lower->sizes, a, b, &shape);
    if (err == 0)
        err = lower_operand(lower, node, a, &shape, &step.binary.a, in, &n_in);
    if (err == 0)
        err = lower_operand(lower, node, b, &shape, &step.binary.b, in, &n_in);
    if (err == 0)
        err = lower_step(lower, &step, in, n_in, &shape);
    if (err == 0)
        *ret_value = shape;
    return err;
}

int lower_math_binary(struct lower *lower, const struct graph_node *node)
{
    struct value sum;
    int err = 0;
    for (size_t k = 0; err == 0 && k < node->n_in; k++) {
        const struct value *x = lower_in(lower, node, k);
        if (x == NULL)
            return load_invalid(&lower->load, "has no operand %zu", k);
        if (k == 0)
            sum = *x;
        else
            err = lower_math_combine(lower, node, node->op, k + 1 == node->n_in, &sum, x, &sum);
    }
    if (err == 0 && node->n_in == 0)
        err = load_invalid(&lower->load, "has no operands");
    if (err == 0)
        lower_out(lower, node, 0, &sum);
    return err;
}

/* ---- compositions ------------------------------------------------------------------------- */

int lower_math_number(struct lower *lower, float number, struct value *ret_value)
{
    static const int64_t scalar[1];
    float *item;
    int err = load_take(&lower->load, 1, sizeof *item, &item);
    if (err < 0)
        return err;
    *item = number;
    return value_constant(&lower->load, GRAPH_FLOAT, item, 0, scalar, ret_value);
}

/* Exponents that have an exact form of their own; all others are CELL_POW. */
int lower_math_pow(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0), *y = lower_in(lower, node, 1);
    struct value to;
    int err = x == NULL || y == NULL ? load_invalid(&lower->load, "needs two operands") : 0;
    struct value power;
    if (err == 0 && x->data && !y->data && y->type != GRAPH_FLOAT) {
        err = fold_cast(&lower->load, y, GRAPH_FLOAT, &power);
        y = &power;
    }
    if (err < 0)
        return err;
    bool scalar = x->data && !y->data && y->size == 1;
    float exponent = scalar ? y->floats[0] : 0;
    if (exponent == 1) {
        to = *x;
    } else if (exponent == 2) {
        err = lower_math_combine(lower, node, "Mul", true, x, x, &to);
    } else if (exponent == 3) {
        err = lower_math_combine(lower, node, "Mul", false, x, x, &to);
        if (err == 0)
            err = lower_math_combine(lower, node, "Mul", true, &to, x, &to);
    } else if (exponent == 0.5f) {
        err = lower_apply(lower, node, x, (struct cell_activation){CELL_SQRT, 0, 0}, true, &to);
    } else {
        err = lower_math_combine(lower, node, "Pow", true, x, y, &to);
    }
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_math_reciprocal(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    struct value one, to;
    int err =
        x == NULL ? load_invalid(&lower->load, "has no input") : lower_math_number(lower, 1, &one);
    if (err == 0)
        err = lower_math_combine(lower, node, "Div", true, &one, x, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* x times a function of x. */
static int lower_gated(struct lower *lower, const struct graph_node *node,
                       struct cell_activation first, const struct cell_activation *second)
{
    const struct value *x = lower_in(lower, node, 0);
    struct value gate, to;
    if (x == NULL || !x->data)
        return load_refuse(&lower->load, "%s of a constant is not supported", node->op);
    int err = lower_apply(lower, node, x, first, false, &gate);
    if (err == 0 && second != NULL)
        err = lower_apply(lower, node, &gate, *second, false, &gate);
    if (err == 0)
        err = lower_math_combine(lower, node, "Mul", true, x, &gate, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

int lower_math_hard_swish(struct lower *lower, const struct graph_node *node)
{
    return lower_gated(lower, node, (struct cell_activation){CELL_HARD_SIGMOID, 1.0f / 6, 0.5f},
                       NULL);
}

int lower_math_mish(struct lower *lower, const struct graph_node *node)
{
    static const struct cell_activation tanh_of = {CELL_TANH, 0, 0};
    return lower_gated(lower, node, (struct cell_activation){CELL_SOFTPLUS, 0, 0}, &tanh_of);
}

/* x sigmoid(alpha x) */
int lower_math_swish(struct lower *lower, const struct graph_node *node)
{
    static const struct cell_activation sigmoid = {CELL_SIGMOID, 0, 0};
    float alpha = graph_attr_real(node, "alpha", 1);
    struct cell_activation scale = {CELL_AFFINE, alpha, 0};
    return alpha == 1 ? lower_gated(lower, node, sigmoid, NULL)
                      : lower_gated(lower, node, scale, &sigmoid);
}

/* x >= 0 ? x : alpha (exp(x / alpha) - 1) = max(x, 0) + alpha elu(min(x, 0) / alpha) */
int lower_math_celu(struct lower *lower, const struct graph_node *node)
{
    float alpha = graph_attr_real(node, "alpha", 1);
    const struct cell_activation negative[] = {{CELL_CLIP, -INFINITY, 0},
                                               {CELL_AFFINE, 1 / alpha, 0},
                                               {CELL_ELU, 1, 0},
                                               {CELL_AFFINE, alpha, 0}};
    const struct value *x = lower_in(lower, node, 0);
    struct value below, above, to;
    if (x == NULL || !x->data || alpha == 0)
        return load_refuse(&lower->load, "%s of a constant is not supported", node->op);
    if (alpha == 1)
        return lower_unary_as(lower, node, negative[2]);
    below = *x;
    int err = lower_apply(lower, node, x, (struct cell_activation){CELL_RELU, 0, 0}, false, &above);
    for (size_t k = 0; err == 0 && k < sizeof negative / sizeof *negative; k++)
        err = lower_apply(lower, node, &below, negative[k], false, &below);
    if (err == 0)
        err = lower_math_combine(lower, node, "Add", true, &above, &below, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}
