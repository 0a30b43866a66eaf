/* engine_priv.h - what the engine's files share: its inside.
 *
 *     engine.c           birth, stepping             pending --> panels --> sink
 *     engine_take.c      taking frames               message --> pending
 *     engine_warm.c      detectors that learn        late frames --> pending
 *     engine_replace.c   a reload                    streams --> their new models
 *     engine_restore.c   a start                     journal --> streams
 *     engine_size.c      the built-in model          a number of values --> its serving
 */
#ifndef DAEMON_ENGINE_PRIV_H
#define DAEMON_ENGINE_PRIV_H

#include <stdatomic.h>

#include "daemon/engine.h"

#define ENGINE_NO_PENDING UINT32_MAX

struct pending {
    uint64_t seq;
    int64_t ts_ns;
    uint32_t values_at; /* into engine->values */
    uint32_t next;      /* of the same stream, or ENGINE_NO_PENDING */
    bool reset, born, rewarm;
};

/* Watched streams, by their backlogs. */
struct engine_warm_list {
    struct stream *first, *last;
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
    bool left_out; /* a stream of the journal, by the restore */
    struct engine_warm_list due, ready;
    size_t n_late, n_late_bytes; /* frames that wait for a warm-up */
    atomic_bool failed;          /* a step had no memory: only while a journal is read */
    size_t n_shards;
    size_t n_shard_pending[CONF_THREADS_MAX]; /* [n_shards] */
    size_t n_pending;
    struct pending pending[ENGINE_TURN_FRAMES];
    float *values; /* [n_values_room] owned */
    float *filled; /* [n_values_room] owned: of a watched stream's frame what the journal gets */
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

/* Room for one more frame of a stream, so that accepting and stepping it cannot fail.  *ret_late: the
 * frame must wait in this; NULL: it need not.  rewarm: it begins a warm-up.  -1: no memory. */
int engine_reserve(struct stream *stream, bool rewarm, struct backlog_frame **ret_late);

/* An accepted frame's way: to be stepped this turn (as engine_enqueue), or to wait.  Late: before the
 * stream's seq moves on. */
void engine_put(struct engine *engine, struct stream *stream, const struct pending *pending);
void engine_put_late(struct engine *engine, struct stream *stream, struct backlog_frame *late,
                     const struct pending *pending, const float *values);

/* Streams or their stages have changed: lists and counts are made anew. */
void engine_warm_relist(struct engine *engine);

/* What a stream of this model begins with, and gives to it.  done: what has not been given. */
struct engine_fresh {
    celltap_stream *state;
    float *held;
    struct backlog *backlog;
};
int engine_fresh_init(struct engine_fresh *fresh, const struct serving *serving);
void engine_fresh_done(struct engine_fresh *fresh);

/* A stream between two frames is watched by this (NULL: not) from now on, with states that are of it or
 * of one that learns alike. */
void engine_watch(struct stream *stream, celltap_journal_detector *watch);

/* A new stream with what is fresh (taken).  NULL: no memory, nothing was taken. */
struct stream *engine_birth(struct engine *engine, struct serving *serving, const char *name,
                            size_t name_bytes);

#endif
