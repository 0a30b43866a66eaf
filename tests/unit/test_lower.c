/* test_lower.c - every operator and its spellings: what a graph computes at one timestep, and what
 * is refused, where and why.
 *
 * Inputs are 1, 2, 3, 4; an RNN of these graphs adds up its first two inputs. */
#include <stdio.h>
#include <string.h>

#include "tests/support/graphs.h"
#include "tests/support/suite.h"

static const struct {
    const char *graph;
    size_t n_steps;
    const char *want; /* the first output after n_steps */
    const char *layers;
} lower_cases[] = {
    {"slice", 1, "2 3", ""},
    {"slice_attr", 1, "2 3 4", ""},
    {"slice_back", 1, "4 2", ""},
    {"gather", 1, "4 1", ""},
    {"split", 1, "3 4 1", "concat:Concat"},
    {"split_attr", 1, "2 3 4", ""},
    {"permute", 1, "1 3 2 4", ""},
    {"tile", 1, "1 2 3 4 1 2 3 4", ""},
    {"expand", 1, "2 2 2", ""},
    {"concat_constant", 1, "1 2 3 4 7 8", "concat:Concat"},
    {"dropout", 1, "1 2 3 4", ""},
    {"cast_input", 1, "-1 -2 -3 -4", "neg:Neg"},
    {"carry", 3, "3 6", "add:Add"},
    {"carry_unused", 2, "-1 -2", "neg:Neg"},
    {"carry_delay", 2, "0 0", ""},
    {"carry_delay", 3, "1 2", ""},
    {"function", 1, "0.75 0.25 -0.5 -1.5",
     "act.Outer.Twist.sub:Sub act.Outer.Twist:LeakyRelu act.Outer:Neg"},
    {"function_default", 1, "2.467 2.473 2.48 2.49",
     "act.Outer.Twist.sub:Sub act.Outer.Twist.leakyrelu:LeakyRelu act.Outer.Twist.sub_1:Sub "
     "act.Outer.Twist:LeakyRelu act.Outer:Add"},
    {"branch", 3, "3 6", "rnn:RNN"},
    {"branch_inside", 1, "1 2 3 4", "in.neg:Neg in.abs:Abs in:Add mul:Mul"},
    {"where", 1, "-7 2 3 4", "greaterorequal:GreaterOrEqual where:Where"},
    {"where_softplus", 1, "1.313 2.127 3.049 4.018",
     "greater:Greater softplus:Softplus where:Where"},
    {"where_constant", 1, "1 2 inf inf", "less:Less where:Where"},
    {"where_mask", 1, "1 9 3 9", "where:Where"},
    {"compare", 1, "0 1 1 0",
     "lessorequal:LessOrEqual equal:Equal not:Not and:And less:Less or:Or"},
    {"compare_last", 3, "4 6", "rnn:RNN greater:Greater where:Where"},
    {"sign", 1, "-1 0 1 1", "sub:Sub sign:Sign"},
    {"shrink", 1, "-2.5 -1.5 5 7",
     "shrink:Shrink sub:Sub shrink_1:Shrink thresholdedrelu:ThresholdedRelu add:Add add_1:Add"},
    {"swish", 1, "0.8808 1.964 2.993 3.999", "swish:Swish"},
    {"celu", 1, "-1.264 -0.7869 0 1", "sub:Sub celu:Celu"},
    {"cast_like", 1, "2 4 6 8", "scale:Mul"},
    {"norm_rms", 1, "0.3536 0.7071 1.061 2.828", "norm:RMSNormalization"},
    {"merged_rows", 1, "41 49", "fc:Dense"},
    {"zero_state", 3, "3 6", "rnn:RNN"},
    {"where_expand", 1, "1 4 9 16", "scale:Mul"},
    {"range", 1, "2 4 6 8", "add:Add"},
    {"op_add", 1, "3 4 7 8", "add:Add"},
    {"op_sub", 1, "-1 0 -1 0", "sub:Sub"},
    {"op_mul", 1, "2 4 12 16", "mul:Mul"},
    {"op_div", 1, "0.5 1 0.75 1", "div:Div"},
    {"op_max", 1, "2 2 4 4", "max:Max"},
    {"op_min", 1, "1 2 3 4", "min:Min"},
    {"op_rsub", 1, "9 8 7 6", "sub:Sub"},
    {"op_pow", 1, "1 8 27 64", "pow:Pow pow_1:Pow pow_2:Pow"},
    {"op_sum", 1, "3 5 7 9", "sum:Sum"},
    {"op_unary", 1, "1 1.414 1.732 2", "neg:Neg abs:Abs sqrt:Sqrt relu:Relu"},
    {"clip_attr", 1, "2 2 3 3", "clip:Clip"},
    {"clip_input", 1, "2 2 3 3", "clip:Clip"},
    {"clip_low", 1, "2 2 3 4", "clip:Clip"},
    {"softmax_11", 1, "0.03206 0.08714 0.2369 0.6439", "softmax:Softmax"},
    {"softmax_13", 1, "0.2689 0.7311 0.2689 0.7311", "softmax:Softmax"},
    {"mean_attr", 1, "2.5", "reducemean:ReduceMean"},
    {"mean_input", 1, "2.5", "reducemean:ReduceMean"},
    {"sum_input", 1, "10", "reducesum:ReduceSum"},
    {"max_axes", 1, "3 4", "reducemax:ReduceMax"},
    {"gemm", 1, "5 7", "fc:Dense"},
    {"matmul_left", 1, "4 6", "matmul:Dense"},
    {"batch_norm", 1, "0 2 2 3", "bn:BatchNormalization"},
    {"norm_spelled", 1, "-0.3416 0.5528 1.447 3.683", "norm:LayerNormalization"},
    {"norm_op", 1, "-0.3416 0.5528 1.447 3.683", "norm:LayerNormalization"},
    {"dense_shared", 1, "2 4 6 8", "fc.matmul:Dense fc:Add"},
    {"rnn_sequence", 3, "3 6", "rnn:RNN"},
    {"rnn_last_slice", 3, "3 6", "rnn:RNN"},
    {"rnn_last_gather", 3, "3 6", "rnn:RNN"},
    {"rnn_last_static", 3, "3 6", "rnn:RNN"},
    {"rnn_layout", 3, "3 6", "rnn:RNN"},
    {"rnn_time_major", 3, "3 6", "rnn:RNN"},
    {"rnn_unbatched", 3, "3 6", "rnn:RNN"},
    {"rnn_univariate", 3, "3 0", "rnn:RNN"},
    {"rnn_states", 2, "3 6", "enc.l0:RNN enc.l1:RNN"},
    {"rnn_constant_state", 1, "6 9", "rnn:RNN"},
    {"rnn_lengths", 3, "3 6", "rnn:RNN"},
    {"rnn_kept", 1, "-1 -2 -3 -4", "rnn:RNN neg:Neg"},
    {"lstm_full", 2, "6.1", "lstm:LSTM"},
};

START_TEST(test_lower_when_graph_streams_then_computes_one_timestep)
{
    for (size_t k = 0; k < sizeof lower_cases / sizeof *lower_cases; k++) {
        celltap_model *model = NULL;
        struct celltap_diagnosis said = {0};
        char text[512];
        const char *graph = lower_cases[k].graph;
        int err = graphs_load(graph, &model, &said);
        ck_assert_msg(err == 0, "%s: %s: %s", graph, said.node, said.text);
        graphs_layers(model, text);
        ck_assert_msg(strcmp(text, lower_cases[k].layers) == 0, "%s has %s", graph, text);
        graphs_run(model, lower_cases[k].n_steps, text);
        ck_assert_msg(strcmp(text, lower_cases[k].want) == 0, "%s gives %s", graph, text);
        celltap_model_unref(model);
    }
}
END_TEST

static const struct {
    const char *graph;
    int code;
    const char *node; /* exactly */
    const char *word; /* somewhere in the reason */
} lower_refused[] = {
    {"bad_reverse", CELLTAP_EREFUSED, "/rnn/RNN", "reverse"},
    {"bad_bidirectional", CELLTAP_EREFUSED, "/rnn/RNN", "bidirectional"},
    {"bad_first_timestep", CELLTAP_EREFUSED, "/pick", "timestep 0"},
    {"bad_window", CELLTAP_EREFUSED, "/pick", "a part of the timesteps"},
    {"bad_second_last", CELLTAP_EREFUSED, "/pick", "timestep -2"},
    {"bad_flip_static", CELLTAP_EREFUSED, "/pick", "reverses the time axis"},
    {"bad_weights", CELLTAP_EMODEL, "/rnn/RNN", "hidden_size"},
    {"bad_no_output", CELLTAP_EREFUSED, "", "no output"},
    {"bad_sine", CELLTAP_EREFUSED, "/wave", "Sin of values that change"},
    {"bad_carry_input", CELLTAP_EMODEL, "", "names 'state', which is no input"},
    {"bad_carry_output", CELLTAP_EMODEL, "", "names 'x', which is no output"},
    {"bad_carry_form", CELLTAP_EMODEL, "", "'s', which is not input=output"},
    {"bad_carry_twice", CELLTAP_EMODEL, "", "names 's' twice"},
    {"bad_carry_shape", CELLTAP_EMODEL, "", "'s' is [batch, 2], but 'z' is [batch, 4]"},
    {"bad_carry_all", CELLTAP_EREFUSED, "", "no input that takes values"},
    {"bad_function", CELLTAP_EMODEL, "", "is part of itself"},
    {"bad_function_unknown", CELLTAP_EREFUSED, "/act/Third", "Third of domain 'my' is not known"},
    {"bad_branch", CELLTAP_EREFUSED, "/fork/If", "the condition of If is computed from the inputs"},
    {"bad_branch_reads", CELLTAP_EMODEL, "/in/Neg", "reads 'later', which nothing before it makes"},
    {"bad_branch_one", CELLTAP_EMODEL, "/fork/If", "two branches"},
    {"bad_branch_deep", CELLTAP_EREFUSED, "/fork/If", "inside of more than 8 others"},
    {"bad_xor", CELLTAP_EREFUSED, "/odd", "Xor of values that change"},
    {"bad_flip", CELLTAP_EREFUSED, "/pick", "reverses the time axis"},
    {"bad_mean_time", CELLTAP_EREFUSED, "/pool", "time axis"},
    {"bad_mean_batch", CELLTAP_EREFUSED, "/pool", "batch axis"},
    {"bad_softmax_time", CELLTAP_EREFUSED, "/pool", "time axis"},
    {"bad_softmax_old", CELLTAP_EREFUSED, "/pool", "time axis"},
    {"bad_pick_batch", CELLTAP_EREFUSED, "/pick", "rows of the batch"},
    {"bad_mix_last", CELLTAP_EREFUSED, "/mix", "last timestep with the whole sequence"},
    {"bad_concat_last", CELLTAP_EREFUSED, "/mix", "last timestep with the whole sequence"},
    {"bad_repeat_last", CELLTAP_EREFUSED, "/repeat", "repeats the last timestep"},
    {"bad_rnn_over_last", CELLTAP_EREFUSED, "/second/RNN", "last timestep of another layer"},
    {"bad_state_from_data", CELLTAP_EREFUSED, "/second/RNN", "initial hidden state is computed"},
    {"bad_state_rows", CELLTAP_EREFUSED, "/rnn/RNN", "differs from row to row"},
    {"bad_attention", CELLTAP_EREFUSED, "/attend", "attention"},
    {"bad_mix_timesteps", CELLTAP_EREFUSED, "/mix", "mixes timesteps"},
    {"bad_split_time", CELLTAP_EREFUSED, "/cut", "cuts the time axis"},
    {"bad_position", CELLTAP_EREFUSED, "/embed", "changes from timestep to timestep"},
    {"bad_length", CELLTAP_EREFUSED, "/average", "length of the sequence"},
    {"bad_stops_early", CELLTAP_EREFUSED, "/rnn/RNN", "7 timesteps"},
    {"bad_conv", CELLTAP_EREFUSED, "/conv/Conv", "convolution"},
    {"bad_unknown", CELLTAP_EREFUSED, "/odd", "Frobnicate"},
    {"bad_attribute", CELLTAP_EREFUSED, "/odd", "'sharpness'"},
    {"bad_activation", CELLTAP_EREFUSED, "/rnn/RNN", "'Cosine'"},
    {"bad_domain", CELLTAP_EREFUSED, "/odd", "'com.x'"},
    {"bad_opset", CELLTAP_EREFUSED, "", "older than 7"},
    {"bad_open_features", CELLTAP_EREFUSED, "", "how many values axis 2 has"},
    {"bad_external", CELLTAP_EREFUSED, "", "file of its own"},
    {"bad_huge", CELLTAP_EREFUSED, "/Range", "too large"},
    {"bad_order", CELLTAP_EMODEL, "/early", "'later'"},
};

START_TEST(test_lower_when_graph_cannot_stream_then_node_and_reason)
{
    for (size_t k = 0; k < sizeof lower_refused / sizeof *lower_refused; k++) {
        celltap_model *model = NULL;
        struct celltap_diagnosis said = {0};
        const char *graph = lower_refused[k].graph;
        int err = graphs_load(graph, &model, &said);
        ck_assert_msg(err == lower_refused[k].code && model == NULL, "%s gives %d", graph, err);
        ck_assert_msg(strcmp(said.node, lower_refused[k].node) == 0, "%s: node %s", graph,
                      said.node);
        ck_assert_msg(strstr(said.text, lower_refused[k].word) != NULL, "%s: %s", graph, said.text);
    }
}
END_TEST

START_TEST(test_lower_when_states_are_outputs_then_side_by_side)
{
    celltap_model *model = NULL;
    ck_assert_int_eq(graphs_load("rnn_states", &model, NULL), 0);
    size_t last = celltap_model_n_layers(model) - 1;
    ck_assert_uint_eq(celltap_model_n_values(model), 4); /* h0 is a state, no value of a frame */
    ck_assert_uint_eq(celltap_layer_n_tensors(model, last), 2);
    ck_assert_str_eq(celltap_tensor_name(model, last, 1), "hn");
    ck_assert_uint_eq(celltap_tensor_size(model, last, 1), 4);
    celltap_model_unref(model);
}
END_TEST

START_TEST(test_lower_when_norm_is_read_inside_then_stays_spelled_out)
{
    celltap_model *model = NULL;
    char text[512];
    ck_assert_int_eq(graphs_load("norm_shared", &model, NULL), 0);
    ck_assert(strstr(graphs_layers(model, text), "norm.sub:Sub") != NULL);
    ck_assert_str_eq(graphs_run(model, 1, text), "-0.3416 0.5528 1.447 3.683");
    celltap_model_unref(model);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_lower_when_graph_streams_then_computes_one_timestep,
        test_lower_when_graph_cannot_stream_then_node_and_reason,
        test_lower_when_states_are_outputs_then_side_by_side,
        test_lower_when_norm_is_read_inside_then_stays_spelled_out,
        NULL,
    };
    return suite_run("lower", tests, 60);
}
