/* engine_replace.c - a reload: every stream goes on, starts afresh with another model, or goes.
 *
 *     plan (may fail: nothing has changed)  -->  exchange (cannot fail)
 *
 * A model is unchanged if its name, its file's bytes and what its detectors learn by are; its streams
 * then go on, with the old model object, to which they refer.  How they judge changes with the first
 * frame that comes when none waits (engine_take.c).  Frames that wait for the warm-up of a detector
 * that is another one or goes are not stepped any more; the journal has them. */
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_priv.h"

/* What a stream will be. */
struct engine_next {
    struct serving *serving;   /* NULL: it goes */
    struct engine_fresh fresh; /* owned; no state: it keeps its own */
};

static struct serving *engine_same(const struct engine *engine, const struct serving *serving)
{
    for (struct serving *old = NULL;
         (old = serving_each(engine->servings, engine->n_servings, old)) != NULL;)
        if (strcmp(old->conf->name, serving->conf->name) == 0 &&
            old->file_hash == serving->file_hash &&
            celltap_journal_detector_learns_as(old->watch, serving->watch))
            return old;
    return NULL;
}

static int engine_plan(const struct engine *engine, struct serving **servings, size_t n_servings,
                       struct engine_next *ret_next)
{
    for (size_t i = 0; i < engine->streams.n; i++) {
        struct stream *stream = engine->streams.list[i];
        struct engine_next *next = &ret_next[i];
        next->serving = engine_match(servings, n_servings, stream->name);
        if (next->serving != NULL && next->serving->any_size) /* made by engine_prepare */
            next->serving = serving_of_size(next->serving, stream->serving->n_channels);
        if (next->serving == NULL)
            continue;
        if (engine_same(engine, next->serving) != stream->serving) {
            if (engine_fresh_init(&next->fresh, next->serving) != 0)
                return -1;
        } else if (next->serving->conf->missing == CONF_MISSING_HOLD && stream->held == NULL) {
            next->fresh.held = calloc(next->serving->n_channels, sizeof(float));
            if (next->fresh.held == NULL)
                return -1;
        }
    }
    return 0;
}

/* Unchanged models go on as the objects that their streams refer to, so that streams which join
 * them begin with the same ones.  A second time takes it back. */
static void engine_adopt(const struct engine *engine, struct serving **servings, size_t n_servings)
{
    for (struct serving *serving = NULL;
         (serving = serving_each(servings, n_servings, serving)) != NULL;) {
        struct serving *old = engine_same(engine, serving);
        if (old == NULL)
            continue;
        celltap_model *model = serving->model;
        struct serving_shard *shards = serving->shards;
        serving->model = old->model;
        serving->shards = old->shards;
        old->model = model;
        old->shards = shards;
    }
}

static void engine_turn_into(struct stream *stream, struct engine_next *next,
                             struct engine_change *change)
{
    stream->taps_version = 0;
    stream->serving = next->serving;
    if (stream->backlog != NULL && (next->serving == NULL || next->fresh.state != NULL))
        change->n_late += stream->backlog->n;
    if (next->serving == NULL) {
        change->n_dropped++;
        return;
    }
    next->serving->n_streams++;
    bool holds = next->serving->conf->missing == CONF_MISSING_HOLD;
    if (next->fresh.state != NULL || next->fresh.held != NULL || !holds) {
        free(stream->held);
        stream->held = next->fresh.held;
    }
    if (next->fresh.state == NULL) {
        change->n_kept++;
        return;
    }
    celltap_stream_free(stream->state);
    stream->state = next->fresh.state;
    engine_watch(stream, next->serving->watch);
    backlog_free(stream->backlog);
    stream->backlog = next->fresh.backlog;
    stream->reset_next = stream->born_next = true; /* said so that it is written down */
    stream->rewarm_next = false;
    change->n_afresh++;
}

int engine_replace(struct engine *engine, struct serving **servings, size_t n_servings,
                   size_t max_streams, struct engine_change *ret_change)
{
    struct engine_change change = {0};
    size_t n_room = engine_values_room(servings, n_servings);
    float *values = malloc(n_room * sizeof(float)), *filled = malloc(n_room * sizeof(float));
    struct engine_next *next = calloc(engine->streams.n + 1, sizeof(*next));
    engine_adopt(engine, servings, n_servings);
    if (values == NULL || filled == NULL || next == NULL ||
        engine_plan(engine, servings, n_servings, next) != 0) {
        engine_adopt(engine, servings, n_servings);
        for (size_t i = 0; next != NULL && i < engine->streams.n; i++)
            engine_fresh_done(&next[i].fresh);
        free(next);
        free(values);
        free(filled);
        return -1;
    }
    for (size_t i = 0; i < engine->streams.n; i++)
        engine_turn_into(engine->streams.list[i], &next[i], &change);
    streams_sweep(&engine->streams);
    engine_warm_relist(engine);
    serving_free_all(engine->servings, engine->n_servings);
    free(engine->values);
    free(engine->filled);
    free(next);
    engine->servings = servings;
    engine->n_servings = n_servings;
    engine->values = values;
    engine->filled = filled;
    engine->n_values_room = n_room;
    engine->max_streams = max_streams;
    *ret_change = change;
    return 0;
}
