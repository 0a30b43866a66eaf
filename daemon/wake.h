/* wake.h - other threads wake the loop: one event descriptor, written only while the loop sleeps.
 *
 *     wake_send --pending? no: write--> descriptor --libuv--> work until there is none
 *
 * In place of uv_async_t: libuv 1.44 spins for about 10 us, and then yields, in every wake-up that
 * takes the CPU from the thread which has sent it. */
#ifndef DAEMON_WAKE_H
#define DAEMON_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct wake {
    uv_poll_t poll;
    int fd;              /* owned */
    atomic_bool pending; /* the descriptor is readable, or the loop is about to look */
    bool (*work)(void *arg);
    void *arg;
};

/* work(arg) is called on the loop's thread after a wake_send, at least once, and again on the loop's
 * next pass as long as it returns true.  -1: there is no descriptor. */
int wake_open(struct wake *wake, uv_loop_t *uv, bool (*work)(void *arg), void *arg);
void wake_close(struct wake *wake); /* when libuv has closed the handle; zeroed memory is fine */

/* Any thread. */
void wake_send(struct wake *wake);

#endif
