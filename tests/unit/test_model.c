/* test_model.c - loading as a whole: hostile files, no memory, references, what accessors say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "tests/support/graphs.h"
#include "tests/support/suite.h"

START_TEST(test_model_when_loaded_then_says_what_is_in_it)
{
    celltap_model *model = NULL;
    ck_assert_int_eq(graphs_load("lstm_full", &model, NULL), 0);
    static const char *const tensors[] = {"output", "h", "c", "i", "f", "g", "o"};
    ck_assert_uint_eq(celltap_model_n_layers(model), 3);
    ck_assert_str_eq(celltap_layer_name(model, 0), "@input");
    ck_assert_str_eq(celltap_layer_kind(model, 0), "Input");
    ck_assert_str_eq(celltap_tensor_name(model, 0, 0), "x");
    ck_assert_str_eq(celltap_layer_name(model, 2), "@output");
    ck_assert_uint_eq(celltap_layer_n_tensors(model, 1), 7);
    for (size_t k = 0; k < 7; k++)
        ck_assert_str_eq(celltap_tensor_name(model, 1, k), tensors[k]);
    ck_assert_uint_eq(celltap_tensor_size(model, 1, 0), 1);
    ck_assert_uint_eq(celltap_layer_n_inputs(model, 1), 1);
    ck_assert_uint_gt(celltap_layer_n_parameters(model, 1), 8);
    ck_assert_uint_gt(celltap_layer_n_macs(model, 1), 7);
    ck_assert_uint_gt(celltap_model_state_bytes(model), 0);
    celltap_model_unref(model);
}
END_TEST

START_TEST(test_model_when_references_end_then_is_freed)
{
    celltap_model *model = NULL;
    long before = alloc_n_alive();
    ck_assert_int_eq(graphs_load("gemm", &model, NULL), 0);
    ck_assert_ptr_eq(celltap_model_ref(model), model);
    celltap_model_unref(model);
    ck_assert_int_gt(alloc_n_alive(), before);
    celltap_model_unref(model);
    ck_assert_int_eq(alloc_n_alive(), before);
    celltap_model_unref(NULL);
}
END_TEST

START_TEST(test_model_when_file_is_missing_or_no_file_then_says_so)
{
    celltap_model *model = NULL;
    struct celltap_diagnosis said;
    ck_assert_int_eq(celltap_model_load("nowhere.onnx", &model, &said), CELLTAP_EFILE);
    ck_assert(strstr(said.text, "nowhere.onnx") != NULL);
    ck_assert_int_eq(celltap_model_load("tests", &model, &said), CELLTAP_EFILE);
    ck_assert_int_eq(celltap_model_load("Makefile", &model, &said), CELLTAP_EMODEL);
    ck_assert_int_eq(celltap_model_load("tests/unit/data/gemm.onnx", &model, &said), 0);
    celltap_model_unref(model);
    model = NULL;
    ck_assert_int_eq(celltap_model_load_bytes("", 0, &model, &said), CELLTAP_EMODEL);
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(test_model_when_perhaps_not_what_was_meant_then_remarks_it)
{
    static const struct {
        const char *graph, *remark; /* NULL: none */
    } rows[] = {
        {"remark_states", "celltap.states = 's=y'"},
        {"remark_window", "all 3 x 4 values of input 'x' are one frame"},
        {"remark_gru", "node /gru/GRU: a GRU from PyTorch without linear_before_reset"},
        {"carry", NULL},
        {"lstm_full", NULL},
        {"gemm", NULL},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        celltap_model *model = NULL;
        ck_assert_int_eq(graphs_load(rows[k].graph, &model, NULL), 0);
        const char *is = celltap_model_remark(model, 0), *wanted = rows[k].remark;
        ck_assert_msg((is == NULL) == (wanted == NULL), "%s: %s", rows[k].graph, is);
        ck_assert_msg(is == NULL || strstr(is, wanted) != NULL, "%s: %s", rows[k].graph, is);
        ck_assert_ptr_null(celltap_model_remark(model, 1));
        celltap_model_unref(model);
    }
}
END_TEST

static const char *const model_graphs[] = {"lstm_full",    "merged_rows",  "rnn_states",
                                           "norm_spelled", "bad_mix_last", "remark_states",
                                           "carry_delay",  "function",     "branch_inside"};
#define N_GRAPHS (sizeof model_graphs / sizeof *model_graphs)

/* Loads what may be anything; nothing may be left of it. */
static void model_load_anything(const unsigned char *bytes, size_t n_bytes)
{
    celltap_model *model = NULL;
    struct celltap_diagnosis said = {0};
    char text[512];
    long before = alloc_n_alive();
    int err = celltap_model_load_bytes(bytes, n_bytes, &model, &said);
    ck_assert(err <= 0);
    ck_assert((err == 0) == (model != NULL));
    ck_assert(err == 0 || said.text[0] != '\0');
    if (err == 0)
        graphs_run(model, 2, text);
    celltap_model_unref(model);
    ck_assert_int_eq(alloc_n_alive(), before);
}

START_TEST(test_model_when_file_is_cut_then_refused_or_loaded_whole)
{
    for (size_t k = 0; k < N_GRAPHS; k++) {
        size_t n_bytes;
        unsigned char *bytes = graphs_bytes(model_graphs[k], &n_bytes);
        for (size_t n = 0; n < n_bytes; n++) {
            unsigned char *cut = malloc(n + 1); /* of its size: a sanitizer sees what is beyond */
            memcpy(cut, bytes, n);
            model_load_anything(cut, n);
            free(cut);
        }
        free(bytes);
    }
}
END_TEST

START_TEST(test_model_when_bytes_are_wrong_then_refused_or_loaded_whole)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff, 0x7f};
    for (size_t k = 0; k < N_GRAPHS; k++) {
        size_t n_bytes;
        unsigned char *bytes = graphs_bytes(model_graphs[k], &n_bytes);
        for (size_t at = 0; at < n_bytes; at++)
            for (size_t f = 0; f < sizeof flips; f++) {
                bytes[at] ^= flips[f];
                model_load_anything(bytes, n_bytes);
                bytes[at] ^= flips[f];
            }
        free(bytes);
    }
}
END_TEST

START_TEST(test_model_when_memory_ends_anywhere_then_nothing_is_left)
{
    for (size_t k = 0; k < N_GRAPHS; k++) {
        size_t n_bytes, n_failed = 0;
        unsigned char *bytes = graphs_bytes(model_graphs[k], &n_bytes);
        int err = CELLTAP_ENOMEM;
        for (long n = 0; err == CELLTAP_ENOMEM; n++, n_failed++) {
            celltap_model *model = NULL;
            struct celltap_diagnosis said = {0};
            long before = alloc_n_alive();
            alloc_fail_after(n);
            err = celltap_model_load_bytes(bytes, n_bytes, &model, &said);
            alloc_fail_after(-1);
            ck_assert(err == 0 || model == NULL);
            ck_assert(err != CELLTAP_ENOMEM || strstr(said.text, "memory") != NULL);
            celltap_model_unref(model);
            ck_assert_int_eq(alloc_n_alive(), before);
        }
        ck_assert_uint_gt(n_failed, 3);
        ck_assert_int_eq(err, strncmp(model_graphs[k], "bad", 3) == 0 ? CELLTAP_EREFUSED : 0);
        free(bytes);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_model_when_loaded_then_says_what_is_in_it,
        test_model_when_references_end_then_is_freed,
        test_model_when_file_is_missing_or_no_file_then_says_so,
        test_model_when_perhaps_not_what_was_meant_then_remarks_it,
        test_model_when_file_is_cut_then_refused_or_loaded_whole,
        test_model_when_bytes_are_wrong_then_refused_or_loaded_whole,
        test_model_when_memory_ends_anywhere_then_nothing_is_left,
        NULL,
    };
    return suite_run("model", tests, 240);
}
