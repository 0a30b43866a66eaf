/* loop_state.h - everything that one loop owns, for the files that act on it.
 *
 *     loop.c        libuv: signals, wake, tick          loop_end.c  from SIGTERM to the end
 *     loop_start.c  what it is made of                  reload.c    changes the configuration
 *     control.c     answers requests
 *
 * The loop's thread only. */
#ifndef DAEMON_LOOP_STATE_H
#define DAEMON_LOOP_STATE_H

#include <uv.h>

#include "daemon/conf.h"
#include "daemon/doors.h"
#include "daemon/engine.h"
#include "daemon/intake.h"
#include "daemon/journal.h"
#include "daemon/place.h"
#include "daemon/replays.h"
#include "daemon/sd.h"
#include "daemon/taps.h"
#include "daemon/turn.h"
#include "daemon/wake.h"
#include "daemon/warm.h"

enum loop_phase {
    LOOP_RUNNING,
    LOOP_DRAINING, /* SIGTERM has come: what has arrived is still taken */
    LOOP_FLUSHING, /* nothing is taken any more: subscribers get what was produced */
    LOOP_ENDED
};

struct loop {
    struct conf *conf;                /* owned */
    int lock_fd;                      /* owned */
    int latency_fd;                   /* owned; -1: nothing is asked of the kernel */
    struct sock_tasks *tasks;         /* owned */
    struct intake *frames, *requests; /* owned */
    struct doors doors;
    struct engine *engine;   /* owned */
    struct journal *journal; /* owned; NULL: none */
    struct replays *replays; /* owned; NULL: no journal */
    struct taps taps;
    struct crew *crew; /* owned; NULL: one thread is enough */
    struct turn *turn; /* owned */
    struct warm *warm; /* owned */
    uv_loop_t uv;
    struct wake wake;
    uv_poll_t replayed; /* while there are replays */
    uv_signal_t signals[3];
    uv_timer_t tick;
    struct place place;
    struct sd sd;
    enum loop_phase phase;
    bool interrupted;                                   /* a second SIGTERM: end at once */
    uint64_t phase_since_ms, quiet_since_ms, n_arrived; /* while draining */
    uint64_t started_ms, status_since_ms, rate_since_ms;
    uint64_t rate_accepted, warned_rejected; /* counts when last looked at */
    uint64_t watchdog_since_ms, watchdog_turns;
    double frames_per_second;
    uint64_t n_reopened; /* listeners */
    uint64_t n_reloads;
};

uint64_t loop_now_ms(const struct loop *loop); /* monotonic, as of this pass of the loop */
bool loop_answer(struct loop *loop);           /* some requests; false: there are none left */
void loop_each_sock(struct loop *loop, void (*visit)(struct sock *sock, void *arg), void *arg);

/* What handles and sockets call; loop_wake on any thread. */
void loop_wake(void *arg);
bool loop_work(void *arg); /* true: there is more */
void loop_on_replayed(uv_poll_t *poll, int status, int events);
void loop_on_signal(uv_signal_t *handle, int signal);
void loop_on_tick(uv_timer_t *tick);

/* 0, -1 or LOOP_MISCONFIGURED. */
int loop_start(struct loop *loop);

void loop_end_start(struct loop *loop);
void loop_end_tick(struct loop *loop); /* every tick after that */
void loop_end_now(struct loop *loop);

#endif
