/* test_conf_yaml.c - whatever a file holds, it is read within limits or refused in one line. */
#include "daemon/conf_yaml.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/conf_text.h"

#define MODEL "models: [{name: m, file: m.onnx}]\n"

/* A file that is refused as a whole, and the one line about it (its beginning). */
static const struct fault {
    const char *yaml, *told;
} faults[] = {
    {"models:\n\t- name: x\n", "c.yaml:2:1: not YAML: while scanning for the next token, found "
                               "character that cannot start any token; YAML is indented with "
                               "blanks; replace the tab\n"},
    {"models: [\n", "c.yaml:2:1: not YAML: while parsing a flow node, did not find expected node"},
    {"a: b: c\n", "c.yaml:1:5: not YAML: mapping values are not allowed in this context; check "
                  "the indentation, or put a text with `: ` in quotes\n"},
    {"a: \"b\n", "c.yaml:2:1: not YAML: while scanning a quoted scalar, found unexpected end"},
    {"a: @b\n", "c.yaml:1:4: not YAML: while scanning for the next token, found character that "
                "cannot start any token; put the text in quotes\n"},
    {"a: *b\n", "c.yaml:1:4: not YAML: found undefined alias; define each anchor once, before its "
                "aliases\n"},
    {"a: &x 1\nb: &x 2\n", "c.yaml:2:4: not YAML: "},
    {"a: !mine b\n", "c.yaml:1:4: a tag (`!...`) has no meaning here; remove it\n"},
    {MODEL "---\n" MODEL, "c.yaml:2:1: a second document begins here; keep one, and remove the "
                          "`---` between them\n"},
    {"a: b\n\x01", "c.yaml:2:1: not a text file in UTF-8 (control characters are not allowed); "
                   "give celltapd a YAML file\n"},
    {"a: \xff\xfe\n", "c.yaml:1:4: not a text file in UTF-8 (invalid leading UTF-8 octet); give "
                      "celltapd a YAML file\n"},
    {"\x7f"
     "ELF\x02\x01\x01",
     "c.yaml:1:1: not a text file in UTF-8 (control characters are not allowed)"},
};

static char *told(const char *bytes, size_t n_bytes)
{
    struct conf *conf = NULL;
    struct conf_errors errors;
    ck_assert_int_eq(conf_text_load(bytes, n_bytes, &conf, &errors), -1);
    ck_assert_ptr_null(conf);
    char *text = strdup(errors.text);
    conf_errors_done(&errors);
    return text;
}

START_TEST(test_load_of_what_is_not_yaml_then_one_line)
{
    char *text = told(faults[_i].yaml, strlen(faults[_i].yaml));
    ck_assert_msg(strncmp(text, faults[_i].told, strlen(faults[_i].told)) == 0, "%s", text);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}
END_TEST

START_TEST(test_load_of_zeros_then_refused)
{
    char zeros[1000] = {0};
    char *text = told(zeros, sizeof zeros);
    ck_assert_ptr_nonnull(strstr(text, "c.yaml:1:1: not a text file"));
    free(text);
}
END_TEST

START_TEST(test_load_of_more_than_a_mebibyte_then_refused)
{
    size_t n = CONF_YAML_BYTES_MAX + 1;
    char *bytes = malloc(n);
    memset(bytes, '#', n);
    char *text = told(bytes, n);
    ck_assert_ptr_nonnull(strstr(text, "c.yaml: larger than 1 MiB"));
    free(text);
    struct conf *conf = NULL;
    struct conf_errors errors;
    ck_assert_int_eq(conf_text_load(bytes, n - 1, &conf, &errors), 0); /* at the limit: a comment */
    conf_errors_done(&errors);
    conf_free(conf);
    free(bytes);
}
END_TEST

START_TEST(test_load_of_what_cannot_be_opened_then_why)
{
    struct conf *conf = NULL;
    struct conf_errors errors;
    ck_assert_int_eq(conf_load("/nowhere/c.yaml", &conf, &errors), -1);
    ck_assert_str_eq(errors.text, "/nowhere/c.yaml: No such file or directory; give a "
                                  "configuration file that can be read\n");
    conf_errors_done(&errors);
    ck_assert_int_eq(conf_load("/", &conf, &errors), -1);
    ck_assert_ptr_nonnull(strstr(errors.text, "/: Is a directory; "));
    conf_errors_done(&errors);
}
END_TEST

/* Text repeated until it fills n_bytes; to be freed. */
static char *repeat(const char *text, size_t n_bytes)
{
    char *bytes = malloc(n_bytes);
    for (size_t i = 0, n = strlen(text); i < n_bytes; i++)
        bytes[i] = text[i % n];
    return bytes;
}

START_TEST(test_load_of_deep_nesting_then_refused)
{
    static const char *const texts[] = {"[", "{a: ", "- ", "? ", "[{", "&a [", "- - - ? "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *bytes = repeat(texts[i], CONF_YAML_BYTES_MAX);
        char *text = told(bytes, CONF_YAML_BYTES_MAX);
        ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
        free(text);
        free(bytes);
    }
}
END_TEST

START_TEST(test_load_of_large_files_then_within_a_second_or_so)
{
    static const char *const texts[] = {"a ",    "a: b\n", "&a b\n", "*a ",   "'",   "\"",
                                        ": ",    ", ",     "a, ",    "# a\n", "|\n", "%a\n",
                                        "---\n", "...\n",  "\\x",    "\n",    "!a ", "\xc2\xa0"};
    clock_t start = clock();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *bytes = repeat(texts[i], CONF_YAML_BYTES_MAX);
        struct conf *conf = NULL;
        struct conf_errors errors;
        conf_text_load(bytes, CONF_YAML_BYTES_MAX, &conf, &errors);
        conf_errors_done(&errors);
        conf_free(conf);
        free(bytes);
    }
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 60); /* sanitizers included */
}
END_TEST

START_TEST(test_load_of_aliases_within_each_other_then_bounded)
{
    char *text;
    static const char laughs[] = "a: &a [x,x,x,x,x,x,x,x,x]\n"
                                 "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                                 "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                                 "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                                 "models: [{name: m, file: m.onnx, streams: *d}]\n";
    text = told(laughs, strlen(laughs));
    ck_assert_ptr_nonnull(strstr(text, "an entry of `streams` must be a text"));
    free(text);
    static const char inside[] = "models: &m [*m, *m]\n";
    text = told(inside, strlen(inside));
    ck_assert_ptr_nonnull(strstr(text, "c.yaml:1:9: a model must be a map"));
    free(text);
    static const char map[] = "&r\nmodels: [*r]\ncontrol: *r\n";
    free(told(map, strlen(map)));
}
END_TEST

START_TEST(test_load_when_aliases_repeat_much_text_then_refused)
{
    char *yaml = NULL;
    size_t n_bytes;
    FILE *out = open_memstream(&yaml, &n_bytes);
    fprintf(out, "models:\n- {name: m, file: m.onnx, streams: &s [");
    for (int i = 0; i < 250; i++)
        fprintf(out, "%03d%0*d,", i, 3990, 0);
    fprintf(out, "]}\n");
    for (int i = 0; i < 250; i++)
        fprintf(out, "- {name: m%d, file: m.onnx, streams: *s}\n", i);
    fclose(out);
    char *text = told(yaml, n_bytes);
    ck_assert_ptr_nonnull(strstr(text, "`streams` repeats more text than fits; use fewer aliases"));
    free(text);
    free(yaml);
}
END_TEST

START_TEST(test_load_of_too_many_aliases_then_refused)
{
    char *yaml = NULL, *text;
    size_t n_bytes;
    FILE *out = open_memstream(&yaml, &n_bytes);
    for (int i = 0; i <= CONF_YAML_ALIAS_MAX; i++)
        fprintf(out, "k%d: &a%d 1\n", i, i);
    fclose(out);
    text = told(yaml, n_bytes);
    ck_assert_str_eq(text, "c.yaml:257:7: more than 256 anchors; write the values out\n");
    free(text);
    free(yaml);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_yaml");
    TCase *tests = tcase_create("conf_yaml");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_load_of_what_is_not_yaml_then_one_line, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(tests, test_load_of_zeros_then_refused);
    tcase_add_test(tests, test_load_of_more_than_a_mebibyte_then_refused);
    tcase_add_test(tests, test_load_of_what_cannot_be_opened_then_why);
    tcase_add_test(tests, test_load_of_deep_nesting_then_refused);
    tcase_add_test(tests, test_load_of_large_files_then_within_a_second_or_so);
    tcase_add_test(tests, test_load_of_aliases_within_each_other_then_bounded);
    tcase_add_test(tests, test_load_when_aliases_repeat_much_text_then_refused);
    tcase_add_test(tests, test_load_of_too_many_aliases_then_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
