/* test_csv.c - csv files as people have them: cells, lines, faults with their place. */
#include "cli/csv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/csv_value.h"
#include "cli/series.h"
#include "tests/support/suite.h"

/* ---- helpers ------------------------------------------------------------------------------- */

static char file_path[] = "/tmp/celltap-test-csv-XXXXXX";

static const char *file_with(const char *bytes, size_t n_bytes)
{
    strcpy(file_path + sizeof file_path - 7, "XXXXXX");
    int fd = mkstemp(file_path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n_bytes), (ssize_t)n_bytes);
    close(fd);
    return file_path;
}

/* All records as text: cells between | |, records on lines; a fault as "! what" without the path.
 */
static char *cells_of(const char *bytes, size_t n_bytes, char delimiter)
{
    struct csv *csv;
    struct csv_record record;
    char error[CSV_ERROR_MAX], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *path = file_with(bytes, n_bytes);
    int code;
    ck_assert_int_eq(csv_open(path, delimiter, &csv, error), 0);
    while ((code = csv_read(csv, &record, error)) > 0) {
        for (size_t i = 0; i < record.n_cells; i++) {
            ck_assert_uint_eq(strlen(record.cells[i].text), record.cells[i].n_bytes);
            fprintf(out, "%s|", record.cells[i].text);
        }
        fputc('\n', out);
    }
    if (code < 0)
        fprintf(out, "! %s", error + strlen(path));
    csv_close(csv);
    unlink(path);
    fclose(out);
    return text;
}

static void check_cells(const char *bytes, const char *expected)
{
    char *text = cells_of(bytes, strlen(bytes), 0);
    ck_assert_str_eq(text, expected);
    free(text);
}

/* ---- cells --------------------------------------------------------------------------------- */

START_TEST(test_cells_of_each_delimiter_are_found)
{
    check_cells("a,b\n1,2\n", "a|b|\n1|2|\n");
    check_cells("a;b\n1,5;2\n", "a|b|\n1,5|2|\n");
    check_cells("a\tb\n1\t2\n", "a|b|\n1|2|\n");
    check_cells("1,5;2,5;3,5\n", "1,5|2,5|3,5|\n");
    check_cells("\"x;y\",b\n1,2\n", "x;y|b|\n1|2|\n");
    check_cells("only\n1\n", "only|\n1|\n");
}
END_TEST

START_TEST(test_line_ends_of_all_systems_are_taken)
{
    check_cells("a,b\r\n1,2\r\n3,4", "a|b|\n1|2|\n3|4|\n");
    check_cells("a,b\r1,2\r", "a|b|\n1|2|\n");
    check_cells("\xef\xbb\xbf"
                "a,b\n1,2",
                "a|b|\n1|2|\n");
    check_cells("\n\r\n\na,b\n\n\n1,2\n\n", "a|b|\n1|2|\n");
    check_cells("", "");
    check_cells("\n\n", "");
    check_cells("\xef\xbb\xbf", "");
}
END_TEST

START_TEST(test_quoted_cells_are_unescaped)
{
    check_cells("\"a,b\",\"c\"\"d\"\n", "a,b|c\"d|\n");
    check_cells("\"\",x,\n", "|x||\n");
    check_cells("\"a\nb\r\nc\",2\n3,4\n", "a\nb\r\nc|2|\n3|4|\n");
    check_cells("a , \"b\" ,c\n", "a |b|c|\n");
    check_cells("\"\"\"\"\n", "\"|\n");
    check_cells("5\"6,b\"\n", "5\"6|b\"|\n"); /* a quote inside a plain cell is a quote */
    check_cells("\"last\"", "last|\n");
}
END_TEST

START_TEST(test_broken_quotes_are_named_with_their_place)
{
    check_cells("a,b\n1,\"2\n3,4\n", "a|b|\n! :2:3: the quote opened here is never closed");
    check_cells("a,b\n\"1\"x,2\n",
                "a|b|\n! :2:4: text behind a closing quote; write a quote inside as \"\"");
}
END_TEST

START_TEST(test_places_are_right_behind_quoted_line_ends)
{
    const char *bytes = "a,b\r\n\"x\r\ny\",2\r\n\r\n3,44,5\n";
    struct csv *csv;
    struct csv_record record;
    char error[CSV_ERROR_MAX];
    ck_assert_int_eq(csv_open(file_with(bytes, strlen(bytes)), 0, &csv, error), 0);
    ck_assert_int_eq(csv_read(csv, &record, error), 1);
    ck_assert_int_eq(csv_read(csv, &record, error), 1);
    ck_assert_uint_eq(record.cells[0].line, 2);
    ck_assert_uint_eq(record.cells[1].line, 3);
    ck_assert_uint_eq(record.cells[1].column, 4);
    ck_assert_int_eq(csv_read(csv, &record, error), 1);
    ck_assert_uint_eq(record.cells[2].line, 5);
    ck_assert_uint_eq(record.cells[2].column, 6);
    ck_assert_int_eq(csv_read(csv, &record, error), 0);
    ck_assert_int_eq(csv_read(csv, &record, error), 0);
    ck_assert_uint_eq(csv_bytes_read(csv), csv_bytes_total(csv));
    csv_close(csv);
    unlink(file_path);
}
END_TEST

/* The same cells whatever part of a record a read ends in. */
START_TEST(test_records_across_all_fills_are_whole)
{
    size_t n_rows = 40000, size;
    char *bytes = NULL, expected[64];
    FILE *out = open_memstream(&bytes, &size);
    for (size_t i = 0; i < n_rows; i++)
        fprintf(out, "%zu,\"q\"\"%zu\n\",%zu\r\n", i, i * i, i % 7);
    fclose(out);
    struct csv *csv;
    struct csv_record record;
    char error[CSV_ERROR_MAX];
    ck_assert_int_eq(csv_open(file_with(bytes, size), 0, &csv, error), 0);
    for (size_t i = 0; i < n_rows; i++) {
        ck_assert_int_eq(csv_read(csv, &record, error), 1);
        ck_assert_uint_eq(record.n_cells, 3);
        ck_assert_uint_eq(record.cells[0].line, 2 * i + 1);
        snprintf(expected, sizeof expected, "q\"%zu\n", i * i);
        ck_assert_str_eq(record.cells[1].text, expected);
    }
    ck_assert_int_eq(csv_read(csv, &record, error), 0);
    csv_close(csv);
    unlink(file_path);
    free(bytes);
}
END_TEST

START_TEST(test_line_beyond_the_limit_is_refused)
{
    size_t size = CSV_RECORD_MAX + 10;
    char *bytes = malloc(size);
    memset(bytes, '1', size);
    memcpy(bytes, "a\n", 2);
    char *text = cells_of(bytes, size, 0);
    ck_assert_ptr_nonnull(strstr(text, "! :2: the line is longer than 1 MiB"));
    free(text);
    text = cells_of(bytes, CSV_RECORD_MAX, 0); /* one byte of the limit is the line end's */
    ck_assert_ptr_null(strstr(text, "!"));
    free(text);
    free(bytes);
}
END_TEST

START_TEST(test_utf16_is_refused_with_what_to_do)
{
    char *text = cells_of("\xff\xfe"
                          "a\0,\0",
                          6, 0);
    ck_assert_ptr_nonnull(strstr(text, "UTF-16"));
    ck_assert_ptr_nonnull(strstr(text, "iconv"));
    free(text);
}
END_TEST

/* ---- values -------------------------------------------------------------------------------- */

START_TEST(test_numbers_are_read_and_what_is_missing_is_known)
{
    static const struct {
        const char *text;
        enum csv_kind kind;
        float number;
    } cases[] = {
        {"1", CSV_VALUE, 1},      {" -1.5e-3\t", CSV_VALUE, -1.5e-3f},
        {".5", CSV_VALUE, .5f},   {"+5.", CSV_VALUE, 5},
        {"1e39", CSV_MISSING, 0}, {"", CSV_MISSING, 0},
        {"NaN", CSV_MISSING, 0},  {"NA", CSV_MISSING, 0},
        {"null", CSV_MISSING, 0}, {"-Inf", CSV_MISSING, 0},
        {"1,5", CSV_BAD, 0},      {"0x10", CSV_BAD, 0},
        {"1.2.3", CSV_BAD, 0},    {"abc", CSV_BAD, 0},
        {"1 2", CSV_BAD, 0},      {"-", CSV_BAD, 0},
        {"1e", CSV_BAD, 0},       {"e5", CSV_BAD, 0},
        {"0.1", CSV_VALUE, 0.1f}, {"16777217", CSV_VALUE, 16777216.f},
        {"nanx", CSV_BAD, 0},     {"1_000", CSV_BAD, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float number;
        enum csv_kind kind = csv_number(cases[i].text, strlen(cases[i].text), &number);
        ck_assert_msg(kind == cases[i].kind, "\"%s\"", cases[i].text);
        if (kind == CSV_VALUE)
            ck_assert_msg(number == cases[i].number, "\"%s\"", cases[i].text);
    }
    float number;
    ck_assert_int_eq(csv_number("1\0", 2, &number), CSV_BAD);
}
END_TEST

START_TEST(test_times_are_read_exactly)
{
    static const struct {
        const char *text;
        enum csv_kind kind;
        int64_t ns;
    } cases[] = {
        {"0", CSV_VALUE, 0},
        {"1583749473", CSV_VALUE, 1583749473000000000},
        {"1583749473.123456789", CSV_VALUE, 1583749473123456789},
        {"0.0028", CSV_VALUE, 2800000},
        {"-1.5", CSV_VALUE, -1500000000},
        {".25", CSV_VALUE, 250000000},
        {"1.5e9", CSV_VALUE, 1500000000000000000},
        {"1583749473000", CSV_BAD, 0},    /* milliseconds */
        {"1583749473000000", CSV_BAD, 0}, /* microseconds */
        {"1583749473123456789", CSV_VALUE, 1583749473123456789},
        {"99999999999999999", CSV_BAD, 0},
        {"9223372036854775808", CSV_BAD, 0},
        {"-1583749473123456789", CSV_BAD, 0},
        {"2020-03-09 10:24:33", CSV_VALUE, 1583749473000000000},
        {"2020-03-09T10:24:33.5Z", CSV_VALUE, 1583749473500000000},
        {"2020-03-09T11:24:33+01:00", CSV_VALUE, 1583749473000000000},
        {"2020-03-09T04:54:33-0530", CSV_VALUE, 1583749473000000000},
        {"2020-03-09 10:24", CSV_VALUE, 1583749440000000000},
        {"2020-03-09", CSV_VALUE, 1583712000000000000},
        {"2000-02-29", CSV_VALUE, 951782400000000000},
        {"1969-12-31T23:59:59.5", CSV_VALUE, -500000000},
        {"2019-02-29", CSV_BAD, 0},
        {"2020-13-01", CSV_BAD, 0},
        {"2020-03-09 25:00:00", CSV_BAD, 0},
        {"2020-03-09 10:14:33 and", CSV_BAD, 0},
        {"09.03.2020 10:14", CSV_BAD, 0},
        {"", CSV_BAD, 0},
        {".", CSV_BAD, 0},
        {"3000-01-01", CSV_BAD, 0}, /* beyond an int64 of nanoseconds */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = 0;
        enum csv_kind kind = csv_time(cases[i].text, strlen(cases[i].text), &ns);
        ck_assert_msg(kind == cases[i].kind, "\"%s\"", cases[i].text);
        ck_assert_msg(ns == cases[i].ns || kind == CSV_BAD, "\"%s\": %lld", cases[i].text,
                      (long long)ns);
    }
}
END_TEST

/* ---- series -------------------------------------------------------------------------------- */

/* Rows as text: "ts: v v v" on lines (- without a time), a fault as "! what" without the path. */
static char *rows_of(const char *bytes, const char *columns, const char *time)
{
    struct series_options options = {.columns = columns, .time = time};
    struct series *series = NULL;
    struct series_row row;
    char error[CSV_ERROR_MAX], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *path = file_with(bytes, strlen(bytes));
    int code = series_open(path, &options, &series, error) < 0 ? -1 : 1;
    while (code > 0 && (code = series_read(series, &row, error)) > 0) {
        if (row.has_ts)
            fprintf(out, "%lld:", (long long)row.ts_ns);
        else
            fputs("-:", out);
        for (size_t i = 0; i < series_n_values(series); i++)
            fprintf(out, " %g", (double)row.values[i]);
        fputc('\n', out);
    }
    if (code < 0)
        fprintf(out, "!%s", error + strlen(path));
    series_close(series);
    unlink(path);
    fclose(out);
    return text;
}

static void check_rows(const char *bytes, const char *columns, const char *time,
                       const char *expected)
{
    char *text = rows_of(bytes, columns, time);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(test_header_is_told_from_data)
{
    check_rows("a,b\n1,2\n", NULL, NULL, "-: 1 2\n");
    check_rows("1,2\n3,4\n", NULL, NULL, "-: 1 2\n-: 3 4\n");
    check_rows("2020-01-01 00:00:00,2\n", NULL, NULL, "1577836800000000000: 2\n");
    check_rows("nan,2\n", NULL, NULL, "-: nan 2\n");
    check_rows(",a\n0,1\n", NULL, NULL, "-: 0 1\n");
    check_rows("a,b\n", NULL, NULL, "");
    check_rows("", NULL, NULL, "! is empty");
}
END_TEST

START_TEST(test_time_column_is_found_or_chosen)
{
    check_rows("v,Timestamp\n1,2\n", NULL, NULL, "2000000000: 1\n");
    check_rows("seconds,mv\n0.0028,-0.2\n", NULL, NULL, "2800000: -0.2\n");
    check_rows("when,v\n1970-01-01T00:00:01,5\n", NULL, NULL, "1000000000: 5\n");
    check_rows("a,b\n1,2\n", NULL, "b", "2000000000: 1\n");
    check_rows("a,b\n1,2\n", NULL, "1", "1000000000: 2\n");
    check_rows("time,b\n1,2\n", NULL, "none", "-: 1 2\n");
    check_rows("time,b\n1,2\n", "b,time,b", NULL, "1000000000: 2 1 2\n");
}
END_TEST

START_TEST(test_columns_are_chosen_by_name_or_number)
{
    check_rows("a,b,c\n1,2,3\n", "c,a", NULL, "-: 3 1\n");
    check_rows("a,b,c\n1,2,3\n", "3,1", NULL, "-: 3 1\n");
    check_rows("1,2,3\n", "2", NULL, "-: 2\n");
    check_rows("a,b\n1,2\n", "x", NULL, "! has no column \"x\"; it has: a, b");
    check_rows("a,b\n1,2\n", "3", NULL, "! has no column \"3\"; it has: a, b");
    check_rows("a,a\n1,2\n", "a", NULL,
               "! has more than one column \"a\"; give its number, of: a, a");
    check_rows("time\n1\n", NULL, NULL, "! has no column with values, only \"time\"");
}
END_TEST

START_TEST(test_bad_cell_is_named_with_place_and_text)
{
    check_rows("t,flow\n1,2\n3,abc\n", NULL, NULL,
               "-: 1 2\n!:3:3: column 2 (flow): \"abc\" is not a number");
    check_rows("1;2\n3;4,5\n", NULL, NULL,
               "-: 1 2\n!:2:3: column 2: \"4,5\" is not a number; write a decimal point, not a "
               "comma");
    check_rows("time,v\nsoon,1\n", NULL, NULL,
               "!:2:1: column 1 (time): \"soon\" is not a time: seconds since 1970, or YYYY-MM-DD "
               "hh:mm:ss");
    check_rows("a,b\n1,2\n1,2,3\n", NULL, NULL,
               "-: 1 2\n!:3:5: the row has 3 cells, the first has 2; delimiter \",\"");
    check_rows("a,b\n1\n", NULL, NULL,
               "!:2:1: the row has 1 cell, the first has 2; delimiter \",\"");
    check_rows("a,b\n1,\x1b[2J\n", NULL, NULL, "!:2:3: column 2 (b): \"\\x1b[2J\" is not a number");
}
END_TEST

/* Recordings that people have published; a bad row of theirs would be a fault of ours. */
START_TEST(test_real_recordings_are_read_to_their_end)
{
    static const struct {
        const char *path, *columns;
        size_t n_rows, n_values;
    } files[] = {
        {"../shared/data/skab/anomaly-free/anomaly-free.csv", NULL, 9405, 8},
        {"../shared/data/skab/valve1/0.csv", NULL, 1147, 10},
        {"../shared/data/nab/realTraffic/TravelTime_451.csv", NULL, 2162, 1},
        {"../shared/data/ecg208/ecg208.csv", NULL, 108000, 1},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct series_options options = {.columns = files[i].columns};
        struct series *series;
        struct series_row row;
        char error[CSV_ERROR_MAX];
        size_t n_rows = 0;
        int64_t last = INT64_MIN;
        int code;
        if (access(files[i].path, R_OK) < 0)
            continue;
        ck_assert_msg(series_open(files[i].path, &options, &series, error) == 0, "%s", error);
        ck_assert_uint_eq(series_n_values(series), files[i].n_values);
        while ((code = series_read(series, &row, error)) > 0) {
            ck_assert(row.has_ts);
            ck_assert_int_ge(row.ts_ns, last);
            last = row.ts_ns;
            n_rows++;
        }
        ck_assert_msg(code == 0, "%s", error);
        ck_assert_uint_eq(n_rows, files[i].n_rows);
        series_close(series);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_cells_of_each_delimiter_are_found,
        test_line_ends_of_all_systems_are_taken,
        test_quoted_cells_are_unescaped,
        test_broken_quotes_are_named_with_their_place,
        test_places_are_right_behind_quoted_line_ends,
        test_records_across_all_fills_are_whole,
        test_line_beyond_the_limit_is_refused,
        test_utf16_is_refused_with_what_to_do,
        test_numbers_are_read_and_what_is_missing_is_known,
        test_times_are_read_exactly,
        test_header_is_told_from_data,
        test_time_column_is_found_or_chosen,
        test_columns_are_chosen_by_name_or_number,
        test_bad_cell_is_named_with_place_and_text,
        test_real_recordings_are_read_to_their_end,
        NULL,
    };
    return suite_run("csv", tests, 60);
}
