/* replays.h - past timesteps computed again while the daemon runs, on a thread of low priority.
 *
 *     control "replay" --> ring --> thread: a slice of at most 1 MiB --> ring, fd --> reply on the loop
 *
 * The thread reads the journal's files and nothing of the loop's.  All functions are the loop's
 * thread's. */
#ifndef DAEMON_REPLAYS_H
#define DAEMON_REPLAYS_H

#include "daemon/past.h"

struct replays;

/* NULL: no memory, or no descriptor. */
struct replays *replays_new(const char *directory);

/* Waits for the slice being made; jobs that are left get no reply, and none is taken any more. */
void replays_stop(struct replays *replays); /* NULL is fine */
void replays_free(struct replays *replays); /* NULL is fine */

/* Readable when there is something to answer. */
int replays_fd(const struct replays *replays);

/* Takes the wish with its texts.  -1: there are too many, or no memory; nothing was taken. */
int replays_ask(struct replays *replays, const struct past_wish *wish, struct sock_reply *reply);

/* Sends the replies that are ready. */
void replays_answer(struct replays *replays);

#endif
