/* rows.c - timesteps of selected tensors on their way into files. */
#include "cli/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int rows_open(struct rows *rows, char *ret_error)
{
    rows->values = calloc(rows->n + 1, sizeof *rows->values);
    if (!rows->values) {
        snprintf(ret_error, SINK_ERROR_MAX, "out of memory");
        return -1;
    }
    if (!rows->output)
        return 0;
    return sink_open(rows->output, rows->format, rows->tensors, rows->n, true, &rows->sink,
                     ret_error);
}

int rows_put(struct rows *rows, uint64_t seq, int64_t ts_ns, char *ret_error)
{
    if (rows->n_rows++ == 0)
        rows->first_seq = seq;
    rows->last_seq = seq;
    return rows->sink ? sink_put(rows->sink, seq, ts_ns, rows->values, ret_error) : 0;
}

int rows_commit(struct rows *rows, char *ret_error)
{
    return rows->sink ? sink_commit(rows->sink, ret_error) : 0;
}

void rows_explain_change(const struct rows *rows, uint64_t seq, char *ret_error)
{
    snprintf(ret_error, SINK_ERROR_MAX,
             "the stream's model changes at seq %" PRIu64 "; replay %" PRIu64 "..%" PRIu64
             " and %" PRIu64 ".. apart",
             seq, rows->first_seq, rows->last_seq, seq);
}

void rows_close(struct rows *rows)
{
    sink_close(rows->sink);
    free(rows->tensors);
    free(rows->values);
    *rows = (struct rows){0};
}
