/* detector.c - makes a detector for a model: what of it is watched, and the memory for that.
 *
 *     model --h and c of LSTM, GRU, RNN--> taps --> state view
 *           --an output of channels x horizons--> error view
 *
 * All that can fail, fails here. */
#include "lib/detect/detector.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/detect/real.h"
#include "lib/model/model.h"
#include "lib/model/reservoir.h"

#define DETECTOR_WARMUP_MAX  10000000
#define DETECTOR_HORIZON_MAX 100000 /* timesteps */
#define DETECTOR_VIEW_MAX    4096   /* numbers of a view: 32 MiB of float32 */
#define DETECTOR_LN2         0x1.62e42fefa39efp-1

static const size_t detector_one_ahead[] = {1};

void celltap_detector_defaults(const celltap_model *model,
                               struct celltap_detector_options *ret_options)
{
    bool is_reservoir = reservoir_is(model);
    *ret_options = (struct celltap_detector_options){
        .warmup = 750,
        .threshold = 2.7,
        .level_state = 2,
        .level_error = 1.5,
        .smooth = is_reservoir ? 6 : 8,
        .range_smooth = is_reservoir ? 20 : 1,
        .refractory = 100,
        .forget = 2000,
        .scale = is_reservoir ? CELLTAP_SCALE_LEARN : CELLTAP_SCALE_MODEL,
        .history = is_reservoir ? CELLTAP_HISTORY_WARMUP : CELLTAP_HISTORY_CALM,
    };
}

static int __attribute__((format(printf, 2, 3)))
detector_refuse(struct celltap_diagnosis *reterr, const char *format, ...)
{
    if (reterr != NULL) {
        va_list args;
        *reterr = (struct celltap_diagnosis){0};
        va_start(args, format);
        vsnprintf(reterr->text, sizeof reterr->text, format, args);
        va_end(args);
    }
    return CELLTAP_EINVAL;
}

/* ---- options ------------------------------------------------------------------------------ */

static int detector_check(const struct celltap_detector_options *options,
                          struct celltap_diagnosis *reterr)
{
    const struct {
        const char *name;
        double value, low, high;
    } rows[] = {
        {"warmup", (double)options->warmup, 32, DETECTOR_WARMUP_MAX},
        {"threshold", options->threshold, 0.1, 30},
        {"level_state", options->level_state, 0, 1e6},
        {"level_error", options->level_error, 0, 1e6},
        {"smooth", options->smooth, 1, 1e6},
        {"range_smooth", options->range_smooth, 1, 1e6},
        {"refractory", options->refractory, 1, 1e9},
        {"forget", options->forget, 2, 1e9},
        {"scale", options->scale, CELLTAP_SCALE_MODEL, CELLTAP_SCALE_NONE},
        {"clock", options->clock, CELLTAP_CLOCK_NONE, CELLTAP_CLOCK_DAY},
        {"missing", options->missing, CELLTAP_MISSING_HOLD, CELLTAP_MISSING_ZERO},
        {"history", options->history, CELLTAP_HISTORY_CALM, CELLTAP_HISTORY_WARMUP},
        {"n_horizons", (double)options->n_horizons, 0, DETECTOR_HORIZONS_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!(rows[i].value >= rows[i].low && rows[i].value <= rows[i].high))
            return detector_refuse(reterr, "%s is %.10g; it can be %.10g to %.10g", rows[i].name,
                                   rows[i].value, rows[i].low, rows[i].high);
    for (size_t i = 0; i < options->n_horizons; i++)
        if (options->horizons[i] <= (i ? options->horizons[i - 1] : 0) ||
            options->horizons[i] > DETECTOR_HORIZON_MAX)
            return detector_refuse(reterr, "horizons are timesteps ahead, 1 to %d, rising",
                                   DETECTOR_HORIZON_MAX);
    return 0;
}

/* ---- what is watched ---------------------------------------------------------------------- */

static bool detector_is_state(const struct model_layer *layer, const struct model_tensor *tensor)
{
    bool recurrent = strcmp(layer->kind, "LSTM") == 0 || strcmp(layer->kind, "GRU") == 0 ||
                     strcmp(layer->kind, "RNN") == 0;
    return recurrent && (strcmp(tensor->name, "h") == 0 ||
                         (strcmp(tensor->name, "c") == 0 && strcmp(layer->kind, "LSTM") == 0));
}

/* Fills ret_taps if it is not NULL; returns how many there are, and of how many numbers. */
static size_t detector_find_taps(const struct celltap_model *model, struct detector_tap *ret_taps,
                                 size_t *ret_d)
{
    size_t n = 0;
    *ret_d = 0;
    for (size_t i = 0; i < model->n_layers; i++)
        for (size_t j = 0; j < model->layers[i].n_tensors; j++) {
            const struct model_tensor *tensor = &model->layers[i].tensors[j];
            if (!detector_is_state(&model->layers[i], tensor))
                continue;
            if (ret_taps != NULL)
                ret_taps[n] = (struct detector_tap){
                    .layer_ix = i, .tensor_ix = j, .n = tensor->n, .at = tensor->at};
            *ret_d += tensor->n;
            n++;
        }
    return n;
}

/* What can be read at one go. */
static void detector_find_runs(struct detector_tap *taps, size_t n_taps)
{
    struct detector_tap *run = taps;
    for (size_t i = 0; i < n_taps; run->n_run += taps[i++].n)
        if (taps[i].at != run->at + run->n_run)
            run = &taps[i];
}

/* The output that forecasts: its index, *ret_d numbers (0: there is none). */
static int detector_find_forecast(struct celltap_detector *detector, size_t *ret_d,
                                  struct celltap_diagnosis *reterr)
{
    const struct celltap_model *model = detector->model;
    const struct model_layer *outputs = &model->layers[model->n_layers - 1];
    const char *name = detector->options.forecast;
    size_t wanted = detector->n_channels * detector->options.n_horizons;
    *ret_d = 0;
    if (name != NULL && strcmp(name, "none") == 0)
        return 0;
    for (size_t i = 0; i < outputs->n_tensors; i++) {
        const struct model_tensor *output = &outputs->tensors[i];
        if (name == NULL ? output->n != wanted || reservoir_is(model)
                         : strcmp(output->name, name) != 0)
            continue;
        if (output->n != wanted)
            return detector_refuse(
                reterr, "output %.100s has %zu values, not %zu channels x %zu horizons", name,
                output->n, detector->n_channels, detector->options.n_horizons);
        detector->forecast_ix = i;
        *ret_d = wanted;
        return 0;
    }
    return name == NULL ? 0 : detector_refuse(reterr, "the model has no output %.100s", name);
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Hands out parts of one allocation; counts only, while there is none. */
struct detector_cut {
    unsigned char *memory;
    size_t n_bytes;
};

static void *detector_take(struct detector_cut *cut, size_t n_items, size_t item_bytes)
{
    size_t at = cut->n_bytes;
    cut->n_bytes += (n_items * item_bytes + 15) & ~(size_t)15;
    return cut->memory == NULL ? NULL : cut->memory + at;
}

static size_t detector_d(const struct celltap_detector *detector, size_t view)
{
    return detector->views[view].d;
}

/* The parts of a detector, in `cut`. */
static void detector_lay(struct celltap_detector *detector, struct detector_cut *cut)
{
    size_t longest = 0;
    detector_take(cut, 1, sizeof *detector);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        size_t d = detector_d(detector, v);
        cut->n_bytes = (cut->n_bytes + ALLOC_ALIGN - 1) & ~(size_t)(ALLOC_ALIGN - 1);
        detector->views[v].whiten = detector_take(cut, view_n_whiten(d), sizeof(float));
        detector->views[v].mean = detector_take(cut, view_padded(d), sizeof(float));
        longest = view_padded(d) > longest ? view_padded(d) : longest;
    }
    detector->u = detector_take(cut, longest + VIEW_LANES, sizeof(float));
    detector->taps = detector_take(cut, detector->n_taps, sizeof(struct detector_tap));
    detector->channels = detector_take(cut, detector->n_channels, sizeof *detector->channels);
    detector->horizons = detector_take(cut, detector->options.n_horizons, sizeof(size_t));
    detector->rings = detector_take(cut, detector->n_rings, sizeof(float));
    detector->errors = detector_take(cut, detector_d(detector, CELLTAP_VIEW_ERROR), sizeof(float));
}

static void detector_lay_warm(const struct celltap_detector *detector, struct detector_cut *cut)
{
    struct detector_warm *warm = detector_take(cut, 1, sizeof *warm);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        size_t d = detector_d(detector, v);
        double *scatter = detector_take(cut, view_n_scatter(d), sizeof(double));
        double *mean = detector_take(cut, d, sizeof(double));
        double *delta = detector_take(cut, d, sizeof(double));
        if (warm != NULL)
            warm->views[v] = (struct view_warm){.mean = mean, .scatter = scatter, .delta = delta};
    }
}

struct detector_warm *detector_warm_new(const struct celltap_detector *detector)
{
    struct detector_cut cut = {.memory = alloc_new(1, detector->n_warm_bytes)};
    if (cut.memory != NULL)
        detector_lay_warm(detector, &cut);
    return (struct detector_warm *)(void *)cut.memory;
}

/* ---- life --------------------------------------------------------------------------------- */

void detector_forget_moment(struct celltap_detector *detector)
{
    for (size_t i = 0; i < detector->n_rings; i++)
        detector->rings[i] = NAN;
    for (size_t i = 0; i < detector_d(detector, CELLTAP_VIEW_ERROR); i++)
        detector->errors[i] = NAN;
    for (size_t i = 0; i < detector->n_channels; i++) {
        detector->channels[i].last = NAN;
        range_forget_moment(&detector->channels[i].range, detector->channels[i].mean);
    }
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        detector->views[v].s = 1;
        detector->views[v].g = 0;
        detector->views[v].is_high = false;
    }
    detector->memory = 0;
    detector->is_alarm = false;
    detector->n_quiet = DETECTOR_SKIP;
}

void detector_begin(struct celltap_detector *detector)
{
    for (size_t i = 0; i < detector->n_channels; i++) {
        detector->channels[i] = (struct detector_channel){0};
        range_init(&detector->channels[i].range);
    }
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        detector->views[v].level = 0;
    detector->phase =
        detector->options.scale == CELLTAP_SCALE_NONE ? CELLTAP_PHASE_LEARN : CELLTAP_PHASE_SCALE;
    detector->t = 0;
    detector_forget_moment(detector);
}

/* What there will be, in a struct of its own: sizes, not yet memory. */
static int detector_plan(celltap_model *model, const struct celltap_detector_options *options,
                         struct celltap_detector *ret_plan, struct celltap_diagnosis *reterr)
{
    *ret_plan = (struct celltap_detector){.model = model, .options = *options};
    size_t n_clock = options->clock == CELLTAP_CLOCK_NONE ? 0 : DETECTOR_CLOCK_INPUTS;
    int err = detector_check(options, reterr);
    if (err < 0)
        return err;
    if (options->horizons == NULL || options->n_horizons == 0) {
        ret_plan->options.horizons = detector_one_ahead;
        ret_plan->options.n_horizons = 1;
    }
    if (model->n_values <= n_clock)
        return detector_refuse(reterr, "with a clock the model needs at least 3 inputs, not %zu",
                               model->n_values);
    ret_plan->n_channels = model->n_values - n_clock;
    struct view *views = ret_plan->views;
    ret_plan->n_taps = detector_find_taps(model, NULL, &views[CELLTAP_VIEW_STATE].d);
    err = detector_find_forecast(ret_plan, &views[CELLTAP_VIEW_ERROR].d, reterr);
    if (err < 0)
        return err;
    if (views[CELLTAP_VIEW_ERROR].d == 0)
        ret_plan->options.n_horizons = 0;
    if (views[CELLTAP_VIEW_STATE].d + views[CELLTAP_VIEW_ERROR].d == 0)
        return detector_refuse(reterr, "the model has no recurrent layer and no forecast of its "
                                       "inputs: there is nothing to watch");
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        if (views[v].d > DETECTOR_VIEW_MAX)
            return detector_refuse(reterr, "%zu %s are more than the %d that can be watched",
                                   views[v].d, v == CELLTAP_VIEW_STATE ? "states" : "forecasts",
                                   DETECTOR_VIEW_MAX);
    for (size_t i = 0; i < ret_plan->options.n_horizons; i++)
        ret_plan->n_rings += ret_plan->options.horizons[i] * ret_plan->n_channels;
    return 0;
}

/* The name by which the forecast is found again. */
static const char *detector_forecast_name(const struct celltap_detector *detector)
{
    const struct model_layer *outputs = &detector->model->layers[detector->model->n_layers - 1];
    if (detector->views[CELLTAP_VIEW_ERROR].d == 0)
        return "none";
    return outputs->tensors[detector->forecast_ix].name;
}

void detector_judge_by(struct celltap_detector *detector,
                       const struct celltap_detector_options *options)
{
    struct celltap_detector_options *mine = &detector->options;
    mine->threshold = options->threshold;
    mine->level_state = options->level_state;
    mine->level_error = options->level_error;
    mine->refractory = options->refractory;
    mine->forget = options->forget;
    detector->fade = real_exp(-DETECTOR_LN2 / options->refractory);
}

int detector_new(celltap_model *model, const struct celltap_detector_options *options, bool lazy,
                 celltap_detector **ret_detector, struct celltap_diagnosis *reterr)
{
    struct celltap_detector plan;
    struct detector_cut cut = {0}, cut_warm = {0};
    size_t d;
    if (model == NULL || options == NULL || ret_detector == NULL)
        return detector_refuse(reterr, "a model and options are needed");
    int err = detector_plan(model, options, &plan, reterr);
    if (err < 0)
        return err;
    detector_lay(&plan, &cut);
    detector_lay_warm(&plan, &cut_warm);
    plan.n_bytes = cut.n_bytes;
    plan.n_warm_bytes = cut_warm.n_bytes;
    cut = (struct detector_cut){.memory = alloc_new(1, plan.n_bytes)};
    plan.warm = lazy ? NULL : detector_warm_new(&plan);
    if (cut.memory == NULL || (plan.warm == NULL && !lazy)) {
        alloc_free(cut.memory);
        alloc_free(plan.warm);
        detector_refuse(reterr, "out of memory");
        return CELLTAP_ENOMEM;
    }
    detector_lay(&plan, &cut);
    detector_find_taps(model, (struct detector_tap *)plan.taps, &d);
    detector_find_runs((struct detector_tap *)plan.taps, plan.n_taps);
    for (size_t i = 0; i < plan.options.n_horizons; i++)
        plan.horizons[i] = plan.options.horizons[i];
    plan.options.horizons = plan.horizons;
    plan.options.forecast = detector_forecast_name(&plan); /* the given text is the caller's */
    detector_judge_by(&plan, options);
    celltap_model_ref(model);
    detector_begin(&plan);
    *ret_detector = memcpy(cut.memory, &plan, sizeof plan);
    return 0;
}

int celltap_detector_new(celltap_model *model, const struct celltap_detector_options *options,
                         celltap_detector **ret_detector, struct celltap_diagnosis *reterr)
{
    return detector_new(model, options, false, ret_detector, reterr);
}

void celltap_detector_free(celltap_detector *detector)
{
    if (detector == NULL)
        return;
    celltap_model_unref(detector->model);
    alloc_free(detector->warm);
    alloc_free(detector);
}

int celltap_detector_reset(celltap_detector *detector)
{
    struct detector_warm *warm = detector_warm_new(detector);
    if (warm == NULL)
        return CELLTAP_ENOMEM;
    alloc_free(detector->warm);
    detector->warm = warm;
    detector_begin(detector);
    return 0;
}

void celltap_detector_resume(celltap_detector *detector)
{
    detector_forget_moment(detector);
}

int celltap_detector_tune(celltap_detector *detector,
                          const struct celltap_detector_options *options)
{
    struct celltap_detector like = *detector;
    detector_judge_by(&like, options);
    int err = detector_check(&like.options, NULL);
    if (err == 0)
        detector_judge_by(detector, options);
    return err;
}

const struct celltap_detector_options *
celltap_detector_get_options(const celltap_detector *detector)
{
    return &detector->options;
}

size_t celltap_detector_n_channels(const celltap_detector *detector)
{
    return detector->n_channels;
}

size_t celltap_detector_bytes(const celltap_detector *detector)
{
    return detector->n_bytes + (detector->warm == NULL ? 0 : detector->n_warm_bytes);
}
