/* loop.c - the daemon from its configuration to its end, on one libuv loop.
 *
 *     wake (from nng's threads)  requests answered, then a turn; again while there is more
 *     tick (every 250 ms)        listeners probed, taps expired, watchdog, rates, status
 *     signals                    SIGHUP: reload      SIGTERM, SIGINT: end; twice: at once
 *
 * Happy path: lock, models, engine, sockets, taps, signals, READY; turns; SIGTERM: STOPPING, then as
 * loop_end.c says; sockets, handles and the loop are closed.  A fault at start: logged by whoever
 * noticed, what was opened is closed by loop_done, which takes a half-built loop. */
#include "daemon/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/journal.h"
#include "daemon/lock.h"
#include "daemon/log.h"
#include "daemon/loop_state.h"
#include "daemon/memory.h"
#include "daemon/reload.h"
#include "daemon/tap_check.h"

#define QUEUE_MESSAGES    4096
#define QUEUE_BYTES       ((size_t)32 << 20) /* and one message of each socket */
#define REQUEST_MESSAGES  256
#define REQUEST_BYTES     ((size_t)1 << 20)
#define REQUESTS_PER_PASS 32
#define STATUS_MS         5000
#define RATE_MS           1000

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

/* ---- work --------------------------------------------------------------------------------- */

/* On nng's threads. */
static void loop_wake(void *arg)
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

static bool loop_work(void *arg)
{
    struct loop *loop = arg;
    bool more = loop_answer(loop);
    if (!journal_is_blocked(loop->journal))
        more |= turn_run(loop->turn, loop->frames, loop->engine, &loop->taps,
                         loop->conf->max_message_bytes);
    warm_run(loop->warm);
    return journal_work(loop->journal) || more;
}

static void loop_on_replayed(uv_poll_t *poll, int status, int events)
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

static void loop_on_signal(uv_signal_t *handle, int signal)
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

static void loop_on_tick(uv_timer_t *tick)
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

/* ---- start -------------------------------------------------------------------------------- */

static void loop_say_fault(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_LEVEL_ERR, "%s", text);
}

/* The built-in model for frames of a number of values that had not come before. */
static int loop_size_born(void *arg, struct serving *serving)
{
    struct loop *loop = arg;
    char error[1024];
    if (taps_grow(&loop->taps, serving) != 0)
        return -1;
    if (loop->journal == NULL && !loop->conf->journal.off)
        return 0; /* it is being read; loop_keep_models comes later */
    if (journal_keep(loop->journal, serving, error, sizeof(error)) != 0) {
        log_line(LOG_LEVEL_WARNING, "%s; frames of %zu values are rejected", error,
                 serving->n_channels);
        return -1;
    }
    serving_forget_file(serving);
    return 0;
}

/* -1, or LOOP_MISCONFIGURED. */
static int loop_make_engine(struct loop *loop)
{
    const struct conf *conf = loop->conf;
    struct serving **servings;
    if (serving_load_all(conf, loop_say_fault, NULL, &servings) != 0)
        return LOOP_MISCONFIGURED;
    tap_check_log(conf, servings);
    loop->engine = engine_new(servings, conf->n_models, conf->max_streams);
    if (loop->engine != NULL) {
        engine_set_births(loop->engine, &(struct engine_births){loop, loop_size_born});
        return 0;
    }
    serving_free_all(servings, conf->n_models);
    log_line(LOG_LEVEL_ERR, "out of memory");
    return -1;
}

static int loop_start_crew(struct loop *loop)
{
    size_t n_threads = (size_t)loop->conf->threads;
    if (n_threads == 1)
        return 0;
    loop->turn->crew = loop->crew = crew_new(n_threads);
    if (loop->crew != NULL)
        return 0;
    log_line(LOG_LEVEL_ERR, "cannot start %zu threads; lower `threads`", n_threads - 1);
    return -1;
}

static int loop_open_tap(struct loop *loop, const struct conf_tap *conf, struct sock_error *reterr)
{
    size_t n_servings;
    struct serving *const *servings = engine_servings(loop->engine, &n_servings);
    struct tap *tap = tap_new(conf, servings, n_servings);
    if (tap != NULL && tap_open(tap, reterr) == 0 && sock_listen_commit(tap->sock, reterr) == 0 &&
        taps_add(&loop->taps, tap) == 0)
        return 0;
    tap_free(tap);
    return -1;
}

static int loop_open_socks(struct loop *loop)
{
    struct sock_error error = {"out of memory"};
    loop->tasks = sock_tasks_new();
    loop->frames = intake_new(QUEUE_MESSAGES, QUEUE_BYTES, loop_wake, loop);
    loop->requests = intake_new(REQUEST_MESSAGES, REQUEST_BYTES, loop_wake, loop);
    bool good = loop->frames != NULL && loop->requests != NULL;
    for (size_t i = 0; good && i < loop->conf->n_taps; i++)
        good = loop_open_tap(loop, &loop->conf->taps[i], &error) == 0;
    if (good && doors_open(&loop->doors, loop->conf, loop->frames, loop->requests, &error) == 0)
        return 0;
    log_line(LOG_LEVEL_ERR, "%s", error.text);
    return -1;
}

static int loop_open_uv(struct loop *loop)
{
    static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};
    uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    if (wake_open(&loop->wake, &loop->uv, loop_work, loop) != 0)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        if (uv_signal_start(&loop->signals[i], loop_on_signal, signals[i]) != 0)
            return -1;
    }
    return uv_timer_start(&loop->tick, loop_on_tick, SOCK_PROBE_MS, SOCK_PROBE_MS);
}

/* As many connections as the system grants. */
static void loop_raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Gives the models' files to the journal: also those that came with the streams that it had. */
static int loop_keep_models(struct loop *loop)
{
    char error[1024];
    size_t n;
    struct serving *const *servings = engine_servings(loop->engine, &n);
    for (struct serving *serving = NULL; (serving = serving_each(servings, n, serving)) != NULL;) {
        if (journal_keep(loop->journal, serving, error, sizeof(error)) != 0) {
            log_line(LOG_LEVEL_ERR, "%s", error);
            return -1;
        }
        serving_forget_file(serving);
    }
    return 0;
}

/* The journal first, so that READY means that the streams are where they were. */
static int loop_start_journal(struct loop *loop)
{
    if (journal_open(loop->conf, loop->engine, &loop->journal) != 0 ||
        journal_start(loop->journal, &loop->uv, loop_wake, loop) != 0 ||
        loop_keep_models(loop) != 0)
        return -1;
    loop->turn->journal = loop->journal;
    if (loop->journal == NULL)
        return 0;
    taps_set_replay(&loop->taps, &loop->conf->control_listen);
    loop->replays = replays_new(journal_directory(loop->journal));
    if (loop->replays == NULL)
        return -1;
    loop->replayed.data = loop;
    uv_poll_init(&loop->uv, &loop->replayed, replays_fd(loop->replays));
    return uv_poll_start(&loop->replayed, UV_READABLE, loop_on_replayed);
}

static int loop_start(struct loop *loop)
{
    memory_init((size_t)loop->conf->threads);
    signal(SIGPIPE, SIG_IGN);
    loop_raise_limits();
    loop->taps.version = 1;
    loop->lock_fd = lock_take(loop->conf->runtime_dir);
    if (loop->lock_fd < 0)
        return -1;
    loop->turn = calloc(1, sizeof(*loop->turn));
    int code = loop->turn != NULL ? loop_make_engine(loop) : -1;
    if (code != 0)
        return code;
    loop->warm = warm_new(loop->engine, &loop->uv, loop_wake, loop);
    if (loop->warm == NULL || loop_start_crew(loop) != 0 || loop_start_journal(loop) != 0 ||
        loop_open_uv(loop) != 0 || loop_open_socks(loop) != 0)
        return -1;
    place_init(&loop->place);
    uv_update_time(&loop->uv);
    loop->started_ms = loop->status_since_ms = loop->rate_since_ms = loop_now_ms(loop);
    return 0;
}

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
    loop->lock_fd = -1;
    int code = loop_start(loop);
    if (code == 0) {
        log_line(LOG_LEVEL_NOTICE, "ready: celltapd " CELLTAP_VERSION ", %zu models, %zu taps",
                 conf->n_models, conf->n_taps);
        sd_ready(&loop->sd);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        log_line(LOG_LEVEL_NOTICE, "ended");
    }
    if (loop_done(loop) != 0)
        code = -1;
    return code;
}
