/* replay_far.c - a replay that the running daemon computes: records to rows.
 *
 *     one timestep, all tensors  -->  what the model has: all[]  --select-->  rows->tensors
 *     that timestep, then slices of the selection  -->  values[], row by row
 *
 * The records of a timestep come in the model's order, so those of the rows' tensors come in theirs.
 * Memory is that of two slices. */
#include "cli/replay_far.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/stop.h"

struct replay_far {
    struct control *control;      /* owned */
    struct recall_range range;    /* what is left of it */
    const char *layers, *tensors; /* as asked for */
    bool is_asked;                /* the next slice is on its way */
    struct rows *rows;            /* borrowed */
    struct select_tensor *all;    /* owned, with its names, [n_all] */
    size_t n_all;
    float *values; /* owned: of all the rows' tensors */
    size_t at;     /* tensors of this timestep that have come */
    uint64_t seq;  /* of this timestep */
    char model[24];
    struct progress progress;
};

static int far_fail(char *ret_error, const char *text)
{
    snprintf(ret_error, CONTROL_ERROR_MAX, "%s", text);
    return -1;
}

/* ---- what there is ------------------------------------------------------------------------- */

/* Adds a record's tensors to those that there are. */
static int far_add(struct replay_far *far, const struct celltap_record_view *record,
                   const unsigned char *end, size_t layer_ix)
{
    const unsigned char *at = record->tensors;
    struct select_tensor *all =
        realloc(far->all, (far->n_all + record->n_tensors + 1) * sizeof *all);
    if (!all)
        return -1;
    far->all = all;
    for (size_t i = 0; i < record->n_tensors; i++) {
        const char *name;
        size_t name_bytes, n_values;
        if (celltap_record_tensor_read(record, &at, end, &name, &name_bytes, NULL, 0, &n_values))
            return -1;
        char *layer = strndup(record->layer, record->layer_bytes);
        char *tensor = strndup(name, name_bytes);
        all[far->n_all++] = (struct select_tensor){layer_ix, i, layer, tensor, n_values};
        if (!layer || !tensor)
            return -1;
    }
    return 0;
}

/* From the first timestep's records: what the model has, what of it is selected, the rows. */
static int far_begin(struct replay_far *far, const struct recall_slice *slice, char *ret_error)
{
    struct celltap_record_view record;
    struct rows *rows = far->rows;
    size_t n_values = 0;
    const unsigned char *at = slice->records;
    for (size_t i = 0; at < slice->end && celltap_record_read(&at, slice->end, &record) == 0; i++)
        if (far_add(far, &record, slice->end, i) < 0)
            return far_fail(ret_error, "out of memory");
    if (select_among(far->all, far->n_all, far->layers, far->tensors, &rows->tensors, &rows->n,
                     ret_error) < 0 ||
        rows_open(rows, ret_error) < 0)
        return -1;
    for (size_t i = 0; i < rows->n; i++)
        n_values += rows->tensors[i].n_values;
    far->values = malloc((n_values + 1) * sizeof(float));
    if (!far->values)
        return far_fail(ret_error, "out of memory");
    n_values = 0;
    for (size_t i = 0; i < rows->n; i++) {
        rows->values[i] = far->values + n_values;
        n_values += rows->tensors[i].n_values;
    }
    snprintf(far->model, sizeof far->model, "%s", slice->model);
    return 0;
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Takes of a record what is selected. */
static int far_take(struct replay_far *far, const struct celltap_record_view *record,
                    const unsigned char *end, char *ret_error)
{
    struct rows *rows = far->rows;
    const unsigned char *at = record->tensors;
    if (far->at > 0 && record->seq != far->seq)
        return far_fail(ret_error, "a timestep from the daemon is not whole");
    far->seq = record->seq;
    for (size_t i = 0; i < record->n_tensors && far->at < rows->n; i++) {
        const struct select_tensor *wanted = &rows->tensors[far->at];
        const char *name;
        size_t name_bytes, n_values;
        celltap_record_tensor_read(record, &at, end, &name, &name_bytes,
                                   (float *)(uintptr_t)rows->values[far->at], wanted->n_values,
                                   &n_values);
        far->at += n_values == wanted->n_values && strlen(wanted->tensor) == name_bytes &&
                   memcmp(wanted->tensor, name, name_bytes) == 0 &&
                   strlen(wanted->layer) == record->layer_bytes &&
                   memcmp(wanted->layer, record->layer, record->layer_bytes) == 0;
    }
    if (far->at < rows->n)
        return 0;
    far->at = 0;
    return rows_put(rows, record->seq, record->ts_ns, ret_error);
}

static int far_take_slice(struct replay_far *far, const struct recall_slice *slice, char *ret_error)
{
    struct celltap_record_view record;
    const unsigned char *at = slice->records;
    while (at < slice->end) {
        if (celltap_record_read(&at, slice->end, &record) < 0)
            return far_fail(ret_error, "a record from the daemon cannot be read");
        if (strcmp(slice->model, far->model) != 0) {
            rows_explain_change(far->rows, record.seq, ret_error);
            return -1;
        }
        if (far_take(far, &record, slice->end, ret_error) < 0)
            return -1;
    }
    return 0;
}

/* ---- slices -------------------------------------------------------------------------------- */

/* The next slice that holds something, or the last.  0 or a negative code. */
static int far_ask(struct replay_far *far, struct recall_slice *ret_slice, char *ret_error)
{
    int code;
    do {
        code = far->is_asked ? 0 : recall_send(far->control, &far->range, ret_error);
        far->is_asked = false;
        if (code == 0)
            code = recall_receive(far->control, &far->range, ret_slice, ret_error);
        if (code == 0) {
            far->progress.n_bytes = ret_slice->total;
            progress_show(&far->progress, far->rows->n_rows, ret_slice->n_bytes);
        }
    } while (code == 0 && ret_slice->more && ret_slice->records == ret_slice->end && !stop_asked());
    return code;
}

/* Asks for what comes behind a slice, so that it is made while the slice is looked at. */
static int far_ask_ahead(struct replay_far *far, const struct recall_slice *slice, char *ret_error)
{
    if (!slice->more)
        return 0;
    far->is_asked = true;
    return recall_send(far->control, &far->range, ret_error);
}

/* A timestep of very many tensors does not fit in a reply; what is selected of it may. */
static int far_ask_first(struct replay_far *far, struct recall_slice *ret_slice, char *ret_error)
{
    far->range.layers = far->range.tensors = "*";
    far->range.limit = 1;
    int code = far_ask(far, ret_slice, ret_error);
    far->range.layers = far->layers ? far->layers : "*";
    far->range.tensors = far->tensors ? far->tensors : "*";
    if (code == CONTROL_REFUSED && ret_slice->held_from == 0 && (far->layers || far->tensors))
        code = far_ask(far, ret_slice, ret_error);
    far->range.limit = 0;
    return code;
}

static int far_all(struct replay_far *far, char *ret_error)
{
    struct recall_slice slice;
    int code = far_ask_first(far, &slice, ret_error);
    if (code < 0 || slice.records == slice.end)
        return code < 0 ? -1 : 0;
    code = far_begin(far, &slice, ret_error);
    while (code == 0) {
        code = far_ask_ahead(far, &slice, ret_error);
        if (code == 0)
            code = far_take_slice(far, &slice, ret_error);
        if (code < 0 || !slice.more || stop_asked())
            break;
        code = far_ask(far, &slice, ret_error);
    }
    return code < 0 ? -1 : 0;
}

int replay_far_run(const char *url, const struct recall_range *range, struct rows *rows,
                   struct replay_far **ret_far, char *ret_error)
{
    struct replay_far *far = *ret_far = calloc(1, sizeof *far);
    if (!far)
        return far_fail(ret_error, "out of memory");
    far->range = *range;
    far->layers = range->layers;
    far->tensors = range->tensors;
    far->rows = rows;
    if (control_open(url, &far->control, ret_error) < 0) {
        strncat(ret_error, "; or give --journal DIR", CONTROL_ERROR_MAX - strlen(ret_error) - 1);
        return -1;
    }
    progress_start(&far->progress, "timesteps", 1, PROGRESS_SILENT);
    int code = far_all(far, ret_error);
    progress_clear(&far->progress);
    if (code == 0 && !stop_asked() && rows->n_rows > 0)
        code = rows_commit(rows, ret_error);
    if (!stop_asked())
        return code;
    *ret_error = '\0';
    return -1;
}

void replay_far_free(struct replay_far *far)
{
    if (!far)
        return;
    control_close(far->control);
    for (size_t i = 0; i < far->n_all; i++) {
        free((char *)(uintptr_t)far->all[i].layer);
        free((char *)(uintptr_t)far->all[i].tensor);
    }
    free(far->all);
    free(far->values);
    free(far);
}
