/* series.h - a csv file as a series of frames: which columns are values, which one is the time.
 *
 *     csv record --> header? --> time column -> ts      value columns -> float32 (NaN: missing)
 *
 * The first record is a header if one of its cells is neither a number nor a date nor missing.
 * Every fault is one line: FILE:LINE:COLUMN, the column's name, the text found. */
#ifndef CLI_SERIES_H
#define CLI_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/csv.h"

enum series_header { SERIES_HEADER_AUTO, SERIES_HEADER_YES, SERIES_HEADER_NO };

/* As the options of a command give them; NULL: found in the file. */
struct series_options {
    const char *columns; /* names or numbers from 1, separated by commas; NULL: all but the time */
    const char *time;    /* a name or a number from 1; "none": no column is the time */
    const char *delimiter; /* one byte, or "tab" */
    int header;            /* enum series_header */
};

/* Rows for a command's table of options; `member` is the struct series_options in its struct. */
#define SERIES_OPTS(type, member)                                                                  \
    {.name = "columns",                                                                            \
     .kind = OPTS_TEXT,                                                                            \
     .value = "A,B",                                                                               \
     .offset = offsetof(type, member.columns),                                                     \
     .sentence = "columns with values, by name or number"},                                        \
        {.name = "time",                                                                           \
         .kind = OPTS_TEXT,                                                                        \
         .value = "COL",                                                                           \
         .offset = offsetof(type, member.time),                                                    \
         .sentence = "column with the time, or none"},                                             \
        {.name = "delimiter",                                                                      \
         .kind = OPTS_TEXT,                                                                        \
         .value = "C",                                                                             \
         .offset = offsetof(type, member.delimiter),                                               \
         .sentence = "between cells: , ; tab (found)"},                                            \
    {                                                                                              \
        .name = "header", .kind = OPTS_CHOICE, .value = "auto|yes|no",                             \
        .offset = offsetof(type, member.header), .sentence = "is the first row a header"           \
    }

struct series_row {
    uint64_t line; /* of the file, where the row starts */
    bool has_ts;
    int64_t ts_ns;
    float *values;    /* [series_n_values] borrowed until the next row */
    size_t n_missing; /* of them */
};

struct series;

/* Opens the file and reads its first record.  -1: the reason is in ret_error [CSV_ERROR_MAX]. */
int series_open(const char *path, const struct series_options *options, struct series **ret_series,
                char *ret_error);
void series_close(struct series *series); /* NULL is fine */

size_t series_n_values(const struct series *series);
bool series_has_time(const struct series *series);

/* The names of the value columns, or their numbers where there is no header: "pressure, flow". */
void series_names(const struct series *series, char *ret_text, size_t size);

const struct csv *series_csv(const struct series *series); /* for its path and progress */

/* 1: a row; 0: the end; -1: a fault. */
int series_read(struct series *series, struct series_row *ret_row, char *ret_error);

/* True if series_read would have to wait for a pipe or a terminal. */
bool series_must_wait(const struct series *series);

/* Says where the first missing value of the row just read stands. */
void series_missing_at(const struct series *series, const struct series_row *row, char *ret_error);

#endif
