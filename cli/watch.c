/* watch.c - celltap watch: a tap on the running daemon, printed as it comes.
 *
 *     tap --records--> board --20 times a second--> picture            on a terminal
 *                  \-> a line each (jsonl), or a line a unit (csv)     elsewhere
 *                   \-> lossless -/                                    with --lossless
 *         --scores, anomalies--> lines, for people or for programs
 *
 * happy path   open the tap -> wait for records, keys, time -> close the tap
 * q, ctrl-C    the same end; a signal ends the process afterwards as it would have
 * | head       a write that fails ends it quietly
 * lost         the daemon has gone for WATCH_LOST_NS: said, exit code 1 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/board.h"
#include "cli/cell.h"
#include "cli/command.h"
#include "cli/control.h"
#include "cli/digits.h"
#include "cli/json.h"
#include "cli/lossless.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/screen.h"
#include "cli/seqs.h"
#include "cli/stop.h"
#include "cli/tap.h"
#include "cli/verdict.h"

#define WATCH_PICTURE_NS 50000000   /* between two pictures */
#define WATCH_LOST_NS    5000000000 /* without a connection */
#define WATCH_LOOK_MS    200        /* between two looks at signals */
#define WATCH_A_TURN     256        /* messages between two looks at anything else */

enum watch_format { WATCH_TABLE, WATCH_JSONL, WATCH_CSV, WATCH_FORMAT_BY_STDOUT };

struct watch_options {
    const char *control, *stream, *layer, *tensor;
    uint64_t every, limit; /* limit 0: none */
    double duration_s;     /* 0: for ever */
    int format;            /* enum watch_format */
    bool scores, anomalies, lossless;
};

struct watch {
    const struct watch_options *options;
    struct tap_selection selection;
    struct tap *tap;                /* owned */
    struct lossless *lossless;      /* owned; NULL: holes stay */
    records_on_tensor on_tensor;    /* NULL: scores or anomalies */
    struct verdict_options verdict; /* of these */
    struct seqs seqs;               /* of lines */
    uint64_t n_records;             /* printed */
    bool is_full;                   /* as many as were asked for */
    uint64_t end_ns;

    struct board *board; /* owned; NULL: lines */
    char **tensors;      /* owned, ended by NULL: what Tab goes through; NULL: nothing */
    size_t tensor_ix;
    enum heat_mode mode;
    uint64_t next_picture_ns, connected_ns;
};

/* ---- lines --------------------------------------------------------------------------------- */

/* At a record's first tensor: counts it; false when there were enough before. */
static bool watch_begin(struct watch *watch, const struct celltap_record_view *record)
{
    if (watch->is_full)
        return false;
    if (!watch->board && !watch->lossless) /* which count by themselves */
        seqs_take(&watch->seqs, record->stream, record->stream_bytes, record->seq);
    return true;
}

/* Behind its last one. */
static void watch_end(struct watch *watch)
{
    watch->n_records++;
    watch->is_full = watch->n_records == watch->options->limit;
}

static bool watch_jsonl(void *arg, const struct celltap_record_view *record, size_t tensor_ix,
                        const char *name, size_t name_bytes, const float *values, size_t n_values)
{
    struct watch *watch = arg;
    if (tensor_ix == 0) {
        if (!watch_begin(watch, record))
            return false;
        fputs("{\"stream\": ", stdout);
        json_text(stdout, record->stream, record->stream_bytes);
        printf(", \"seq\": %" PRIu64 ", \"ts\": %" PRId64 ", \"layer\": ", record->seq,
               record->ts_ns);
        json_text(stdout, record->layer, record->layer_bytes);
        fputs(", \"tensors\": {", stdout);
    }
    fputs(tensor_ix ? ", " : "", stdout);
    json_text(stdout, name, name_bytes);
    fputs(": ", stdout);
    json_floats(stdout, values, n_values);
    if (tensor_ix + 1 == record->n_tensors) {
        fputs("}}\n", stdout);
        watch_end(watch);
    }
    return true;
}

static bool watch_csv(void *arg, const struct celltap_record_view *record, size_t tensor_ix,
                      const char *name, size_t name_bytes, const float *values, size_t n_values)
{
    struct watch *watch = arg;
    char number[DIGITS_MAX];
    if (tensor_ix == 0 && !watch_begin(watch, record))
        return false;
    for (size_t i = 0; i < n_values; i++) {
        cell_text(stdout, record->stream, record->stream_bytes);
        printf(",%" PRIu64 ",%" PRId64 ",", record->seq, record->ts_ns);
        cell_text(stdout, record->layer, record->layer_bytes);
        putchar(',');
        cell_text(stdout, name, name_bytes);
        digits_float(values[i], number);
        printf(",%zu,%s\n", i, number);
    }
    if (tensor_ix + 1 == record->n_tensors)
        watch_end(watch);
    return true;
}

/* ---- what the detectors say ---------------------------------------------------------------- */

static bool watch_verdict(void *arg, const unsigned char *map, const unsigned char *end)
{
    struct watch *watch = arg;
    struct celltap_token stream;
    if (watch->is_full)
        return false;
    if (watch->options->scores && celltap_map_find(map, end, "stream", &stream, NULL) == 0 &&
        stream.kind == CELLTAP_TOKEN_STR)
        seqs_take(&watch->seqs, (const char *)stream.bytes, stream.n_bytes,
                  control_count(map, end, "seq"));
    verdict_print(stdout, &watch->verdict, map, end);
    watch_end(watch);
    return true;
}

/* ---- the table ----------------------------------------------------------------------------- */

static bool watch_table(void *arg, const struct celltap_record_view *record, size_t tensor_ix,
                        const char *name, size_t name_bytes, const float *values, size_t n_values)
{
    struct watch *watch = arg;
    if (tensor_ix == 0 && !watch_begin(watch, record))
        return false;
    if (tensor_ix + 1 == record->n_tensors)
        watch_end(watch);
    return board_take(watch->board, record, name, name_bytes, values, n_values);
}

/* The whole picture in one write: a terminal shows no half of it. */
static void watch_picture(struct watch *watch)
{
    struct board_picture picture = {.mode = watch->mode,
                                    .tensor = watch->selection.tensors,
                                    .selected = watch->selection.streams,
                                    .can_tab =
                                        watch->tensors && watch->tensors[0] && watch->tensors[1]};
    char *text = NULL;
    size_t n_bytes;
    FILE *file = open_memstream(&text, &n_bytes);
    if (!file)
        return;
    screen_size(&picture.columns, &picture.lines);
    board_tick(watch->board, progress_now_ns());
    board_print(watch->board, &picture, file);
    fclose(file);
    fwrite(text, 1, n_bytes, stdout);
    fflush(stdout);
    free(text);
}

/* Another tensor: the daemon sends only what is shown, so it takes another tap. */
static int watch_next_tensor(struct watch *watch, char *ret_error)
{
    if (!watch->tensors || !watch->tensors[0])
        return 0;
    watch->tensor_ix = watch->tensors[watch->tensor_ix + 1] ? watch->tensor_ix + 1 : 0;
    watch->selection.tensors = watch->tensors[watch->tensor_ix];
    tap_close(watch->tap);
    watch->tap = NULL;
    board_restart(watch->board);
    return tap_open(watch->options->control, &watch->selection, &watch->tap, ret_error);
}

/* One key.  1: go on; 0: the end; -1. */
static int watch_key(struct watch *watch, enum screen_key key, char *ret_error)
{
    switch (key) {
    case SCREEN_QUIT:
        return 0;
    case SCREEN_TAB:
        return watch_next_tensor(watch, ret_error) < 0 ? -1 : 1;
    case SCREEN_UP:
    case SCREEN_DOWN:
        board_scroll(watch->board, key == SCREEN_UP ? -1 : 1);
        return 1;
    case SCREEN_LEFT:
    case SCREEN_RIGHT:
        board_next_stream(watch->board, key == SCREEN_LEFT ? -1 : 1);
        return 1;
    case SCREEN_NONE:
        break;
    }
    return 1;
}

static int watch_keys(struct watch *watch, char *ret_error)
{
    enum screen_key key;
    int code = 1;
    while (code > 0 && (key = screen_key()) != SCREEN_NONE)
        code = watch_key(watch, key, ret_error);
    watch->next_picture_ns = 0;
    return code;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static int watch_take_one(struct watch *watch, char *ret_error)
{
    if (!watch->on_tensor)
        return tap_take_maps(watch->tap, watch_verdict, watch, ret_error);
    return watch->lossless ? tap_take(watch->tap, lossless_on_tensor, watch->lossless, ret_error)
                           : tap_take(watch->tap, watch->on_tensor, watch, ret_error);
}

/* Takes what has come, but looks up now and then.  1, 0: enough, -1. */
static int watch_take(struct watch *watch, char *ret_error)
{
    int code = 1;
    for (unsigned i = 0; i < WATCH_A_TURN && code > 0 && !watch->is_full; i++)
        code = watch_take_one(watch, ret_error);
    if (!watch->board && (fflush(stdout) != 0 || ferror(stdout)))
        return 0; /* the reader has gone */
    return code < 0 ? -1 : !watch->is_full;
}

/* False once the daemon has been away for too long. */
static bool watch_is_connected(struct watch *watch, uint64_t now)
{
    if (tap_is_connected(watch->tap))
        watch->connected_ns = now;
    return now - watch->connected_ns < WATCH_LOST_NS;
}

static int watch_wait_ms(const struct watch *watch, uint64_t now)
{
    uint64_t until = now + (uint64_t)WATCH_LOOK_MS * 1000000;
    if (watch->board && watch->next_picture_ns < until)
        until = watch->next_picture_ns;
    if (watch->end_ns < until)
        until = watch->end_ns;
    return until > now ? (int)((until - now + 999999) / 1000000) : 0;
}

static bool watch_goes_on(void *arg)
{
    const struct watch *watch = arg;
    return !watch->is_full && !stop_asked() && !ferror(stdout) && progress_now_ns() < watch->end_ns;
}

/* One round: wait, take, look at keys, draw.  1: go on, 0: the end, -1. */
static int watch_round(struct watch *watch, char *ret_error)
{
    struct pollfd fds[] = {{.fd = tap_fd(watch->tap), .events = POLLIN},
                           {.fd = watch->board ? screen_key_fd() : -1, .events = POLLIN}};
    uint64_t now = progress_now_ns();
    int code = 1;
    poll(fds, 2, watch_wait_ms(watch, now));
    if ((fds[0].revents & POLLIN) && (code = watch_take(watch, ret_error)) <= 0)
        return code;
    if ((fds[1].revents & POLLIN) && (code = watch_keys(watch, ret_error)) <= 0)
        return code;
    if (watch->lossless && lossless_tick(watch->lossless, ret_error) < 0)
        return -1;
    if (watch->lossless)
        fflush(stdout); /* what was filled */
    now = progress_now_ns();
    if (watch->board && (screen_changed() || now >= watch->next_picture_ns)) {
        watch_picture(watch);
        watch->next_picture_ns = now + WATCH_PICTURE_NS;
    }
    if (!watch_is_connected(watch, now)) {
        snprintf(ret_error, CONTROL_ERROR_MAX, "the daemon has gone");
        return -1;
    }
    return watch_goes_on(watch);
}

static int watch_rounds(struct watch *watch, char *ret_error)
{
    double duration = watch->options->duration_s;
    uint64_t now = progress_now_ns();
    int code;
    watch->end_ns = duration > 0 && duration < 1e9 ? now + (uint64_t)(duration * 1e9) : UINT64_MAX;
    watch->connected_ns = now;
    if (watch->board)
        screen_open();
    else if (!watch->on_tensor)
        verdict_head(stdout, &watch->verdict);
    else if (watch->on_tensor == watch_csv)
        puts("stream,seq,ts,layer,tensor,unit,value");
    while ((code = watch_round(watch, ret_error)) > 0)
        ;
    screen_close();
    return code;
}

/* ---- the command --------------------------------------------------------------------------- */

static int watch_cannot_fill(void)
{
    say_error("--lossless is for activations: scores and anomalies are not replayed");
    return COMMAND_USAGE;
}

static int watch_choose_format(struct watch *watch, const struct watch_options *options)
{
    int format = options->format;
    bool there = screen_is_there();
    if (format == WATCH_FORMAT_BY_STDOUT)
        format = there && !options->lossless ? WATCH_TABLE : WATCH_JSONL;
    if (options->scores || options->anomalies) {
        if (options->lossless)
            return watch_cannot_fill();
        watch->verdict = (struct verdict_options){options->anomalies, format == WATCH_JSONL,
                                                  format == WATCH_CSV};
        return 0;
    }
    if (format != WATCH_TABLE) {
        watch->on_tensor = format == WATCH_JSONL ? watch_jsonl : watch_csv;
        return 0;
    }
    if (options->lossless) {
        say_error("the table shows the newest; use --lossless with --format jsonl or csv");
        return COMMAND_USAGE;
    }
    if (!there) {
        say_error("the table needs a terminal; use --format jsonl or csv");
        return COMMAND_USAGE;
    }
    watch->on_tensor = watch_table;
    watch->mode = heat_mode();
    watch->board = board_new(options->every);
    return watch->board ? 0 : COMMAND_FAILED;
}

static void watch_close(struct watch *watch)
{
    lossless_close(watch->lossless);
    tap_close(watch->tap);
    board_free(watch->board);
    seqs_done(&watch->seqs);
    for (size_t i = 0; watch->tensors && watch->tensors[i]; i++)
        free(watch->tensors[i]);
    free(watch->tensors);
}

static int watch_open(struct watch *watch, char *ret_error)
{
    const struct watch_options *options = watch->options;
    struct lossless_options lossless = {
        .control = options->control,
        .selection = &watch->selection,
        .on_tensor = watch->on_tensor,
        .goes_on = watch_goes_on,
        .arg = watch,
    };
    int code = tap_open(options->control, &watch->selection, &watch->tap, ret_error);
    if (code == 0 && options->lossless)
        code = lossless_open(&lossless, &watch->lossless, ret_error);
    return code;
}

static int watch_show(struct watch *watch)
{
    char error[CONTROL_ERROR_MAX], number[32];
    int code = watch_open(watch, error);
    if (code == 0) {
        if (watch->board && !watch->options->tensor)
            watch->tensors = tap_tensor_names(watch->tap);
        code = watch_rounds(watch, error);
    }
    if (code < 0 && !stop_asked())
        say_error("%s", error);
    uint64_t n_lost = watch->lossless ? lossless_n_unfilled(watch->lossless)
                      : watch->board  ? board_n_lost(watch->board)
                                      : watch->seqs.n_lost;
    if (n_lost)
        say_note("timesteps %s: %s",
                 watch->lossless ? "that could not be filled" : "missing between those that came",
                 progress_thousands(n_lost, number));
    return code < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int watch_run(int argc, char **argv)
{
    struct watch_options options = {
        .stream = "*", .layer = "*", .every = 1, .format = WATCH_FORMAT_BY_STDOUT};
    struct watch watch = {.options = &options};
    int code = opts_parse(&watch_command, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    if (options.scores && options.anomalies) {
        say_error("watch --scores or --anomalies, not both; start two");
        return COMMAND_USAGE;
    }
    if ((code = watch_choose_format(&watch, &options)) != 0)
        return code;
    watch.selection = (struct tap_selection){
        .kind = options.scores      ? "scores"
                : options.anomalies ? "anomalies"
                                    : "activations",
        .streams = options.stream,
        .layers = options.layer,
        .tensors = options.tensor ? options.tensor : "output",
        .every = options.every,
    };
    watch.seqs.every = options.every;
    stop_catch();
    code = watch_show(&watch);
    watch_close(&watch);
    fflush(stdout);
    stop_die();
    return code;
}

static const struct opts_row WATCH_ROWS[] = {
    {.name = "stream",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct watch_options, stream),
     .sentence = "these streams (all)"},
    {.name = "layer",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct watch_options, layer),
     .sentence = "these layers (all)"},
    {.name = "tensor",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct watch_options, tensor),
     .sentence = "these tensors (output)"},
    {.name = "scores",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct watch_options, scores),
     .sentence = "the detectors' scores instead"},
    {.name = "anomalies",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct watch_options, anomalies),
     .sentence = "what they have found instead"},
    {.name = "every",
     .kind = OPTS_COUNT,
     .value = "N",
     .offset = offsetof(struct watch_options, every),
     .sentence = "every Nth timestep alone (1)"},
    {.name = "limit",
     .kind = OPTS_COUNT,
     .value = "N",
     .offset = offsetof(struct watch_options, limit),
     .sentence = "end after N records"},
    {.name = "duration",
     .kind = OPTS_NUMBER,
     .value = "S",
     .offset = offsetof(struct watch_options, duration_s),
     .sentence = "end after S seconds"},
    {.name = "format",
     .kind = OPTS_CHOICE,
     .value = "table|jsonl|csv",
     .offset = offsetof(struct watch_options, format),
     .sentence = "table on a terminal, else jsonl"},
    {.name = "lossless",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct watch_options, lossless),
     .sentence = "fills holes from the journal"},
    OPTS_CONTROL(struct watch_options),
};

const struct command watch_command = {
    .name = "watch",
    .arguments = "",
    .sentence = "Units of layers, scores or anomalies, live.",
    .example = "  celltap watch --stream pump/1\n"
               "  celltap watch --anomalies --format table\n",
    .rows = WATCH_ROWS,
    .n_rows = sizeof WATCH_ROWS / sizeof *WATCH_ROWS,
    .run = watch_run,
};
