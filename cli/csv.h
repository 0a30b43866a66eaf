/* csv.h - a csv file, one record after the other, in constant memory.
 *
 *     bytes --> | rest of the last fill | next fill |  one buffer, CSV_RECORD_MAX at most
 *                 record: cell NUL cell NUL ...        cells are views into it, unescaped in place
 *
 * Delimiter `,` `;` or tab; quoted cells with "" inside and line ends inside; \n, \r\n or \r; a
 * UTF-8 mark at the start; a last line without its end.  Empty lines are skipped. */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_RECORD_MAX (1024 * 1024) /* bytes of one record: a line, or more when quoted */
#define CSV_ERROR_MAX  1024          /* bytes of a fault's line */

struct csv_cell {
    char *text; /* borrowed until the next csv_read; NUL behind */
    size_t n_bytes;
    uint64_t line;   /* where it starts: from 1 */
    uint64_t column; /* bytes into that line, from 1 */
};

struct csv_record {
    struct csv_cell *cells; /* [n_cells] borrowed until the next csv_read */
    size_t n_cells;
};

struct csv;

/* Opens a file; "-" is stdin.  delimiter 0: found in the first line (`;` if it is there, else tab,
 * else `,`).  0 or -1, with the reason in ret_error [CSV_ERROR_MAX]. */
int csv_open(const char *path, char delimiter, struct csv **ret_csv, char *ret_error);
void csv_close(struct csv *csv); /* NULL is fine */

/* 1: a record; 0: the end; -1: a fault, with "FILE:LINE:COLUMN: ..." in ret_error. */
int csv_read(struct csv *csv, struct csv_record *ret_record, char *ret_error);

/* True if csv_read would have to wait for bytes that a pipe or a terminal has not given yet. */
bool csv_must_wait(struct csv *csv);

const char *csv_path(const struct csv *csv);     /* "stdin" for "-" */
char csv_delimiter(const struct csv *csv);       /* 0 before the first record */
uint64_t csv_bytes_read(const struct csv *csv);  /* of records given out */
uint64_t csv_bytes_total(const struct csv *csv); /* of the file; 0: not known */

#endif
