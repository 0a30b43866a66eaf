/* test_onnx_node.c - ONNX's own node tests (Debian: libonnx-testdata), a row as a timestep.
 *
 *     recurrent   every batch row is a stream of its own; Y at every timestep, Y_h, Y_c at the end
 *     others      what the loader takes as one frame is a timestep; outputs side by side
 *
 * Weights and everything that is no float are given as constants of the model.  Every case whose
 * operators are all listed in OPERATORS passes or stands in onnx_left_out.h with the reason, but
 * not both; a case with another operator is refused or passes.  Tolerances are those of ONNX's own
 * runner. */
#include <check.h>
#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap.h"
#include "tests/support/onnx_case.h"
#include "tests/support/onnx_left_out.h"

#define NODE_DIR           "/usr/share/libonnx-testdata/data/node" /* or $CELLTAP_ONNX_NODE */
#define RELATIVE_TOLERANCE 1e-3
#define ABSOLUTE_TOLERANCE 1e-7
#define N_CASES_MAX        4096
#define TEXT_BYTES         1024

/* An operator of ours, and from which input on its inputs are parameters. */
static const struct listed_op {
    const char *name;
    size_t first_parameter;
} OPERATORS[] = {
    {"LSTM", 1},
    {"GRU", 1},
    {"RNN", 1},
    {"Gemm", 1},
    {"MatMul", 1},
    {"Add", 9},
    {"Sub", 9},
    {"Mul", 9},
    {"Div", 9},
    {"Neg", 1},
    {"Pow", 9},
    {"Sqrt", 1},
    {"Exp", 1},
    {"Log", 1},
    {"Abs", 1},
    {"Erf", 1},
    {"Max", 9},
    {"Min", 9},
    {"Relu", 1},
    {"LeakyRelu", 1},
    {"Elu", 1},
    {"Selu", 1},
    {"Softplus", 1},
    {"Softsign", 1},
    {"HardSigmoid", 1},
    {"Sigmoid", 1},
    {"Tanh", 1},
    {"Gelu", 1},
    {"Clip", 1},
    {"Celu", 1},
    {"ThresholdedRelu", 1},
    {"Shrink", 1},
    {"Sign", 1},
    {"Softmax", 1},
    {"ReduceMean", 1},
    {"ReduceSum", 1},
    {"ReduceMax", 1},
    {"ReduceMin", 1},
    {"LayerNormalization", 1},
    {"BatchNormalization", 1},
    {"Concat", 9},
    {"Split", 1},
    {"Slice", 1},
    {"Gather", 1},
    {"Identity", 1},
    {"Dropout", 1},
    {"Cast", 1},
    {"Shape", 1},
    {"Unsqueeze", 1},
    {"ConstantOfShape", 1},
    {"Expand", 1},
    {"Reshape", 1},
    {"Transpose", 1},
    {"Squeeze", 1},
    {"Constant", 1},
};
#define N_OPERATORS (sizeof OPERATORS / sizeof *OPERATORS)

static const struct left_out {
    const char *name, *reason;
    bool some; /* of some releases of ONNX */
} LEFT_OUT[] = {
#define ROW(name, reason) {name, reason, false},
    ONNX_LEFT_OUT(ROW)
#undef ROW
#define ROW(name, reason) {name, reason, true},
        ONNX_LEFT_OUT_SOME(ROW)
#undef ROW
};
#define N_LEFT_OUT (sizeof LEFT_OUT / sizeof *LEFT_OUT)

/* What became of one case. */
struct result {
    bool passed, loaded;
    double error; /* the largest absolute one */
    char text[TEXT_BYTES];
};

struct tally {
    int n_passed, n_left_out;
    double error;
};

static const struct listed_op *operator_find(const char *name)
{
    for (size_t k = 0; k < N_OPERATORS; k++)
        if (strcmp(OPERATORS[k].name, name) == 0)
            return &OPERATORS[k];
    return NULL;
}

static const struct left_out *left_out_find(const char *name)
{
    for (size_t k = 0; k < N_LEFT_OUT; k++)
        if (fnmatch(LEFT_OUT[k].name, name, 0) == 0)
            return &LEFT_OUT[k];
    return NULL;
}

/* ---- running a case ---------------------------------------------------------------------------
 */

struct runner {
    celltap_model *model;
    celltap_stream *stream;
    celltap_panel *panel;
    float *x; /* [n_values] */
    size_t n_values;
};

static void runner_done(struct runner *runner)
{
    free(runner->x);
    celltap_panel_free(runner->panel);
    celltap_stream_free(runner->stream);
    celltap_model_unref(runner->model);
}

static bool runner_init(struct runner *runner, const struct onnx_case *one, const bool *constant,
                        const size_t *batch_axis, size_t row, struct result *result)
{
    struct celltap_diagnosis why = {{0}, {0}};
    unsigned char *bytes;
    size_t n_bytes;
    *runner = (struct runner){0};
    onnx_case_pack(one, constant, batch_axis, row, &bytes, &n_bytes);
    int rc = celltap_model_load_bytes(bytes, n_bytes, &runner->model, &why);
    free(bytes);
    if (rc < 0) {
        snprintf(result->text, TEXT_BYTES, "refused: %s", why.text);
        return false;
    }
    result->loaded = true;
    runner->n_values = celltap_model_n_values(runner->model);
    runner->x = calloc(runner->n_values + 1, sizeof *runner->x);
    ck_assert_int_eq(celltap_stream_new(runner->model, &runner->stream), 0);
    ck_assert_int_eq(celltap_panel_new(runner->model, 1, &runner->panel), 0);
    return true;
}

static void runner_step(struct runner *runner)
{
    ck_assert_int_eq(celltap_step(runner->panel, runner->stream, runner->x, runner->n_values), 0);
}

/* n values of the last step's output `tensor_ix` from `at` on, against those expected. */
static void expect(const struct runner *runner, size_t tensor_ix, size_t at, size_t n,
                   const double *expected, const char *what, struct result *result)
{
    size_t layer_ix = celltap_model_n_layers(runner->model) - 1;
    const float *got = celltap_panel_tensor(runner->panel, 0, layer_ix, tensor_ix) + at;
    for (size_t k = 0; k < n; k++) {
        double error = fabs((double)got[k] - expected[k]);
        bool same = (isnan(got[k]) && isnan(expected[k])) || (double)got[k] == expected[k];
        if (!same && !(error <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * fabs(expected[k])) &&
            result->text[0] == '\0')
            snprintf(result->text, TEXT_BYTES, "%s: %.9g instead of %.9g", what, (double)got[k],
                     expected[k]);
        if (!same)
            result->error = fmax(result->error, error);
    }
}

/* ---- recurrent nodes --------------------------------------------------------------------------
 */

struct recurrent {
    bool batch_first;
    size_t n_timesteps, n_rows, n_units;
};

/* One timestep's outputs of one batch row. */
static void expect_recurrent(const struct runner *runner, const struct onnx_case *one,
                             const struct recurrent *shape, size_t t, size_t row,
                             struct result *result)
{
    size_t layer_ix = celltap_model_n_layers(runner->model) - 1, h = shape->n_units;
    for (size_t k = 0; k < celltap_layer_n_tensors(runner->model, layer_ix); k++) {
        const char *name = celltap_tensor_name(runner->model, layer_ix, k);
        size_t output_ix = onnx_case_output_find(one, name);
        ck_assert_uint_ne(output_ix, SIZE_MAX);
        ck_assert_uint_eq(celltap_tensor_size(runner->model, layer_ix, k), h);
        const double *values = one->outputs[output_ix].values;
        if (onnx_case_output_position(one, output_ix) == 0)
            values +=
                h * (shape->batch_first ? row * shape->n_timesteps + t : t * shape->n_rows + row);
        else if (t + 1 == shape->n_timesteps)
            values += h * row;
        else
            continue;
        expect(runner, k, 0, h, values, name, result);
    }
}

static void run_recurrent(const struct onnx_case *one, struct result *result)
{
    bool constant[ONNX_CASE_TENSORS_MAX] = {false};
    size_t batch_axis[ONNX_CASE_TENSORS_MAX];
    bool batch_first = onnx_case_attribute(one, "layout", 0) == 1;
    const struct onnx_case_tensor *x = &one->inputs[0];
    struct recurrent shape = {batch_first, (size_t)x->dims[batch_first ? 1 : 0],
                              (size_t)x->dims[batch_first ? 0 : 1],
                              (size_t)onnx_case_attribute(one, "hidden_size", 0)};
    size_t n = (size_t)x->dims[2];
    for (size_t k = 0; k < one->n_inputs; k++) {
        size_t position = onnx_case_position(one, k);
        constant[k] = position > 0;
        batch_axis[k] = position == 4                    ? 0 /* sequence_lens */
                        : position == 5 || position == 6 ? (batch_first ? 0 : 1)
                                                         : SIZE_MAX;
    }
    for (size_t row = 0; row < shape.n_rows; row++) {
        struct runner runner;
        if (!runner_init(&runner, one, constant, batch_axis, row, result))
            return;
        ck_assert_uint_eq(runner.n_values, n);
        for (size_t t = 0; t < shape.n_timesteps; t++) {
            size_t at = batch_first ? row * shape.n_timesteps + t : t * shape.n_rows + row;
            for (size_t k = 0; k < n; k++)
                runner.x[k] = (float)x->values[at * n + k];
            runner_step(&runner);
            expect_recurrent(&runner, one, &shape, t, row, result);
        }
        runner_done(&runner);
    }
}

/* ---- all others -------------------------------------------------------------------------------
 */

/* Rows that the loader makes of the case's data: the largest number of frames in an input.
 * 0 when the inputs do not fit. */
static size_t count_rows(const struct runner *runner, const struct onnx_case *one,
                         const bool *constant)
{
    size_t n_rows = 1, tensor_ix = 0;
    for (size_t k = 0; k < one->n_inputs; k++) {
        if (constant[k])
            continue;
        if (tensor_ix == celltap_layer_n_tensors(runner->model, 0))
            return 0;
        size_t size = celltap_tensor_size(runner->model, 0, tensor_ix++);
        if (size == 0 || one->inputs[k].n % size != 0)
            return 0;
        size_t rows = one->inputs[k].n / size;
        if (rows != 1 && n_rows != 1 && rows != n_rows)
            return 0;
        n_rows = rows == 1 ? n_rows : rows;
    }
    return n_rows;
}

static void fill_row(struct runner *runner, const struct onnx_case *one, const bool *constant,
                     size_t row)
{
    size_t at = 0, tensor_ix = 0;
    for (size_t k = 0; k < one->n_inputs; k++) {
        if (constant[k])
            continue;
        size_t size = celltap_tensor_size(runner->model, 0, tensor_ix++);
        const double *values = one->inputs[k].values;
        values += one->inputs[k].n > size ? row * size : 0;
        for (size_t j = 0; j < size; j++)
            runner->x[at++] = (float)values[j];
    }
}

static void expect_row(const struct runner *runner, const struct onnx_case *one, size_t row,
                       size_t n_rows, struct result *result)
{
    size_t layer_ix = celltap_model_n_layers(runner->model) - 1;
    ck_assert_uint_eq(celltap_layer_n_tensors(runner->model, layer_ix), one->n_outputs);
    for (size_t k = 0; k < one->n_outputs; k++) {
        size_t n = celltap_tensor_size(runner->model, layer_ix, k);
        if (n * n_rows != one->outputs[k].n)
            snprintf(result->text, TEXT_BYTES, "%zu rows of %zu values where %zu are expected",
                     n_rows, n, one->outputs[k].n);
        else
            expect(runner, k, 0, n, one->outputs[k].values + row * n, "output", result);
    }
}

static void run_rows(const struct onnx_case *one, const bool *constant, struct result *result)
{
    struct runner runner;
    size_t batch_axis[ONNX_CASE_TENSORS_MAX];
    for (size_t k = 0; k < ONNX_CASE_TENSORS_MAX; k++)
        batch_axis[k] = SIZE_MAX;
    *result = (struct result){0};
    if (!runner_init(&runner, one, constant, batch_axis, SIZE_MAX, result))
        return;
    size_t n_rows = count_rows(&runner, one, constant);
    if (n_rows == 0)
        snprintf(result->text, TEXT_BYTES, "its inputs are not rows of the frame's %zu values",
                 runner.n_values);
    for (size_t row = 0; row < n_rows && result->text[0] == '\0'; row++) {
        fill_row(&runner, one, constant, row);
        runner_step(&runner);
        expect_row(&runner, one, row, n_rows, result);
    }
    runner_done(&runner);
    result->passed = result->text[0] == '\0';
}

static void run_other(const struct onnx_case *one, struct result *result)
{
    const struct listed_op *listed = operator_find(onnx_case_op(one, 0));
    bool constant[ONNX_CASE_TENSORS_MAX] = {false};
    size_t n_data = 0;
    for (size_t k = 0; k < one->n_inputs; k++) {
        size_t position = onnx_case_n_nodes(one) == 1 ? onnx_case_position(one, k) : k;
        size_t first = onnx_case_n_nodes(one) > 1 || listed == NULL ? 1 : listed->first_parameter;
        constant[k] = !onnx_case_is_float(&one->inputs[k]) || position >= first;
        n_data += !constant[k];
    }
    if (n_data == 0) {
        snprintf(result->text, TEXT_BYTES, "no float input");
        return;
    }
    run_rows(one, constant, result);
    if (result->passed || n_data == 1)
        return;
    for (size_t k = 1; k < one->n_inputs; k++) /* the other operands as constants, then */
        constant[k] = true;
    run_rows(one, constant, result);
}

static struct result run_case(const struct onnx_case *one)
{
    struct result result = {0};
    const char *op = onnx_case_op(one, 0);
    for (size_t k = 0; k < one->n_outputs; k++)
        if (!onnx_case_is_float(&one->outputs[k])) {
            snprintf(result.text, TEXT_BYTES, "an output is no float");
            return result;
        }
    if (strcmp(op, "LSTM") == 0 || strcmp(op, "GRU") == 0 || strcmp(op, "RNN") == 0)
        run_recurrent(one, &result);
    else
        run_other(one, &result);
    result.passed = result.text[0] == '\0';
    return result;
}

/* ---- all cases --------------------------------------------------------------------------------
 */

static const char *node_dir(void)
{
    const char *path = getenv("CELLTAP_ONNX_NODE");
    return path != NULL ? path : NODE_DIR;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_cases(char **names)
{
    int n = 0;
    DIR *directory = opendir(node_dir());
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && n < N_CASES_MAX;)
        if (strncmp(entry->d_name, "test_", 5) == 0)
            names[n++] = strdup(entry->d_name + 5);
    closedir(directory);
    ck_assert_int_lt(n, N_CASES_MAX);
    qsort(names, (size_t)n, sizeof *names, by_text);
    return n;
}

static const char *read_case(const char *name, struct onnx_case *ret_case)
{
    char path[TEXT_BYTES];
    snprintf(path, sizeof path, "%s/test_%s", node_dir(), name);
    return onnx_case_read(path, ret_case);
}

static bool all_listed(const struct onnx_case *one)
{
    for (size_t k = 0; k < onnx_case_n_nodes(one); k++)
        if (operator_find(onnx_case_op(one, k)) == NULL)
            return false;
    return true;
}

/* NULL, or what is wrong with how a case went. */
static const char *complaint(const struct result *result, bool listed, const struct left_out *left)
{
    if (result->passed && left != NULL && !left->some)
        return "passes, but stands in onnx_left_out.h";
    if (result->passed || left != NULL || (!listed && !result->loaded))
        return NULL;
    return result->text;
}

static int print_tally(const struct tally *tally, const char *name)
{
    if (tally->n_passed + tally->n_left_out > 0)
        printf("%-20s %3d passed, %3d left out, largest error %.2e\n", name, tally->n_passed,
               tally->n_left_out, tally->error);
    return tally->n_passed;
}

START_TEST(test_onnx_node_every_case_passes_or_is_left_out_with_a_reason)
{
    static char *names[N_CASES_MAX];
    static struct tally
        tallies[N_OPERATORS + 1]; /* the last: graphs of several nodes, and others */
    int n = list_cases(names), n_wrong = 0, n_passed = 0, n_left_out = 0;
    for (int i = 0; i < n; i++) {
        struct onnx_case one;
        const char *unreadable = read_case(names[i], &one);
        const struct left_out *left = left_out_find(names[i]);
        if (unreadable != NULL) {
            free(names[i]);
            continue; /* sequences, optionals: no tensors */
        }
        const struct listed_op *listed = operator_find(onnx_case_op(&one, 0));
        struct result result = run_case(&one);
        const char *wrong = complaint(&result, all_listed(&one), left);
        struct tally *tally =
            &tallies[onnx_case_n_nodes(&one) > 1 || listed == NULL ? N_OPERATORS
                                                                   : (size_t)(listed - OPERATORS)];
        if (wrong != NULL)
            printf("%s: %s (%s)\n", names[i], wrong, onnx_case_op(&one, 0));
        n_wrong += wrong != NULL;
        tally->n_passed += result.passed;
        tally->n_left_out += left != NULL && !result.passed;
        tally->error = result.passed ? fmax(tally->error, result.error) : tally->error;
        onnx_case_done(&one);
        free(names[i]);
    }
    for (size_t k = 0; k <= N_OPERATORS; k++) {
        n_passed +=
            print_tally(&tallies[k], k < N_OPERATORS ? OPERATORS[k].name : "several, others");
        n_left_out += tallies[k].n_left_out;
    }
    printf("%d passed, %d left out by name\n", n_passed, n_left_out);
    fflush(stdout); /* a test that fails ends without it */
    ck_assert_msg(n_wrong == 0, "%d cases are wrong", n_wrong);
}
END_TEST

START_TEST(test_onnx_node_every_left_out_name_is_a_case)
{
    static char *names[N_CASES_MAX];
    bool found[N_LEFT_OUT] = {false};
    int n = list_cases(names);
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < N_LEFT_OUT; k++)
            found[k] |= fnmatch(LEFT_OUT[k].name, names[i], 0) == 0;
        free(names[i]);
    }
    for (size_t k = 0; k < N_LEFT_OUT; k++) {
        ck_assert_msg(found[k] || LEFT_OUT[k].some, "%s: no such case", LEFT_OUT[k].name);
        ck_assert_uint_gt(strlen(LEFT_OUT[k].reason), 10);
    }
}
END_TEST

START_TEST(test_onnx_node_when_an_answer_is_wrong_then_noticed)
{
    static const char *const cases[] = {"lstm_with_peepholes", "gru_batchwise", "softmax_axis_2"};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct onnx_case one;
        ck_assert_ptr_null(read_case(cases[k], &one));
        ck_assert(run_case(&one).passed);
        struct onnx_case_tensor *last = &one.outputs[one.n_outputs - 1];
        last->values[last->n - 1] *= 1.01;
        struct result result = run_case(&one);
        ck_assert(!result.passed);
        ck_assert_ptr_nonnull(complaint(&result, true, NULL));
        onnx_case_done(&one);
    }
    struct result passed = {.passed = true};
    ck_assert_ptr_nonnull(complaint(&passed, true, left_out_find("matmul_3d")));
}
END_TEST

int main(void)
{
    DIR *directory = opendir(node_dir());
    if (directory == NULL) {
        printf("%s is not there: install libonnx-testdata\n", node_dir());
        return 77; /* skipped */
    }
    closedir(directory);
    Suite *suite = suite_create("onnx_node");
    TCase *tcase = tcase_create("node");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, test_onnx_node_every_case_passes_or_is_left_out_with_a_reason);
    tcase_add_test(tcase, test_onnx_node_every_left_out_name_is_a_case);
    tcase_add_test(tcase, test_onnx_node_when_an_answer_is_wrong_then_noticed);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
