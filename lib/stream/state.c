/* state.c - a stream's states as bytes that any machine reads, and back.
 *
 *     | model's hash, 8 bytes | number of floats, 8 bytes | floats ... | what watches it ... |
 *
 * All little-endian.  Saving cannot fail; loading looks at the bytes first and then cannot fail either. */
#include <string.h>

#include "lib/stream/stream.h"

#define STATE_HEAD_BYTES 16

static void state_put(unsigned char *bytes, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t state_get(const unsigned char *bytes, size_t n_bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static size_t state_own_bytes(const struct celltap_model *model)
{
    return STATE_HEAD_BYTES + model->n_states * sizeof(float);
}

size_t celltap_stream_save_bytes(const celltap_stream *stream)
{
    const struct stream_watch *watch = stream->watch;
    return state_own_bytes(stream->model) + (watch != NULL ? watch->by->save_bytes(watch) : 0);
}

void celltap_stream_save(const celltap_stream *stream, void *ret_bytes)
{
    const struct celltap_model *model = stream->model;
    unsigned char *at = ret_bytes;
    state_put(at, model->hash, 8);
    state_put(at + 8, model->n_states, 8);
    at += STATE_HEAD_BYTES;
    for (size_t i = 0; i < model->n_states; i++, at += sizeof(float)) {
        uint32_t bits;
        memcpy(&bits, &stream->states[i], sizeof bits);
        state_put(at, bits, sizeof bits);
    }
    if (stream->watch != NULL)
        stream->watch->by->save(stream->watch, at);
}

int celltap_stream_load(celltap_stream *stream, const void *bytes, size_t n_bytes)
{
    const struct celltap_model *model = stream->model;
    const unsigned char *at = bytes;
    size_t n_own = state_own_bytes(model);
    if (n_bytes < n_own || state_get(at, 8) != model->hash ||
        state_get(at + 8, 8) != model->n_states || (stream->watch == NULL && n_bytes != n_own))
        return CELLTAP_ESTATE;
    if (stream->watch != NULL) {
        int err = stream->watch->by->load(stream->watch, at + n_own, n_bytes - n_own);
        if (err < 0)
            return err;
    }
    at += STATE_HEAD_BYTES;
    for (size_t i = 0; i < model->n_states; i++, at += sizeof(float)) {
        uint32_t bits = (uint32_t)state_get(at, sizeof bits);
        memcpy(&stream->states[i], &bits, sizeof bits);
    }
    stream->stepped = true;
    return 0;
}
