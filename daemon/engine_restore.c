/* engine_restore.c - streams and frames as the journal has them: an engine brought to where it was.
 *
 *     snapshot --> streams with their states        records --> pending, as if they came now
 *
 * A stream whose model is another one now, or whose detector learns by other options, keeps its seq
 * and starts afresh, as after a reload; one that no model takes is left out.  A detector that judged
 * otherwise then does so again for the frames of then.  Warm-ups are ended by the steps themselves. */
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_priv.h"

static struct stream *engine_restore_find(struct engine *engine, const char *name,
                                          size_t name_bytes, size_t n_channels, bool *ret_no_memory)
{
    enum engine_reject unused;
    char text[CELLTAP_STREAM_NAME_MAX + 1];
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
    return engine_birth(engine, serving, name, name_bytes);
}

/* How the stream was watched when the journal named this detector.  False: its states of then are of
 * no use now. */
static bool engine_restore_watch(const struct stream *stream, uint64_t hash,
                                 const struct engine_detectors *detectors,
                                 celltap_journal_detector **ret_watch)
{
    celltap_journal_detector *now = stream->serving->watch;
    *ret_watch = stream->watch;
    if (hash == celltap_journal_detector_hash(stream->watch))
        return true;
    if (hash == 0 || now == NULL)
        return false;
    *ret_watch =
        hash == celltap_journal_detector_hash(now) ? now : detectors->find(detectors->arg, hash);
    return *ret_watch != NULL && celltap_journal_detector_learns_as(*ret_watch, now);
}

int engine_restore_stream(struct engine *engine, const struct celltap_snapshot_stream *saved,
                          size_t n_channels, const struct engine_detectors *detectors)
{
    bool no_memory;
    celltap_journal_detector *watch;
    struct stream *stream =
        engine_restore_find(engine, saved->name, saved->name_bytes, n_channels, &no_memory);
    if (stream == NULL) {
        engine->left_out |= !no_memory;
        return no_memory ? -1 : 0;
    }
    stream->seq = saved->seq;
    stream->ts_ns = saved->ts_ns;
    stream->n_frames = saved->n_frames;
    stream->of_snapshot = true;
    stream->n_duplicates = saved->n_duplicates;
    stream->n_gaps = saved->n_gaps;
    stream->reset_next = saved->reset_next;
    stream->born_next = saved->born_next;
    stream->rewarm_next = saved->rewarm_next;
    int code = CELLTAP_ESTATE;
    if (saved->model_hash == stream->serving->file_hash &&
        engine_restore_watch(stream, saved->detector_hash, detectors, &watch))
        code = celltap_stream_load(stream->state, saved->state, saved->state_bytes);
    if (code == 0)
        engine_watch(stream, watch);
    if (code != 0) {
        stream->reset_next = stream->born_next = true;
        return code == CELLTAP_ENOMEM ? -1 : 0;
    }
    if (stream->held != NULL && saved->n_held == stream->serving->n_channels) {
        struct celltap_journal_entry held = {.values = saved->held, .n_values = saved->n_held};
        celltap_journal_entry_values(&held, stream->held);
    }
    return 1;
}

/* Notes what a mark says; false: the entry is a frame. */
static bool engine_restore_mark(struct stream *stream, const struct celltap_journal_entry *entry)
{
    if (entry->mark && stream->seq == entry->seq) {
        stream->reset_next = true;
        stream->rewarm_next |= entry->rewarm;
    }
    return entry->mark;
}

/* The frame's values to the end of the engine's; what stands in for missing ones later. */
static void engine_restore_values(struct engine *engine, struct stream *stream,
                                  const struct celltap_journal_entry *entry)
{
    float *values = engine->values + engine->n_values;
    celltap_journal_entry_values(entry, values);
    if (stream->held != NULL)
        memcpy(stream->held, values, entry->n_values * sizeof(float));
    if (stream->serving->watch != NULL)
        celltap_journal_entry_sensed(entry, values);
}

bool engine_has_room(const struct engine *engine, size_t n_values)
{
    return engine->n_pending == 0 || (engine->n_pending < ENGINE_TURN_FRAMES &&
                                      n_values <= engine->n_values_room - engine->n_values);
}

static void engine_restore_count(struct stream *stream, const struct celltap_journal_entry *entry)
{
    stream->of_snapshot = false;
    if (stream->n_frames > 0 && entry->seq > stream->seq + 1)
        stream->n_gaps++;
    stream->seq = entry->seq;
    stream->ts_ns = entry->ts_ns;
    stream->n_frames++;
}

int engine_restore_frame(struct engine *engine, const struct celltap_journal_entry *entry,
                         const struct engine_detectors *detectors)
{
    bool no_memory;
    celltap_journal_detector *watch;
    struct stream *stream = *entry->tag;
    if (stream == NULL) {
        stream = engine_restore_find(engine, entry->stream, entry->stream_bytes, entry->n_values,
                                     &no_memory);
        if (stream == NULL) {
            engine->left_out |= !no_memory;
            return no_memory ? -1 : 0;
        }
        *entry->tag = stream;
    }
    /* The snapshot has it already.  Later a smaller seq is that of a stream that went and came. */
    if (engine_restore_mark(stream, entry) || (stream->of_snapshot && entry->seq <= stream->seq))
        return 0;
    bool goes_on = entry->model_hash == stream->serving->file_hash &&
                   engine_restore_watch(stream, entry->detector_hash, detectors, &watch);
    if (goes_on && watch != stream->watch) {
        if (stream->n_pending > 0)
            return ENGINE_RESTORE_STEP;
        engine_watch(stream, watch);
    }
    engine_restore_count(stream, entry);
    if (!goes_on) {
        stream->reset_next = stream->born_next = true;
        return 0;
    }
    if (celltap_stream_reserve(stream->state, (size_t)stream->n_pending + 1) != 0)
        return -1;
    engine_restore_values(engine, stream, entry);
    struct pending pending = {
        .seq = entry->seq,
        .ts_ns = entry->ts_ns,
        .values_at = (uint32_t)engine->n_values,
        .next = ENGINE_NO_PENDING,
        .reset = entry->reset || stream->reset_next,
        .born = entry->born || stream->born_next,
        .rewarm = entry->rewarm || stream->rewarm_next,
    };
    stream->reset_next = stream->born_next = stream->rewarm_next = false;
    engine_enqueue(engine, stream, &pending);
    engine->n_restored++;
    return 1;
}

int engine_restore_end(struct engine *engine)
{
    for (size_t i = 0; i < engine->streams.n; i++) {
        struct stream *stream = engine->streams.list[i];
        struct backlog *backlog = stream->backlog;
        stream->n_events = 0; /* those were before the start */
        if (backlog == NULL)
            continue;
        backlog->n_left = celltap_stream_warm_left(stream->state);
        backlog->stage = backlog->n_left == 0 ? BACKLOG_DUE : BACKLOG_NONE;
    }
    engine_warm_relist(engine);
    return atomic_load(&engine->failed) ? -1 : 0;
}

bool engine_left_out(const struct engine *engine)
{
    return engine->left_out;
}

uint64_t engine_restored(const struct engine *engine)
{
    return engine->n_restored;
}
