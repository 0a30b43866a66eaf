/* series.c - a csv file as a series of frames: which columns are values, which one is the time.
 *
 *     open:  first record -> names[n_columns] -> time_ix, value_ix[n_values]
 *     read:  record -> cells[time_ix] -> ts, cells[value_ix[i]] -> values[i]
 */
#include "cli/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/csv_value.h"
#include "cli/say.h"

#define SERIES_NO_TIME   ((size_t)-1)
#define SERIES_FOUND_MAX 80  /* bytes of a bad cell that are shown */
#define SERIES_NAME_MAX  128 /* bytes of a column's name that are shown */

struct series {
    struct csv *csv;           /* owned */
    struct csv_record pending; /* the first record, when it is not a header */
    bool has_pending, has_header;
    char **names; /* owned, [n_columns], NUL behind; without header: their numbers */
    size_t n_columns;
    size_t time_ix;   /* SERIES_NO_TIME: none */
    size_t *value_ix; /* owned, [n_values] */
    size_t n_values;
    float *values; /* owned, [n_values] */
};

static int series_fail(char *ret_error, const char *text)
{
    snprintf(ret_error, CSV_ERROR_MAX, "%s", text);
    return -1;
}

/* ---- columns ------------------------------------------------------------------------------- */

static bool series_is_header(const struct csv_record *record)
{
    float number;
    int64_t ns;
    for (size_t i = 0; i < record->n_cells; i++) {
        const struct csv_cell *cell = &record->cells[i];
        if (csv_number(cell->text, cell->n_bytes, &number) == CSV_BAD &&
            csv_date(cell->text, cell->n_bytes, &ns) == CSV_BAD)
            return true;
    }
    return false;
}

static int series_take_names(struct series *series, const struct csv_record *record)
{
    series->names = calloc(record->n_cells, sizeof *series->names);
    if (!series->names)
        return -1;
    for (size_t i = 0; i < record->n_cells; i++) {
        const char *text = record->cells[i].text + strspn(record->cells[i].text, " \t");
        size_t n_bytes = strlen(text);
        while (n_bytes && (text[n_bytes - 1] == ' ' || text[n_bytes - 1] == '\t'))
            n_bytes--;
        int n = series->has_header ? asprintf(&series->names[i], "%.*s", (int)n_bytes, text)
                                   : asprintf(&series->names[i], "%zu", i + 1);
        if (n < 0) {
            series->names[i] = NULL;
            return -1;
        }
        series->n_columns = i + 1;
    }
    return 0;
}

static void series_list(const struct series *series, const size_t *columns, size_t n,
                        char *ret_text, size_t size)
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (used + SERIES_NAME_MAX + 40 > size) {
            snprintf(ret_text + used, size - used, ", ... (%zu)", n);
            return;
        }
        used += (size_t)snprintf(ret_text + used, size - used, "%s%.*s", i ? ", " : "",
                                 SERIES_NAME_MAX, series->names[columns ? columns[i] : i]);
    }
}

/* Finds a column by name, else by its number from 1. */
static int series_find(const struct series *series, const char *text, size_t n_bytes,
                       size_t *ret_ix, char *ret_error)
{
    size_t n_found = 0, number = 0;
    for (size_t i = 0; i < series->n_columns; i++) {
        if (strlen(series->names[i]) == n_bytes && memcmp(series->names[i], text, n_bytes) == 0) {
            *ret_ix = n_found++ ? *ret_ix : i;
        }
    }
    if (n_found == 1)
        return 0;
    for (size_t i = 0; i < n_bytes && number <= series->n_columns; i++)
        number = text[i] >= '0' && text[i] <= '9' ? 10 * number + (size_t)(text[i] - '0')
                                                  : series->n_columns + 1;
    if (n_found == 0 && number >= 1 && number <= series->n_columns) {
        *ret_ix = number - 1;
        return 0;
    }
    char names[CSV_ERROR_MAX / 2];
    series_list(series, NULL, series->n_columns, names, sizeof names);
    snprintf(ret_error, CSV_ERROR_MAX,
             n_found ? "%.200s has more than one column \"%.*s\"; give its number, of: %s"
                     : "%.200s has no column \"%.*s\"; it has: %s",
             csv_path(series->csv), (int)(n_bytes < 128 ? n_bytes : 128), text, names);
    return -1;
}

/* The column that is the time when nobody says so. */
static size_t series_guess_time(const struct series *series, const struct csv_record *first)
{
    static const char *const names[] = {"time", "timestamp", "ts", "datetime", "date", "seconds"};
    int64_t ns;
    for (size_t i = 0; series->has_header && i < series->n_columns; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            if (strcasecmp(series->names[i], names[j]) == 0)
                return i;
    if (first && first->n_cells &&
        csv_date(first->cells[0].text, first->cells[0].n_bytes, &ns) == CSV_VALUE)
        return 0;
    return SERIES_NO_TIME;
}

static int series_choose_time(struct series *series, const struct series_options *options,
                              const struct csv_record *first, char *ret_error)
{
    if (!options->time)
        series->time_ix = series_guess_time(series, first);
    else if (strcmp(options->time, "none") == 0)
        series->time_ix = SERIES_NO_TIME;
    else
        return series_find(series, options->time, strlen(options->time), &series->time_ix,
                           ret_error);
    return 0;
}

static int series_choose_values(struct series *series, const struct series_options *options,
                                char *ret_error)
{
    const char *at = options->columns;
    size_t room = series->n_columns;
    for (const char *c = at; c && *c; c++)
        room += *c == ',';
    series->value_ix = calloc(room + 1, sizeof *series->value_ix);
    if (!series->value_ix)
        return series_fail(ret_error, "out of memory");
    if (!at)
        for (size_t i = 0; i < series->n_columns; i++)
            if (i != series->time_ix)
                series->value_ix[series->n_values++] = i;
    while (at) {
        size_t n_bytes = strcspn(at, ",");
        if (series_find(series, at, n_bytes, &series->value_ix[series->n_values], ret_error) < 0)
            return -1;
        series->n_values++;
        at = at[n_bytes] ? at + n_bytes + 1 : NULL;
    }
    series->values = calloc(series->n_values + 1, sizeof *series->values);
    if (!series->values)
        return series_fail(ret_error, "out of memory");
    if (series->n_values)
        return 0;
    snprintf(ret_error, CSV_ERROR_MAX, "%.256s has no column with values, only \"%.128s\"",
             csv_path(series->csv), series->names[0]);
    return -1;
}

/* ---- opening ------------------------------------------------------------------------------- */

static int series_delimiter(const char *text, char *ret_delimiter, char *ret_error)
{
    *ret_delimiter = 0;
    if (!text)
        return 0;
    if (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0)
        *ret_delimiter = '\t';
    else if (strlen(text) == 1 && *text != '"' && *text != '\n' && *text != '\r')
        *ret_delimiter = *text;
    else
        return series_fail(ret_error, "--delimiter takes one character, or tab");
    return 0;
}

/* Reads the first record, which is the header or the first row; in the first case the row behind
 * it too, for the guess of the time column. */
static int series_start(struct series *series, const struct series_options *options,
                        char *ret_error)
{
    struct csv_record record;
    int code = csv_read(series->csv, &record, ret_error);
    if (code < 0)
        return -1;
    if (code == 0) {
        snprintf(ret_error, CSV_ERROR_MAX, "%.256s is empty", csv_path(series->csv));
        return -1;
    }
    series->has_header = options->header == SERIES_HEADER_AUTO
                             ? series_is_header(&record)
                             : options->header == SERIES_HEADER_YES;
    if (series_take_names(series, &record) < 0)
        return series_fail(ret_error, "out of memory");
    if (series->has_header && (code = csv_read(series->csv, &record, ret_error)) < 0)
        return -1;
    series->has_pending = code > 0;
    series->pending = record;
    return series_choose_time(series, options, code > 0 ? &record : NULL, ret_error);
}

int series_open(const char *path, const struct series_options *options, struct series **ret_series,
                char *ret_error)
{
    char delimiter;
    struct series *series = calloc(1, sizeof *series);
    if (!series)
        return series_fail(ret_error, "out of memory");
    if (series_delimiter(options->delimiter, &delimiter, ret_error) < 0 ||
        csv_open(path, delimiter, &series->csv, ret_error) < 0 ||
        series_start(series, options, ret_error) < 0 ||
        series_choose_values(series, options, ret_error) < 0) {
        series_close(series);
        return -1;
    }
    *ret_series = series;
    return 0;
}

void series_close(struct series *series)
{
    if (!series)
        return;
    for (size_t i = 0; i < series->n_columns; i++)
        free(series->names[i]);
    free(series->names);
    free(series->value_ix);
    free(series->values);
    csv_close(series->csv);
    free(series);
}

size_t series_n_values(const struct series *series)
{
    return series->n_values;
}

bool series_has_time(const struct series *series)
{
    return series->time_ix != SERIES_NO_TIME;
}

void series_names(const struct series *series, char *ret_text, size_t size)
{
    series_list(series, series->value_ix, series->n_values, ret_text, size);
}

const struct csv *series_csv(const struct series *series)
{
    return series->csv;
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* "column 3 (flow)" */
static const char *series_column(const struct series *series, size_t ix, char *ret_text,
                                 size_t size)
{
    if (series->has_header)
        snprintf(ret_text, size, "column %zu (%.*s)", ix + 1, SERIES_NAME_MAX, series->names[ix]);
    else
        snprintf(ret_text, size, "column %zu", ix + 1);
    return ret_text;
}

static int series_bad_cell(const struct series *series, const struct csv_cell *cell, size_t ix,
                           const char *what, char *ret_error)
{
    char found[SERIES_FOUND_MAX], column[SERIES_NAME_MAX + 40];
    snprintf(ret_error, CSV_ERROR_MAX, "%.256s:%llu:%llu: %s: \"%s\" is not %s",
             csv_path(series->csv), (unsigned long long)cell->line,
             (unsigned long long)cell->column, series_column(series, ix, column, sizeof column),
             say_clean(cell->text, cell->n_bytes, found, sizeof found), what);
    return -1;
}

/* What a cell that is not a number may have been meant as. */
static const char *series_expected(const struct csv_cell *cell)
{
    const char *comma = strchr(cell->text, ',');
    return comma && strspn(cell->text, "+-.,0123456789eE") == cell->n_bytes
               ? "a number; write a decimal point, not a comma"
               : "a number";
}

static int series_check_width(const struct series *series, const struct csv_record *record,
                              char *ret_error)
{
    if (record->n_cells == series->n_columns)
        return 0;
    const struct csv_cell *last = &record->cells[record->n_cells - 1];
    snprintf(ret_error, CSV_ERROR_MAX,
             "%.256s:%llu:%llu: the row has %zu cell%s, the first has %zu; delimiter \"%c\"",
             csv_path(series->csv), (unsigned long long)last->line,
             (unsigned long long)last->column, record->n_cells, record->n_cells == 1 ? "" : "s",
             series->n_columns, csv_delimiter(series->csv));
    return -1;
}

int series_read(struct series *series, struct series_row *ret_row, char *ret_error)
{
    struct csv_record record = series->pending;
    int code = series->has_pending ? 1 : csv_read(series->csv, &record, ret_error);
    series->has_pending = false;
    if (code <= 0)
        return code;
    if (series_check_width(series, &record, ret_error) < 0)
        return -1;
    *ret_row = (struct series_row){.line = record.cells[0].line, .values = series->values};
    if (series_has_time(series)) {
        const struct csv_cell *cell = &record.cells[series->time_ix];
        if (csv_time(cell->text, cell->n_bytes, &ret_row->ts_ns) != CSV_VALUE)
            return series_bad_cell(series, cell, series->time_ix,
                                   "a time: seconds since 1970, or YYYY-MM-DD hh:mm:ss", ret_error);
        ret_row->has_ts = true;
    }
    for (size_t i = 0; i < series->n_values; i++) {
        const struct csv_cell *cell = &record.cells[series->value_ix[i]];
        enum csv_kind kind = csv_number(cell->text, cell->n_bytes, &series->values[i]);
        if (kind == CSV_BAD)
            return series_bad_cell(series, cell, series->value_ix[i], series_expected(cell),
                                   ret_error);
        ret_row->n_missing += kind == CSV_MISSING;
    }
    return 1;
}

bool series_must_wait(const struct series *series)
{
    return !series->has_pending && csv_must_wait(series->csv);
}

void series_missing_at(const struct series *series, const struct series_row *row, char *ret_error)
{
    char column[SERIES_NAME_MAX + 40];
    size_t i = 0;
    while (i + 1 < series->n_values && row->values[i] == row->values[i]) /* NaN is not itself */
        i++;
    snprintf(ret_error, CSV_ERROR_MAX, "%.256s:%llu: %s: the value is missing",
             csv_path(series->csv), (unsigned long long)row->line,
             series_column(series, series->value_ix[i], column, sizeof column));
}
