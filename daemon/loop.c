/* loop.c - the daemon from its configuration to its end, on one libuv loop.
 *
 *     wake (from nng's threads)  requests answered, then a turn; again while there is more
 *     tick (every 250 ms)        listeners probed, taps expired, watchdog, rates, status
 *     signals                    SIGHUP: reload      SIGTERM, SIGINT: end; twice: at once
 *
 * Happy path: started (loop_start.c), READY; turns; SIGTERM: STOPPING, then as loop_end.c says;
 * sockets, handles and the loop are closed, also of a loop that is half built. */
#include "daemon/loop.h"

#include <signal.h>
#include <stdlib.h>

#include "daemon/control.h"
#include "daemon/journal.h"
#include "daemon/latency.h"
#include "daemon/lock.h"
#include "daemon/log.h"
#include "daemon/loop_state.h"
#include "daemon/memory.h"
#include "daemon/reload.h"

#define REQUESTS_PER_PASS 32
#define STATUS_MS         5000
#define RATE_MS           1000

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

/* ---- work --------------------------------------------------------------------------------- */

void loop_wake(void *arg)
{
    struct loop *loop = arg;
    wake_send(&loop->wake);
}

bool loop_answer(struct loop *loop)
{
    struct intake_message in;
    for (size_t i = 0; i < REQUESTS_PER_PASS; i++) {
        sock_message *reply;
        if (!intake_take(loop->requests, &in))
            return false;
        int code = control_answer(loop, sock_message_body(in.message),
                                  sock_message_bytes(in.message), in.reply, &reply);
        if (code == 0)
            sock_reply(in.reply, reply);
        else if (code != CONTROL_TAKEN)
            sock_give_up(in.reply);
        sock_message_free(in.message);
    }
    return true;
}

bool loop_work(void *arg)
{
    struct loop *loop = arg;
    bool more = loop_answer(loop);
    if (!journal_is_blocked(loop->journal))
        more |= turn_run(loop->turn, loop->frames, loop->engine, &loop->taps,
                         loop->conf->max_message_bytes);
    warm_run(loop->warm);
    return journal_work(loop->journal) || more;
}

void loop_on_replayed(uv_poll_t *poll, int status, int events)
{
    struct loop *loop = poll->data;
    (void)status, (void)events;
    replays_answer(loop->replays);
}

void loop_each_sock(struct loop *loop, void (*visit)(struct sock *sock, void *arg), void *arg)
{
    doors_each(&loop->doors, visit, arg);
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (loop->taps.list[i] != NULL)
            visit(loop->taps.list[i]->sock, arg);
}

/* ---- signals ----------------------------------------------------------------------------- */

void loop_on_signal(uv_signal_t *handle, int signal)
{
    struct loop *loop = handle->data;
    if (signal == SIGHUP && loop->phase == LOOP_RUNNING) {
        reload_by_signal(loop);
    } else if (signal != SIGHUP && loop->phase == LOOP_RUNNING) {
        loop_end_start(loop);
    } else if (signal != SIGHUP) {
        loop->interrupted = true;
        log_line(LOG_LEVEL_WARNING, "asked again: ending at once");
        loop_end_now(loop);
    }
}

/* ---- the tick ----------------------------------------------------------------------------- */

static void loop_probe(struct sock *sock, void *arg)
{
    struct loop *loop = arg;
    loop->n_reopened += sock_probe(sock);
}

/* Only while turns are made, if there is anything to make them of. */
static void loop_watchdog(struct loop *loop)
{
    uint64_t interval_ms = sd_watchdog_interval_ms();
    uint64_t now_ms = loop_now_ms(loop);
    if (interval_ms == 0 || now_ms - loop->watchdog_since_ms < interval_ms)
        return;
    bool busy = intake_level(loop->frames).n_messages > 0 && !journal_is_blocked(loop->journal) &&
                !engine_is_behind(loop->engine);
    if (busy && loop->turn->n_turns == loop->watchdog_turns)
        return;
    loop->watchdog_since_ms = now_ms;
    loop->watchdog_turns = loop->turn->n_turns;
    sd_watchdog();
}

static void loop_measure(struct loop *loop)
{
    uint64_t now_ms = loop_now_ms(loop);
    if (now_ms - loop->rate_since_ms < RATE_MS)
        return;
    uint64_t n_accepted = engine_counts(loop->engine)->n_accepted;
    loop->frames_per_second = (double)(n_accepted - loop->rate_accepted) * 1000.0 /
                              (double)(now_ms - loop->rate_since_ms);
    loop->rate_accepted = n_accepted;
    loop->rate_since_ms = now_ms;
    memory_trim();
}

static void loop_status(struct loop *loop)
{
    uint64_t now_ms = loop_now_ms(loop);
    if (now_ms - loop->status_since_ms < STATUS_MS)
        return;
    const struct engine_counts *counts = engine_counts(loop->engine);
    size_t n_subscribers = 0;
    for (size_t i = 0; i < TAPS_MAX; i++)
        n_subscribers += loop->taps.list[i] != NULL ? sock_n_peers(loop->taps.list[i]->sock) : 0;
    if (journal_is_blocked(loop->journal))
        sd_status("journal: %s; no frames are taken", journal_look(loop->journal).fault);
    else
        sd_status("%.0f frames/s, %zu streams, %zu subscribers", loop->frames_per_second,
                  engine_streams(loop->engine)->n, n_subscribers);
    if (counts->n_rejected != loop->warned_rejected)
        log_line(LOG_LEVEL_WARNING, "%llu frames rejected; `celltap status` shows why",
                 (unsigned long long)(counts->n_rejected - loop->warned_rejected));
    loop->warned_rejected = counts->n_rejected;
    loop->status_since_ms = now_ms;
}

void loop_on_tick(uv_timer_t *tick)
{
    struct loop *loop = tick->data;
    sd_tick(&loop->sd);
    place_tick(&loop->place);
    loop_watchdog(loop);
    journal_tick(loop->journal);
    warm_run(loop->warm);
    if (loop->phase != LOOP_RUNNING) {
        loop_end_tick(loop);
    } else {
        /* In this order: nng loses the memory of a connection that has just come to what closes. */
        taps_expire(&loop->taps, loop_now_ms(loop));
        loop_each_sock(loop, loop_probe, loop);
        intake_resume(loop->frames);
        intake_resume(loop->requests);
        loop_measure(loop);
        loop_status(loop);
    }
}

/* ---- the whole --------------------------------------------------------------------------- */

static void loop_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Sockets first: nng's threads call loop_wake until they are closed. */
static int loop_done(struct loop *loop)
{
    journal_stop(loop->journal);
    warm_stop(loop->warm);
    replays_stop(loop->replays);
    taps_done(&loop->taps);
    doors_close(&loop->doors);
    sock_tasks_free(loop->tasks);
    intake_free(loop->frames);
    intake_free(loop->requests);
    crew_free(loop->crew);
    if (loop->turn != NULL)
        turn_done(loop->turn);
    free(loop->turn);
    engine_free(loop->engine);
    uv_walk(&loop->uv, loop_close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    replays_free(loop->replays);
    journal_close(loop->journal);
    warm_free(loop->warm);
    wake_close(&loop->wake);
    int code = uv_loop_close(&loop->uv);
    if (code != 0)
        log_line(LOG_LEVEL_ERR, "the loop did not close: %s", uv_strerror(code));
    latency_put(loop->latency_fd);
    lock_put(loop->lock_fd);
    conf_free(loop->conf);
    free(loop);
    return code == 0 ? 0 : -1;
}

int loop_run(struct conf *conf)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL || uv_loop_init(&loop->uv) != 0) {
        log_line(LOG_LEVEL_ERR, "out of memory");
        free(loop);
        conf_free(conf);
        return -1;
    }
    loop->conf = conf;
    loop->lock_fd = loop->latency_fd = -1;
    int code = loop_start(loop);
    if (code == 0) {
        log_line(LOG_LEVEL_NOTICE, "ready: celltapd " CELLTAP_VERSION ", %zu model%s, %zu tap%s",
                 conf->n_models, conf->n_models == 1 ? "" : "s", conf->n_taps,
                 conf->n_taps == 1 ? "" : "s");
        sd_ready(&loop->sd);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        log_line(LOG_LEVEL_NOTICE, "ended");
    }
    if (loop_done(loop) != 0)
        code = -1;
    return code;
}
