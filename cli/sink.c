/* sink.c - tensors of one timestep after the other, into files of npy, csv or jsonl.
 *
 *     row of a format's table:  begin -> put, put, put ... -> end -> store_commit
 *
 * An npy file begins with a header of 128 bytes that holds the number of timesteps: it is written
 * with none, and over again at the end. */
#include "cli/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/digits.h"
#include "cli/json.h"
#include "cli/store.h"

#define SINK_NPY_HEADER 128 /* bytes: a multiple of 64, so that the numbers can be mapped */

struct sink {
    struct store *store; /* owned */
    const struct sink_class *class;
    const struct select_tensor *tensors; /* [n] borrowed */
    size_t n;
    bool has_ts;
    uint64_t n_rows;
    char *text; /* owned by `file`: the line being written */
    size_t text_bytes;
    FILE *file; /* owned: writes to text */
};

struct sink_class {
    int (*begin)(struct sink *sink, char *ret_error);
    int (*put)(struct sink *sink, uint64_t seq, int64_t ts_ns, const float *const *values,
               char *ret_error);
    int (*end)(struct sink *sink, char *ret_error);
};

/* ---- npy ----------------------------------------------------------------------------------- */

/* Format 1.0: magic, version, length of the rest, a Python dict, blanks, a line end. */
static void sink_npy_header(uint64_t n_rows, size_t n_values, char *ret_header)
{
    char dict[SINK_NPY_HEADER];
    int n = snprintf(dict, sizeof dict,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %zu), }",
                     (unsigned long long)n_rows, n_values);
    memset(ret_header, ' ', SINK_NPY_HEADER);
    memcpy(ret_header, "\x93NUMPY\x01\x00", 8);
    ret_header[8] = SINK_NPY_HEADER - 10;
    ret_header[9] = 0;
    memcpy(ret_header + 10, dict, (size_t)n);
    ret_header[SINK_NPY_HEADER - 1] = '\n';
}

static int sink_npy_begin(struct sink *sink, char *ret_error)
{
    char header[SINK_NPY_HEADER];
    for (size_t i = 0; i < sink->n; i++) {
        sink_npy_header(0, sink->tensors[i].n_values, header);
        if (store_add(sink->store, sink->tensors[i].layer, sink->tensors[i].tensor, ".npy",
                      ret_error) < 0 ||
            store_write(sink->store, i, header, sizeof header, ret_error) < 0)
            return -1;
    }
    return 0;
}

static int sink_npy_put(struct sink *sink, uint64_t seq, int64_t ts_ns, const float *const *values,
                        char *ret_error)
{
    (void)seq;
    (void)ts_ns;
    for (size_t i = 0; i < sink->n; i++) /* this machine is little-endian, as all that we run on */
        if (store_write(sink->store, i, values[i], sink->tensors[i].n_values * sizeof(float),
                        ret_error) < 0)
            return -1;
    return 0;
}

static int sink_npy_end(struct sink *sink, char *ret_error)
{
    char header[SINK_NPY_HEADER];
    if (store_flush(sink->store, ret_error) < 0)
        return -1;
    for (size_t i = 0; i < sink->n; i++) {
        sink_npy_header(sink->n_rows, sink->tensors[i].n_values, header);
        if (store_patch(sink->store, i, header, sizeof header, ret_error) < 0)
            return -1;
    }
    return 0;
}

/* ---- text ---------------------------------------------------------------------------------- */

/* Ends the line in sink->text and writes it to a file of the store. */
static int sink_text_put(struct sink *sink, size_t file_ix, char *ret_error)
{
    putc('\n', sink->file);
    if (fflush(sink->file) != 0) {
        snprintf(ret_error, SINK_ERROR_MAX, "out of memory");
        return -1;
    }
    long n_bytes = ftell(sink->file);
    rewind(sink->file);
    return store_write(sink->store, file_ix, sink->text, (size_t)n_bytes, ret_error);
}

static int sink_csv_begin(struct sink *sink, char *ret_error)
{
    for (size_t i = 0; i < sink->n; i++) {
        fputs(sink->has_ts ? "seq,ts" : "seq", sink->file);
        for (size_t j = 0; j < sink->tensors[i].n_values; j++)
            fprintf(sink->file, ",u%zu", j);
        if (store_add(sink->store, sink->tensors[i].layer, sink->tensors[i].tensor, ".csv",
                      ret_error) < 0 ||
            sink_text_put(sink, i, ret_error) < 0)
            return -1;
    }
    return 0;
}

static int sink_csv_put(struct sink *sink, uint64_t seq, int64_t ts_ns, const float *const *values,
                        char *ret_error)
{
    for (size_t i = 0; i < sink->n; i++) {
        fprintf(sink->file, "%llu", (unsigned long long)seq);
        if (sink->has_ts)
            fprintf(sink->file, ",%lld", (long long)ts_ns);
        for (size_t j = 0; j < sink->tensors[i].n_values; j++) {
            char text[DIGITS_MAX + 1] = ",";
            fwrite(text, 1, 1 + digits_float(values[i][j], text + 1), sink->file);
        }
        if (sink_text_put(sink, i, ret_error) < 0)
            return -1;
    }
    return 0;
}

static int sink_jsonl_begin(struct sink *sink, char *ret_error)
{
    return store_add(sink->store, "", "activations", ".jsonl", ret_error);
}

static int sink_jsonl_put(struct sink *sink, uint64_t seq, int64_t ts_ns,
                          const float *const *values, char *ret_error)
{
    fprintf(sink->file, "{\"seq\": %llu", (unsigned long long)seq);
    if (sink->has_ts)
        fprintf(sink->file, ", \"ts\": %lld", (long long)ts_ns);
    fputs(", \"layers\": {", sink->file);
    for (size_t i = 0; i < sink->n; i++) {
        const struct select_tensor *tensor = &sink->tensors[i];
        bool first = i == 0 || tensor[-1].layer_ix != tensor->layer_ix;
        if (first) {
            fputs(i ? "}, " : "", sink->file);
            json_text(sink->file, tensor->layer, strlen(tensor->layer));
        }
        fputs(first ? ": {" : ", ", sink->file);
        json_text(sink->file, tensor->tensor, strlen(tensor->tensor));
        fputs(": ", sink->file);
        json_floats(sink->file, values[i], tensor->n_values);
    }
    fputs(sink->n ? "}}}" : "}}", sink->file);
    return sink_text_put(sink, 0, ret_error);
}

static int sink_text_end(struct sink *sink, char *ret_error)
{
    return store_flush(sink->store, ret_error);
}

static const struct sink_class SINK_CLASSES[] = {
    [SINK_NPY] = {sink_npy_begin, sink_npy_put, sink_npy_end},
    [SINK_CSV] = {sink_csv_begin, sink_csv_put, sink_text_end},
    [SINK_JSONL] = {sink_jsonl_begin, sink_jsonl_put, sink_text_end},
};

/* ---- all formats --------------------------------------------------------------------------- */

int sink_open(const char *directory, enum sink_format format, const struct select_tensor *tensors,
              size_t n, bool has_ts, struct sink **ret_sink, char *ret_error)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (!sink || !(sink->file = open_memstream(&sink->text, &sink->text_bytes))) {
        snprintf(ret_error, SINK_ERROR_MAX, "out of memory");
        goto fail;
    }
    sink->class = &SINK_CLASSES[format];
    sink->tensors = tensors;
    sink->n = n;
    sink->has_ts = has_ts;
    if (store_open(directory, format == SINK_JSONL ? 1 : n, &sink->store, ret_error) < 0 ||
        sink->class->begin(sink, ret_error) < 0)
        goto fail;
    *ret_sink = sink;
    return 0;
fail:
    sink_close(sink);
    return -1;
}

int sink_put(struct sink *sink, uint64_t seq, int64_t ts_ns, const float *const *values,
             char *ret_error)
{
    sink->n_rows++;
    return sink->class->put(sink, seq, ts_ns, values, ret_error);
}

int sink_commit(struct sink *sink, char *ret_error)
{
    if (sink->class->end(sink, ret_error) < 0)
        return -1;
    return store_commit(sink->store, ret_error);
}

void sink_close(struct sink *sink)
{
    if (!sink)
        return;
    if (sink->file)
        fclose(sink->file);
    free(sink->text);
    store_close(sink->store);
    free(sink);
}
