/* replays.h - past timesteps computed again while the daemon runs, on a thread of low priority.
 *
 *     control "replay" --> queue --> thread: a slice of at most 1 MiB --> done --> reply on the loop
 *
 * The thread reads the journal's files and nothing of the loop's; between two slices of one range
 * it keeps where it was.  All functions are the loop's thread's. */
#ifndef DAEMON_REPLAYS_H
#define DAEMON_REPLAYS_H

#include "daemon/conf.h"
#include "daemon/sock.h"

struct replays;

struct replays_wish {
    char stream[256];
    struct conf_texts layers, tensors; /* globs, owned */
    uint64_t from, to;                 /* seq, inclusive */
    struct sock_reply *reply;
};

/* wake(arg) is called on the thread when there is something to answer. */
struct replays *replays_new(const char *directory, void (*wake)(void *arg), void *arg);
void replays_free(struct replays *replays); /* waits for the slice being made; NULL is fine */

/* Takes the wish.  -1: there are too many, or no memory; nothing was taken. */
int replays_ask(struct replays *replays, const struct replays_wish *wish);

/* Sends the replies that are ready. */
void replays_answer(struct replays *replays);

#endif
