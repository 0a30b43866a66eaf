/* engine.c - frames to streams to panels: what a turn of the loop computes.
 *
 *     pending[]   | frame | frame | frame | ...    each with its values, chained per stream
 *     servings    model -> active streams, in the order in which their frames came
 *     slots[64]   the streams in the panel now; a stream stays until it has no more frames, then
 *                 its slot takes the model's next active stream
 *
 * Life of a frame: read in place, its stream found or made, its seq compared, its missing values
 * filled, its values copied to the turn's buffer (accepted); stepped in a panel with the frames of
 * other streams; shown to the sink.  At fault anywhere before "accepted": counted, explained to the
 * batch, and nothing of it remains. */
#include "daemon/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"

#define NO_PENDING UINT32_MAX

struct pending {
    uint64_t seq;
    int64_t ts_ns;
    uint32_t values_at; /* into engine->values */
    uint32_t next;      /* of the same stream, or NO_PENDING */
    bool reset;
};

struct engine {
    struct serving **servings; /* [n_servings] owned */
    size_t n_servings;
    size_t max_streams;
    struct streams streams;
    struct engine_counts counts;
    size_t n_pending;
    struct pending pending[ENGINE_TURN_FRAMES];
    float *values; /* [n_values_room] owned */
    size_t n_values, n_values_room;
};

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

/* ---- birth and death ---------------------------------------------------------------------- */

/* Values that a full turn may need: never less than one frame. */
static size_t engine_values_room(struct serving *const *servings, size_t n_servings)
{
    size_t most = 1;
    for (size_t i = 0; i < n_servings; i++)
        if (servings[i]->n_values > most)
            most = servings[i]->n_values;
    if (most <= ENGINE_TURN_VALUES / ENGINE_TURN_FRAMES)
        return most * ENGINE_TURN_FRAMES;
    return most > ENGINE_TURN_VALUES ? most : ENGINE_TURN_VALUES;
}

struct engine *engine_new(struct serving **servings, size_t n_servings, size_t max_streams)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL)
        return NULL;
    engine->max_streams = max_streams;
    engine->n_values_room = engine_values_room(servings, n_servings);
    engine->values = malloc(engine->n_values_room * sizeof(float));
    if (engine->values == NULL || streams_init(&engine->streams) != 0) {
        free(engine->values);
        free(engine);
        return NULL;
    }
    engine->servings = servings;
    engine->n_servings = n_servings;
    return engine;
}

static void engine_servings_free(struct serving **servings, size_t n_servings)
{
    for (size_t i = 0; i < n_servings; i++)
        serving_free(servings[i]);
    free(servings);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    streams_done(&engine->streams);
    engine_servings_free(engine->servings, engine->n_servings);
    free(engine->values);
    free(engine);
}

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

static struct serving *engine_match(struct serving *const *servings, size_t n_servings,
                                    const char *name)
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
    }
    *ret_reject = serving == NULL ? ENGINE_REJECT_NO_MODEL : ENGINE_REJECT_VALUES;
    if (serving == NULL || frame->n_values != serving->n_values)
        return -1;
    *ret_serving = serving;
    *ret_stream = stream;
    return 0;
}

static int engine_fresh_state(const struct serving *serving, celltap_stream **ret_state,
                              float **ret_held)
{
    *ret_held = NULL;
    if (serving->conf->missing == CONF_MISSING_HOLD) {
        *ret_held = calloc(serving->n_values, sizeof(float));
        if (*ret_held == NULL)
            return -1;
    }
    if (celltap_stream_new(serving->model, ret_state) == 0)
        return 0;
    free(*ret_held);
    return -1;
}

static struct stream *engine_add_stream(struct engine *engine, struct serving *serving,
                                        const struct celltap_frame *frame,
                                        enum engine_reject *ret_reject)
{
    celltap_stream *state;
    float *held;
    *ret_reject = ENGINE_REJECT_STREAMS;
    if (engine->streams.n >= engine->max_streams)
        return NULL;
    *ret_reject = ENGINE_REJECT_MEMORY;
    if (engine_fresh_state(serving, &state, &held) != 0)
        return NULL;
    struct stream *stream =
        streams_add(&engine->streams, frame->stream, frame->stream_bytes, state, held);
    if (stream == NULL) {
        celltap_stream_free(state);
        free(held);
        return NULL;
    }
    stream->serving = serving;
    serving->n_streams++;
    return stream;
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
    if (frame->reset || stream->reset_next)
        return true;
    if (gap_ms == 0 || stream->n_frames == 0)
        return false;
    if (__builtin_sub_overflow(ts_ns, stream->ts_ns, &silence_ns))
        return ts_ns > stream->ts_ns;
    return silence_ns > 0 && (uint64_t)silence_ns / 1000000 >= gap_ms;
}

static void engine_enqueue(struct engine *engine, struct stream *stream,
                           const struct pending *pending)
{
    uint32_t ix = (uint32_t)engine->n_pending++;
    struct serving *serving = stream->serving;
    engine->pending[ix] = *pending;
    engine->n_values += serving->n_values;
    if (stream->n_pending++ != 0) {
        engine->pending[stream->last_pending].next = ix;
        stream->last_pending = ix;
        return;
    }
    stream->first_pending = stream->last_pending = ix;
    stream->next_active = NULL;
    if (serving->first_active == NULL)
        serving->first_active = stream;
    else
        serving->last_active->next_active = stream;
    serving->last_active = stream;
}

/* From here on nothing can fail: the frame is accepted. */
static void engine_accept(struct engine *engine, struct stream *stream,
                          const struct celltap_frame *frame, uint64_t seq, int64_t ts_ns,
                          float *values)
{
    struct pending pending = {
        .seq = seq,
        .ts_ns = ts_ns,
        .values_at = (uint32_t)engine->n_values,
        .next = NO_PENDING,
        .reset = engine_starts_afresh(stream, frame, ts_ns),
    };
    /* What comes after a reset depends on nothing before it. */
    if (pending.reset && stream->held != NULL)
        memset(stream->held, 0, stream->serving->n_values * sizeof(float));
    engine_fill(stream, values, stream->serving->n_values);
    if (stream->n_frames > 0 && seq - stream->seq > 1) {
        stream->n_gaps++;
        engine->counts.n_gaps++;
    }
    stream->reset_next = false;
    stream->seq = seq;
    stream->ts_ns = ts_ns;
    stream->n_frames++;
    engine->counts.n_accepted++;
    engine_enqueue(engine, stream, &pending);
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
        engine_any_missing(values, serving->n_values)) {
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
    engine_accept(engine, stream, frame, frame->has_seq ? frame->seq : last + 1,
                  frame->has_ts ? frame->ts_ns : batch->arrived_ns, values);
    batch->n_accepted++;
}

bool engine_take(struct engine *engine, struct engine_batch *batch)
{
    while (batch->cursor < batch->end) {
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

/* ---- stepping ----------------------------------------------------------------------------- */

struct engine_panel {
    struct stream *slots[SERVING_PANEL_WIDTH]; /* NULL: free */
    size_t n_taken;
    size_t n_left; /* frames of the turn not stepped yet */
};

static void engine_fill_slots(struct engine_panel *panel, struct serving *serving)
{
    for (size_t slot = 0; serving->first_active != NULL && slot < SERVING_PANEL_WIDTH; slot++) {
        if (panel->slots[slot] != NULL)
            continue;
        panel->slots[slot] = serving->first_active;
        serving->first_active = serving->first_active->next_active;
        panel->n_taken++;
    }
}

/* One frame of every stream that has a slot. */
static void engine_step_panel(struct engine *engine, struct engine_panel *panel,
                              struct serving *serving, const struct engine_sink *sink)
{
    struct engine_column columns[SERVING_PANEL_WIDTH];
    celltap_stream *states[SERVING_PANEL_WIDTH];
    const float *values[SERVING_PANEL_WIDTH];
    size_t n = 0;
    for (size_t slot = 0; slot < SERVING_PANEL_WIDTH && n < panel->n_taken; slot++) {
        struct stream *stream = panel->slots[slot];
        if (stream == NULL)
            continue;
        const struct pending *pending = &engine->pending[stream->first_pending];
        if (pending->reset)
            celltap_stream_reset(stream->state);
        stream->first_pending = pending->next;
        stream->n_pending--;
        columns[n] = (struct engine_column){.stream = stream,
                                            .seq = pending->seq,
                                            .ts_ns = pending->ts_ns,
                                            .slot = slot,
                                            .n_left = stream->n_pending};
        states[n] = stream->state;
        values[n++] = engine->values + pending->values_at;
    }
    /* Cannot fail: different streams of this model, as many values as it takes. */
    celltap_step_many(serving->panel, states, values, n, serving->n_values);
    panel->n_left -= n;
    sink->stepped(sink->arg, serving, columns, n, panel->n_left);
    for (size_t i = 0; i < n; i++) {
        if (columns[i].n_left != 0)
            continue;
        panel->slots[columns[i].slot] = NULL;
        panel->n_taken--;
        sink->left(sink->arg, columns[i].slot);
    }
}

void engine_step(struct engine *engine, const struct engine_sink *sink)
{
    struct engine_panel panel = {.n_left = engine->n_pending};
    for (size_t i = 0; i < engine->n_servings; i++) {
        struct serving *serving = engine->servings[i];
        while (serving->first_active != NULL || panel.n_taken > 0) {
            engine_fill_slots(&panel, serving);
            engine_step_panel(engine, &panel, serving, sink);
        }
    }
    engine->n_pending = 0;
    engine->n_values = 0;
}

int engine_reset(struct engine *engine, const char *name, size_t name_bytes)
{
    struct stream *stream = streams_find(&engine->streams, name, name_bytes);
    if (stream == NULL)
        return -1;
    stream->reset_next = true;
    return 0;
}

/* ---- a reload ----------------------------------------------------------------------------- */

/* What a stream will be. */
struct engine_next {
    struct serving *serving; /* NULL: it goes */
    celltap_stream *state;   /* owned; NULL: it keeps its own */
    float *held;             /* owned */
};

static struct serving *engine_same(const struct engine *engine, const struct serving *serving)
{
    for (size_t i = 0; i < engine->n_servings; i++) {
        struct serving *old = engine->servings[i];
        if (strcmp(old->conf->name, serving->conf->name) == 0 &&
            old->file_hash == serving->file_hash && old->n_values == serving->n_values)
            return old;
    }
    return NULL;
}

static int engine_plan(const struct engine *engine, struct serving **servings, size_t n_servings,
                       struct engine_next *ret_next)
{
    for (size_t i = 0; i < engine->streams.n; i++) {
        struct stream *stream = engine->streams.list[i];
        struct engine_next *next = &ret_next[i];
        next->serving = engine_match(servings, n_servings, stream->name);
        if (next->serving == NULL)
            continue;
        if (engine_same(engine, next->serving) != stream->serving) {
            if (engine_fresh_state(next->serving, &next->state, &next->held) != 0)
                return -1;
        } else if (next->serving->conf->missing == CONF_MISSING_HOLD && stream->held == NULL) {
            next->held = calloc(next->serving->n_values, sizeof(float));
            if (next->held == NULL)
                return -1;
        }
    }
    return 0;
}

/* An unchanged model goes on as the object that its streams refer to. */
static void engine_adopt(struct engine *engine, struct serving *serving)
{
    struct serving *old = engine_same(engine, serving);
    if (old == NULL)
        return;
    celltap_model *model = serving->model;
    celltap_panel *panel = serving->panel;
    serving->model = old->model;
    serving->panel = old->panel;
    old->model = model;
    old->panel = panel;
}

static void engine_turn_into(struct stream *stream, struct engine_next *next,
                             struct engine_change *change)
{
    stream->taps_version = 0;
    stream->serving = next->serving;
    if (next->serving == NULL) {
        change->n_dropped++;
        return;
    }
    next->serving->n_streams++;
    bool holds = next->serving->conf->missing == CONF_MISSING_HOLD;
    if (next->state != NULL || next->held != NULL || !holds) {
        free(stream->held);
        stream->held = next->held;
    }
    if (next->state == NULL) {
        change->n_kept++;
        return;
    }
    celltap_stream_free(stream->state);
    stream->state = next->state;
    stream->reset_next = false;
    change->n_afresh++;
}

int engine_replace(struct engine *engine, struct serving **servings, size_t n_servings,
                   size_t max_streams, struct engine_change *ret_change)
{
    struct engine_change change = {0};
    size_t n_room = engine_values_room(servings, n_servings);
    float *values = malloc(n_room * sizeof(float));
    struct engine_next *next = calloc(engine->streams.n + 1, sizeof(*next));
    if (values == NULL || next == NULL || engine_plan(engine, servings, n_servings, next) != 0) {
        for (size_t i = 0; next != NULL && i < engine->streams.n; i++) {
            celltap_stream_free(next[i].state);
            free(next[i].held);
        }
        free(next);
        free(values);
        return -1;
    }
    for (size_t i = 0; i < n_servings; i++)
        engine_adopt(engine, servings[i]);
    for (size_t i = 0; i < engine->streams.n; i++)
        engine_turn_into(engine->streams.list[i], &next[i], &change);
    streams_sweep(&engine->streams);
    engine_servings_free(engine->servings, engine->n_servings);
    free(engine->values);
    free(next);
    engine->servings = servings;
    engine->n_servings = n_servings;
    engine->values = values;
    engine->n_values_room = n_room;
    engine->max_streams = max_streams;
    *ret_change = change;
    return 0;
}

/* ---- looking ------------------------------------------------------------------------------ */

const struct engine_counts *engine_counts(const struct engine *engine)
{
    return &engine->counts;
}

const struct streams *engine_streams(const struct engine *engine)
{
    return &engine->streams;
}

struct serving *const *engine_servings(const struct engine *engine, size_t *ret_n)
{
    *ret_n = engine->n_servings;
    return engine->servings;
}
