/* engine.h - frames to streams to panels: what a turn of the loop computes.
 *
 *     message --engine_take--> frames checked, values filled --> pending, per stream in order
 *     pending --engine_step--> panels of up to 64 streams of one model --> sink
 *
 * Every stream belongs to one of n_shards shards, by a hash of its name.  A turn's shards may be
 * stepped by a thread each: they share nothing that a step writes.
 *
 * A stream whose detector has frames enough to learn is due: somebody warms it up beside the loop
 * (daemon/warm.c), and its frames wait until then, up to ENGINE_LATE_BYTES of all streams.
 *
 * Knows no loop, no sockets, no globals.  A frame is accepted (its stream's seq moves on) when it is
 * taken and stepped in the same turn; between the two lies the place where a turn's frames are
 * committed. */
#ifndef DAEMON_ENGINE_H
#define DAEMON_ENGINE_H

#include "daemon/conf.h"
#include "daemon/serving.h"
#include "daemon/streams.h"
#include "lib/celltap_journal.h"

#define ENGINE_TURN_FRAMES 4096               /* frames of one turn */
#define ENGINE_TURN_VALUES (1024 * 1024)      /* values of one turn, if one frame has not more */
#define ENGINE_LATE_BYTES  ((size_t)64 << 20) /* of frames that wait for warm-ups */
#define ENGINE_ERRORS_MAX  100 /* rejected frames of one message that a reply explains */

/* Why a frame is rejected: name in `status`, sentence in replies. */
#define ENGINE_REJECTS(X)                                                                          \
    X(MALFORMED, "malformed", "not MessagePack maps back to back")                                 \
    X(TYPE, "type", "a key has a value of the wrong type")                                         \
    X(KEY, "key", "a required key is missing")                                                     \
    X(NAME, "name", "a stream name is 1 to 255 bytes of [A-Za-z0-9._:/-]")                         \
    X(RANGE, "range", "a number is out of its range")                                              \
    X(NO_MODEL, "no_model", "no model's `streams` matches the stream's name")                      \
    X(VALUES, "values", "the number of values differs from the model's inputs")                    \
    X(SIZES, "sizes", "builtin:reservoir takes 1 to 4096 values, of 64 different numbers at most") \
    X(MISSING, "missing", "a value is missing and the model says `missing: reject`")               \
    X(STREAMS, "streams", "there are `max_streams` streams already")                               \
    X(TOO_LARGE, "too_large", "the message is larger than `max_message_bytes`")                    \
    X(MEMORY, "memory", "out of memory")

enum engine_reject {
#define ENGINE_REJECT_CODE(code, name, sentence) ENGINE_REJECT_##code,
    ENGINE_REJECTS(ENGINE_REJECT_CODE)
#undef ENGINE_REJECT_CODE
        ENGINE_N_REJECTS
};
extern const char *const engine_reject_names[ENGINE_N_REJECTS];
extern const char *const engine_reject_sentences[ENGINE_N_REJECTS];

/* One message on its way through the engine. */
struct engine_batch {
    const unsigned char *cursor, *end; /* what is left of it */
    int64_t arrived_ns;
    uint64_t n_taken; /* frames looked at: the next one's index */
    uint64_t n_accepted, n_duplicates, n_rejected;
    struct engine_error {
        uint64_t index;
        char key[24]; /* the key at fault, or "" */
        enum engine_reject reject;
    } * errors; /* owned by the batch; the first ENGINE_ERRORS_MAX */
    size_t n_errors, n_errors_room;
};

/* A stepped frame: column column_ix of the panel shows it. */
struct engine_column {
    struct stream *stream;
    uint64_t seq;
    int64_t ts_ns;
    const float *values;               /* the frame: [serving->n_channels], NaN: missing */
    const struct celltap_score *score; /* NULL: the stream has no detector */
    enum stream_event event;           /* an alarm begins or ends here */
    size_t slot;     /* the stream's place while it has frames this turn; of its shard's [width] */
    uint32_t n_left; /* frames of this stream still to come this turn */
};

/* Is told of every step, on the thread that steps the shard.  n_turn_left: frames of the shard that
 * come after this step. */
struct engine_sink {
    void *arg;
    void (*stepped)(void *arg, size_t shard_ix, const struct serving *serving,
                    const struct engine_column *columns, size_t n_columns, size_t n_turn_left);
    /* This slot's stream has no more frames this turn. */
    void (*left)(void *arg, size_t shard_ix, size_t slot);
};

/* Is told of every frame that is accepted, before it is stepped; NULL: nobody. */
struct engine_log {
    void *arg;
    int (*reserve)(void *arg, struct stream *stream); /* -1: no memory, the frame is rejected */
    void (*accepted)(void *arg, struct stream *stream, const struct celltap_journal_frame *frame);
};

/* Is told of every serving that the built-in model has made for frames of a number of values that
 * had not come before; NULL: nobody.  -1: it cannot be, the frame is rejected. */
struct engine_births {
    void *arg;
    int (*born)(void *arg, struct serving *serving);
};

struct engine_counts {
    uint64_t n_accepted, n_duplicates, n_gaps, n_rejected;
    uint64_t n_rejects[ENGINE_N_REJECTS];
};

struct engine;

/* For these models (taken over with the array; [n_servings >= 1] in the configuration's order), with
 * as many shards as they have. */
struct engine *engine_new(struct serving **servings, size_t n_servings, size_t max_streams);
void engine_free(struct engine *engine); /* NULL is fine */

void engine_set_log(struct engine *engine, const struct engine_log *log);

void engine_set_births(struct engine *engine, const struct engine_births *births);

/* Takes frames of the batch until it is finished (true) or the turn is full, or too many wait for
 * warm-ups (false). */
bool engine_take(struct engine *engine, struct engine_batch *batch);

/* Rejects a message as a whole. */
void engine_refuse(struct engine *engine, struct engine_batch *batch, enum engine_reject reject);
void engine_batch_done(struct engine_batch *batch);

/* Steps all frames taken since the last call: this, or engine_step_shard for every shard and after
 * them engine_step_end. */
void engine_step(struct engine *engine, const struct engine_sink *sink);
void engine_step_shard(struct engine *engine, size_t shard_ix, const struct engine_sink *sink);
void engine_step_end(struct engine *engine);

/* Frames of the largest shard, and of all others, that wait to be stepped. */
struct engine_spread {
    size_t n_largest, n_others;
};
struct engine_spread engine_spread(const struct engine *engine);
size_t engine_n_shards(const struct engine *engine);

/* The next frame of this stream starts afresh; rewarm: its detector too, with a new warm-up.  -1: no
 * such stream, or (rewarm) it has no detector. */
int engine_reset(struct engine *engine, const char *name, size_t name_bytes, bool rewarm);

/* A stream that is to be warmed up now, by celltap_warmup: NULL: none.  When that is done, warmed, and
 * its frames go on; or postpone, to get it again later. */
struct stream *engine_due(struct engine *engine);
void engine_warmed(struct engine *engine, struct stream *stream);
void engine_postpone(struct engine *engine, struct stream *stream);

/* Begins a turn with frames that waited: true: there are some. */
bool engine_release(struct engine *engine);

/* Warms up what is due here and now.  -1: no memory. */
int engine_settle(struct engine *engine);

bool engine_is_behind(const struct engine *engine);         /* no more frames may wait */
size_t engine_n_late(const struct engine *engine);          /* frames that wait */
uint64_t engine_late_position(const struct engine *engine); /* in the journal; UINT64_MAX: none */

/* Makes what the streams that there are will need of the built-in model among new servings, before a
 * reload.  -1: no memory. */
int engine_prepare(const struct engine *engine, struct serving **servings, size_t n_servings);

/* A reload: the new models, whose streams that are of unchanged models keep their states; others
 * start afresh with the model that matches now, or go.  All or nothing (-1: no memory).  On success
 * the servings (with the array) are taken over, and *ret_n_* say what became of the streams. */
struct engine_change {
    size_t n_kept, n_afresh, n_dropped;
    size_t n_late; /* frames that waited and are not stepped any more */
};
int engine_replace(struct engine *engine, struct serving **servings, size_t n_servings,
                   size_t max_streams, struct engine_change *ret_change);

/* The detectors that the journal keeps, by their hash: borrowed until the restore ends.  NULL: it has
 * none of that hash. */
struct engine_detectors {
    void *arg;
    celltap_journal_detector *(*find)(void *arg, uint64_t hash);
};

/* Before the first frame: a stream as it was saved, and frames as they were accepted; to be stepped
 * when there is no room for one more.  1: taken, 0: of no use (no model takes the stream, another
 * model, already there), -1: no memory; ENGINE_RESTORE_STEP: nothing yet, step and call again. */
#define ENGINE_RESTORE_STEP 2
int engine_restore_stream(struct engine *engine, const struct celltap_snapshot_stream *saved,
                          size_t n_channels, const struct engine_detectors *detectors);
int engine_restore_frame(struct engine *engine, const struct celltap_journal_entry *entry,
                         const struct engine_detectors *detectors);
bool engine_has_room(const struct engine *engine, size_t n_values);
uint64_t engine_restored(const struct engine *engine); /* frames */
bool engine_left_out(const struct engine *engine);     /* a stream that no model takes now */
/* After the last of them, stepped: -1: no memory. */
int engine_restore_end(struct engine *engine);

const struct engine_counts *engine_counts(const struct engine *engine);
const struct streams *engine_streams(const struct engine *engine);
struct serving *const *engine_servings(const struct engine *engine, size_t *ret_n);

#endif
