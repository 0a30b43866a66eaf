/* conf_table_model.c - every option of a model: its part of the table.
 *
 *     a model --rows--> file, streams, channels, ...
 *             --sections of the same struct--> forecast, detector
 *
 * What must hold between these options, and what a time becomes, is conf_detect.c's. */
#include "daemon/conf_table_model.h"

#define FIELD(name_) .offset = offsetof(struct conf_model, name_)

/* ---- detector: do the sensors behave abnormally? ------------------------------------------ */

static const struct conf_choice scale_choices[] = {{"auto", CONF_SCALE_AUTO, false},
                                                   {"model", CONF_SCALE_MODEL, false},
                                                   {"learn", CONF_SCALE_LEARN, false},
                                                   {"none", CONF_SCALE_NONE, false},
                                                   {NULL, 0, false}};
static const struct conf_choice clock_choices[] = {
    {"none", CONF_CLOCK_NONE, false}, {"day", CONF_CLOCK_DAY, false}, {NULL, 0, false}};
static const struct conf_choice history_choices[] = {{"auto", CONF_HISTORY_AUTO, false},
                                                     {"calm", CONF_HISTORY_CALM, false},
                                                     {"warmup", CONF_HISTORY_WARMUP, false},
                                                     {NULL, 0, false}};
static const struct conf_choice statistics_choices[] = {
    {"auto", 0, false}, {"none", 0, false}, {NULL, 0, false}};

static const struct conf_option detector_options[] = {
    {.key = "warmup",
     .type = CONF_TYPE_SPAN,
     FIELD(detector.warmup),
     .fallback = "750",
     .min = 32,
     .max = 10000000,
     .sentence = "What it learns from, at each stream's beginning; no score until then."},
    {.key = "threshold",
     .type = CONF_TYPE_REAL,
     FIELD(detector.threshold),
     .fallback = "2.7",
     .low = 0.1,
     .high = 30,
     .sentence = "Score of an event: minus log10 of the probability."},
    {.key = "clock",
     .type = CONF_TYPE_CHOICE,
     FIELD(detector.clock),
     .fallback = "none",
     .choices = clock_choices,
     .sentence = "day: the model's last two inputs are sine and cosine of the time of day, UTC."},
    {.key = "scale",
     .type = CONF_TYPE_CHOICE,
     FIELD(detector.scale),
     .fallback = "auto",
     .choices = scale_choices,
     .sentence = "Who standardises the values: the model, the warm-up, or nobody."},
    {.key = "statistics",
     .type = CONF_TYPE_FILE,
     FIELD(detector.statistics),
     .fallback = "auto",
     .choices = statistics_choices,
     .sentence = "What `celltap score --save` has learnt before: no warm-up then."},
    {.key = "smooth",
     .type = CONF_TYPE_SPAN,
     FIELD(detector.smooth),
     .fallback = "8",
     .min = 1,
     .max = 1000000,
     .given_offset = offsetof(struct conf_model, detector.smooth_given),
     .sentence =
         "Distances are smoothed over so many timesteps; unless set, builtin:reservoir's over 6."},
    {.key = "range_smooth",
     .type = CONF_TYPE_SPAN,
     FIELD(detector.range_smooth),
     .fallback = "1",
     .min = 1,
     .max = 1000000,
     .given_offset = offsetof(struct conf_model, detector.range_smooth_given),
     .sentence = "Means over so many timesteps have a range to leave, too; 1: none; unless set, "
                 "builtin:reservoir's over 20."},
    {.key = "history",
     .type = CONF_TYPE_CHOICE,
     FIELD(detector.history),
     .fallback = "auto",
     .choices = history_choices,
     .sentence = "What the first distances are compared with: calm ones, or the warm-up's."},
    {.key = "refractory",
     .type = CONF_TYPE_SPAN,
     FIELD(detector.refractory),
     .fallback = "100",
     .min = 1,
     .max = 1000000000,
     .sentence = "An event is half forgotten after so many timesteps."},
    {.key = "forget",
     .type = CONF_TYPE_SPAN,
     FIELD(detector.forget),
     .fallback = "2000",
     .min = 2,
     .max = 1000000000,
     .sentence = "The history of distances fades to 1/e in so many timesteps."},
    {.key = "level_state",
     .type = CONF_TYPE_REAL,
     FIELD(detector.level_state),
     .fallback = "2",
     .low = 0,
     .high = 1e6,
     .sentence =
         "Level alarm: times the warm-up's 0.99 quantile of the states' distance; 0: none."},
    {.key = "level_error",
     .type = CONF_TYPE_REAL,
     FIELD(detector.level_error),
     .fallback = "1.5",
     .low = 0,
     .high = 1e6,
     .sentence = "The same of the forecasts' errors."},
};

static const struct conf_section detector_section = {
    .name = "detector",
    .n_options = sizeof detector_options / sizeof *detector_options,
    .options = detector_options,
};

/* ---- forecast: which output predicts the inputs ------------------------------------------- */

static const struct conf_option forecast_options[] = {
    {.key = "output",
     .type = CONF_TYPE_TEXT,
     FIELD(forecast.output),
     .fallback = "auto",
     .sentence = "The graph's output; auto: the first of channels x horizons values, if any."},
    {.key = "horizons",
     .type = CONF_TYPE_SPANS,
     FIELD(forecast.horizons),
     .fallback = "[1]",
     .example = "[6, 12]",
     .min = 1,
     .max = 100000,
     .n_max = 64,
     .sentence =
         "How far ahead, rising; all channels of the first, then of the second, and so on."},
};

static const struct conf_section forecast_section = {
    .name = "forecast",
    .n_options = sizeof forecast_options / sizeof *forecast_options,
    .options = forecast_options,
};

/* ---- a model ------------------------------------------------------------------------------ */

static const struct conf_choice missing_choices[] = {{"hold", CONF_MISSING_HOLD, false},
                                                     {"zero", CONF_MISSING_ZERO, false},
                                                     {"reject", CONF_MISSING_REJECT, false},
                                                     {NULL, 0, false}};
static const struct conf_choice file_choices[] = {{CONF_BUILTIN_RESERVOIR, 0, false},
                                                  {NULL, 0, false}};

static const struct conf_option model_options[] = {
    {.key = "name",
     .type = CONF_TYPE_NAME,
     FIELD(name),
     .example = "pump",
     .sentence = "What the model is called in status and messages; unique."},
    {.key = "file",
     .type = CONF_TYPE_FILE,
     FIELD(file),
     .example = "/etc/celltap/pump.onnx",
     .choices = file_choices,
     .sentence = "The ONNX file; a relative path starts at the configuration file's directory."},
    {.key = "units",
     .type = CONF_TYPE_COUNT,
     FIELD(n_units),
     .fallback = "32",
     .min = 1,
     .max = 1024,
     .given_offset = offsetof(struct conf_model, units_given),
     .sentence = "Of builtin:reservoir: how many units it has."},
    {.key = "streams",
     .type = CONF_TYPE_GLOBS,
     FIELD(streams),
     .fallback = "[\"*\"]",
     .min = 1,
     .max = 256,
     .sentence = "Names of the streams it takes, as globs; the first model that matches wins."},
    {.key = "channels",
     .type = CONF_TYPE_NAMES,
     FIELD(channels),
     .fallback = "[]",
     .example = "[pressure, flow]",
     .max = 65536,
     .sentence = "Names of a frame's values, as many as the model has inputs; none: numbers."},
    {.key = "missing",
     .type = CONF_TYPE_CHOICE,
     FIELD(missing),
     .fallback = "hold",
     .choices = missing_choices,
     .sentence = "A missing value: hold the last one, take zero, or reject the frame."},
    {.key = "gap_reset",
     .type = CONF_TYPE_MS,
     FIELD(gap_reset_ms),
     .fallback = "0",
     .max = UINT64_C(31536000000), /* a year */
     .sentence = "Silence after which a stream's states start afresh, in ms; 0: never."},
    {.key = "rate",
     .type = CONF_TYPE_REAL,
     FIELD(rate_hz),
     .fallback = "0",
     .example = "360",
     .low = 0,
     .high = 1e6,
     .sentence = "Timesteps per second, for options given as times; 0: not said."},
    {.key = "forecast",
     .type = CONF_TYPE_SECTION,
     .fallback = "{}",
     .example = "{output: y, horizons: [1]}",
     .off_offset = offsetof(struct conf_model, forecast.off),
     .given_offset = offsetof(struct conf_model, forecast.given),
     .section = &forecast_section,
     .sentence = "Which output predicts the values, for the detector; `none`: none."},
    {.key = "detector",
     .type = CONF_TYPE_SECTION,
     .fallback = "{}",
     .example = "{warmup: 750}",
     .off_offset = offsetof(struct conf_model, detector.off),
     .given_offset = offsetof(struct conf_model, detector.given),
     .section = &detector_section,
     .sentence = "Watches the streams for abnormal behaviour; `none`: it does not."},
};

const struct conf_section conf_table_model = {
    .name = "a model",
    .n_options = sizeof model_options / sizeof *model_options,
    .options = model_options,
    .n_bytes = sizeof(struct conf_model),
    .line_offset = offsetof(struct conf_model, line),
};
