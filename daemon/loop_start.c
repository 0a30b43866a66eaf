/* loop_start.c - everything that a loop needs, made in order.
 *
 *     lock --> models, engine --> journal read in --> handles --> sockets: taps, ingest, control
 *
 * A fault is logged by whoever noticed; what was made until then is closed by loop.c. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "daemon/journal.h"
#include "daemon/latency.h"
#include "daemon/lock.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/loop_state.h"
#include "daemon/memory.h"
#include "daemon/model_check.h"
#include "daemon/slice.h"
#include "daemon/tap_check.h"

#define QUEUE_MESSAGES   4096
#define QUEUE_BYTES      ((size_t)32 << 20) /* and one message of each socket */
#define REQUEST_MESSAGES 256
#define REQUEST_BYTES    ((size_t)1 << 20)

static void start_say_fault(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_LEVEL_ERR, "%s", text);
}

/* The built-in model for frames of a number of values that had not come before. */
static int start_size_born(void *arg, struct serving *serving)
{
    struct loop *loop = arg;
    char error[1024];
    if (taps_grow(&loop->taps, serving) != 0)
        return -1;
    if (loop->journal == NULL && !loop->conf->journal.off)
        return 0; /* it is being read; start_keep_models comes later */
    if (journal_keep(loop->journal, serving, error, sizeof(error)) != 0) {
        log_line(LOG_LEVEL_WARNING, "%s; frames of %zu values are rejected", error,
                 serving->n_channels);
        return -1;
    }
    serving_forget_file(serving);
    return 0;
}

/* -1, or LOOP_MISCONFIGURED. */
static int start_make_engine(struct loop *loop)
{
    const struct conf *conf = loop->conf;
    struct serving **servings;
    if (serving_load_all(conf, start_say_fault, NULL, &servings) != 0)
        return LOOP_MISCONFIGURED;
    model_check_log(conf, servings);
    tap_check_log(conf, servings);
    loop->engine = engine_new(servings, conf->n_models, conf->max_streams);
    if (loop->engine != NULL) {
        engine_set_births(loop->engine, &(struct engine_births){loop, start_size_born});
        return 0;
    }
    serving_free_all(servings, conf->n_models);
    log_line(LOG_LEVEL_ERR, "out of memory");
    return -1;
}

static int start_crew(struct loop *loop)
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

static int start_open_tap(struct loop *loop, const struct conf_tap *conf, struct sock_error *reterr)
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

static int start_open_socks(struct loop *loop)
{
    struct sock_error error = {"out of memory"};
    loop->tasks = sock_tasks_new();
    loop->frames = intake_new(QUEUE_MESSAGES, QUEUE_BYTES, loop_wake, loop);
    loop->requests = intake_new(REQUEST_MESSAGES, REQUEST_BYTES, loop_wake, loop);
    bool good = loop->frames != NULL && loop->requests != NULL;
    for (size_t i = 0; good && i < loop->conf->n_taps; i++)
        good = start_open_tap(loop, &loop->conf->taps[i], &error) == 0;
    if (good && doors_open(&loop->doors, loop->conf, loop->frames, loop->requests, &error) == 0)
        return 0;
    log_line(LOG_LEVEL_ERR, "%s", error.text);
    return -1;
}

static int start_open_uv(struct loop *loop)
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
static void start_raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Gives the models' files to the journal: also those that came with the streams that it had. */
static int start_keep_models(struct loop *loop)
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
static int start_journal(struct loop *loop)
{
    if (journal_open(loop->conf, loop->engine, &loop->journal) != 0 ||
        journal_start(loop->journal, &loop->uv, loop_wake, loop) != 0 ||
        start_keep_models(loop) != 0)
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

int loop_start(struct loop *loop)
{
    slice_init();
    memory_init((size_t)loop->conf->threads);
    signal(SIGPIPE, SIG_IGN);
    start_raise_limits();
    loop->taps.version = 1;
    loop->lock_fd = lock_take(loop->conf->runtime_dir);
    if (loop->lock_fd < 0)
        return -1;
    loop->latency_fd = latency_take(loop->conf->cpu_dma_latency_us);
    loop->turn = calloc(1, sizeof(*loop->turn));
    int code = loop->turn != NULL ? start_make_engine(loop) : -1;
    if (code != 0)
        return code;
    loop->warm = warm_new(loop->engine, &loop->uv, loop_wake, loop);
    if (loop->warm == NULL || start_crew(loop) != 0 || start_journal(loop) != 0 ||
        start_open_uv(loop) != 0 || start_open_socks(loop) != 0)
        return -1;
    place_init(&loop->place);
    uv_update_time(&loop->uv);
    loop->started_ms = loop->status_since_ms = loop->rate_since_ms = loop_now_ms(loop);
    return 0;
}
