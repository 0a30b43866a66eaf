/* serving_detect.c - what a model's detectors are made of, and whether they can be.
 *
 *     conf_detector, conf_forecast --> celltap_detector_options --tried on the model--> detector
 *     pump.onnx.statistics --read once--> statistics, which every stream begins with
 *
 * A model that nobody has asked to watch, and that cannot be, is left alone. */
#include "daemon/serving_detect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/serving_file.h"

#define DETECT_SUFFIX ".statistics" /* of a file beside the model's */

/* ---- options ------------------------------------------------------------------------------ */

static int detect_horizons(struct serving *serving, const struct conf_spans *horizons)
{
    serving->horizons = calloc(horizons->n, sizeof(*serving->horizons));
    if (serving->horizons == NULL)
        return -1;
    for (size_t i = 0; i < horizons->n; i++)
        serving->horizons[i] = horizons->items[i].n_steps;
    serving->options.horizons = serving->horizons;
    serving->options.n_horizons = horizons->n;
    return 0;
}

static int detect_options(struct serving *serving)
{
    static const enum celltap_scale scales[] = {[CONF_SCALE_MODEL] = CELLTAP_SCALE_MODEL,
                                                [CONF_SCALE_LEARN] = CELLTAP_SCALE_LEARN,
                                                [CONF_SCALE_NONE] = CELLTAP_SCALE_NONE};
    const struct conf_detector *conf = &serving->conf->detector;
    const struct conf_forecast *forecast = &serving->conf->forecast;
    struct celltap_detector_options *options = &serving->options;
    celltap_detector_defaults(serving->model, options);
    options->warmup = conf->warmup.n_steps;
    options->threshold = conf->threshold;
    options->level_state = conf->level_state;
    options->level_error = conf->level_error;
    options->smooth = (double)conf->smooth.n_steps;
    options->refractory = (double)conf->refractory.n_steps;
    options->forget = (double)conf->forget.n_steps;
    options->clock = conf->clock == CONF_CLOCK_DAY ? CELLTAP_CLOCK_DAY : CELLTAP_CLOCK_NONE;
    options->missing =
        serving->conf->missing == CONF_MISSING_ZERO ? CELLTAP_MISSING_ZERO : CELLTAP_MISSING_HOLD;
    if (conf->scale != CONF_SCALE_AUTO)
        options->scale = scales[conf->scale];
    if (forecast->off)
        options->forecast = "none";
    else if (strcmp(forecast->output, "auto") != 0)
        options->forecast = forecast->output;
    return detect_horizons(serving, &forecast->horizons);
}

/* ---- statistics --------------------------------------------------------------------------- */

static int detect_fail(const struct serving *serving, const char *path, const char *why,
                       char *reterr, size_t reterr_bytes)
{
    snprintf(
        reterr, reterr_bytes,
        "model %s: %s: %s; save it anew with `celltap score --save`, or say `statistics: none`",
        serving->conf->name, path, why);
    return -1;
}

static int detect_read(struct serving *serving, celltap_detector *detector, const char *path,
                       bool must, char *reterr, size_t reterr_bytes)
{
    if (serving_file_read(path, &serving->statistics, &serving->statistics_bytes) != 0) {
        if (!must && errno == ENOENT)
            return 0;
        return detect_fail(serving, path, strerror(errno), reterr, reterr_bytes);
    }
    if (celltap_detector_load(detector, serving->statistics, serving->statistics_bytes) == 0)
        return 0;
    return detect_fail(serving, path,
                       "not what was learnt with this model, its scale, clock and forecast", reterr,
                       reterr_bytes);
}

static int detect_statistics(struct serving *serving, celltap_detector *detector, char *reterr,
                             size_t reterr_bytes)
{
    const char *path = serving->conf->detector.statistics;
    char *beside;
    if (strcmp(path, "none") == 0 || (strcmp(path, "auto") == 0 && conf_is_builtin(serving->conf)))
        return 0;
    if (strcmp(path, "auto") != 0)
        return detect_read(serving, detector, path, true, reterr, reterr_bytes);
    if (asprintf(&beside, "%s" DETECT_SUFFIX, serving->conf->file) < 0)
        return detect_fail(serving, path, strerror(ENOMEM), reterr, reterr_bytes);
    int code = detect_read(serving, detector, beside, false, reterr, reterr_bytes);
    free(beside);
    return code;
}

/* ---- both --------------------------------------------------------------------------------- */

int serving_detect_make(struct serving *serving, char *reterr, size_t reterr_bytes)
{
    struct celltap_diagnosis why = {"", "out of memory"};
    celltap_detector *detector;
    serving->n_channels = serving->n_values;
    if (serving->conf->watch == CONF_WATCH_NO)
        return 0;
    int code = detect_options(serving);
    if (code == 0)
        code = celltap_detector_new(serving->model, &serving->options, &detector, &why);
    if (code == CELLTAP_EINVAL && serving->conf->watch == CONF_WATCH_IF_POSSIBLE)
        return 0;
    if (code != 0) {
        snprintf(reterr, reterr_bytes, "model %s: detector: %s", serving->conf->name, why.text);
        return -1;
    }
    serving->detector = &serving->options;
    serving->n_channels = celltap_detector_n_channels(detector);
    code = detect_statistics(serving, detector, reterr, reterr_bytes);
    celltap_detector_free(detector);
    return code;
}

void serving_detect_done(struct serving *serving)
{
    free(serving->horizons);
    free(serving->statistics);
}
