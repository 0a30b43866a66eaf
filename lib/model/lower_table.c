/* lower_table.c - the operators that are known, each with the attributes that are understood. */
#include <string.h>

#include "lib/model/lower.h"

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
    {"Swish", lower_math_swish, "alpha"},
    {"Celu", lower_math_celu, "alpha"},
    {"Shrink", lower_compare_shrink, "lambd bias"},
    {"ThresholdedRelu", lower_compare_shrink, "alpha"},
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
    {"RMSNormalization", lower_reduce_rms_norm, "axis epsilon stash_type"},
    {"Identity", lower_move_identity, ""},
    {"Dropout", lower_move_dropout, "ratio seed"},
    {"Cast", lower_move_cast, "to saturate round_mode"},
    {"CastLike", lower_move_cast_like, "saturate round_mode"},
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
    {"Where", lower_compare_where, ""},
    {"Mod", lower_shape_binary, "fmod"},
    {"Equal", lower_compare_two, ""},
    {"Less", lower_compare_two, ""},
    {"Greater", lower_compare_two, ""},
    {"LessOrEqual", lower_compare_two, ""},
    {"GreaterOrEqual", lower_compare_two, ""},
    {"And", lower_compare_two, ""},
    {"Or", lower_compare_two, ""},
    {"Xor", lower_shape_binary, ""},
    {"Not", lower_compare_not, ""},
    {"Floor", lower_shape_unary, ""},
    {"Ceil", lower_shape_unary, ""},
    {"Round", lower_shape_unary, ""},
    {"Sign", lower_compare_sign, ""},
    {"Sin", lower_shape_unary, ""},
    {"Cos", lower_shape_unary, ""},
    {"If", lower_if, "then_branch else_branch"},
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
    {"Loop",
     "a loop inside the graph cannot be advanced timestep by timestep: export recurrent layers "
     "whole, as LSTM, GRU or RNN (PyTorch: torch.onnx.export(..., dynamo=False))"},
    {"Scan",
     "a scan inside the graph cannot be advanced timestep by timestep: export recurrent layers "
     "whole, as LSTM, GRU or RNN"},
    {"Attention", "attention looks at the whole sequence"},
    {"MultiHeadAttention", "attention looks at the whole sequence"},
};

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
    for (const char *at = n == 0 ? NULL : strstr(names, name); at != NULL;
         at = strstr(at + 1, name))
        if ((at == names || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

int lower_table_find(struct lower *lower, const struct graph_node *node,
                     lower_operator **ret_operator)
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
    *ret_operator = row->lower;
    return 0;
}
