/* engine_restore.c - streams and frames as the journal has them: an engine brought to where it was.
 *
 *     snapshot --> streams with their states        records --> pending, as if they came now
 *
 * A stream whose model is another one now keeps its seq and starts afresh, as after a reload; one
 * that no model takes is left out. */
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_priv.h"

static struct stream *engine_restore_find(struct engine *engine, const char *name,
                                          size_t name_bytes, size_t n_channels, bool *ret_no_memory)
{
    enum engine_reject unused;
    char text[CELLTAP_STREAM_NAME_MAX + 1];
    celltap_stream *state;
    float *held;
    *ret_no_memory = false;
    struct stream *stream = streams_find(&engine->streams, name, name_bytes);
    if (stream != NULL)
        return stream;
    memcpy(text, name, name_bytes);
    text[name_bytes] = '\0';
    struct serving *serving = engine_match(engine->servings, engine->n_servings, text);
    if (serving != NULL && serving->any_size)
        serving = engine_size(engine, serving, n_channels, &unused);
    if (serving == NULL)
        return NULL;
    *ret_no_memory = true;
    if (engine_fresh_state(serving, &state, &held) != 0)
        return NULL;
    stream = streams_add(&engine->streams, name, name_bytes, state, held);
    if (stream == NULL) {
        celltap_stream_free(state);
        free(held);
        return NULL;
    }
    stream->serving = serving;
    serving->n_streams++;
    return stream;
}

int engine_restore_stream(struct engine *engine, const struct celltap_snapshot_stream *saved,
                          size_t n_channels)
{
    bool no_memory;
    struct stream *stream =
        engine_restore_find(engine, saved->name, saved->name_bytes, n_channels, &no_memory);
    if (stream == NULL)
        return no_memory ? -1 : 0;
    stream->seq = saved->seq;
    stream->ts_ns = saved->ts_ns;
    stream->n_frames = saved->n_frames;
    stream->of_snapshot = true;
    stream->n_duplicates = saved->n_duplicates;
    stream->n_gaps = saved->n_gaps;
    stream->reset_next = saved->reset_next;
    if (saved->model_hash != stream->serving->file_hash ||
        celltap_stream_load(stream->state, saved->state, saved->state_bytes) != 0) {
        stream->reset_next = true;
        return 0;
    }
    if (stream->held != NULL && saved->n_held == stream->serving->n_values) {
        struct celltap_journal_entry held = {.values = saved->held, .n_values = saved->n_held};
        celltap_journal_entry_values(&held, stream->held);
    }
    return 1;
}

bool engine_has_room(const struct engine *engine, size_t n_values)
{
    return engine->n_pending == 0 || (engine->n_pending < ENGINE_TURN_FRAMES &&
                                      n_values <= engine->n_values_room - engine->n_values);
}

int engine_restore_frame(struct engine *engine, const struct celltap_journal_entry *entry)
{
    bool no_memory;
    struct stream *stream = *entry->tag;
    if (stream == NULL) {
        stream = engine_restore_find(engine, entry->stream, entry->stream_bytes, entry->n_values,
                                     &no_memory);
        if (stream == NULL)
            return no_memory ? -1 : 0;
        *entry->tag = stream;
    }
    if (entry->mark) {
        stream->reset_next |= stream->seq == entry->seq;
        return 0;
    }
    /* The snapshot has it already.  Later a smaller seq is that of a stream that went and came. */
    if (stream->of_snapshot && entry->seq <= stream->seq)
        return 0;
    stream->of_snapshot = false;
    if (stream->n_frames > 0 && entry->seq > stream->seq + 1)
        stream->n_gaps++;
    stream->seq = entry->seq;
    stream->ts_ns = entry->ts_ns;
    stream->n_frames++;
    if (entry->model_hash != stream->serving->file_hash) {
        stream->reset_next = true;
        return 0;
    }
    float *values = engine->values + engine->n_values;
    celltap_journal_entry_values(entry, values);
    if (stream->held != NULL)
        memcpy(stream->held, values, entry->n_values * sizeof(float));
    struct pending pending = {
        .seq = entry->seq,
        .ts_ns = entry->ts_ns,
        .values_at = (uint32_t)engine->n_values,
        .next = ENGINE_NO_PENDING,
        .reset = entry->reset || stream->reset_next,
    };
    stream->reset_next = false;
    engine_enqueue(engine, stream, &pending);
    engine->n_restored++;
    return 1;
}

uint64_t engine_restored(const struct engine *engine)
{
    return engine->n_restored;
}
