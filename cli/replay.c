/* replay.c - celltap replay: any past timestep of a stream again, bit for bit, from the journal.
 *
 *     running daemon --replay_far--> records --rows--> DIR/<layer>/<tensor>    as extract writes them
 *     journal --celltap_replay--> panel --rows--/                              --journal
 *                  \--another model--> panel --> the differences               --model, --diff
 *     either of them --replay_scores--> csv                                    --scores
 *
 * A journal is read where it lies, also while a daemon writes it; nothing of it is changed.
 * Constant memory however long the range.  Nothing is to be seen in DIR until all of it is. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/csv_value.h"
#include "cli/diagnose.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/replay_far.h"
#include "cli/replay_scores.h"
#include "cli/say.h"
#include "cli/stop.h"
#include "lib/celltap_journal.h"

#define REPLAY_PATH_MAX    4096
#define REPLAY_ROWS_A_LOOK 64
#define REPLAY_JOURNAL     "/var/lib/celltap/journal"

struct replay_options {
    const char *output, *layers, *tensors, *journal, *model, *control;
    int format; /* enum sink_format */
    bool diff, scores;
};

/* Of one tensor, over all timesteps. */
struct replay_diff {
    double largest, sum;
    uint64_t largest_seq;
};

struct replay {
    const struct replay_options *options;
    char directory[REPLAY_PATH_MAX];
    celltap_model *other;    /* ref; NULL: none is given */
    celltap_replay *past;    /* owned */
    celltap_replay *second;  /* owned; of --diff: with the other model */
    struct replay_far *far;  /* owned; NULL: the journal is read here */
    struct control *control; /* owned; of --scores: the same */
    celltap_model *model;    /* ref: that of the first timestep, whose names the rows have */
    uint64_t model_hash;     /* of the same; the journal's reader may have loaded it anew since */
    struct rows rows;
    struct replay_diff *diffs; /* owned, [rows.n] */
};

/* ---- what is asked for --------------------------------------------------------------------- */

/* One end of a range: empty, a seq, or a time.  0 or -1. */
static int replay_end(const char *text, size_t n_bytes, struct celltap_replay_options *options,
                      uint64_t *seq, int64_t *ts, bool *ret_time)
{
    char number[32];
    if (n_bytes == 0)
        return 0;
    if (strspn(text, "0123456789") >= n_bytes && n_bytes < sizeof number) {
        snprintf(number, sizeof number, "%.*s", (int)n_bytes, text);
        *seq = strtoull(number, NULL, 10);
        return 0;
    }
    *ret_time = options->by_time = true;
    return csv_date(text, n_bytes, ts) == CSV_VALUE ? 0 : -1;
}

static int replay_range(const char *text, struct celltap_replay_options *ret_options)
{
    const char *dots = strstr(text, "..");
    bool time_from = false, time_to = false;
    ret_options->from_seq = 0;
    ret_options->to_seq = UINT64_MAX;
    ret_options->from_ts = INT64_MIN;
    ret_options->to_ts = INT64_MAX;
    if (dots == NULL ||
        replay_end(text, (size_t)(dots - text), ret_options, &ret_options->from_seq,
                   &ret_options->from_ts, &time_from) != 0 ||
        replay_end(dots + 2, strlen(dots + 2), ret_options, &ret_options->to_seq,
                   &ret_options->to_ts, &time_to) != 0 ||
        (time_from != time_to && dots != text && dots[2] != '\0')) {
        say_error("\"%s\" is no range; write 100..200 (seq), or 2024-05-01T10:00:00..2024-05-01T"
                  "11:00:00 (UTC); either end may be left out",
                  text);
        return -1;
    }
    if (ret_options->from_seq > ret_options->to_seq || ret_options->from_ts > ret_options->to_ts) {
        say_error("the range \"%s\" ends before it begins", text);
        return -1;
    }
    return 0;
}

/* --journal, or where the running daemon has it, or the default. */
static void replay_directory(struct replay *replay)
{
    char error[CONTROL_ERROR_MAX];
    struct control *control = NULL;
    struct control_reply reply;
    struct celltap_token token;
    const unsigned char *at;
    const struct replay_options *options = replay->options;
    snprintf(replay->directory, sizeof replay->directory, "%s",
             options->journal != NULL ? options->journal : REPLAY_JOURNAL);
    if (options->journal != NULL || control_open(options->control, &control, error) < 0)
        return;
    control_begin(control, "status", 0);
    if (control_ask(control, &reply, error) == 0 &&
        celltap_map_find(reply.map, reply.end, "journal", &token, &at) == 0 &&
        token.kind == CELLTAP_TOKEN_MAP)
        control_text(at, reply.end, "directory", replay->directory, sizeof replay->directory);
    control_close(control);
}

/* Opens the journal, and with --diff a second time with the other model. */
static int replay_open(struct replay *replay, struct celltap_replay_options *wanted)
{
    struct celltap_journal_error error;
    struct celltap_diagnosis why;
    const struct replay_options *options = replay->options;
    if (options->model != NULL && diagnose_load(options->model, &replay->other, &why) < 0) {
        diagnose_say(options->model, &why);
        return COMMAND_FAILED;
    }
    replay_directory(replay);
    wanted->directory = replay->directory;
    wanted->model = options->diff ? NULL : replay->other;
    int code = celltap_replay_open(wanted, &replay->past, &error);
    if (code == 0 && options->diff) {
        wanted->model = replay->other;
        code = celltap_replay_open(wanted, &replay->second, &error);
    }
    if (code == 0)
        return 0;
    if (options->journal == NULL)
        say_error("--model reads the journal itself, and cannot: %s; run it on the daemon's host "
                  "as a user who may read it, or give --journal DIR",
                  error.text);
    else
        say_error("%s", error.text);
    return COMMAND_FAILED;
}

static void replay_close(struct replay *replay)
{
    rows_close(&replay->rows);
    replay_far_free(replay->far);
    control_close(replay->control);
    free(replay->diffs);
    celltap_replay_close(replay->past);
    celltap_replay_close(replay->second);
    celltap_model_unref(replay->model);
    celltap_model_unref(replay->other);
}

/* ---- timesteps ----------------------------------------------------------------------------- */

/* At the first timestep the model is known. */
static int replay_begin(struct replay *replay, const struct celltap_replay_step *step,
                        char *ret_error)
{
    const struct replay_options *options = replay->options;
    replay->model = celltap_model_ref(step->model);
    replay->model_hash = step->model_hash;
    if (select_tensors(step->model, options->layers, options->tensors, &replay->rows.tensors,
                       &replay->rows.n, ret_error) < 0)
        return -1;
    replay->diffs = calloc(replay->rows.n + 1, sizeof *replay->diffs);
    if (!replay->diffs) {
        snprintf(ret_error, SINK_ERROR_MAX, "out of memory");
        return -1;
    }
    return rows_open(&replay->rows, ret_error);
}

/* The tensor of the same layer, name and size in another model; NULL: there is none. */
static const float *replay_counterpart(const struct celltap_replay_step *step,
                                       const struct select_tensor *tensor)
{
    for (size_t i = 0; i < celltap_model_n_layers(step->model); i++) {
        if (strcmp(celltap_layer_name(step->model, i), tensor->layer) != 0)
            continue;
        for (size_t j = 0; j < celltap_layer_n_tensors(step->model, i); j++)
            if (strcmp(celltap_tensor_name(step->model, i, j), tensor->tensor) == 0 &&
                celltap_tensor_size(step->model, i, j) == tensor->n_values)
                return celltap_panel_tensor(step->panel, 0, i, j);
    }
    return NULL;
}

static void replay_compare(struct replay *replay, const struct celltap_replay_step *other)
{
    const struct rows *rows = &replay->rows;
    for (size_t i = 0; i < rows->n; i++) {
        const float *theirs = replay_counterpart(other, &rows->tensors[i]);
        struct replay_diff *diff = &replay->diffs[i];
        for (size_t j = 0; theirs != NULL && j < rows->tensors[i].n_values; j++) {
            double difference = fabs((double)rows->values[i][j] - (double)theirs[j]);
            diff->sum += difference;
            if (difference > diff->largest || rows->n_rows == 0) {
                diff->largest = difference;
                diff->largest_seq = other->seq;
            }
        }
        if (theirs == NULL)
            diff->largest = -1;
    }
}

static int replay_step(struct replay *replay, const struct celltap_replay_step *step,
                       char *ret_error)
{
    struct celltap_journal_error error;
    struct celltap_replay_step other;
    struct rows *rows = &replay->rows;
    int code;
    if (!replay->model && replay_begin(replay, step, ret_error) < 0)
        return -1;
    if (step->model_hash != replay->model_hash) {
        rows_explain_change(rows, step->seq, ret_error);
        return -1;
    }
    for (size_t i = 0; i < rows->n; i++)
        rows->values[i] = celltap_panel_tensor(step->panel, 0, rows->tensors[i].layer_ix,
                                               rows->tensors[i].tensor_ix);
    if (replay->second != NULL) {
        do
            code = celltap_replay_next(replay->second, &other, &error);
        while (code == CELLTAP_REPLAY_ON || (code == 1 && other.seq < step->seq));
        if (code != 1) {
            snprintf(ret_error, SINK_ERROR_MAX, "%s: %s", replay->options->model,
                     code < 0 ? error.text : "the journal ends before it");
            return -1;
        }
        replay_compare(replay, &other);
    }
    return rows_put(rows, step->seq, step->ts_ns, ret_error);
}

static void replay_show(struct replay *replay, struct progress *progress)
{
    uint64_t n_bytes, total;
    celltap_replay_progress(replay->past, &n_bytes, &total);
    progress->n_bytes = total;
    progress_show(progress, replay->rows.n_rows, n_bytes);
}

/* All timesteps.  0 or -1 with the reason ("": asked to stop). */
static int replay_all(struct replay *replay, char *ret_error)
{
    struct celltap_journal_error error;
    struct celltap_replay_step step;
    struct progress progress;
    int code = 0;
    progress_start(&progress, "timesteps", 1, PROGRESS_SILENT);
    while (!stop_asked()) {
        int got = celltap_replay_next(replay->past, &step, &error);
        if (got <= 0) {
            code = got;
            if (got < 0)
                snprintf(ret_error, SINK_ERROR_MAX, "%s", error.text);
            break;
        }
        if (got == 1 && (code = replay_step(replay, &step, ret_error)) < 0)
            break;
        if (got == CELLTAP_REPLAY_ON || replay->rows.n_rows % REPLAY_ROWS_A_LOOK == 0)
            replay_show(replay, &progress);
    }
    progress_clear(&progress);
    if (code == 0 && stop_asked()) {
        *ret_error = '\0';
        return -1;
    }
    if (code == 0 && replay->rows.n_rows > 0)
        code = rows_commit(&replay->rows, ret_error);
    return code;
}

/* ---- the command --------------------------------------------------------------------------- */

static void replay_print_diffs(const struct replay *replay)
{
    char layer[128], tensor[128];
    printf("%-24s %-10s %12s %12s %12s\n", "layer", "tensor", "largest", "at seq", "mean");
    for (size_t i = 0; i < replay->rows.n; i++) {
        const struct select_tensor *of = &replay->rows.tensors[i];
        const struct replay_diff *diff = &replay->diffs[i];
        double n = (double)replay->rows.n_rows * (double)of->n_values;
        say_clean(of->layer, strlen(of->layer), layer, sizeof layer);
        say_clean(of->tensor, strlen(of->tensor), tensor, sizeof tensor);
        if (diff->largest < 0)
            printf("%-24s %-10s %12s\n", layer, tensor, "not there");
        else
            printf("%-24s %-10s %12.6g %12" PRIu64 " %12.6g\n", layer, tensor, diff->largest,
                   diff->largest_seq, n > 0 ? diff->sum / n : 0);
    }
}

static int replay_report(const struct replay *replay, const char *stream, const char *range)
{
    char number[32];
    const struct rows *rows = &replay->rows;
    if (rows->n_rows == 0) {
        say_error("%s holds no timestep of %s in %s; celltap journal ls shows what it holds",
                  replay->far || replay->control ? "the daemon's journal" : replay->directory,
                  stream, range);
        return COMMAND_FAILED;
    }
    if (replay->options->scores)
        return COMMAND_OK; /* they have been told where they were written */
    if (replay->options->diff)
        replay_print_diffs(replay);
    printf("%s: %s timestep%s (seq %" PRIu64 "..%" PRIu64 "), %zu tensor%s\n",
           replay->options->output ? replay->options->output : stream,
           progress_thousands(rows->n_rows, number), rows->n_rows == 1 ? "" : "s", rows->first_seq,
           rows->last_seq, rows->n, rows->n == 1 ? "" : "s");
    return COMMAND_OK;
}

/* --scores, read here or asked for. */
static int replay_scores(struct replay *replay, const struct recall_range *range, char *ret_error)
{
    struct replay_scores from = {.past = replay->past, .range = *range};
    from.range.layers = from.range.tensors = "*";
    if (from.past == NULL &&
        control_open(replay->options->control, &replay->control, ret_error) < 0) {
        strncat(ret_error, "; or give --journal DIR", CONTROL_ERROR_MAX - strlen(ret_error) - 1);
        return -1;
    }
    from.control = replay->control;
    return replay_scores_run(&from, replay->options->output, &replay->rows.n_rows, ret_error);
}

/* Another model needs the frames themselves: the journal is read here then. */
static int replay_far_or_near(struct replay *replay, struct celltap_replay_options *wanted,
                              char *ret_error)
{
    const struct replay_options *options = replay->options;
    struct recall_range range = {
        .stream = wanted->stream,
        .layers = options->layers,
        .tensors = options->tensors,
        .from_seq = wanted->from_seq,
        .to_seq = wanted->to_seq,
        .by_time = wanted->by_time,
        .from_ts = wanted->from_ts,
        .to_ts = wanted->to_ts,
    };
    bool near = options->journal != NULL || options->model != NULL;
    int code = near ? replay_open(replay, wanted) : 0;
    if (code != 0)
        return code;
    if (options->scores)
        return replay_scores(replay, &range, ret_error);
    if (near)
        return replay_all(replay, ret_error);
    return replay_far_run(options->control, &range, &replay->rows, &replay->far, ret_error);
}

static int replay_check(const struct replay_options *options)
{
    if (options->diff && !options->model)
        say_error("--diff needs --model OTHER.onnx: what to compare with");
    else if (options->scores && options->model)
        say_error("--scores are those of the stream's own model: leave out --model");
    else if (!options->output && !options->diff && !options->scores)
        say_error("replay needs -o DIR: where the files go");
    else
        return 0;
    return COMMAND_USAGE;
}

static int replay_run(int argc, char **argv)
{
    struct replay_options options = {0};
    struct replay replay = {.options = &options};
    const char *arguments[2];
    char error[CONTROL_ERROR_MAX];
    int code = opts_parse(&replay_command, argc, argv, &options, arguments);
    if (code != OPTS_RUN)
        return code;
    struct celltap_replay_options wanted = {.files = celltap_files_posix(), .stream = arguments[0]};
    if ((code = replay_check(&options)) != 0)
        return code;
    if (replay_range(arguments[1], &wanted) != 0)
        return COMMAND_USAGE;
    replay.rows.output = options.output;
    replay.rows.format = (enum sink_format)options.format;
    stop_catch();
    code = replay_far_or_near(&replay, &wanted, error);
    if (code < 0) {
        code = COMMAND_FAILED;
        if (*error)
            say_error("%s; nothing was written", error);
    } else if (code == 0) {
        code = replay_report(&replay, arguments[0], arguments[1]);
    }
    replay_close(&replay);
    stop_die();
    return code;
}

static const struct opts_row REPLAY_ROWS[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTS_TEXT,
     .value = "DIR",
     .offset = offsetof(struct replay_options, output),
     .sentence = "where the files go"},
    {.name = "layer",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct replay_options, layers),
     .sentence = "these layers (all)"},
    {.name = "tensor",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct replay_options, tensors),
     .sentence = "these tensors (all)"},
    {.name = "format",
     .kind = OPTS_CHOICE,
     .value = SINK_FORMATS,
     .offset = offsetof(struct replay_options, format),
     .sentence = "of the files (npy)"},
    {.name = "journal",
     .kind = OPTS_TEXT,
     .value = "DIR",
     .offset = offsetof(struct replay_options, journal),
     .sentence = "reads this journal, without the daemon"},
    {.name = "model",
     .kind = OPTS_TEXT,
     .value = "FILE",
     .offset = offsetof(struct replay_options, model),
     .sentence = "through another model"},
    {.name = "diff",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct replay_options, diff),
     .sentence = "how far the other model is off"},
    {.name = "scores",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct replay_options, scores),
     .sentence = "the scores, as csv (-o FILE)"},
    OPTS_CONTROL(struct replay_options),
};

const struct command replay_command = {
    .name = "replay",
    .arguments = "STREAM FROM..TO -o DIR",
    .sentence = "Any past timestep of a stream again, bit for bit.",
    .example = "  celltap replay pump/7 1000..2000 -o out --tensor h,c\n"
               "  celltap replay pump/7 2024-05-01T10:00:00.. --model new.onnx --diff\n",
    .rows = REPLAY_ROWS,
    .n_rows = sizeof REPLAY_ROWS / sizeof *REPLAY_ROWS,
    .n_arguments = 2,
    .run = replay_run,
};
