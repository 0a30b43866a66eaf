/* rows.h - timesteps of selected tensors on their way into files.
 *
 *     rows_open: tensors[n] -> values[n], sink    rows_put: values -> a row    rows_commit
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include <stdint.h>

#include "cli/sink.h"

struct rows {
    const char *output; /* borrowed; NULL: rows are only counted */
    enum sink_format format;
    struct select_tensor *tensors; /* owned, [n]: set before rows_open */
    size_t n;
    const float **values; /* owned, [n]; each is set by the caller before rows_put */
    struct sink *sink;    /* owned */
    uint64_t n_rows, first_seq, last_seq;
};

/* All: 0, or -1 with the reason in ret_error [SINK_ERROR_MAX]. */
int rows_open(struct rows *rows, char *ret_error);
int rows_put(struct rows *rows, uint64_t seq, int64_t ts_ns, char *ret_error);
int rows_commit(struct rows *rows, char *ret_error);

/* The reason why rows cannot go on: from seq on they are another model's. */
void rows_explain_change(const struct rows *rows, uint64_t seq, char *ret_error);

/* What was not committed disappears. */
void rows_close(struct rows *rows);

#endif
