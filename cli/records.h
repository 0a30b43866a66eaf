/* records.h - activation records back to back, tensor by tensor.
 *
 *     bytes (a message behind its topic, a slice of a replay) --> on_tensor(record, tensor_ix, values)
 */
#ifndef CLI_RECORDS_H
#define CLI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/celltap_wire.h"

/* Each record, tensor by tensor; tensor_ix counts them within the record.  False: stop. */
typedef bool (*records_on_tensor)(void *arg, const struct celltap_record_view *record,
                                  size_t tensor_ix, const char *name, size_t name_bytes,
                                  const float *values, size_t n_values);

/* Room for the values of one tensor, which grows; zeroed to begin with. */
struct records {
    float *values; /* owned, [n_values_max] */
    size_t n_values_max;
};

/* 1; 0: on_tensor wanted no more; -1: out of memory.  What cannot be read is left out. */
int records_each(struct records *records, const unsigned char *at, const unsigned char *end,
                 records_on_tensor on_tensor, void *arg);
void records_done(struct records *records);

#endif
