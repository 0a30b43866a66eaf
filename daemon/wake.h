/* wake.h - the loop is woken, or does the work before it sleeps: one event descriptor.
 *
 *     other threads    wake_send --pending? no: write--> descriptor --libuv--> work until there is none
 *     the loop's own   wake_send --> due --when all descriptors were looked at--> work, as above
 *
 * In place of uv_async_t: libuv 1.44 spins for about 10 us, and then yields, in every wake-up that
 * takes the CPU from the thread which has sent it. */
#ifndef DAEMON_WAKE_H
#define DAEMON_WAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct wake {
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    int fd;              /* owned */
    pthread_t thread;    /* the loop's */
    bool looks, due;     /* the loop's thread only: looks at descriptors; there is work after it */
    atomic_bool pending; /* the descriptor is readable, or the loop is about to look */
    bool (*work)(void *arg);
    void *arg;
};

/* work(arg) is called on the loop's thread after a wake_send, at least once, and again on the loop's
 * next pass as long as it returns true.  -1: there is no descriptor. */
int wake_open(struct wake *wake, uv_loop_t *uv, bool (*work)(void *arg), void *arg);
void wake_close(struct wake *wake); /* when libuv has closed its handles; zeroed memory is fine */

/* Any thread. */
void wake_send(struct wake *wake);

#endif
