/* past.h - past timesteps of streams, computed again a slice at a time.
 *
 *     wish (stream, range, selection) --> an open replay, or a new one --> records, cursor
 *
 * A few replays stay open, so that the next slice of a range costs nothing but its timesteps, also
 * while several clients ask in turn.  One thread. */
#ifndef DAEMON_PAST_H
#define DAEMON_PAST_H

#include <stdatomic.h>

#include "daemon/conf.h"
#include "daemon/sock.h"

struct past;

struct past_wish {
    char stream[256];
    bool scores;                       /* instead of activations */
    struct conf_texts layers, tensors; /* globs */
    uint64_t from, to;                 /* seq, inclusive */
    bool by_time;                      /* of these, those of from_ts to to_ts, inclusive */
    int64_t from_ts, to_ts;
    uint64_t every; /* only what it divides */
    uint64_t limit; /* timesteps of one reply at most */
};

/* The directory is borrowed.  stopping: a slice ends soon once it is set.  NULL: no memory. */
struct past *past_new(const char *directory, const atomic_bool *stopping);
void past_free(struct past *past); /* NULL is fine */

/* One slice, as the reply to a control request (records or an error), into a message of
 * PAST_MESSAGE_BYTES, which is cut to it. */
#define PAST_MESSAGE_BYTES ((size_t)(1 << 20) + 160)
void past_slice(struct past *past, const struct past_wish *wish, sock_message *message);

/* Closes the replays that nobody has gone on with for a while. */
void past_forget(struct past *past);

#endif
