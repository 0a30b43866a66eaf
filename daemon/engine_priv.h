/* engine_priv.h - what the engine's files share: its inside.
 *
 *     engine.c           birth, stepping             pending --> panels --> sink
 *     engine_take.c      taking frames               message --> pending
 *     engine_replace.c   a reload                    streams --> their new models
 *     engine_restore.c   a start                     journal --> streams
 *     engine_size.c      the built-in model          a number of values --> its serving
 */
#ifndef DAEMON_ENGINE_PRIV_H
#define DAEMON_ENGINE_PRIV_H

#include "daemon/engine.h"

#define ENGINE_NO_PENDING UINT32_MAX

struct pending {
    uint64_t seq;
    int64_t ts_ns;
    uint32_t values_at; /* into engine->values */
    uint32_t next;      /* of the same stream, or ENGINE_NO_PENDING */
    bool reset;
};

struct engine {
    struct serving **servings; /* [n_servings] owned */
    size_t n_servings;
    size_t max_streams;
    struct streams streams;
    struct engine_counts counts;
    struct engine_log log;
    struct engine_births births;
    uint64_t n_restored;
    size_t n_shards;
    size_t n_shard_pending[CONF_THREADS_MAX]; /* [n_shards] */
    size_t n_pending;
    struct pending pending[ENGINE_TURN_FRAMES];
    float *values; /* [n_values_room] owned */
    size_t n_values, n_values_room;
};

/* Values that a full turn may need: never less than one frame. */
size_t engine_values_room(struct serving *const *servings, size_t n_servings);

/* The first model that matches the name; NULL: none. */
struct serving *engine_match(struct serving *const *servings, size_t n_servings, const char *name);

/* The serving of a chain for frames of n_channels values, made if it is not there.  NULL: it cannot
 * be, as *ret_reject says. */
struct serving *engine_size(struct engine *engine, struct serving *head, size_t n_channels,
                            enum engine_reject *ret_reject);

/* Puts a frame, whose values lie at the end of engine->values, in its stream's chain. */
void engine_enqueue(struct engine *engine, struct stream *stream, const struct pending *pending);

/* What a stream of this model begins with. */
int engine_fresh_state(const struct serving *serving, celltap_stream **ret_state, float **ret_held);

#endif
