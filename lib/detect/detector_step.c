/* detector_step.c - what the network gets, and the verdict on each timestep.
 *
 *     values --detector_input--> x --celltap_step--> panel --celltap_detector_step--> verdict
 *
 *     phase scale     values --> mean, deviation            at its end: rewind
 *           learn     values --> range;  views --> Welford  at its end: freeze, rewind
 *           level     views --> s --> histogram --> quantile, history
 *           score     views --> s --> tail --> g;  range --> g;  g --> refractory --> event
 *
 * Neither fails but for wrong arguments, nor allocates. */
#include <math.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/detect/detector.h"
#include "lib/detect/real.h"
#include "lib/kernel/kernel.h"
#include "lib/model/model.h"
#include "lib/stream/stream.h"

#define STEP_ERROR_CLIP   50.0  /* standard deviations */
#define STEP_RIDGE_STATE  1e-6  /* variance added to each state */
#define STEP_RIDGE_ERROR  1e-2  /* and to each error, in standard deviations squared */
#define STEP_ERROR_OFFSET 1.0   /* the error view's g counts that much less */
#define STEP_RISE         1.2   /* times what is remembered: what does not exceed that is old */
#define STEP_LEVEL_OFF    0.8   /* of where a level alarm begins, is where it ends */
#define STEP_LEVEL_SHARE  0.01  /* of the warm-up is above the quantile */
#define STEP_LEVEL_MIN    0.1   /* the quantile of sensors that do not move */
#define STEP_HISTORY      100.0 /* timesteps that the warm-up counts for: less than those to come */
#define STEP_LEVEL_TOP    7.0   /* log1p(s): the upper end of the quantile's histogram */
#define STEP_LOG10_E      0x1.bcb7b1526e50ep-2
#define STEP_DAY_NS       86400000000000

/* ---- values ------------------------------------------------------------------------------- */

static double step_deviation(const struct celltap_detector *detector,
                             const struct detector_channel *channel)
{
    double deviation = channel->deviation;
    if (detector->phase == CELLTAP_PHASE_SCALE)
        deviation = channel->n > 0 ? sqrt(deviation / (double)channel->n) : 0;
    return deviation > 0 ? deviation : 1;
}

/* A finite value in standard deviations from its mean. */
static inline double step_standard(const struct celltap_detector *detector,
                                   const struct detector_channel *channel, float value)
{
    if (detector->options.scale == CELLTAP_SCALE_NONE)
        return (double)value;
    return ((double)value - channel->mean) / step_deviation(detector, channel);
}

double detector_standard(const struct celltap_detector *detector, size_t channel_ix, float value)
{
    return isfinite(value) ? step_standard(detector, &detector->channels[channel_ix], value) : NAN;
}

static double step_clip(double x, double limit)
{
    return x > limit ? limit : x < -limit ? -limit : x;
}

void detector_hold(struct celltap_detector *detector, const float *values)
{
    for (size_t i = 0; i < detector->n_channels; i++)
        if (isfinite(values[i]))
            detector->channels[i].last = values[i];
}

/* What stands in for a value that is missing. */
static float step_missing(const struct celltap_detector *detector,
                          const struct detector_channel *channel)
{
    if (detector->options.missing == CELLTAP_MISSING_ZERO)
        return 0;
    return isnan(channel->last) ? (float)channel->mean : channel->last;
}

void celltap_detector_input(celltap_detector *detector, const float *values, int64_t ts_ns,
                            float *ret_x)
{
    for (size_t i = 0; i < detector->n_channels; i++) {
        struct detector_channel *channel = &detector->channels[i];
        float value = values[i];
        if (isfinite(value))
            channel->last = value;
        else
            value = step_missing(detector, channel);
        ret_x[i] = detector->options.scale == CELLTAP_SCALE_MODEL
                       ? value
                       : (float)step_clip(step_standard(detector, channel, value), DETECTOR_CLIP);
    }
    if (detector->options.clock == CELLTAP_CLOCK_DAY) {
        double wave[DETECTOR_CLOCK_INPUTS];
        int64_t of_day = (ts_ns % STEP_DAY_NS + STEP_DAY_NS) % STEP_DAY_NS;
        real_turn((double)of_day / STEP_DAY_NS, &wave[0], &wave[1]);
        for (size_t i = 0; i < DETECTOR_CLOCK_INPUTS; i++)
            ret_x[detector->n_channels + i] = (float)wave[i];
    }
}

/* ---- the views' vectors ------------------------------------------------------------------- */

/* In standard deviations.  A model that scales its inputs forecasts them as they come, another one
 * what it was given. */
static double step_error(const struct celltap_detector *detector, size_t channel_ix, float value,
                         float made)
{
    if (detector->options.scale == CELLTAP_SCALE_MODEL)
        return ((double)value - (double)made) /
               step_deviation(detector, &detector->channels[channel_ix]);
    return detector_standard(detector, channel_ix, value) - (double)made;
}

/* The errors of the forecasts that come true now; then the new forecasts take their places. */
static void step_forecasts(struct celltap_detector *detector, const float *column,
                           const float *values)
{
    const struct celltap_model *model = detector->model;
    const struct model_layer *outputs = &model->layers[model->n_layers - 1];
    const float *forecast = column + outputs->tensors[detector->forecast_ix].at;
    float *ring = detector->rings, *error = detector->errors;
    size_t n = detector->n_channels;
    for (size_t h = 0; h < detector->options.n_horizons; h++) {
        float *place = ring + detector->t % detector->horizons[h] * n;
        for (size_t i = 0; i < n; i++) {
            double e = step_error(detector, i, values[i], place[i]);
            error[h * n + i] = isfinite(e) ? (float)step_clip(e, STEP_ERROR_CLIP) : NAN;
            place[i] = forecast[h * n + i];
        }
        ring += detector->horizons[h] * n;
    }
}

void detector_gather(struct celltap_detector *detector, size_t view, const float *column)
{
    float *to = detector->u;
    if (view == CELLTAP_VIEW_ERROR) {
        memcpy(to, detector->errors, detector->views[view].d * sizeof *to);
        return;
    }
    for (size_t i = 0; i < detector->n_taps; i++) {
        const struct detector_tap *tap = &detector->taps[i];
        memcpy(to, column + tap->at, tap->n * sizeof *to);
        to += tap->n;
    }
}

void detector_centre(struct celltap_detector *detector, enum celltap_view v, const float *column)
{
    const struct view *view = &detector->views[v];
    const struct detector_tap *tap = detector->taps;
    const struct kernel *kernel = kernel_pick();
    float *u = detector->u;
    if (v == CELLTAP_VIEW_ERROR)
        for (size_t i = 0; i < view->d; i++)
            u[i] = isnan(detector->errors[i]) ? 0 : detector->errors[i] - view->mean[i];
    else
        for (size_t at = 0; at < view->d; at += tap++->n_run)
            if (tap->n_run > 0)
                kernel->binary[KERNEL_SUB](column + tap->at, view->mean + at, u + at, tap->n_run);
    for (size_t i = view->d; i % VIEW_LANES != 0; i++)
        u[i] = 0;
}

/* ---- phases ------------------------------------------------------------------------------- */

/* What a timestep is judged by. */
struct step {
    struct celltap_detector *detector;
    const float *column; /* of the panel */
    const float *values;
    struct celltap_score *score;
};

void detector_scale(struct celltap_detector *detector, const float *values)
{
    for (size_t i = 0; i < detector->n_channels; i++) {
        struct detector_channel *channel = &detector->channels[i];
        if (!isfinite(values[i]))
            continue;
        double delta = (double)values[i] - channel->mean;
        channel->mean += delta / (double)++channel->n;
        channel->deviation += delta * ((double)values[i] - channel->mean);
    }
}

static void step_scale(const struct step *step)
{
    detector_scale(step->detector, step->values);
}

static void step_scale_end(struct celltap_detector *detector)
{
    for (size_t i = 0; i < detector->n_channels; i++)
        detector->channels[i].deviation = step_deviation(detector, &detector->channels[i]);
}

/* The g of the channel that is the furthest beyond its ranges. */
static double step_range(const struct step *step)
{
    struct celltap_detector *detector = step->detector;
    double most = 0, weight = 1 / detector->options.range_smooth;
    for (size_t i = 0; i < detector->n_channels; i++) {
        double g = range_step(&detector->channels[i].range, (double)step->values[i], weight);
        most = g > most ? g : most;
    }
    return most;
}

static bool step_is_finite(const float *u, size_t n)
{
    float sum = 0; /* of 0, or of NaN */
    for (size_t i = 0; i < n; i++)
        sum += u[i] - u[i];
    return sum == 0;
}

/* Of states that are not finite nothing can be learnt; an error may be missing. */
static void step_learn(const struct step *step)
{
    struct celltap_detector *detector = step->detector;
    step_range(step);
    for (size_t v = 0; v < CELLTAP_N_VIEWS && detector->n_quiet == 0; v++) {
        detector_gather(detector, v, step->column);
        if (v == CELLTAP_VIEW_ERROR || step_is_finite(detector->u, detector->views[v].d))
            view_learn(&detector->views[v], &detector->warm->views[v], detector->u);
    }
}

static void step_learn_end(struct celltap_detector *detector)
{
    static const double ridges[] = {STEP_RIDGE_STATE, STEP_RIDGE_ERROR};
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        if (detector->views[v].d > 0)
            view_freeze(&detector->views[v], &detector->warm->views[v], ridges[v]);
}

/* Moves the s of both views on.  The short view comes first: its result is waited for while the
 * long one is worked on. */
static inline void step_views(const struct step *step, double *ret_s)
{
    struct celltap_detector *detector = step->detector;
    struct view *views = detector->views;
    double squares[CELLTAP_N_VIEWS] = {0};
    for (size_t v = CELLTAP_N_VIEWS; v-- > 0;) {
        if (views[v].d == 0)
            continue;
        detector_centre(detector, v, step->column);
        squares[v] = view_squares(&views[v], detector->u);
    }
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        ret_s[v] = views[v].d == 0 ? 0 : view_step(&views[v], squares[v], detector->options.smooth);
}

static void step_level(const struct step *step)
{
    struct detector_warm *warm = step->detector->warm;
    step_range(step); /* the same once more, so that their means go on from here */
    if (step->detector->n_quiet > 0)
        return;
    double s[CELLTAP_N_VIEWS];
    step_views(step, s);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        double q = real_log(1 + s[v]) / STEP_LEVEL_TOP * DETECTOR_LEVELS;
        warm->levels[v][q < DETECTOR_LEVELS - 1 ? (size_t)q : DETECTOR_LEVELS - 1]++;
    }
    warm->n_levels++;
}

/* The upper end of the bin that the quantile is in. */
static double step_quantile(const uint32_t *levels, uint32_t n)
{
    size_t bin = DETECTOR_LEVELS;
    double above = 0;
    while (bin > 0 && above + levels[bin - 1] <= STEP_LEVEL_SHARE * n)
        above += levels[--bin];
    double s = real_exp((double)bin * STEP_LEVEL_TOP / DETECTOR_LEVELS) - 1;
    return s > STEP_LEVEL_MIN ? s : STEP_LEVEL_MIN;
}

/* The history that s begins with: calm, or what s was in the warm-up, from where it goes on. */
static void step_history(struct celltap_detector *detector, enum celltap_view v)
{
    const struct detector_warm *warm = detector->warm;
    struct view *view = &detector->views[v];
    if (detector->options.history == CELLTAP_HISTORY_CALM || warm->n_levels == 0) {
        view->s = 1;
        tail_init(&view->tail, (double)detector->options.warmup);
        return;
    }
    tail_init(&view->tail, 0);
    for (size_t i = 0; i < DETECTOR_LEVELS; i++)
        if (warm->levels[v][i] > 0)
            tail_put(&view->tail, ((double)i + 0.5) * (STEP_LEVEL_TOP / DETECTOR_LEVELS),
                     STEP_HISTORY * warm->levels[v][i] / warm->n_levels);
}

static void step_level_end(struct celltap_detector *detector)
{
    const struct detector_warm *warm = detector->warm;
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        detector->views[v].level = step_quantile(warm->levels[v], warm->n_levels);
        step_history(detector, v);
    }
    alloc_free(detector->warm);
    detector->warm = NULL;
}

/* ---- the verdict -------------------------------------------------------------------------- */

/* How rare the views' s are: minus decimal logarithms of probabilities.  Both go together, as most
 * of the time is spent waiting for one result, and another fits in; for the same reason s and g are
 * handed on in registers. */
static void step_tails(struct view *views, const double *s, double forget, double *ret_g)
{
    double p[CELLTAP_N_VIEWS];
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        p[v] = views[v].d == 0 ? 1 : real_log(1 + s[v]);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        p[v] = views[v].d == 0 ? 1 : tail_step(&views[v].tail, p[v], 1 / forget);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        ret_g[v] = views[v].d == 0 ? 0 : 0 - real_log(p[v]) * STEP_LOG10_E;
}

/* How near the view is to its level alarm, 1: there; switches that on and off. */
static double step_view_level(struct view *view, double factor)
{
    if (!(factor > 0))
        return 0;
    double level = view->s / (factor * view->level);
    view->is_high = level > (view->is_high ? STEP_LEVEL_OFF : 1);
    return level;
}

/* What is new of g: a lasting disturbance is one event, until it grows or is forgotten. */
static double step_refractory(struct celltap_detector *detector, double g)
{
    detector->memory *= detector->fade;
    bool is_new = g > STEP_RISE * detector->memory;
    detector->memory = is_new ? g : detector->memory;
    return is_new ? g : 0;
}

static void step_alarm(struct celltap_detector *detector, struct celltap_score *score)
{
    bool was = detector->is_alarm, high = false;
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        high |= detector->views[v].is_high;
    score->event = score->score >= detector->options.threshold;
    score->alarm = score->event || high || (was && score->g >= detector->options.threshold);
    score->begin = score->alarm && !was;
    score->end = was && !score->alarm;
    detector->is_alarm = score->alarm;
}

static void step_score(const struct step *step)
{
    struct celltap_detector *detector = step->detector;
    struct celltap_score *score = step->score;
    const struct celltap_detector_options *options = &detector->options;
    const double factors[] = {options->level_state, options->level_error};
    double range_g = step_range(step);
    if (detector->n_quiet > 0)
        return;
    double s[CELLTAP_N_VIEWS], g[CELLTAP_N_VIEWS];
    step_views(step, s);
    step_tails(detector->views, s, options->forget, g);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        struct view *view = &detector->views[v];
        if (view->d == 0)
            continue;
        double level = step_view_level(view, factors[v]);
        score->s[v] = s[v];
        score->g_view[v] = view->g = g[v];
        score->level = level > score->level ? level : score->level;
    }
    double error_g = g[CELLTAP_VIEW_ERROR];
    double *state_g = &score->g_view[CELLTAP_VIEW_STATE];
    *state_g = range_g > *state_g ? range_g : *state_g;
    score->g = *state_g > error_g - STEP_ERROR_OFFSET ? *state_g : error_g - STEP_ERROR_OFFSET;
    score->score = step_refractory(detector, score->g);
    step_alarm(detector, score);
}

/* A phase: what it does with a timestep, and at its end; whether its frames are wanted again. */
static const struct {
    void (*step)(const struct step *step);
    void (*end)(struct celltap_detector *detector);
    bool rewind;
} step_phases[] = {
    [CELLTAP_PHASE_SCALE] = {step_scale, step_scale_end, true},
    [CELLTAP_PHASE_LEARN] = {step_learn, step_learn_end, true},
    [CELLTAP_PHASE_LEVEL] = {step_level, step_level_end, false},
    [CELLTAP_PHASE_SCORE] = {step_score, NULL, false},
};

static void step_end(struct celltap_detector *detector, struct celltap_score *score)
{
    score->rewind = step_phases[detector->phase].rewind;
    step_phases[detector->phase].end(detector);
    detector->phase++;
    if (score->rewind) {
        detector->t = 0;
        detector_forget_moment(detector);
    }
}

void detector_scale_end(struct celltap_detector *detector)
{
    struct celltap_score ignored = {0};
    step_end(detector, &ignored);
}

int celltap_detector_step(celltap_detector *detector, const celltap_panel *panel, size_t column_ix,
                          const float *values, struct celltap_score *ret_score)
{
    struct step step = {detector, panel_column(panel, detector->model, column_ix), values,
                        ret_score};
    if (step.column == NULL)
        return CELLTAP_EINVAL;
    *ret_score = (struct celltap_score){.phase = detector->phase};
    if (detector->options.n_horizons > 0)
        step_forecasts(detector, step.column, values);
    step_phases[detector->phase].step(&step);
    detector->n_quiet -= detector->n_quiet > 0;
    detector->t++;
    if (detector->phase != CELLTAP_PHASE_SCORE && detector->t >= detector->options.warmup)
        step_end(detector, ret_score);
    return 0;
}
