/* lower.c - the walk over the graph, and the table of operators. */
#include "lib/model/lower.h"

#include <string.h>

/* One row per operator: who lowers it, and the attributes that are understood. */
struct lower_row {
    const char *op;
    lower_operator *lower;
    const char *attrs;
};

#define RECURRENT                                                                                  \
    "direction hidden_size activations activation_alpha activation_beta clip layout "              \
    "output_sequence "

static const struct lower_row lower_rows[] = {
    {"LSTM", lower_cell_lstm, RECURRENT "input_forget"},
    {"GRU", lower_cell_gru, RECURRENT "linear_before_reset"},
    {"RNN", lower_cell_rnn, RECURRENT},
    {"Gemm", lower_dense_gemm, "alpha beta transA transB"},
    {"MatMul", lower_dense_matmul, ""},
    {"BatchNormalization", lower_dense_batch_norm, "epsilon momentum spatial training_mode"},
    {"Add", lower_math_binary, ""},
    {"Sub", lower_math_binary, ""},
    {"Mul", lower_math_binary, ""},
    {"Div", lower_math_binary, ""},
    {"Max", lower_math_binary, ""},
    {"Min", lower_math_binary, ""},
    {"Sum", lower_math_binary, ""},
    {"PRelu", lower_math_binary, ""},
    {"Pow", lower_math_pow, ""},
    {"Neg", lower_math_unary, ""},
    {"Sqrt", lower_math_unary, ""},
    {"Exp", lower_math_unary, ""},
    {"Log", lower_math_unary, ""},
    {"Abs", lower_math_unary, ""},
    {"Erf", lower_math_unary, ""},
    {"Relu", lower_math_unary, ""},
    {"LeakyRelu", lower_math_unary, "alpha"},
    {"Elu", lower_math_unary, "alpha"},
    {"Selu", lower_math_unary, "alpha gamma"},
    {"Softplus", lower_math_unary, ""},
    {"Softsign", lower_math_unary, ""},
    {"HardSigmoid", lower_math_unary, "alpha beta"},
    {"Sigmoid", lower_math_unary, ""},
    {"Tanh", lower_math_unary, ""},
    {"Gelu", lower_math_gelu, "approximate"},
    {"Clip", lower_math_clip, "min max"},
    {"Reciprocal", lower_math_reciprocal, ""},
    {"HardSwish", lower_math_hard_swish, ""},
    {"Mish", lower_math_mish, ""},
    {"Softmax", lower_reduce_softmax, "axis"},
    {"LogSoftmax", lower_reduce_softmax, "axis"},
    {"ReduceMean", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceSum", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceMax", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceMin", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceProd", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceL1", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceL2", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"ReduceSumSquare", lower_reduce_axes, "axes keepdims noop_with_empty_axes"},
    {"LayerNormalization", lower_reduce_layer_norm, "axis epsilon stash_type"},
    {"Identity", lower_move_identity, ""},
    {"Dropout", lower_move_dropout, "ratio seed"},
    {"Cast", lower_move_cast, "to saturate"},
    {"Reshape", lower_move_reshape, "allowzero"},
    {"Flatten", lower_move_flatten, "axis"},
    {"Transpose", lower_move_transpose, "perm"},
    {"Squeeze", lower_move_squeeze, "axes"},
    {"Unsqueeze", lower_move_unsqueeze, "axes"},
    {"Concat", lower_move_concat, "axis"},
    {"Expand", lower_move_expand, ""},
    {"Tile", lower_move_tile, ""},
    {"Slice", lower_part_slice, "starts ends axes"},
    {"Gather", lower_part_gather, "axis"},
    {"Split", lower_part_split, "axis split num_outputs"},
    {"Shape", lower_shape_shape, "start end"},
    {"Size", lower_shape_size, ""},
    {"Constant", lower_shape_constant, "value value_float value_floats value_int value_ints"},
    {"ConstantOfShape", lower_shape_fill, "value"},
    {"Range", lower_shape_range, ""},
    {"Where", lower_shape_where, ""},
    {"Mod", lower_shape_binary, "fmod"},
    {"Equal", lower_shape_binary, ""},
    {"Less", lower_shape_binary, ""},
    {"Greater", lower_shape_binary, ""},
    {"LessOrEqual", lower_shape_binary, ""},
    {"GreaterOrEqual", lower_shape_binary, ""},
    {"And", lower_shape_binary, ""},
    {"Or", lower_shape_binary, ""},
    {"Xor", lower_shape_binary, ""},
    {"Not", lower_shape_unary, ""},
    {"Floor", lower_shape_unary, ""},
    {"Ceil", lower_shape_unary, ""},
    {"Round", lower_shape_unary, ""},
    {"Sign", lower_shape_unary, ""},
    {"Sin", lower_shape_unary, ""},
    {"Cos", lower_shape_unary, ""},
};

/* Why some that users try cannot be in the table. */
static const struct {
    const char *op, *reason;
} lower_refusals[] = {
    {"Conv", "a convolution mixes timesteps"},
    {"ConvTranspose", "a convolution mixes timesteps"},
    {"MaxPool", "pooling mixes timesteps"},
    {"AveragePool", "pooling mixes timesteps"},
    {"GlobalAveragePool", "pooling mixes timesteps"},
    {"GlobalMaxPool", "pooling mixes timesteps"},
    {"CumSum", "a running sum over time is not supported"},
    {"ReverseSequence", "a reversed sequence looks ahead"},
    {"Loop", "a loop inside the graph cannot be advanced timestep by timestep"},
    {"Scan", "a scan inside the graph cannot be advanced timestep by timestep"},
    {"If", "a branch inside the graph is not supported"},
    {"Attention", "attention looks at the whole sequence"},
    {"MultiHeadAttention", "attention looks at the whole sequence"},
};

/* ---- inputs of a node --------------------------------------------------------------------- */

const struct value *lower_in(const struct lower *lower, const struct graph_node *node, size_t k)
{
    int ix = graph_in(node, k);
    return ix < 0 ? NULL : &lower->values[ix];
}

int lower_constant(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
                   const struct value **ret_value)
{
    const struct value *value = lower_in(lower, node, k);
    if (value == NULL)
        return load_invalid(&lower->load, "has no %s", what);
    if (value->data)
        return load_refuse(&lower->load, "%s is computed from the inputs: it must be a constant",
                           what);
    *ret_value = value;
    return 0;
}

int lower_ints(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
               const int64_t **ret_ints, size_t *ret_n)
{
    const struct value *value = NULL;
    struct value spread;
    int err = lower_constant(lower, node, k, what, &value);
    if (err == 0 && value->type == GRAPH_FLOAT)
        err = load_invalid(&lower->load, "%s must be integers", what);
    if (err == 0)
        err = value_spread(&lower->load, value, &spread);
    if (err < 0)
        return err;
    *ret_ints = spread.ints;
    *ret_n = spread.n;
    return 0;
}

int lower_floats(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
                 const float **ret_floats, size_t *ret_n)
{
    const struct value *value = NULL;
    struct value spread;
    int err = lower_constant(lower, node, k, what, &value);
    if (err == 0 && value->type != GRAPH_FLOAT)
        err = load_invalid(&lower->load, "%s must be floats", what);
    if (err == 0)
        err = value_spread(&lower->load, value, &spread);
    if (err < 0)
        return err;
    *ret_floats = spread.floats;
    *ret_n = spread.n;
    return 0;
}

int lower_axis(struct lower *lower, int64_t axis, size_t n_axes, size_t *ret_axis)
{
    if (axis < -(int64_t)n_axes || axis >= (int64_t)n_axes)
        return load_invalid(&lower->load, "axis %lld of a tensor with %zu axes", (long long)axis,
                            n_axes);
    *ret_axis = (size_t)(axis < 0 ? axis + (int64_t)n_axes : axis);
    return 0;
}

int lower_axes(struct lower *lower, const struct graph_node *node, size_t k, size_t n_axes,
               size_t *ret_axes, size_t *ret_n)
{
    const struct graph_attr *attr = graph_attr(node, "axes");
    const int64_t *axes = NULL;
    size_t n = 0;
    int err = 0;
    if (attr != NULL && attr->kind == GRAPH_ATTR_INTS) {
        axes = attr->ints;
        n = attr->n;
    } else if (lower_in(lower, node, k) != NULL) {
        err = lower_ints(lower, node, k, "axes", &axes, &n);
    } else {
        *ret_n = SIZE_MAX;
        return 0;
    }
    if (err == 0 && n > n_axes)
        err = load_invalid(&lower->load, "names more axes than the tensor has");
    for (size_t j = 0; err == 0 && j < n; j++) {
        err = lower_axis(lower, axes[j], n_axes, &ret_axes[j]);
        for (size_t i = 0; err == 0 && i < j; i++)
            if (ret_axes[i] == ret_axes[j])
                err = load_invalid(&lower->load, "names an axis twice");
    }
    *ret_n = n;
    return err;
}

/* ---- outputs of a node -------------------------------------------------------------------- */

void lower_out(struct lower *lower, const struct graph_node *node, size_t k,
               const struct value *value)
{
    int ix = graph_out(node, k);
    if (ix >= 0)
        lower->values[ix] = *value;
}

bool lower_out_unused(const struct lower *lower, const struct graph_node *node, size_t k)
{
    int ix = graph_out(node, k);
    for (size_t j = 0; ix >= 0 && j < lower->graph->n_outputs; j++)
        if (lower->graph->outputs[j].value == ix)
            return false;
    return ix < 0 || lower->leads[ix] == 0;
}

int lower_slot(struct lower *lower, const struct graph_node *node, const struct value *value,
               size_t *ret_slot)
{
    return plan_materialise(&lower->plan, node, value, ret_slot);
}

int lower_step(struct lower *lower, const struct plan_step *step, const size_t *in, size_t n_in,
               struct value *shape)
{
    size_t slot;
    int err = plan_append(&lower->plan, step, in, n_in, &shape->n, 1, &slot);
    if (err == 0)
        err = plan_refs(&lower->plan, slot, &shape->ints);
    shape->data = true;
    shape->type = GRAPH_FLOAT;
    return err;
}

/* A slot that always holds the constant: min(max(any number, constant), constant). */
int lower_as_data(struct lower *lower, const struct graph_node *node, const struct value *constant,
                  size_t any_slot, struct value *ret_value)
{
    struct value spread, shape;
    int64_t *refs;
    size_t slot;
    int err = constant->type == GRAPH_FLOAT ? value_spread(&lower->load, constant, &spread)
                                            : load_refuse(&lower->load, "joins integers to data");
    if (err == 0 && spread.n == 0)
        err = load_refuse(&lower->load, "joins nothing to data");
    if (err == 0)
        err = load_take(&lower->load, spread.n, sizeof *refs, &refs);
    if (err < 0)
        return err;
    for (size_t k = 0; k < spread.n; k++)
        refs[k] = value_ref(any_slot, 0);
    shape = spread;
    shape.data = true;
    shape.ints = refs;
    static const enum cell_operator operators[] = {CELL_MAX, CELL_MIN};
    for (size_t k = 0; err == 0 && k < 2; k++) {
        struct plan_step step = {.kind = PLAN_BINARY,
                                 .node = node,
                                 .op = "Constant",
                                 .binary = {operators[k], NULL, spread.floats}};
        err = lower_slot(lower, node, &shape, &slot);
        if (err == 0)
            err = lower_step(lower, &step, &slot, 1, &shape);
    }
    if (err == 0)
        *ret_value = shape;
    return err;
}

/* ---- the graph's inputs ------------------------------------------------------------------- */

static const char *lower_letters(const struct lower *lower, const struct graph_port *port)
{
    size_t n = port->n_dims;
    return n == 0 ? "" : lower->guess->axes[n > 3 ? 2 : n - 1];
}

static char lower_letter(const struct lower *lower, const struct graph_port *port, size_t axis)
{
    const char *letters = lower_letters(lower, port);
    return axis < strlen(letters) ? letters[axis] : 'F';
}

static bool lower_is_data(const struct lower *lower, const struct graph_port *port)
{
    unsigned leads = lower->leads[port->value];
    return leads == 0 || (leads & GRAPH_TO_VALUES) != 0;
}

/* The length of the sequence and the size of the batch: as declared by an input, else primes. */
static void lower_find_sizes(struct lower *lower)
{
    int64_t known[2] = {0, 0};
    bool seen[2] = {false, false};
    for (size_t k = 0; k < lower->graph->n_inputs; k++) {
        const struct graph_port *port = &lower->graph->inputs[k];
        for (size_t axis = 0; axis < port->n_dims; axis++) {
            char letter = lower_letter(lower, port, axis);
            if (!lower_is_data(lower, port) || letter == 'F')
                continue;
            seen[letter == 'B'] = true;
            if (port->dims[axis] > known[letter == 'B'])
                known[letter == 'B'] = port->dims[axis];
        }
    }
    lower->any_unknown = (seen[0] && known[0] == 0) || (seen[1] && known[1] == 0);
    lower->sizes.time = !seen[0] ? 1 : known[0] > 0 ? known[0] : lower->primes[0];
    lower->sizes.batch = !seen[1] ? 1 : known[1] > 0 ? known[1] : lower->primes[1];
    lower->sizes.time_known = known[0] > 0;
}

static int lower_data_input(struct lower *lower, const struct graph_port *port)
{
    struct load *load = &lower->load;
    struct value value = {.defined = true, .data = true, .type = port->type, .n = 1, .size = 1};
    const char *name = lower->graph->values[port->value].name;
    int err = 0;
    for (size_t axis = 0; err == 0 && axis < port->n_dims; axis++) {
        char letter = lower_letter(lower, port, axis);
        int64_t dim = port->dims[axis];
        if (letter == 'F' && dim < 0)
            return load_refuse(load,
                               "input '%s' does not say how many values axis %zu has: only time "
                               "and batch may be left open (dynamic_axes)",
                               name, axis);
        if (dim < 0)
            dim = letter == 'T' ? lower->sizes.time : lower->sizes.batch;
        err = value_add_axis(load, &value);
        if (err == 0)
            err = value_add_factor(load, &value,
                                   letter == 'T'   ? FACTOR_TIME
                                   : letter == 'B' ? FACTOR_BATCH
                                                   : FACTOR_ITEM,
                                   dim);
    }
    size_t slot;
    if (err == 0)
        err = plan_slot(&lower->plan, value.n, &slot);
    if (err == 0)
        err = plan_refs(&lower->plan, slot, &value.ints);
    if (err < 0)
        return err;
    lower->plan.inputs[lower->plan.n_inputs++] = port;
    lower->values[port->value] = value;
    return 0;
}

/* The size of an open axis of an input that is a state: that of the axis with the same name. */
static int64_t lower_named_size(const struct lower *lower, const char *param)
{
    for (size_t k = 0; param != NULL && k < lower->graph->n_inputs; k++) {
        const struct graph_port *port = &lower->graph->inputs[k];
        for (size_t axis = 0; lower_is_data(lower, port) && axis < port->n_dims; axis++)
            if (port->params[axis] != NULL && strcmp(port->params[axis], param) == 0)
                return lower_letter(lower, port, axis) == 'T' ? lower->sizes.time
                                                              : lower->sizes.batch;
    }
    return lower->sizes.batch;
}

/* Initial states start at zero; lengths of sequences say that all are whole. */
static int lower_state_input(struct lower *lower, const struct graph_port *port)
{
    static const float zero = 0;
    bool state = (lower->leads[port->value] & GRAPH_TO_STATE) != 0;
    int64_t dims[GRAPH_DIMS_MAX];
    for (size_t axis = 0; axis < port->n_dims; axis++)
        dims[axis] =
            port->dims[axis] > 0 ? port->dims[axis] : lower_named_size(lower, port->params[axis]);
    struct value *value = &lower->values[port->value];
    int err =
        value_uniform(&lower->load, state ? GRAPH_FLOAT : GRAPH_INT,
                      state ? (const void *)&zero : &lower->sizes.time, port->n_dims, dims, value);
    value->zero_state = state;
    return err;
}

static int lower_inputs(struct lower *lower)
{
    const struct graph *graph = lower->graph;
    int err =
        load_take(&lower->load, graph->n_inputs, sizeof *lower->plan.inputs, &lower->plan.inputs);
    lower_find_sizes(lower);
    for (size_t k = 0; err == 0 && k < graph->n_inputs; k++) {
        const struct graph_port *port = &graph->inputs[k];
        const char *name = graph->values[port->value].name;
        if (!port->has_shape)
            return load_refuse(&lower->load, "input '%s' has no shape: export the model with one",
                               name);
        if (lower_is_data(lower, port) && (port->type == GRAPH_BOOL || port->type == GRAPH_OTHER))
            return load_refuse(&lower->load, "input '%s' is not a tensor of numbers", name);
        err = lower_is_data(lower, port) ? lower_data_input(lower, port)
                                         : lower_state_input(lower, port);
    }
    for (size_t v = 0; err == 0 && v < graph->n_values; v++) {
        const struct graph_tensor *tensor = graph->values[v].tensor;
        if (tensor == NULL)
            continue;
        err = value_constant(&lower->load, tensor->type, tensor->items, tensor->n_dims,
                             tensor->dims, &lower->values[v]);
        lower->values[v].origin = graph->values[v].name;
    }
    if (err == 0 && lower->plan.n_inputs == 0)
        err = load_refuse(&lower->load, "the graph has no input that takes values");
    return err;
}

/* ---- the walk ----------------------------------------------------------------------------- */

static int lower_unknown(struct lower *lower, const struct graph_node *node)
{
    for (size_t k = 0; k < sizeof lower_refusals / sizeof *lower_refusals; k++)
        if (strcmp(lower_refusals[k].op, node->op) == 0)
            return load_refuse(&lower->load, "%s: %s", node->op, lower_refusals[k].reason);
    if (*node->domain != '\0')
        return load_refuse(&lower->load, "operator %s of domain '%s' is not known: only ONNX's own",
                           node->op, node->domain);
    return load_refuse(&lower->load, "operator %s is not supported", node->op);
}

static bool lower_lists(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(names, name); at != NULL; at = strstr(at + 1, name))
        if ((at == names || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0') && n > 0)
            return true;
    return false;
}

static int lower_node(struct lower *lower, const struct graph_node *node)
{
    const struct lower_row *row = NULL;
    for (size_t k = 0; row == NULL && k < sizeof lower_rows / sizeof *lower_rows; k++)
        if (*node->domain == '\0' && strcmp(lower_rows[k].op, node->op) == 0)
            row = &lower_rows[k];
    if (row == NULL)
        return lower_unknown(lower, node);
    for (size_t k = 0; k < node->n_attrs; k++)
        if (!lower_lists(row->attrs, node->attrs[k].name))
            return load_refuse(&lower->load, "attribute '%s' of %s is not supported",
                               node->attrs[k].name, node->op);
    for (size_t k = 0; k < node->n_in; k++) {
        const struct value *value = lower_in(lower, node, k);
        if (value != NULL && !value->defined)
            return load_refuse(&lower->load, "uses output '%s', which is not supported",
                               lower->graph->values[node->in[k]].name);
    }
    return row->lower(lower, node);
}

static int lower_outputs(struct lower *lower)
{
    struct plan *plan = &lower->plan;
    const struct graph *graph = lower->graph;
    int err = load_take(&lower->load, graph->n_outputs, sizeof *plan->outputs, &plan->outputs);
    for (size_t k = 0; err == 0 && k < graph->n_outputs; k++) {
        struct value value = lower->values[graph->outputs[k].value];
        static const struct graph_node output = {.name = "", .op = "Output", .domain = ""};
        const char *name = graph->values[graph->outputs[k].value].name;
        if (!value.defined)
            return load_refuse(&lower->load, "output '%s' is not supported", name);
        if (!value.data)
            err = lower_as_data(lower, &output, &value, 0, &value);
        if (err == 0)
            err = lower_slot(lower, &output, &value, &plan->outputs[plan->n_outputs]);
        plan->n_outputs++;
    }
    return err;
}

int lower_graph(struct lower *lower)
{
    const struct graph *graph = lower->graph;
    lower->plan = (struct plan){.load = &lower->load};
    int err = load_take(&lower->load, graph->n_values, sizeof *lower->values, &lower->values);
    if (err == 0)
        err = lower_inputs(lower);
    for (size_t k = 0; err == 0 && k < graph->n_nodes; k++) {
        const struct graph_node *node = &graph->nodes[k];
        if (!node->live)
            continue;
        lower->load.node = *node->name != '\0' ? node->name : node->op;
        err = lower_node(lower, node);
        lower->n_done += err == 0;
    }
    if (err < 0)
        return err;
    lower->load.node = NULL;
    err = lower_outputs(lower);
    return err < 0 ? err : fuse_plan(&lower->plan);
}
