/* test_log.c - log lines are one line each, with the journal's priority only in the journal. */
#include "daemon/log.h"

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Logs one line to a pipe that is, or is not, the journal; what arrived, to be freed. */
static char *logged(bool to_journal, enum log_level limit, enum log_level level, const char *text)
{
    int ends[2], kept = dup(STDERR_FILENO);
    struct stat st;
    char stream[64], *got = calloc(1, 8192);
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino + (to_journal ? 0 : 1));
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(limit);
    log_line(level, "%s", text);
    dup2(kept, STDERR_FILENO);
    ssize_t n = read(ends[0], got, 8191);
    got[n > 0 ? n : 0] = 0;
    close(ends[0]);
    close(ends[1]);
    close(kept);
    return got;
}

START_TEST(test_line_to_journal_then_priority_in_front)
{
    char *got = logged(true, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, "slow");
    ck_assert_str_eq(got, "<4>slow\n");
    free(got);
}
END_TEST

START_TEST(test_line_elsewhere_then_time_program_and_level)
{
    char *got = logged(false, LOG_LEVEL_INFO, LOG_LEVEL_ERR, "gone");
    int year, millisecond;
    ck_assert_int_eq(sscanf(got, "%4d-%*2d-%*2d %*2d:%*2d:%*2d.%3d ", &year, &millisecond), 2);
    ck_assert_str_eq(got + strlen("2026-01-31 23:59:59.123 "), "celltapd: err: gone\n");
    free(got);
}
END_TEST

START_TEST(test_line_above_level_then_dropped)
{
    char *got = logged(true, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, "detail");
    ck_assert_str_eq(got, "");
    free(got);
}
END_TEST

START_TEST(test_line_with_control_characters_then_one_line)
{
    char *got = logged(true, LOG_LEVEL_INFO, LOG_LEVEL_INFO, "a\nb\x1b[31m\xc2\x9b\x7f\tä");
    ck_assert_str_eq(got, "<6>a\\x0ab\\x1b[31m\\xc2\\x9b\\x7f\\x09ä\n");
    free(got);
}
END_TEST

START_TEST(test_line_of_any_length_then_cut_to_one_piece)
{
    char text[5000], *got;
    memset(text, '\n', sizeof text - 1); /* each becomes four bytes */
    text[sizeof text - 1] = 0;
    got = logged(true, LOG_LEVEL_INFO, LOG_LEVEL_INFO, text);
    ck_assert_uint_gt(strlen(got), 2000);
    ck_assert_uint_le(strlen(got), 2048);
    ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
    free(got);
}
END_TEST

START_TEST(test_escape_into_little_room_then_cut_at_a_character)
{
    char text[6];
    log_escape(text, sizeof text, "abcdä");
    ck_assert_str_eq(text, "abcd");
    log_escape(text, sizeof text, "ab\n");
    ck_assert_str_eq(text, "ab");
    log_escape(text, sizeof text, "abcde");
    ck_assert_str_eq(text, "abcde");
    log_escape(text, 1, "abcde");
    ck_assert_str_eq(text, "");
    log_escape(text, sizeof text, "\xc3"); /* half a character at the end */
    ck_assert_str_eq(text, "\xc3");
}
END_TEST

START_TEST(test_level_of_name_then_found_or_none)
{
    ck_assert_int_eq(log_level_find("err"), LOG_LEVEL_ERR);
    ck_assert_int_eq(log_level_find("debug"), LOG_LEVEL_DEBUG);
    ck_assert_int_eq(log_level_find("loud"), -1);
    ck_assert_int_eq(log_level_find(""), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, test_line_to_journal_then_priority_in_front);
    tcase_add_test(tests, test_line_elsewhere_then_time_program_and_level);
    tcase_add_test(tests, test_line_above_level_then_dropped);
    tcase_add_test(tests, test_line_with_control_characters_then_one_line);
    tcase_add_test(tests, test_line_of_any_length_then_cut_to_one_piece);
    tcase_add_test(tests, test_escape_into_little_room_then_cut_at_a_character);
    tcase_add_test(tests, test_level_of_name_then_found_or_none);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
