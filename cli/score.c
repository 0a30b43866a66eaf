/* score.c - celltap score: how unusual is each row of a csv file, without a daemon.
 *
 *     csv --series--> values --step of a watched stream--> score --> a row of csv
 *
 * One pass over the file; memory for the rows of the warm-up.  A file given with -o appears when the
 * last row is through, or not at all. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/diagnose.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/scores_csv.h"
#include "cli/series.h"
#include "cli/stop.h"
#include "cli/whole.h"
#include "lib/celltap.h"

#define SCORE_BUILTIN      "builtin:reservoir"
#define SCORE_UNITS        32 /* of the built-in model */
#define SCORE_ROWS_A_LOOK  64 /* rows between two looks at the clock */
#define SCORE_HORIZONS_MAX 64

enum score_scale { SCORE_SCALE_AUTO, SCORE_SCALE_MODEL, SCORE_SCALE_LEARN, SCORE_SCALE_NONE };

enum score_history { SCORE_HISTORY_AUTO, SCORE_HISTORY_CALM, SCORE_HISTORY_WARMUP };

struct score_options {
    const char *output, *save, *load, *forecast, *horizons, *level;
    uint64_t warmup, units;
    double threshold, smooth, range_smooth, refractory, forget; /* NAN: the detector's own */
    int clock;                                                  /* enum celltap_clock */
    int scale;                                                  /* enum score_scale */
    int history;                                                /* enum score_history */
    int missing;                                                /* enum celltap_missing */
    struct series_options series;
};

struct score {
    const struct score_options *options;
    celltap_model *model;   /* ref */
    celltap_stream *stream; /* owned */
    celltap_panel *panel;   /* owned */
    struct series *series;  /* owned */
    struct whole out;
    int64_t ts_ns;
    uint64_t n_rows, n_alarms;
};

/* ---- before the first row ----------------------------------------------------------------- */

static int score_fail(const char *what, int code)
{
    say_error("%s: %s", what, celltap_strerror(code));
    return -1;
}

static size_t score_n_clock(const struct score *score)
{
    return score->options->clock == CELLTAP_CLOCK_DAY ? 2 : 0;
}

static int score_load_model(struct score *score, const char *path)
{
    struct celltap_diagnosis why;
    size_t n_columns = series_n_values(score->series), n_clock = score_n_clock(score);
    if (strcmp(path, SCORE_BUILTIN) == 0) {
        int code =
            celltap_model_reservoir(n_columns + n_clock, score->options->units, &score->model);
        if (code == CELLTAP_EINVAL)
            say_error("%s takes 1 to 4096 values (%zu here%s) and --units 1 to 1024", path,
                      n_columns, n_clock ? ", and the clock's two" : "");
        return code == CELLTAP_EINVAL || code == 0 ? code : score_fail(path, code);
    }
    if (diagnose_load(path, &score->model, &why) < 0) {
        diagnose_say(path, &why);
        return -1;
    }
    size_t n_values = celltap_model_n_values(score->model);
    if (n_columns + n_clock == n_values)
        return 0;
    char names[CSV_ERROR_MAX / 2];
    series_names(score->series, names, sizeof names);
    say_error("%s has %zu column%s of values (%s)%s, %s takes %zu; choose with --columns",
              csv_path(series_csv(score->series)), n_columns, n_columns == 1 ? "" : "s", names,
              n_clock ? " and the clock makes 2" : "", path, n_values);
    return -1;
}

/* "1,2,5" */
static int score_horizons(const char *text, size_t *ret_horizons, size_t *ret_n)
{
    char *end;
    for (*ret_n = 0; *text != '\0' && *ret_n < SCORE_HORIZONS_MAX; text = end) {
        ret_horizons[(*ret_n)++] = strtoul(text, &end, 10);
        if (end == text || (*end != ',' && *end != '\0'))
            break;
        end += *end == ',';
    }
    if (*text == '\0')
        return 0;
    say_error("--horizons are timesteps, as in 1,5,10");
    return -1;
}

/* "2,1.5": of the states and of the forecasts */
static int score_level(const char *text, double *ret_state, double *ret_error)
{
    char state[32];
    const char *comma = strchr(text, ',');
    size_t n = comma == NULL ? sizeof state : (size_t)(comma - text);
    if (n < sizeof state) {
        memcpy(state, text, n);
        state[n] = '\0';
        if (opts_number(state, ret_state) && opts_number(comma + 1, ret_error))
            return 0;
    }
    say_error("--level is two numbers, as in 2,1.5; 0: none");
    return -1;
}

/* Who gives horizons is told if no output is a forecast of them. */
static int score_check_forecast(const struct score *score, size_t n_horizons)
{
    celltap_detector *detector = celltap_stream_detector(score->stream);
    size_t n = celltap_detector_n_channels(detector);
    if (score->options->horizons == NULL ||
        strcmp(celltap_detector_get_options(detector)->forecast, "none") != 0)
        return 0;
    say_error("--horizons %s: the model has no output of %zu values (%zu columns x %zu horizons)",
              score->options->horizons, n * n_horizons, n, n_horizons);
    return -1;
}

static void score_number(double given, double *ret_wanted)
{
    if (!isnan(given))
        *ret_wanted = given;
}

static int score_watch(struct score *score)
{
    const struct score_options *options = score->options;
    struct celltap_detector_options wanted;
    struct celltap_diagnosis why = {"", ""};
    size_t horizons[SCORE_HORIZONS_MAX];
    celltap_detector_defaults(score->model, &wanted);
    wanted.warmup = options->warmup;
    score_number(options->threshold, &wanted.threshold);
    score_number(options->smooth, &wanted.smooth);
    score_number(options->range_smooth, &wanted.range_smooth);
    score_number(options->refractory, &wanted.refractory);
    score_number(options->forget, &wanted.forget);
    wanted.clock = (enum celltap_clock)options->clock;
    wanted.missing = (enum celltap_missing)options->missing;
    wanted.forecast = options->forecast;
    if (options->scale != SCORE_SCALE_AUTO)
        wanted.scale = (enum celltap_scale)(options->scale - SCORE_SCALE_MODEL);
    if (options->history != SCORE_HISTORY_AUTO)
        wanted.history = (enum celltap_history)(options->history - SCORE_HISTORY_CALM);
    if (options->horizons != NULL) {
        if (score_horizons(options->horizons, horizons, &wanted.n_horizons) < 0)
            return -1;
        wanted.horizons = horizons;
    }
    if (options->level != NULL &&
        score_level(options->level, &wanted.level_state, &wanted.level_error) < 0)
        return -1;
    if (celltap_stream_watch(score->stream, &wanted, &why) != 0) {
        say_error("%s", why.text);
        return -1;
    }
    return score_check_forecast(score, wanted.n_horizons);
}

/* A sidecar that an earlier run has saved: what it learnt is used, its last moment is not. */
static int score_load(struct score *score, const char *path)
{
    unsigned char *bytes = NULL;
    FILE *file = fopen(path, "rb");
    long n_bytes = -1;
    struct celltap_diagnosis why = {0};
    int code = CELLTAP_EFILE;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        n_bytes = ftell(file);
    if (n_bytes >= 0 && (bytes = malloc((size_t)n_bytes + 1)) != NULL) {
        rewind(file);
        if (fread(bytes, 1, (size_t)n_bytes, file) == (size_t)n_bytes)
            code = celltap_stream_learn(score->stream, bytes, (size_t)n_bytes, &why);
    }
    if (file != NULL)
        fclose(file);
    free(bytes);
    if (code < 0)
        say_error("--load %s: %s", path, *why.text != '\0' ? why.text : celltap_strerror(code));
    return code;
}

static int score_open(struct score *score, const char *model_path, const char *data_path)
{
    char error[CSV_ERROR_MAX];
    if (series_open(data_path, &score->options->series, &score->series, error) < 0) {
        say_error("%s", error);
        return -1;
    }
    if (score->options->clock == CELLTAP_CLOCK_DAY && !series_has_time(score->series)) {
        say_error("%s has no column with the time, which --clock day needs; see --time", data_path);
        return -1;
    }
    if (score_load_model(score, model_path) < 0)
        return -1;
    if (celltap_stream_new(score->model, &score->stream) < 0 ||
        celltap_panel_new(score->model, 1, &score->panel) < 0)
        return score_fail(model_path, CELLTAP_ENOMEM);
    if (score_watch(score) < 0 ||
        (score->options->load != NULL && score_load(score, score->options->load) < 0))
        return -1;
    if (whole_open(score->options->output, &score->out) == 0)
        return 0;
    say_error("%s: %s", score->options->output, strerror(errno));
    return -1;
}

static void score_close(struct score *score)
{
    whole_drop(&score->out);
    series_close(score->series);
    celltap_panel_free(score->panel);
    celltap_stream_free(score->stream);
    celltap_model_unref(score->model);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* 0, -1, or 1: nobody reads on. */
static int score_row(struct score *score, const struct series_row *row)
{
    if (row->has_ts)
        score->ts_ns = row->ts_ns;
    celltap_stream_at(score->stream, score->ts_ns);
    int code = celltap_step(score->panel, score->stream, row->values,
                            celltap_stream_n_values(score->stream));
    if (code < 0)
        return score_fail("the rows of the warm-up", code);
    const struct celltap_score *verdict = celltap_panel_score(score->panel, 0);
    score->n_rows++;
    score->n_alarms += verdict->begin;
    if (scores_csv_row(score->out.file, score->n_rows, row->has_ts, row->ts_ns, verdict) == 0)
        return 0;
    if (whole_is_unread(&score->out))
        return score->options->save ? 0 : 1;
    say_error("%s: %s", score->out.path, strerror(errno));
    return -1;
}

/* ---- after the last row ------------------------------------------------------------------- */

static int score_write(const char *path, const void *bytes, size_t n_bytes)
{
    struct whole file;
    if (whole_open(path, &file) == 0) {
        fwrite(bytes, 1, n_bytes, file.file);
        if (whole_commit(&file) == 0)
            return 0;
    }
    say_error("%s: %s", path, strerror(errno));
    return -1;
}

static int score_save(struct score *score)
{
    int learnt = celltap_stream_warm(score->stream); /* if there are no rows behind the warm-up */
    const celltap_detector *detector = celltap_stream_detector(score->stream);
    size_t n_bytes = celltap_detector_save_bytes(detector);
    void *bytes = learnt < 0 ? NULL : malloc(n_bytes);
    if (bytes == NULL)
        return score_fail(score->options->save, CELLTAP_ENOMEM);
    celltap_detector_save(detector, bytes);
    int code = score_write(score->options->save, bytes, n_bytes);
    free(bytes);
    return code;
}

static int score_commit(struct score *score)
{
    char number[32];
    bool is_stdout = whole_is_stdout(&score->out);
    const char *path = score->out.path;
    if (whole_commit(&score->out) < 0) {
        say_error("%s: %s", path, strerror(errno));
        return -1;
    }
    if (!is_stdout)
        printf("%s: %s timesteps, %" PRIu64 " alarm%s\n", path,
               progress_thousands(score->n_rows, number), score->n_alarms,
               score->n_alarms == 1 ? "" : "s");
    return 0;
}

/* Whether there was enough to learn from. */
static int score_check_end(struct score *score)
{
    if (score->options->load != NULL || score->n_rows >= score->options->warmup)
        return 0;
    say_note("celltap: %" PRIu64 " timesteps are fewer than the warm-up's %" PRIu64
             ": no scores; see --warmup",
             score->n_rows, score->options->warmup);
    if (score->options->save == NULL)
        return 0;
    say_error("%s: there is nothing to save before the warm-up is over", score->options->save);
    return -1;
}

static int score_rows(struct score *score)
{
    char error[CSV_ERROR_MAX];
    struct progress progress;
    struct series_row row;
    const struct csv *csv = series_csv(score->series);
    int code;
    scores_csv_head(score->out.file);
    progress_start(&progress, "timesteps", csv_bytes_total(csv), PROGRESS_SILENT);
    while ((code = series_read(score->series, &row, error)) > 0 && !stop_asked()) {
        int failed = score_row(score, &row);
        if (failed) {
            progress_clear(&progress);
            return failed < 0 ? -1 : 0;
        }
        if (score->n_rows % SCORE_ROWS_A_LOOK == 0)
            progress_show(&progress, score->n_rows, csv_bytes_read(csv));
    }
    progress_clear(&progress);
    if (stop_asked())
        return -1;
    if (code < 0) {
        say_error("%s", error);
        return -1;
    }
    if (score_check_end(score) < 0 || (score->options->save != NULL && score_save(score) < 0))
        return -1;
    return score_commit(score);
}

static int score_run(int argc, char **argv)
{
    struct score_options options = {.warmup = 750,
                                    .threshold = NAN,
                                    .smooth = NAN,
                                    .range_smooth = NAN,
                                    .refractory = NAN,
                                    .forget = NAN,
                                    .units = SCORE_UNITS};
    struct score score = {.options = &options};
    const char *arguments[2];
    int code = opts_parse(&score_command, argc, argv, &options, arguments);
    if (code != OPTS_RUN)
        return code;
    stop_catch();
    code = score_open(&score, arguments[0], arguments[1]) < 0 || score_rows(&score) < 0
               ? COMMAND_FAILED
               : COMMAND_OK;
    score_close(&score);
    stop_die();
    return code;
}

#define SCORE_TEXT(text, letter_, value_, sentence_)                                               \
    {                                                                                              \
        .name = #text, .letter = letter_, .kind = OPTS_TEXT, .value = value_,                      \
        .offset = offsetof(struct score_options, text), .sentence = sentence_                      \
    }

static const struct opts_row SCORE_ROWS[] = {
    SCORE_TEXT(output, 'o', "FILE", "where the scores go (standard output)"),
    {.name = "warmup",
     .kind = OPTS_COUNT,
     .value = "N",
     .offset = offsetof(struct score_options, warmup),
     .sentence = "timesteps to learn from (750)"},
    {.name = "threshold",
     .kind = OPTS_NUMBER,
     .value = "X",
     .offset = offsetof(struct score_options, threshold),
     .sentence = "score of an event (2.7)"},
    SCORE_TEXT(level, 0, "X,Y", NULL),
    {.name = "smooth",
     .kind = OPTS_NUMBER,
     .value = "N",
     .offset = offsetof(struct score_options, smooth),
     .sentence = "timesteps of smoothing (8; the reservoir 6)"},
    {.name = "range-smooth",
     .kind = OPTS_NUMBER,
     .value = "N",
     .offset = offsetof(struct score_options, range_smooth)},
    {.name = "history",
     .kind = OPTS_CHOICE,
     .value = "auto|calm|warmup",
     .offset = offsetof(struct score_options, history)},
    {.name = "refractory",
     .kind = OPTS_NUMBER,
     .value = "N",
     .offset = offsetof(struct score_options, refractory)},
    {.name = "forget",
     .kind = OPTS_NUMBER,
     .value = "N",
     .offset = offsetof(struct score_options, forget)},
    {.name = "missing",
     .kind = OPTS_CHOICE,
     .value = "hold|zero",
     .offset = offsetof(struct score_options, missing)},
    {.name = "clock",
     .kind = OPTS_CHOICE,
     .value = "none|day",
     .offset = offsetof(struct score_options, clock),
     .sentence = "two more inputs: the time of day"},
    {.name = "scale",
     .kind = OPTS_CHOICE,
     .value = "auto|model|learn|none",
     .offset = offsetof(struct score_options, scale),
     .sentence = "who scales the values"},
    SCORE_TEXT(forecast, 0, "OUTPUT", "which output predicts the values, or none"),
    SCORE_TEXT(horizons, 0, "N,N", "how many timesteps ahead (1)"),
    {.name = "units",
     .kind = OPTS_COUNT,
     .value = "H",
     .offset = offsetof(struct score_options, units),
     .sentence = "of builtin:reservoir (32)"},
    SCORE_TEXT(save, 0, "SIDECAR", "what has been learnt, for --load"),
    SCORE_TEXT(load, 0, "SIDECAR", "no warm-up: this was learnt before"),
    SERIES_OPTS(struct score_options, series),
};

const struct command score_command = {
    .name = "score",
    .arguments = "MODEL|builtin:reservoir DATA.csv",
    .sentence = "How unusual each row is, without a daemon: a csv row per timestep.",
    .example = "  celltap score builtin:reservoir pump.csv --clock day -o scores.csv\n",
    .rows = SCORE_ROWS,
    .n_rows = sizeof SCORE_ROWS / sizeof *SCORE_ROWS,
    .n_arguments = 2,
    .run = score_run,
};
