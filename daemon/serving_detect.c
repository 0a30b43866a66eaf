/* serving_detect.c - what a model's detectors are made of, and whether they can be.
 *
 *     conf_detector, conf_forecast --> celltap_detector_options --tried on the model--> detector
 *     pump.onnx.statistics --read once--> what every stream begins with
 *
 * A model that nobody has asked to watch, and that cannot be, is left alone. */
#include "daemon/serving_detect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/serving_file.h"

#define DETECT_SUFFIX       ".statistics" /* of a file beside the model's */
#define DETECT_CLOCK_VALUES 2             /* inputs that the clock makes */

/* What is handed to the library, for as long as that takes. */
struct detect {
    struct serving *serving;
    struct celltap_detector_options options;
    size_t *horizons;          /* owned */
    unsigned char *statistics; /* owned: learnt before; NULL: there is a warm-up */
    size_t statistics_bytes;
};

/* ---- options ------------------------------------------------------------------------------ */

static int detect_horizons(struct detect *detect, const struct conf_spans *horizons)
{
    detect->horizons = calloc(horizons->n, sizeof(*detect->horizons));
    if (detect->horizons == NULL)
        return -1;
    for (size_t i = 0; i < horizons->n; i++)
        detect->horizons[i] = horizons->items[i].n_steps;
    detect->options.horizons = detect->horizons;
    detect->options.n_horizons = horizons->n;
    return 0;
}

static int detect_options(struct detect *detect)
{
    static const enum celltap_scale scales[] = {[CONF_SCALE_MODEL] = CELLTAP_SCALE_MODEL,
                                                [CONF_SCALE_LEARN] = CELLTAP_SCALE_LEARN,
                                                [CONF_SCALE_NONE] = CELLTAP_SCALE_NONE};
    static const enum celltap_history histories[] = {
        [CONF_HISTORY_CALM] = CELLTAP_HISTORY_CALM, [CONF_HISTORY_WARMUP] = CELLTAP_HISTORY_WARMUP};
    const struct conf_model *model = detect->serving->conf;
    const struct conf_detector *conf = &model->detector;
    const struct conf_forecast *forecast = &model->forecast;
    struct celltap_detector_options *options = &detect->options;
    celltap_detector_defaults(detect->serving->model, options);
    options->warmup = conf->warmup.n_steps;
    options->threshold = conf->threshold;
    options->level_state = conf->level_state;
    options->level_error = conf->level_error;
    if (conf->smooth_given)
        options->smooth = (double)conf->smooth.n_steps;
    if (conf->range_smooth_given)
        options->range_smooth = (double)conf->range_smooth.n_steps;
    if (conf->history != CONF_HISTORY_AUTO)
        options->history = histories[conf->history];
    options->refractory = (double)conf->refractory.n_steps;
    options->forget = (double)conf->forget.n_steps;
    options->clock = conf->clock == CONF_CLOCK_DAY ? CELLTAP_CLOCK_DAY : CELLTAP_CLOCK_NONE;
    options->missing =
        model->missing == CONF_MISSING_ZERO ? CELLTAP_MISSING_ZERO : CELLTAP_MISSING_HOLD;
    if (conf->scale != CONF_SCALE_AUTO)
        options->scale = scales[conf->scale];
    if (forecast->off)
        options->forecast = "none";
    else if (strcmp(forecast->output, "auto") != 0)
        options->forecast = forecast->output;
    return detect_horizons(detect, &forecast->horizons);
}

/* ---- statistics --------------------------------------------------------------------------- */

/* The file's name, to be freed; NULL: none is wanted, or (no_memory) none could be made. */
static char *detect_path(const struct conf_model *conf, bool *ret_must, bool *ret_no_memory)
{
    const char *path = conf->detector.statistics;
    char *made = NULL;
    bool is_auto = strcmp(path, "auto") == 0;
    *ret_must = !is_auto;
    *ret_no_memory = false;
    if (strcmp(path, "none") == 0 || (is_auto && conf_is_builtin(conf)))
        return NULL;
    *ret_no_memory =
        asprintf(&made, "%s%s", is_auto ? conf->file : path, is_auto ? DETECT_SUFFIX : "") < 0;
    return *ret_no_memory ? NULL : made;
}

/* 0, or an errno. */
static int detect_statistics(struct detect *detect, const char *path, bool must)
{
    if (path == NULL ||
        serving_file_read(path, &detect->statistics, &detect->statistics_bytes) == 0)
        return 0;
    return !must && errno == ENOENT ? 0 : errno;
}

/* ---- both --------------------------------------------------------------------------------- */

static int detect_fail(const struct serving *serving, const char *path, const char *why,
                       char *reterr, size_t reterr_bytes)
{
    snprintf(
        reterr, reterr_bytes,
        "model %s: %s: %s; save it anew with `celltap score --save`, or say `statistics: none`",
        serving->conf->name, path, why);
    return -1;
}

static int detect_make(struct detect *detect, const char *path, char *reterr, size_t reterr_bytes)
{
    struct celltap_diagnosis why = {"", "out of memory"};
    struct serving *serving = detect->serving;
    int code = celltap_journal_detector_new(serving->model, &detect->options, detect->statistics,
                                            detect->statistics_bytes, &serving->watch, &why);
    if (code == CELLTAP_EINVAL && serving->conf->watch == CONF_WATCH_IF_POSSIBLE)
        return 0;
    if (code == CELLTAP_ESTATE)
        return detect_fail(serving, path, why.text, reterr, reterr_bytes);
    if (code != 0) {
        snprintf(reterr, reterr_bytes, "model %s: detector: %s", serving->conf->name, why.text);
        return -1;
    }
    serving->detector = celltap_journal_detector_options(serving->watch);
    if (serving->detector->clock != CELLTAP_CLOCK_NONE)
        serving->n_channels -= DETECT_CLOCK_VALUES;
    return 0;
}

/* Who says that the model forecasts is told if no output is one.  -1. */
static int detect_check_forecast(const struct serving *serving, char *reterr, size_t reterr_bytes)
{
    const struct conf_forecast *forecast = &serving->conf->forecast;
    size_t n = serving->n_channels, n_horizons = forecast->horizons.n;
    if (!forecast->given || forecast->off || strcmp(serving->detector->forecast, "none") != 0)
        return 0;
    if (conf_is_builtin(serving->conf))
        snprintf(reterr, reterr_bytes, "model %s: forecast: %s makes none; leave the key out",
                 serving->conf->name, serving->conf->file);
    else
        snprintf(reterr, reterr_bytes,
                 "model %s: forecast: no output has %zu values (%zu channels x %zu horizons); give "
                 "the `horizons` that it has, or leave the key out",
                 serving->conf->name, n * n_horizons, n, n_horizons);
    return -1;
}

int serving_detect_make(struct serving *serving, char *reterr, size_t reterr_bytes)
{
    bool must, no_memory;
    struct detect detect = {.serving = serving};
    serving->n_channels = serving->n_values;
    if (serving->conf->watch == CONF_WATCH_NO)
        return 0;
    char *path = detect_path(serving->conf, &must, &no_memory);
    int error = no_memory ? ENOMEM : detect_statistics(&detect, path, must), code = -1;
    if (error != 0)
        detect_fail(serving, path != NULL ? path : serving->conf->file, strerror(error), reterr,
                    reterr_bytes);
    else if (detect.statistics != NULL && detect.statistics_bytes == 0)
        detect_fail(serving, path, "it is empty", reterr, reterr_bytes);
    else if (detect_options(&detect) != 0)
        snprintf(reterr, reterr_bytes, "model %s: out of memory", serving->conf->name);
    else
        code = detect_make(&detect, path, reterr, reterr_bytes);
    if (code == 0 && serving->detector != NULL)
        code = detect_check_forecast(serving, reterr, reterr_bytes);
    free(detect.horizons);
    free(detect.statistics);
    free(path);
    return code;
}

void serving_detect_done(struct serving *serving)
{
    celltap_journal_detector_unref(serving->watch);
}
