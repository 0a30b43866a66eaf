/* feed.c - celltap feed: plays a csv file into the daemon.
 *
 *     csv --series--> frames --batch--> PUSH: handed over, waiting while there is no room
 *                                       REQ:  one batch, its reply, the next (--ack)
 *
 * As fast as it goes, frames share messages; at a rate, those that are due go together.  From a
 * pipe, nothing waits for a batch to be full: when no further row is there, the batch goes.
 *
 * With --ack a frame's seq is its row's number, so that a batch whose reply was lost can be sent
 * again, and a whole file fed again, and nothing is applied twice. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/dial.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/series.h"
#include "cli/stop.h"
#include "lib/celltap_wire.h"

#define FEED_BATCH_BYTES  65536 /* of a message that holds more than one frame */
#define FEED_BATCH_FRAMES 512
#define FEED_ERRORS_SHOWN 5
#define FEED_TIMEOUT_S    10.0

struct feed_options {
    const char *dial, *stream, *rate;
    bool ack, reset;
    uint64_t seq; /* of the first row; 0: not given */
    double timeout_s;
    struct series_options series;
};

struct feed {
    const struct feed_options *options;
    struct series *series; /* owned */
    struct dial *dial;     /* owned */
    unsigned char *batch;  /* owned */
    struct celltap_writer writer;
    size_t batch_bytes, frame_bytes, n_batch;
    double rate; /* frames a second; 0: as fast as it goes */
    unsigned timeout_ms;
    uint64_t n_frames; /* handed over or answered */
    uint64_t n_accepted, n_duplicate, n_rejected;
    struct progress progress;
};

/* ---- opening ------------------------------------------------------------------------------- */

static int feed_check(struct feed *feed)
{
    const struct feed_options *options = feed->options;
    if (!options->dial || !options->stream) {
        say_error("feed needs --dial URL and --stream NAME; see celltap feed --help");
        return COMMAND_USAGE;
    }
    if (!celltap_stream_name_ok(options->stream, strlen(options->stream))) {
        say_error("--stream takes 1 to 255 bytes of [A-Za-z0-9._:/-], not \"%s\"", options->stream);
        return COMMAND_USAGE;
    }
    if (options->rate && strcmp(options->rate, "max") != 0 &&
        (!opts_number(options->rate, &feed->rate) || feed->rate <= 0)) {
        say_error("--rate takes frames per second, or max, not \"%s\"", options->rate);
        return COMMAND_USAGE;
    }
    feed->timeout_ms = (unsigned)(1000 * (options->timeout_s < 1e6 ? options->timeout_s : 1e6));
    return 0;
}

static void feed_on_wait(const char *url)
{
    say_note("waiting for a daemon at %s", url);
}

static int feed_open(struct feed *feed, const char *path)
{
    char error[CSV_ERROR_MAX];
    enum dial_kind kind = feed->options->ack ? DIAL_REQUEST : DIAL_PUSH;
    if (series_open(path, &feed->options->series, &feed->series, error) < 0 ||
        dial_open(kind, feed->options->dial, feed->timeout_ms, feed_on_wait, &feed->dial, error) <
            0) {
        if (!stop_asked())
            say_error("%s", error);
        return -1;
    }
    feed->frame_bytes =
        celltap_frame_bytes_max(strlen(feed->options->stream), series_n_values(feed->series));
    feed->batch_bytes = feed->frame_bytes > FEED_BATCH_BYTES ? feed->frame_bytes : FEED_BATCH_BYTES;
    feed->batch = malloc(feed->batch_bytes);
    if (!feed->batch) {
        say_error("out of memory");
        return -1;
    }
    feed->writer =
        (struct celltap_writer){.at = feed->batch, .end = feed->batch + feed->batch_bytes};
    progress_start(&feed->progress, "frames", csv_bytes_total(series_csv(feed->series)),
                   PROGRESS_LINES);
    return 0;
}

static void feed_close(struct feed *feed)
{
    dial_close(feed->dial);
    series_close(feed->series);
    free(feed->batch);
}

/* ---- replies ------------------------------------------------------------------------------- */

/* Shows the first errors of all, with the row they are about. */
static void feed_show_errors(struct feed *feed, const unsigned char *reply,
                             const unsigned char *end)
{
    const unsigned char *item = NULL;
    uint64_t first = feed->options->seq + feed->n_frames;
    char text[256];
    size_t n = control_items(reply, end, "errors", &item);
    for (size_t i = 0; i < n && feed->n_rejected + i < FEED_ERRORS_SHOWN; i++) {
        progress_clear(&feed->progress);
        say_error("seq %llu was rejected: %s",
                  (unsigned long long)(first + control_count(item, end, "index")),
                  control_text(item, end, "error", text, sizeof text));
        if (celltap_token_skip(&item, end) < 0)
            return;
    }
}

static int feed_ask(struct feed *feed, char *ret_error)
{
    const unsigned char *reply, *end;
    struct celltap_token token;
    size_t n_bytes;
    if (dial_ask(feed->dial, feed->batch, (size_t)(feed->writer.at - feed->batch), feed->timeout_ms,
                 &reply, &n_bytes, ret_error) < 0)
        return -1;
    end = reply + n_bytes;
    if (celltap_map_find(reply, end, "accepted", &token, NULL) < 0) {
        char text[512];
        control_text(reply, end, "error", text, sizeof text);
        snprintf(ret_error, CSV_ERROR_MAX, "%s: %s", feed->options->dial,
                 *text ? text : "the answer is not one to frames; is it an ingest of kind rep?");
        return -1;
    }
    feed_show_errors(feed, reply, end);
    feed->n_accepted += control_count(reply, end, "accepted");
    feed->n_duplicate += control_count(reply, end, "duplicate");
    feed->n_rejected += control_count(reply, end, "rejected");
    return 0;
}

/* ---- frames -------------------------------------------------------------------------------- */

static int feed_send(struct feed *feed, char *ret_error)
{
    int code = 0;
    if (feed->n_batch == 0)
        return 0;
    if (feed->options->ack)
        code = feed_ask(feed, ret_error);
    else
        code = dial_push(feed->dial, feed->batch, (size_t)(feed->writer.at - feed->batch),
                         feed->timeout_ms, ret_error);
    if (code < 0)
        return -1;
    feed->n_frames += feed->n_batch;
    feed->n_batch = 0;
    feed->writer.at = feed->batch;
    progress_show(&feed->progress, feed->n_frames, csv_bytes_read(series_csv(feed->series)));
    return 0;
}

static void feed_put(struct feed *feed, const struct series_row *row)
{
    uint64_t ix = feed->n_frames + feed->n_batch;
    struct celltap_frame frame = {
        .stream = feed->options->stream,
        .stream_bytes = strlen(feed->options->stream),
        .has_seq = feed->options->seq != 0,
        .seq = feed->options->seq + ix,
        .has_ts = row->has_ts,
        .ts_ns = row->ts_ns,
        .reset = feed->options->reset && ix == 0,
        .n_values = series_n_values(feed->series),
    };
    celltap_put_frame(&feed->writer, &frame, row->values);
    feed->n_batch++;
}

/* Frames that are due by now beyond those that went; waits until there is one. */
static uint64_t feed_due(const struct feed *feed)
{
    for (;;) {
        uint64_t now = progress_now_ns();
        double elapsed = (double)(now - feed->progress.started_ns) / 1e9;
        uint64_t due = (uint64_t)(elapsed * feed->rate) + 1;
        if (due > feed->n_frames || stop_asked())
            return due - feed->n_frames;
        uint64_t at =
            feed->progress.started_ns + (uint64_t)((double)feed->n_frames / feed->rate * 1e9);
        uint64_t wait = at > now ? at - now : 0;
        struct timespec pause = {(time_t)(wait / 1000000000), (long)(wait % 1000000000) + 1};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}

static bool feed_is_full(const struct feed *feed, uint64_t n_due)
{
    return feed->n_batch >= n_due || feed->n_batch >= FEED_BATCH_FRAMES ||
           (size_t)(feed->writer.end - feed->writer.at) < feed->frame_bytes;
}

/* All rows.  0 or -1, with the reason. */
static int feed_rows(struct feed *feed, char *ret_error)
{
    struct series_row row;
    uint64_t n_due = UINT64_MAX;
    int code = 1;
    while (code > 0 && !stop_asked()) {
        if (feed->rate > 0 && feed->n_batch == 0)
            n_due = feed_due(feed);
        if (feed_is_full(feed, n_due) || (feed->n_batch && series_must_wait(feed->series))) {
            if (feed_send(feed, ret_error) < 0)
                return -1;
            continue;
        }
        if ((code = series_read(feed->series, &row, ret_error)) > 0)
            feed_put(feed, &row);
    }
    if (stop_asked())
        return 0;
    char unused[CSV_ERROR_MAX]; /* rows before a bad one go all the same */
    if (feed_send(feed, code < 0 ? unused : ret_error) < 0)
        return -1;
    return code;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void feed_sum_up(const struct feed *feed)
{
    char frames[32], rate[32], accepted[32], duplicate[32], rejected[32];
    double seconds = progress_seconds(&feed->progress);
    printf("%s: %s frame%s in %.3g s, %s/s", feed->options->stream,
           progress_thousands(feed->n_frames, frames), feed->n_frames == 1 ? "" : "s", seconds,
           progress_thousands((uint64_t)((double)feed->n_frames / (seconds + 1e-9)), rate));
    if (feed->options->ack)
        printf("; %s accepted, %s duplicate, %s rejected",
               progress_thousands(feed->n_accepted, accepted),
               progress_thousands(feed->n_duplicate, duplicate),
               progress_thousands(feed->n_rejected, rejected));
    putchar('\n');
}

static int feed_play(struct feed *feed)
{
    char error[CSV_ERROR_MAX];
    int code = feed_rows(feed, error);
    if (code == 0 && !feed->options->ack)
        code = dial_drain(feed->dial, feed->timeout_ms, error);
    progress_clear(&feed->progress);
    if (code < 0 && !stop_asked())
        say_error("%s", error);
    feed_sum_up(feed);
    if (!feed->options->ack && dial_n_lost(feed->dial)) {
        say_error("the connection was lost meanwhile: frames may be missing; use --ack to be sure");
        return COMMAND_FAILED;
    }
    if (feed->n_duplicate && feed->n_accepted == 0)
        say_note("all of these seq were there already; to add rows behind them use --seq START");
    return code < 0 || feed->n_rejected ? COMMAND_FAILED : COMMAND_OK;
}

static int feed_run(int argc, char **argv)
{
    struct feed_options options = {.timeout_s = FEED_TIMEOUT_S};
    struct feed feed = {.options = &options};
    const char *path;
    int code = opts_parse(&feed_command, argc, argv, &options, &path);
    if (code != OPTS_RUN)
        return code;
    if (options.ack && options.seq == 0)
        options.seq = 1;
    if ((code = feed_check(&feed)) != 0)
        return code;
    stop_catch();
    code = feed_open(&feed, path) < 0 ? COMMAND_FAILED : feed_play(&feed);
    feed_close(&feed);
    fflush(stdout);
    stop_die();
    return code;
}

static const struct opts_row FEED_ROWS[] = {
    {.name = "dial",
     .kind = OPTS_TEXT,
     .value = "URL",
     .offset = offsetof(struct feed_options, dial),
     .sentence = "an ingest socket of the daemon"},
    {.name = "stream",
     .kind = OPTS_TEXT,
     .value = "NAME",
     .offset = offsetof(struct feed_options, stream),
     .sentence = "the stream the rows belong to"},
    {.name = "rate",
     .kind = OPTS_TEXT,
     .value = "HZ|max",
     .offset = offsetof(struct feed_options, rate),
     .sentence = "frames a second (max)"},
    {.name = "ack",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct feed_options, ack),
     .sentence = "URL is a rep socket: wait for every reply"},
    {.name = "seq",
     .kind = OPTS_COUNT,
     .value = "START",
     .offset = offsetof(struct feed_options, seq),
     .sentence = "seq of the first row (--ack: 1, else the daemon's)"},
    {.name = "reset",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct feed_options, reset),
     .sentence = "the states start afresh before the first row"},
    {.name = "timeout",
     .kind = OPTS_NUMBER,
     .value = "S",
     .offset = offsetof(struct feed_options, timeout_s),
     .sentence = "seconds to wait for the daemon (10)"},
    SERIES_OPTS(struct feed_options, series),
};

const struct command feed_command = {
    .name = "feed",
    .arguments = "DATA.csv --dial URL --stream NAME",
    .sentence = "Plays a csv file (- is stdin) into the daemon, a frame a row.",
    .example = "  celltap feed pump.csv --dial ipc:///run/celltap/ingest.ipc \\\n"
               "      --stream pump/1 --rate 100\n",
    .rows = FEED_ROWS,
    .n_rows = sizeof FEED_ROWS / sizeof *FEED_ROWS,
    .n_arguments = 1,
    .run = feed_run,
};
