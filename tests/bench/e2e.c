/* e2e.c - one end-to-end run: a producer, a running daemon, subscribers that check every record.
 *
 *     e2e MODEL INGEST_URL TAP_URL CONTROL_URL PID [name=number ...]
 *
 *     feeder --frames--> celltapd (PID) --records--> subscribers          in one line of JSON:
 *     at most `window` frames on their way, or        frames/s, CPU and memory of the daemon,
 *     `rate` frames/s whatever comes back             latency from frame sent to record received
 *
 * A round of warm-up makes the streams and is not measured; a run in which a record is missing,
 * comes twice, or has other bits than the library's ends with exit code 1.  Without subscribers the
 * daemon's own count of accepted frames is the end of the run. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/slice.h"
#include "daemon/sock.h"
#include "lib/celltap_wire.h"
#include "tests/bench/clock.h"
#include "tests/bench/e2e_check.h"
#include "tests/bench/e2e_feed.h"
#include "tests/bench/e2e_load.h"

#define E2E_CONNECT_S   10
#define E2E_WARM_FRAMES 10000

struct e2e {
    struct e2e_feed *feed;
    struct e2e_check *check;
    nng_socket control;
    const char *pid;
    size_t streams, frames, per_message, subscribers, window, rate, sampled, seqs;
};

static const struct e2e_option {
    const char *name;
    size_t offset, standard;
} e2e_options[] = {
    {"streams", offsetof(struct e2e, streams), 100},
    {"frames", offsetof(struct e2e, frames), 200000},
    {"per_message", offsetof(struct e2e, per_message), 64},
    {"subscribers", offsetof(struct e2e, subscribers), 1},
    {"window", offsetof(struct e2e, window), 2048}, /* 4 records each: a subscriber's queue holds
                                                       8192 messages if each is one */
    {"rate", offsetof(struct e2e, rate), 0},        /* frames/s; 0: as fast as they come back */
    {"sampled", offsetof(struct e2e, sampled), 1000},
    {"seqs", offsetof(struct e2e, seqs), 1}, /* 0: frames without seq, for a daemon that has been
                                                fed before */
};

static size_t *e2e_field(struct e2e *run, const struct e2e_option *option)
{
    return (size_t *)(void *)((char *)run + option->offset);
}

static bool e2e_parse(struct e2e *run, int n_words, char **words)
{
    size_t n_options = sizeof e2e_options / sizeof *e2e_options;
    for (size_t i = 0; i < n_options; i++)
        *e2e_field(run, &e2e_options[i]) = e2e_options[i].standard;
    for (int w = 0; w < n_words; w++) {
        size_t i = 0, n = strcspn(words[w], "=");
        while (i < n_options &&
               (strncmp(words[w], e2e_options[i].name, n) != 0 || e2e_options[i].name[n] != '\0'))
            i++;
        if (i == n_options || words[w][n] != '=')
            return false;
        *e2e_field(run, &e2e_options[i]) = strtoul(words[w] + n + 1, NULL, 10);
    }
    return run->streams > 0 && run->frames > 0 && run->per_message > 0;
}

/* ---- the daemon seen from outside ---------------------------------------------------------- */

/* User and system time of all its threads, in ns and not in ticks. */
static double e2e_cpu_s(const char *pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid((pid_t)atol(pid), &clock) != 0 || clock_gettime(clock, &used) != 0)
        exit(1);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* This program's own share: producer and subscribers. */
static double e2e_own_cpu_s(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

static double e2e_rss_mib(const char *pid)
{
    char path[64];
    long total = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%s/statm", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%ld %ld", &total, &resident) != 2)
        exit(1);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static uint64_t e2e_accepted(struct e2e *run)
{
    static const char request[] = "\x81\xa3"
                                  "cmd\xa6status";
    unsigned char *reply;
    size_t n_bytes;
    struct celltap_token token = {.uint = 0};
    char words[sizeof request];
    memcpy(words, request, sizeof request);
    if (nng_send(run->control, words, sizeof request - 1, 0) != 0 ||
        nng_recv(run->control, &reply, &n_bytes, NNG_FLAG_ALLOC) != 0 ||
        celltap_map_find(reply, reply + n_bytes, "accepted", &token, NULL) != 0) {
        fprintf(stderr, "e2e: the daemon does not say its status\n");
        exit(1);
    }
    nng_free(reply, n_bytes);
    return token.uint;
}

/* ---- a run --------------------------------------------------------------------------------- */

static void e2e_connect(struct e2e *run)
{
    double until = clock_now_s() + E2E_CONNECT_S;
    while (!e2e_check_connected(run->check)) {
        e2e_feed_warm(run->feed);
        usleep(20000);
        if (clock_now_s() > until) {
            fprintf(stderr, "e2e: a subscriber gets nothing\n");
            exit(1);
        }
    }
}

static void e2e_finish(struct e2e *run, uint64_t accepted_before)
{
    uint64_t n = e2e_feed_frames(run->feed);
    if (run->subscribers > 0) {
        if (e2e_check_wait(run->check, n))
            return;
        uint64_t have = e2e_check_frames(run->check);
        e2e_check_result(run->check);
        fprintf(stderr, "e2e: %llu of %llu frames have come back\n", (unsigned long long)have,
                (unsigned long long)n);
        exit(1);
    }
    while (e2e_accepted(run) - accepted_before < n)
        usleep(2000);
}

static void e2e_send(struct e2e *run, size_t n_frames, size_t rate)
{
    double due = clock_now_s();
    for (size_t left = n_frames; left > 0;) {
        size_t n = left < run->per_message ? left : run->per_message;
        uint64_t ahead = e2e_feed_frames(run->feed) + n;
        if (rate > 0) {
            due += (double)n / (double)rate;
            double wait_s = due - clock_now_s();
            if (wait_s > 0)
                usleep((useconds_t)(wait_s * 1e6));
        } else if (run->subscribers > 0 && ahead > run->window &&
                   !e2e_check_wait(run->check, ahead - run->window)) {
            return; /* e2e_finish says why */
        }
        e2e_feed_send(run->feed, n);
        left -= n;
    }
}

static int e2e_run(struct e2e *run)
{
    size_t n_warm = run->streams > E2E_WARM_FRAMES ? run->streams : E2E_WARM_FRAMES;
    uint64_t accepted = e2e_accepted(run);
    e2e_connect(run);
    e2e_send(run, n_warm, 0);
    e2e_finish(run, accepted);
    e2e_check_keep(run->check);
    double cpu_s = e2e_cpu_s(run->pid), own_s = e2e_own_cpu_s(), from = clock_now_s();
    e2e_send(run, run->frames, run->rate);
    e2e_finish(run, accepted);
    double took = clock_now_s() - from, n = (double)run->frames;
    cpu_s = e2e_cpu_s(run->pid) - cpu_s;
    own_s = e2e_own_cpu_s() - own_s;
    struct e2e_check_result result = e2e_check_result(run->check);
    printf("{\"streams\": %zu, \"subscribers\": %zu, \"per_message\": %zu, \"frames\": %zu, ",
           run->streams, run->subscribers, run->per_message, run->frames);
    printf("\"frames_per_s\": %.0f, \"cpu_us_per_frame\": %.3f, \"own_cpu_us_per_frame\": %.3f, ",
           n / took, cpu_s / n * 1e6, own_s / n * 1e6);
    printf("\"rss_mib\": %.1f, \"records\": %llu, \"messages\": %llu, \"bytes\": %llu, ",
           e2e_rss_mib(run->pid), (unsigned long long)result.n_records,
           (unsigned long long)result.n_messages, (unsigned long long)result.n_bytes);
    printf("\"compared\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
           (unsigned long long)result.n_compared, result.p50_us, result.p99_us, result.p999_us);
    return 0;
}

int main(int argc, char **argv)
{
    static struct e2e run;
    struct celltap_diagnosis why = {"", "cannot be loaded"};
    celltap_model *model;
    if (argc < 6 || !e2e_parse(&run, argc - 6, argv + 6)) {
        fprintf(stderr, "usage: e2e MODEL INGEST TAP CONTROL PID [name=number ...]\n");
        return 2;
    }
    if (celltap_model_load(argv[1], &model, &why) != 0) {
        fprintf(stderr, "e2e: %s: %s\n", argv[1], why.text);
        return 1;
    }
    struct e2e_check_options options = {.url = argv[3],
                                        .model = model,
                                        .n_subscribers = run.subscribers,
                                        .n_streams = run.streams,
                                        .n_sampled = run.sampled,
                                        .n_frames = run.frames};
    slice_init(); /* before nng's threads */
    /* Many subscribers check their records on several threads. */
    struct sock_tasks *tasks = run.subscribers > 1 ? NULL : sock_tasks_new();
    prctl(PR_SET_TIMERSLACK, 1UL); /* frames at a rate come evenly, not in pairs */
    run.pid = argv[5];
    run.feed = e2e_feed_new(argv[2], run.streams, celltap_model_n_values(model), run.per_message,
                            run.seqs != 0);
    if (run.feed == NULL || nng_req0_open(&run.control) != 0 ||
        nng_dial(run.control, argv[4], NULL, 0) != 0 ||
        (run.check = e2e_check_new(&options)) == NULL)
        return 1;
    int code = e2e_run(&run);
    e2e_feed_free(run.feed);
    e2e_check_free(run.check);
    nng_close(run.control);
    sock_tasks_free(tasks);
    celltap_model_unref(model);
    return code;
}
