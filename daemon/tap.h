/* tap.h - one tap: what it selects of each model, and the messages it is writing.
 *
 *     shards[i]   plans[model]  | layer: tensors | layer: tensors | ...   compiled from the globs
 *                 building[]    a message per topic that is being written this turn
 *
 * A record is encoded once, straight into the message that nng sends, and only if the tap has a
 * subscriber.  A message is sent when its stream has no more frames this turn, when the turn ends
 * (`group: tap`), or when it holds TAP_MESSAGE_BYTES.  Each shard's records go into messages of its
 * own, on its own thread: tap_put, tap_slot_left and tap_turn_end; all else is the loop's. */
#ifndef DAEMON_TAP_H
#define DAEMON_TAP_H

#include "daemon/conf.h"
#include "daemon/engine.h"
#include "daemon/sock.h"

#define TAP_MESSAGE_BYTES ((size_t)64 * 1024)

struct tap_plan;
struct tap_building;

struct tap_counts {
    uint64_t n_records, n_messages, n_bytes;
    uint64_t n_lost; /* records for which there was no memory */
};

/* What a thread needs to write its share of the records. */
struct tap_shard {
    struct tap_plan *plans; /* [n_plans] owned, in the order of the servings */
    size_t n_plans;
    struct tap_building *building; /* [n_building] owned */
    size_t n_building, n_per_slot;
    sock_sender *sender; /* owned */
    struct tap_counts counts;
};

struct tap {
    const struct conf_tap *conf; /* borrowed; `owned` of a dynamic tap */
    struct conf_tap *owned;      /* of a tap opened by request */
    struct sock *sock;           /* owned; NULL until it has one */
    struct tap_shard *shards;    /* [n_shards] owned */
    size_t n_shards;
    struct tap_counts before; /* of the tap whose socket this one has taken over */
    uint64_t alone_since_ms;  /* dynamic: since when it has no subscriber; 0: it has */
    const char *control; /* of taps.h: for the command that replays; NULL: there is no journal */
};

/* Compiles a tap for these models, without a socket.  NULL: no memory. */
struct tap *tap_new(const struct conf_tap *conf, struct serving *const *servings,
                    size_t n_servings);
/* Compiles it for one serving more, the last of all.  -1: no memory. */
int tap_grow(struct tap *tap, const struct serving *serving);
/* Opens its socket and binds its URLs, uncommitted. */
int tap_open(struct tap *tap, struct sock_error *reterr);
struct sock_options tap_options(const struct conf_tap *conf);
void tap_free(struct tap *tap);             /* closes its socket; NULL is fine */
void tap_conf_free(struct conf_tap *owned); /* of a tap opened by request; NULL is fine */

/* Writes the tap's part of one stepped frame.  n_left: frames that may still come to the same
 * message. */
void tap_put(struct tap *tap, size_t shard_ix, const struct serving *serving, size_t column_ix,
             const struct engine_column *column, size_t n_left);

/* The stream in this slot has no more frames this turn. */
void tap_slot_left(struct tap *tap, size_t shard_ix, size_t slot);

/* The turn is over: sends what is still being written. */
void tap_turn_end(struct tap *tap, size_t shard_ix);

/* Between turns. */
struct tap_counts tap_counts(const struct tap *tap);

#endif
