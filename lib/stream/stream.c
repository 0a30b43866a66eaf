/* stream.c - the states of one sequence: made, reset, freed.
 *
 * A stream is its states and a header of one cache line, so that a host may keep very many of them
 * idle.  Nothing but celltap_stream_new can fail; stepping is the panel's (panel.c). */
#include "lib/stream/stream.h"

#include <string.h>

int celltap_stream_new(celltap_model *model, celltap_stream **ret_stream)
{
    if (model == NULL || ret_stream == NULL)
        return CELLTAP_EINVAL;
    size_t n_bytes;
    if (__builtin_mul_overflow(model->n_states, sizeof(float), &n_bytes) ||
        __builtin_add_overflow(n_bytes, sizeof(struct celltap_stream), &n_bytes))
        return CELLTAP_ENOMEM;
    struct celltap_stream *stream = alloc_new(1, n_bytes);
    if (stream == NULL)
        return CELLTAP_ENOMEM;
    stream->model = celltap_model_ref(model);
    celltap_stream_reset(stream);
    *ret_stream = stream;
    return 0;
}

void celltap_stream_free(celltap_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->watch != NULL)
        stream->watch->by->free(stream->watch);
    celltap_model_unref(stream->model);
    alloc_free(stream);
}

void celltap_stream_reset(celltap_stream *stream)
{
    const struct celltap_model *model = stream->model;
    if (model->n_states > 0)
        memcpy(stream->states, model->initial, model->n_states * sizeof(float));
    if (stream->watch != NULL)
        stream->watch->by->reset(stream->watch);
}

size_t celltap_stream_n_values(const celltap_stream *stream)
{
    return stream->watch != NULL ? stream->watch->n_values : stream->model->n_values;
}

void celltap_stream_at(celltap_stream *stream, int64_t ts_ns)
{
    if (stream->watch != NULL)
        stream->watch->ts_ns = ts_ns;
}
