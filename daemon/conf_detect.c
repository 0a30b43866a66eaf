/* conf_detect.c - what must hold between a model's options for its detector.
 *
 *     30s x rate --> timesteps, within the row's limits
 *     detector, forecast, builtin, a tap of scores or anomalies --> watched or not */
#include "daemon/conf_detect.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "daemon/conf_table_model.h"

/* ---- times -------------------------------------------------------------------------------- */

/* A span that could not be read has been reported. */
static bool span_is_read(const struct conf_span *span)
{
    return span->n_steps != 0;
}

static void settle_span(struct conf_read *read, const struct conf_model *model,
                        const struct conf_option *option, struct conf_span *span)
{
    double steps = (double)span->number;
    char text[64];
    if (!span_is_read(span))
        return;
    snprintf(text, sizeof text, "%" PRIu64, span->number);
    if (span->is_time && model->rate_hz == 0) {
        span->n_steps = 0;
        conf_report_add(read->report, conf_read_place(read, span, model->line),
                        "`%s` is a time; say how many timesteps a second has with the model's "
                        "`rate`, or give timesteps",
                        option->key);
        return;
    }
    if (span->is_time) {
        steps = round(steps / 1000 * model->rate_hz);
        snprintf(text, sizeof text, "%" PRIu64 " ms, %.0f timesteps at a rate of %g", span->number,
                 steps, model->rate_hz);
    }
    span->n_steps = 0; /* no sequel to a fault */
    if (steps < (double)option->min || steps > (double)option->max)
        conf_report_add(read->report, conf_read_place(read, span, model->line),
                        "`%s` is %s; it must be from %" PRIu64 " to %" PRIu64 " timesteps",
                        option->key, text, option->min, option->max);
    else
        span->n_steps = (size_t)steps;
}

static void settle_spans(struct conf_read *read, const struct conf_model *model,
                         const struct conf_option *option, struct conf_spans *spans)
{
    for (size_t i = 0; i < spans->n; i++) {
        struct conf_span *span = &spans->items[i];
        settle_span(read, model, option, span);
        if (i > 0 && span_is_read(span) && span_is_read(span - 1) &&
            span->n_steps <= span[-1].n_steps)
            conf_report_add(read->report, conf_read_place(read, span, model->line),
                            "`%s` must rise from one to the next; sort them", option->key);
    }
}

static void settle_section(struct conf_read *read, struct conf_model *model,
                           const struct conf_section *section)
{
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        void *field = (char *)model + option->offset;
        if (option->type == CONF_TYPE_SPAN)
            settle_span(read, model, option, field);
        else if (option->type == CONF_TYPE_SPANS)
            settle_spans(read, model, option, field);
        else if (option->type == CONF_TYPE_SECTION)
            settle_section(read, model, option->section);
    }
}

/* ---- which models are watched ------------------------------------------------------------- */

/* True if the file itself asks for what a detector finds. */
static bool has_detector_tap(const struct conf *conf)
{
    for (size_t i = 0; i < conf->n_taps; i++)
        if (conf->taps[i].kind != CONF_KIND_ACTIVATIONS && conf->taps[i].line != 0)
            return true;
    return false;
}

static enum conf_watch choose_watch(const struct conf_model *model, bool has_tap)
{
    if (model->detector.off)
        return CONF_WATCH_NO;
    if (conf_is_builtin(model) || model->detector.given || model->forecast.given)
        return CONF_WATCH_YES;
    return has_tap ? CONF_WATCH_IF_POSSIBLE : CONF_WATCH_NO;
}

static bool is_file(const char *statistics)
{
    return statistics != NULL && strcmp(statistics, "auto") != 0 && strcmp(statistics, "none") != 0;
}

static void check_model(struct conf_read *read, const struct conf_model *model)
{
    const char *statistics = model->detector.statistics;
    if (!conf_is_builtin(model) && model->units_given)
        conf_report_add(read->report, conf_read_place(read, &model->n_units, model->line),
                        "`units` is of `file: %s` alone; remove it", CONF_BUILTIN_RESERVOIR);
    if (conf_is_builtin(model) && is_file(statistics) && model->channels.n == 0)
        conf_report_add(read->report, conf_read_place(read, statistics, model->line),
                        "`statistics` are of so many channels; name these with `channels`");
    size_t n_values = model->channels.n + (model->detector.clock == CONF_CLOCK_DAY ? 2 : 0);
    if (conf_is_builtin(model) && model->channels.n > 0 &&
        celltap_reservoir_onnx(n_values, 1, NULL, 0) == 0)
        conf_report_add(read->report, conf_read_place(read, model->channels.items[0], model->line),
                        "`channels` are %zu with a clock's; %s takes at most 4096, name fewer",
                        n_values, CONF_BUILTIN_RESERVOIR);
}

void conf_detect_check(struct conf_read *read, struct conf *conf)
{
    bool has_tap = has_detector_tap(conf);
    for (size_t i = 0; i < conf->n_models; i++) {
        struct conf_model *model = &conf->models[i];
        settle_section(read, model, &conf_table_model);
        if (model->file == NULL)
            continue;
        check_model(read, model);
        model->watch = choose_watch(model, has_tap);
    }
}
