/* engine.c - an engine's birth, and the steps of a turn: pending frames to panels to the sink.
 *
 *     pending[]   | frame | frame | frame | ...    each with its values, chained per stream
 *     servings    model -> shard -> active streams, in the order in which their frames came
 *     slots[64]   the streams in the panel now; a stream stays until it has no more frames, then
 *                 its slot takes the model's next active stream
 *
 * Frames come in by engine_take.c; nothing here can fail but birth. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_priv.h"

/* ---- birth and death ---------------------------------------------------------------------- */

size_t engine_values_room(struct serving *const *servings, size_t n_servings)
{
    size_t most = 1;
    for (struct serving *serving = NULL;
         (serving = serving_each(servings, n_servings, serving)) != NULL;)
        if (serving->n_channels > most)
            most = serving->n_channels;
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
    engine->filled = malloc(engine->n_values_room * sizeof(float));
    if (engine->values == NULL || engine->filled == NULL || streams_init(&engine->streams) != 0) {
        free(engine->values);
        free(engine->filled);
        free(engine);
        return NULL;
    }
    engine->servings = servings;
    engine->n_servings = n_servings;
    engine->n_shards = servings[0]->n_shards;
    return engine;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    streams_done(&engine->streams);
    serving_free_all(engine->servings, engine->n_servings);
    free(engine->values);
    free(engine->filled);
    free(engine);
}

/* ---- stepping ----------------------------------------------------------------------------- */

struct engine_panel {
    size_t shard_ix;
    struct stream *slots[SERVING_PANEL_WIDTH]; /* NULL: free */
    size_t n_taken;
    size_t n_left; /* frames of the shard's turn not stepped yet */
};

static void engine_fill_slots(struct engine_panel *panel, struct serving_shard *shard)
{
    for (size_t slot = 0; shard->first_active != NULL && slot < SERVING_PANEL_WIDTH; slot++) {
        if (panel->slots[slot] != NULL)
            continue;
        panel->slots[slot] = shard->first_active;
        shard->first_active = shard->first_active->next_active;
        panel->n_taken++;
    }
}

/* What a frame says of the states before it. */
static void engine_begin(const struct stream *stream, const struct pending *pending)
{
    const celltap_journal_detector *watch = stream->watch;
    if (pending->rewarm)
        celltap_stream_rewarm(stream->state);
    else if (pending->born && watch != NULL)
        celltap_journal_detector_begin(watch, stream->state);
    else if (pending->reset)
        celltap_stream_reset(stream->state);
    if (watch != NULL)
        celltap_stream_at(stream->state, pending->ts_ns);
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
        engine_begin(stream, pending);
        stream->first_pending = pending->next;
        stream->n_pending--;
        columns[n] = (struct engine_column){.stream = stream,
                                            .seq = pending->seq,
                                            .ts_ns = pending->ts_ns,
                                            .values = engine->values + pending->values_at,
                                            .slot = slot,
                                            .n_left = stream->n_pending};
        states[n] = stream->state;
        values[n] = columns[n].values;
        n++;
    }
    /* Cannot fail but in a restore: different streams of this model, as many values as it takes, and
     * memory has been reserved. */
    celltap_panel *stepping = serving->shards[panel->shard_ix].panel;
    int code = celltap_step_many(stepping, states, values, n, serving->n_channels);
    assert(code == 0 || code == CELLTAP_ENOMEM);
    if (code != 0)
        atomic_store(&engine->failed, true);
    for (size_t i = 0; i < n; i++) {
        columns[i].score = celltap_panel_score(stepping, i);
        columns[i].event = streams_judge(columns[i].stream, columns[i].seq, columns[i].score);
    }
    panel->n_left -= n;
    sink->stepped(sink->arg, panel->shard_ix, serving, columns, n, panel->n_left);
    for (size_t i = 0; i < n; i++) {
        if (columns[i].n_left != 0)
            continue;
        panel->slots[columns[i].slot] = NULL;
        panel->n_taken--;
        sink->left(sink->arg, panel->shard_ix, columns[i].slot);
    }
}

void engine_step_shard(struct engine *engine, size_t shard_ix, const struct engine_sink *sink)
{
    struct engine_panel panel = {.shard_ix = shard_ix, .n_left = engine->n_shard_pending[shard_ix]};
    for (struct serving *serving = NULL;
         (serving = serving_each(engine->servings, engine->n_servings, serving)) != NULL;) {
        struct serving_shard *shard = &serving->shards[shard_ix];
        while (shard->first_active != NULL || panel.n_taken > 0) {
            engine_fill_slots(&panel, shard);
            engine_step_panel(engine, &panel, serving, sink);
        }
    }
}

void engine_step_end(struct engine *engine)
{
    memset(engine->n_shard_pending, 0, sizeof(engine->n_shard_pending));
    engine->n_pending = 0;
    engine->n_values = 0;
}

void engine_step(struct engine *engine, const struct engine_sink *sink)
{
    for (size_t i = 0; i < engine->n_shards; i++)
        engine_step_shard(engine, i, sink);
    engine_step_end(engine);
}

int engine_reset(struct engine *engine, const char *name, size_t name_bytes, bool rewarm)
{
    struct stream *stream = streams_find(&engine->streams, name, name_bytes);
    if (stream == NULL || (rewarm && stream->serving->watch == NULL))
        return -1;
    stream->reset_next = true;
    stream->rewarm_next |= rewarm;
    return 0;
}

void engine_set_log(struct engine *engine, const struct engine_log *log)
{
    engine->log = *log;
}

/* ---- looking ------------------------------------------------------------------------------ */

struct engine_spread engine_spread(const struct engine *engine)
{
    size_t n_largest = 0;
    for (size_t i = 0; i < engine->n_shards; i++)
        if (engine->n_shard_pending[i] > n_largest)
            n_largest = engine->n_shard_pending[i];
    return (struct engine_spread){n_largest, engine->n_pending - n_largest};
}

size_t engine_n_shards(const struct engine *engine)
{
    return engine->n_shards;
}

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
