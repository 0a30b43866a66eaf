/* test_name.c - layers are called what the framework calls its modules. */
#include <string.h>

#include "lib/model/name.h"
#include "tests/support/graphs.h"
#include "tests/support/suite.h"

static const struct {
    const char *graph, *layers;
} name_cases[] = {
    {"name_torch", "net.0:Relu encoder.act:Relu model.2.m.0.cv1.conv:Relu relu:Relu relu_1:Relu"},
    {"name_keras", "sequential.lstm:Relu sequential.dense:Relu model.act:Relu"},
    {"name_empty", "relu:Relu relu_1:Relu relu_2:Relu"},
    {"name_own", "first:Relu a_b:Relu first_1:Relu _:Relu"},
    {"name_weights", "fc:Add add:Add a.b:Add"},
    {"name_module", "gelu.relu:Relu gelu.relu_1:Relu gelu:Relu other:Relu"},
    {"name_scopes", "encoder.act:Relu relu:Relu"},
    {"name_stack", "encoder.l0:RNN encoder.l1:RNN rnn.l0:RNN rnn.l1:RNN"},
    {"name_old_torch", "rnn:RNN enc:RNN fc:Dense"},
};

START_TEST(test_name_when_exporter_is_known_then_module_path)
{
    for (size_t k = 0; k < sizeof name_cases / sizeof *name_cases; k++) {
        celltap_model *model = NULL;
        struct celltap_diagnosis said = {0};
        char text[512];
        int err = graphs_load(name_cases[k].graph, &model, &said);
        ck_assert_msg(err == 0, "%s: %s: %s", name_cases[k].graph, said.node, said.text);
        graphs_layers(model, text);
        ck_assert_msg(strcmp(text, name_cases[k].layers) == 0, "%s: %s", name_cases[k].graph, text);
        celltap_model_unref(model);
    }
}
END_TEST

START_TEST(test_name_when_unsafe_or_taken_then_changed)
{
    struct arena arena;
    const char *before[4];
    arena_init(&arena);
    before[0] = name_unique(&arena, "a/b c\n", before, 0);
    before[1] = name_unique(&arena, "a/b c\n", before, 1);
    before[2] = name_unique(&arena, "..", before, 2);
    before[3] = name_unique(&arena, "", before, 3);
    ck_assert_str_eq(before[0], "a_b_c_");
    ck_assert_str_eq(before[1], "a_b_c__1");
    ck_assert_str_eq(before[2], "_");
    ck_assert_str_eq(before[3], "__1");
    ck_assert_str_eq(name_unique(&arena, "@input", before, 0), "_input"); /* the graph's own */
    arena_done(&arena);
}
END_TEST

START_TEST(test_name_when_very_long_then_fits_a_file_name)
{
    struct arena arena;
    char name[1000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    arena_init(&arena);
    ck_assert_uint_lt(strlen(name_unique(&arena, name, NULL, 0)), 240);
    arena_done(&arena);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_name_when_exporter_is_known_then_module_path,
        test_name_when_unsafe_or_taken_then_changed,
        test_name_when_very_long_then_fits_a_file_name,
        NULL,
    };
    return suite_run("name", tests, 60);
}
