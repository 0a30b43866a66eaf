/* records.c - activation records back to back, tensor by tensor. */
#include "cli/records.h"

#include <stdlib.h>

/* Reads a tensor with as much room as it needs.  1, 0: cannot be read, -1: no memory. */
static int records_tensor(struct records *records, const struct celltap_record_view *record,
                          const unsigned char **at, const unsigned char *end, const char **ret_name,
                          size_t *ret_name_bytes, size_t *ret_n_values)
{
    const unsigned char *start = *at;
    if (celltap_record_tensor_read(record, at, end, ret_name, ret_name_bytes, records->values,
                                   records->n_values_max, ret_n_values) < 0)
        return 0;
    if (*ret_n_values <= records->n_values_max)
        return 1;
    float *values = realloc(records->values, *ret_n_values * sizeof *values);
    if (!values)
        return -1;
    records->values = values;
    records->n_values_max = *ret_n_values;
    *at = start;
    return records_tensor(records, record, at, end, ret_name, ret_name_bytes, ret_n_values);
}

int records_each(struct records *records, const unsigned char *at, const unsigned char *end,
                 records_on_tensor on_tensor, void *arg)
{
    struct celltap_record_view record;
    size_t name_bytes, n_values;
    const char *name;
    while (at < end) {
        if (celltap_record_read(&at, end, &record) < 0)
            continue; /* `at` is behind it: another version's, perhaps */
        const unsigned char *tensor = record.tensors;
        for (size_t i = 0; i < record.n_tensors; i++) {
            int code =
                records_tensor(records, &record, &tensor, end, &name, &name_bytes, &n_values);
            if (code < 0)
                return -1;
            if (code == 0)
                break;
            if (!on_tensor(arg, &record, i, name, name_bytes, records->values, n_values))
                return 0;
        }
    }
    return 1;
}

void records_done(struct records *records)
{
    free(records->values);
    *records = (struct records){0};
}
