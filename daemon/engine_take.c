/* engine_take.c - frames of a message, one by one: accepted, duplicates, or rejected with a reason.
 *
 *     read in place --> stream found or made --> seq compared --> missing values filled --> pending
 *
 * A frame at fault anywhere before the last arrow is counted and explained to the batch, and
 * nothing of it remains. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_priv.h"
#include "lib/celltap_wire.h"

const char *const engine_reject_names[ENGINE_N_REJECTS] = {
#define ENGINE_REJECT_NAME(code, name, sentence) name,
    ENGINE_REJECTS(ENGINE_REJECT_NAME)
#undef ENGINE_REJECT_NAME
};

const char *const engine_reject_sentences[ENGINE_N_REJECTS] = {
#define ENGINE_REJECT_SENTENCE(code, name, sentence) sentence,
    ENGINE_REJECTS(ENGINE_REJECT_SENTENCE)
#undef ENGINE_REJECT_SENTENCE
};

/* ---- rejecting ---------------------------------------------------------------------------- */

static void engine_explain(struct engine_batch *batch, enum engine_reject reject, const char *key)
{
    if (batch->n_errors == ENGINE_ERRORS_MAX)
        return;
    if (batch->n_errors == batch->n_errors_room) {
        size_t n_room = batch->n_errors_room != 0 ? batch->n_errors_room * 2 : 4;
        struct engine_error *errors = realloc(batch->errors, n_room * sizeof(*errors));
        if (errors == NULL)
            return;
        batch->errors = errors;
        batch->n_errors_room = n_room;
    }
    struct engine_error *error = &batch->errors[batch->n_errors++];
    *error = (struct engine_error){.index = batch->n_taken, .reject = reject};
    snprintf(error->key, sizeof(error->key), "%s", key);
}

static void engine_reject(struct engine *engine, struct engine_batch *batch,
                          enum engine_reject reject, const char *key)
{
    engine_explain(batch, reject, key);
    batch->n_rejected++;
    engine->counts.n_rejected++;
    engine->counts.n_rejects[reject]++;
}

void engine_refuse(struct engine *engine, struct engine_batch *batch, enum engine_reject reject)
{
    engine_reject(engine, batch, reject, "");
    batch->n_taken++;
    batch->cursor = batch->end;
}

void engine_batch_done(struct engine_batch *batch)
{
    free(batch->errors);
    batch->errors = NULL;
}

static enum engine_reject engine_wire_reject(int code)
{
    static const struct {
        int code;
        enum engine_reject reject;
    } rows[] = {
        {CELLTAP_ETYPE, ENGINE_REJECT_TYPE},     {CELLTAP_EKEY, ENGINE_REJECT_KEY},
        {CELLTAP_ESTREAM, ENGINE_REJECT_NAME},   {CELLTAP_ERANGE, ENGINE_REJECT_RANGE},
        {CELLTAP_ELENGTH, ENGINE_REJECT_VALUES},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return rows[i].reject;
    return ENGINE_REJECT_MALFORMED;
}

/* ---- taking frames ------------------------------------------------------------------------ */

struct serving *engine_match(struct serving *const *servings, size_t n_servings, const char *name)
{
    for (size_t i = 0; i < n_servings; i++)
        if (conf_match(&servings[i]->conf->streams, name))
            return servings[i];
    return NULL;
}

/* The model that a frame is for, and its stream if there is one.  -1: rejected as *ret_reject. */
static int engine_find(struct engine *engine, const struct celltap_frame *frame,
                       struct serving **ret_serving, struct stream **ret_stream,
                       enum engine_reject *ret_reject)
{
    char name[CELLTAP_STREAM_NAME_MAX + 1];
    struct stream *stream = streams_find(&engine->streams, frame->stream, frame->stream_bytes);
    struct serving *serving;
    if (stream != NULL) {
        serving = stream->serving;
    } else {
        memcpy(name, frame->stream, frame->stream_bytes);
        name[frame->stream_bytes] = '\0';
        serving = engine_match(engine->servings, engine->n_servings, name);
        *ret_reject = ENGINE_REJECT_NO_MODEL;
        if (serving != NULL && serving->any_size)
            serving = engine_size(engine, serving, frame->n_values, ret_reject);
        if (serving == NULL)
            return -1;
    }
    *ret_reject = ENGINE_REJECT_VALUES;
    if (frame->n_values != serving->n_channels)
        return -1;
    *ret_serving = serving;
    *ret_stream = stream;
    return 0;
}

int engine_fresh_init(struct engine_fresh *fresh, const struct serving *serving)
{
    int code = celltap_stream_new(serving->model, &fresh->state);
    if (code == 0 && serving->watch != NULL) {
        code = celltap_journal_detector_watch(serving->watch, fresh->state);
        fresh->backlog = backlog_new();
        if (fresh->backlog != NULL)
            fresh->backlog->n_left = celltap_stream_warm_left(fresh->state);
    }
    if (serving->conf->missing == CONF_MISSING_HOLD)
        fresh->held = calloc(serving->n_channels, sizeof(float));
    if (code == 0 && (serving->watch == NULL || fresh->backlog != NULL) &&
        (serving->conf->missing != CONF_MISSING_HOLD || fresh->held != NULL))
        return 0;
    engine_fresh_done(fresh);
    return -1;
}

void engine_fresh_done(struct engine_fresh *fresh)
{
    celltap_stream_free(fresh->state);
    free(fresh->held);
    backlog_free(fresh->backlog);
    *fresh = (struct engine_fresh){0};
}

struct stream *engine_birth(struct engine *engine, struct serving *serving, const char *name,
                            size_t name_bytes)
{
    struct engine_fresh fresh = {0};
    if (engine_fresh_init(&fresh, serving) != 0)
        return NULL;
    struct stream *stream =
        streams_add(&engine->streams, name, name_bytes, fresh.state, fresh.held);
    if (stream == NULL) {
        engine_fresh_done(&fresh);
        return NULL;
    }
    stream->backlog = fresh.backlog;
    stream->watch = celltap_journal_detector_ref(serving->watch);
    stream->serving = serving;
    serving->n_streams++;
    return stream;
}

/* The journal's segment says it of the stream by name: so it is named again there. */
void engine_watch(struct stream *stream, celltap_journal_detector *watch)
{
    celltap_journal_detector *before = stream->watch;
    stream->watch = celltap_journal_detector_ref(watch);
    if (celltap_journal_detector_hash(before) != celltap_journal_detector_hash(watch)) {
        stream->place = (struct celltap_journal_place){0};
        if (watch != NULL)
            celltap_journal_detector_tune(watch, stream->state);
    }
    celltap_journal_detector_unref(before);
}

static struct stream *engine_add_stream(struct engine *engine, struct serving *serving,
                                        const struct celltap_frame *frame,
                                        enum engine_reject *ret_reject)
{
    *ret_reject = ENGINE_REJECT_STREAMS;
    if (engine->streams.n >= engine->max_streams)
        return NULL;
    *ret_reject = ENGINE_REJECT_MEMORY;
    return engine_birth(engine, serving, frame->stream, frame->stream_bytes);
}

/* Missing values are NaN.  True if there is one. */
static bool engine_any_missing(const float *values, size_t n_values)
{
    for (size_t i = 0; i < n_values; i++)
        if (isnan(values[i]))
            return true;
    return false;
}

/* A missing value takes the last one of its channel (`hold`; 0 before any) or 0 (`zero`). */
static void engine_fill(struct stream *stream, float *values, size_t n_values)
{
    for (size_t i = 0; i < n_values; i++) {
        if (isnan(values[i]))
            values[i] = stream->held != NULL ? stream->held[i] : 0.0f;
        if (stream->held != NULL)
            stream->held[i] = values[i];
    }
}

static bool engine_starts_afresh(const struct stream *stream, const struct celltap_frame *frame,
                                 int64_t ts_ns)
{
    int64_t silence_ns;
    uint64_t gap_ms = stream->serving->conf->gap_reset_ms;
    /* The first one too, so that whoever reads it later knows that nothing was before. */
    if (frame->reset || stream->reset_next || stream->n_frames == 0)
        return true;
    if (gap_ms == 0)
        return false;
    if (__builtin_sub_overflow(ts_ns, stream->ts_ns, &silence_ns))
        return ts_ns > stream->ts_ns;
    return silence_ns > 0 && (uint64_t)silence_ns / 1000000 >= gap_ms;
}

void engine_enqueue(struct engine *engine, struct stream *stream, const struct pending *pending)
{
    uint32_t ix = (uint32_t)engine->n_pending++;
    struct serving *serving = stream->serving;
    size_t shard_ix = stream->hash % engine->n_shards;
    struct serving_shard *shard = &serving->shards[shard_ix];
    engine->pending[ix] = *pending;
    engine->n_shard_pending[shard_ix]++;
    engine->n_values += serving->n_channels;
    if (stream->n_pending++ != 0) {
        engine->pending[stream->last_pending].next = ix;
        stream->last_pending = ix;
        return;
    }
    stream->first_pending = stream->last_pending = ix;
    stream->next_active = NULL;
    if (shard->first_active == NULL)
        shard->first_active = stream;
    else
        shard->last_active->next_active = stream;
    shard->last_active = stream;
}

/* Fills what is missing.  A detector is to know what was: the engine keeps a watched stream's frame as
 * it came, and the journal gets both. */
static void engine_fill_frame(struct engine *engine, struct stream *stream, float *values,
                              struct celltap_journal_frame *ret_frame)
{
    size_t n = stream->serving->n_channels;
    ret_frame->values = values;
    if (stream->serving->watch != NULL) {
        memcpy(engine->filled, values, n * sizeof(float));
        ret_frame->sensed = values;
        ret_frame->values = values = engine->filled;
    }
    engine_fill(stream, values, n);
}

/* The stream's counts; its next frame is an ordinary one. */
static void engine_count(struct engine *engine, struct stream *stream, uint64_t seq, int64_t ts_ns)
{
    if (stream->n_frames > 0 && seq - stream->seq > 1) {
        stream->n_gaps++;
        engine->counts.n_gaps++;
    }
    stream->reset_next = stream->born_next = stream->rewarm_next = false;
    stream->seq = seq;
    stream->ts_ns = ts_ns;
    stream->n_frames++;
    engine->counts.n_accepted++;
}

/* From here on nothing can fail: the frame is accepted.  late: NULL, or it waits there. */
static void engine_accept(struct engine *engine, struct stream *stream,
                          const struct pending *pending, float *values, struct backlog_frame *late)
{
    struct celltap_journal_frame logged = {
        .seq = pending->seq,
        .ts_ns = pending->ts_ns,
        .reset = pending->reset,
        .born = pending->born,
        .rewarm = pending->rewarm,
    };
    /* What comes after a reset depends on nothing before it. */
    if (pending->reset && stream->held != NULL)
        memset(stream->held, 0, stream->serving->n_channels * sizeof(float));
    engine_fill_frame(engine, stream, values, &logged);
    if (late != NULL)
        engine_put_late(engine, stream, late, pending, values);
    engine_count(engine, stream, pending->seq, pending->ts_ns);
    if (engine->log.accepted != NULL)
        engine->log.accepted(engine->log.arg, stream, &logged);
    if (late == NULL)
        engine_put(engine, stream, pending);
}

/* A frame for which there is a stream: accepted, or rejected for want of memory. */
static void engine_take_for(struct engine *engine, struct engine_batch *batch,
                            struct stream *stream, const struct celltap_frame *frame)
{
    struct backlog_frame *late = NULL;
    bool is_between =
        stream->n_pending == 0 && (stream->backlog == NULL || stream->backlog->n == 0);
    if (stream->watch != stream->serving->watch && is_between)
        engine_watch(stream, stream->serving->watch);
    int64_t ts_ns = frame->has_ts ? frame->ts_ns : batch->arrived_ns;
    struct pending pending = {
        .seq = frame->has_seq ? frame->seq : stream->seq + 1,
        .ts_ns = ts_ns,
        .values_at = (uint32_t)engine->n_values,
        .next = ENGINE_NO_PENDING,
        .reset = engine_starts_afresh(stream, frame, ts_ns),
        .born = stream->born_next || stream->n_frames == 0,
        .rewarm = stream->rewarm_next,
    };
    if ((engine->log.reserve != NULL && engine->log.reserve(engine->log.arg, stream) != 0) ||
        engine_reserve(stream, pending.rewarm, &late) != 0) {
        engine_reject(engine, batch, ENGINE_REJECT_MEMORY, "");
        return;
    }
    engine_accept(engine, stream, &pending, engine->values + engine->n_values, late);
    batch->n_accepted++;
}

static void engine_take_frame(struct engine *engine, struct engine_batch *batch,
                              const struct celltap_frame *frame)
{
    struct serving *serving;
    struct stream *stream;
    enum engine_reject reject;
    if (engine_find(engine, frame, &serving, &stream, &reject) != 0) {
        engine_reject(engine, batch, reject, "");
        return;
    }
    uint64_t last = stream != NULL ? stream->seq : 0;
    bool known = stream != NULL && stream->n_frames > 0;
    if (known && frame->has_seq && frame->seq <= last) {
        stream->n_duplicates++;
        engine->counts.n_duplicates++;
        batch->n_duplicates++;
        return;
    }
    if (!frame->has_seq && last == UINT64_MAX) {
        engine_reject(engine, batch, ENGINE_REJECT_RANGE, "seq");
        return;
    }
    float *values = engine->values + engine->n_values;
    celltap_frame_values(frame, values);
    if (serving->conf->missing == CONF_MISSING_REJECT &&
        engine_any_missing(values, serving->n_channels)) {
        engine_reject(engine, batch, ENGINE_REJECT_MISSING, "");
        return;
    }
    if (stream == NULL) {
        stream = engine_add_stream(engine, serving, frame, &reject);
        if (stream == NULL) {
            engine_reject(engine, batch, reject, "");
            return;
        }
    }
    engine_take_for(engine, batch, stream, frame);
}

bool engine_take(struct engine *engine, struct engine_batch *batch)
{
    while (batch->cursor < batch->end) {
        if (engine_is_behind(engine))
            return false;
        struct celltap_frame frame;
        const unsigned char *at = batch->cursor;
        const char *key = "";
        int code = celltap_frame_read(&at, batch->end, &frame, &key);
        if (code == 0 &&
            (engine->n_pending == ENGINE_TURN_FRAMES ||
             (engine->n_pending > 0 && frame.n_values > engine->n_values_room - engine->n_values)))
            return false;
        if (code != 0)
            engine_reject(engine, batch, engine_wire_reject(code), key);
        else
            engine_take_frame(engine, batch, &frame);
        batch->n_taken++;
        batch->cursor = at;
    }
    return true;
}
