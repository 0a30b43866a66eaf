/* test_err.c - every code has its own number and sentence, here and in the manual. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap.h"
#include "tests/support/suite.h"

struct err_row {
    const char *name;
    int code;
    const char *sentence;
};

static const struct err_row err_rows[] = {
#define ERR_ROW(name, code, sentence) {"CELLTAP_" #name, code, sentence},
    CELLTAP_ERRORS(ERR_ROW)
#undef ERR_ROW
};
#define ERR_N_ROWS (sizeof err_rows / sizeof *err_rows)

START_TEST(test_strerror_when_code_is_listed_then_is_its_sentence)
{
    for (size_t i = 0; i < ERR_N_ROWS; i++)
        ck_assert_str_eq(celltap_strerror(err_rows[i].code), err_rows[i].sentence);
    ck_assert_str_eq(celltap_strerror(0), "no error");
}
END_TEST

START_TEST(test_strerror_when_code_is_not_listed_then_is_unknown)
{
    ck_assert_str_eq(celltap_strerror(1), "unknown error");
    ck_assert_str_eq(celltap_strerror(-(int)ERR_N_ROWS - 1), "unknown error");
    ck_assert_str_eq(celltap_strerror(-2147483647 - 1), "unknown error");
}
END_TEST

START_TEST(test_errors_when_listed_then_codes_count_down_without_a_gap)
{
    for (size_t i = 0; i < ERR_N_ROWS; i++)
        ck_assert_int_eq(err_rows[i].code, -(int)i - 1);
}
END_TEST

/* The file's text; the tests run from the top of the source tree. */
static char *err_read(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be opened; run the tests from the top", path);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    size_t n_bytes = fread(text, 1, (1 << 20) - 1, file);
    ck_assert_uint_lt(n_bytes, (1 << 20) - 1);
    fclose(file);
    return text;
}

/* One entry of the manual's list: `.It Er NAME Pq CODE`, below it the sentence. */
START_TEST(test_manual_when_read_then_has_every_error_once)
{
    char *manual = err_read("docs/libcelltap.3");
    size_t n_rows = 0;
    for (const char *at = manual; (at = strstr(at, "\n.It Er ")) != NULL; at++)
        n_rows++;
    ck_assert_uint_eq(n_rows, ERR_N_ROWS);
    for (size_t i = 0; i < ERR_N_ROWS; i++) {
        char row[256];
        snprintf(row, sizeof row, "\n.It Er %s Pq %d\n%s\n", err_rows[i].name, err_rows[i].code,
                 err_rows[i].sentence);
        ck_assert_msg(strstr(manual, row) != NULL, "docs/libcelltap.3 has no row:%s", row);
    }
    free(manual);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_strerror_when_code_is_listed_then_is_its_sentence,
        test_strerror_when_code_is_not_listed_then_is_unknown,
        test_errors_when_listed_then_codes_count_down_without_a_gap,
        test_manual_when_read_then_has_every_error_once,
        NULL,
    };
    return suite_run("err", tests, 4);
}
