/* test_detector.c - the detector against its recipe in numpy, and its rules one by one.
 *
 *     tests/unit/data/detector            series made by make.py there; the models are golden ones
 *     ../shared/detect/reference/         more of the kind, where they are
 *
 * Only celltap.h is used but where memory is made to run out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "lib/kernel/kernel.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define TOLERANCE   1e-4
#define COLUMNS_MAX 16
#define VALUES_MAX  8

/* ---- a detector, its stream, and a series ------------------------------------------------- */

struct watch {
    celltap_model *model;
    celltap_stream *stream;
    celltap_panel *panel;
    celltap_detector *detector;
};

static void watch_init(struct watch *watch, celltap_model *model,
                       const struct celltap_detector_options *options)
{
    struct celltap_diagnosis why = {"", ""};
    *watch = (struct watch){.model = model};
    ck_assert_int_eq(celltap_stream_new(model, &watch->stream), 0);
    ck_assert_int_eq(celltap_panel_new(model, 1, &watch->panel), 0);
    int err = celltap_detector_new(model, options, &watch->detector, &why);
    ck_assert_msg(err == 0, "%s", why.text);
}

static void watch_done(struct watch *watch)
{
    celltap_detector_free(watch->detector);
    celltap_panel_free(watch->panel);
    celltap_stream_free(watch->stream);
    celltap_model_unref(watch->model);
}

static struct celltap_score watch_step(struct watch *watch, const float *values)
{
    struct celltap_score score;
    float x[VALUES_MAX];
    celltap_detector_input(watch->detector, values, 0, x);
    celltap_step(watch->panel, watch->stream, x, celltap_model_n_values(watch->model));
    ck_assert_int_eq(celltap_detector_step(watch->detector, watch->panel, 0, values, &score), 0);
    ck_assert(isfinite(score.score) && isfinite(score.g) && isfinite(score.level));
    return score;
}

/* Columns of numbers; the first `n_columns` of each line. */
static double (*read_columns(const char *path, size_t n_columns, size_t *ret_n))[COLUMNS_MAX]
{
    FILE *file = fopen(path, "r");
    double(*rows)[COLUMNS_MAX] = calloc(20000, sizeof *rows);
    char line[1024];
    *ret_n = 0;
    if (file == NULL || fgets(line, sizeof line, file) == NULL) {
        free(rows);
        return NULL;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *at = line;
        for (size_t k = 0; k < n_columns; k++, at += *at == ',')
            rows[*ret_n][k] = strtod(at, &at);
        ++*ret_n;
    }
    fclose(file);
    return rows;
}

/* ---- the recipe --------------------------------------------------------------------------- */

struct oracle {
    const char *model, *csv;
    size_t warmup, n_channels, n_x; /* channels, then inputs of the network that stand ready */
    size_t s_state, s_error, g_state, g_error, g, score; /* columns; 0: not there */
    bool is_shared;                                      /* x0.. ready, v is column n_x */
};

#define SHARED "../shared/detect/reference/"
#define OWN    "tests/unit/data/detector/"
static const struct oracle oracles[] = {
    {"tests/golden/torch_univariate/opset17.onnx", OWN "torch_univariate.csv", 400, 1, 1, 1, 2, 3,
     4, 5, 6, false},
    {"tests/golden/torch_forecaster/opset17.onnx", OWN "torch_forecaster.csv", 300, 4, 4, 4, 5, 6,
     7, 8, 9, false},
    {SHARED "nyc_taxi.onnx", SHARED "nyc_taxi.csv", 750, 1, 3, 5, 0, 6, 7, 8, 9, true},
    {SHARED "ec2_cpu_utilization_825cc2.onnx", SHARED "ec2_cpu_utilization_825cc2.csv", 604, 1, 3,
     5, 0, 6, 7, 8, 9, true},
};

static double oracle_off(double got, const double *row, size_t column)
{
    return column == 0 ? 0 : fabs(got - row[column]);
}

static double oracle_worst(const struct oracle *oracle, const struct celltap_score *score,
                           const double *row)
{
    const double offs[] = {
        oracle_off(score->s[CELLTAP_VIEW_STATE], row, oracle->s_state),
        oracle_off(score->s[CELLTAP_VIEW_ERROR], row, oracle->s_error),
        oracle_off(score->g_view[CELLTAP_VIEW_STATE], row, oracle->g_state),
        oracle_off(score->g_view[CELLTAP_VIEW_ERROR], row, oracle->g_error),
        oracle_off(score->g, row, oracle->g),
        oracle_off(score->score, row, oracle->score),
    };
    double worst = 0;
    for (size_t i = 0; i < sizeof offs / sizeof *offs; i++)
        worst = fmax(worst, offs[i]);
    return worst;
}

/* The worst difference over all timesteps; -1: the files are not there.  wrong: values are changed
 * from there on, as a proof that a difference shows. */
static double oracle_run(const struct oracle *oracle, size_t wrong)
{
    struct celltap_detector_options options;
    struct watch watch;
    celltap_model *model;
    size_t n;
    double worst = 0, (*rows)[COLUMNS_MAX] = read_columns(oracle->csv, 10, &n);
    if (rows == NULL)
        return -1;
    ck_assert_int_eq(celltap_model_load(oracle->model, &model, NULL), 0);
    celltap_detector_defaults(model, &options);
    options.warmup = oracle->warmup;
    options.scale = CELLTAP_SCALE_NONE;
    options.clock = oracle->is_shared ? CELLTAP_CLOCK_DAY : CELLTAP_CLOCK_NONE;
    watch_init(&watch, model, &options);
    for (size_t t = 0; t < n; t++) {
        struct celltap_score score;
        float x[VALUES_MAX], values[VALUES_MAX];
        for (size_t k = 0; k < oracle->n_x; k++)
            x[k] = (float)rows[t][k];
        for (size_t k = 0; k < oracle->n_channels; k++)
            values[k] = (float)rows[t][k + (oracle->is_shared ? oracle->n_x : 0)];
        if (t >= wrong)
            values[0] = x[0] += 0.01f;
        celltap_step(watch.panel, watch.stream, x, oracle->n_x);
        celltap_detector_step(watch.detector, watch.panel, 0, values, &score);
        if (score.phase == CELLTAP_PHASE_SCORE)
            worst = fmax(worst, oracle_worst(oracle, &score, rows[t]));
        if (score.rewind) {
            celltap_stream_reset(watch.stream);
            t = SIZE_MAX; /* again from the first */
        }
    }
    watch_done(&watch);
    free(rows);
    return worst;
}

START_TEST(test_detector_when_beside_its_recipe_in_numpy_then_is_the_same)
{
    for (size_t i = 0; i < sizeof oracles / sizeof *oracles; i++) {
        double worst = oracle_run(&oracles[i], SIZE_MAX);
        ck_assert_msg(worst <= TOLERANCE, "%s: %g", oracles[i].csv, worst);
        ck_assert_msg(worst >= 0 || oracles[i].is_shared, "%s: is missing", oracles[i].csv);
    }
}
END_TEST

START_TEST(test_detector_when_values_are_a_little_off_then_the_oracle_notices)
{
    ck_assert_double_gt(oracle_run(&oracles[0], 700), 10 * TOLERANCE);
}
END_TEST

/* ---- a reservoir on sensors of our own ---------------------------------------------------- */

#define CHANNELS 3
#define UNITS    16
#define WARMUP   200
#define SERIES   900

static void reservoir_init(struct watch *watch, size_t n_units)
{
    struct celltap_detector_options options;
    celltap_model *model;
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS, n_units, &model), 0);
    celltap_detector_defaults(model, &options);
    ck_assert_int_eq(options.scale, CELLTAP_SCALE_LEARN);
    options.warmup = WARMUP;
    watch_init(watch, model, &options);
}

/* Three calm waves with a little noise, far from 0 and of different sizes. */
static void sensors(float (*values)[CHANNELS])
{
    uint64_t seed = 5;
    for (size_t t = 0; t < SERIES; t++)
        for (size_t k = 0; k < CHANNELS; k++) {
            float wave = sinf((float)t / (7 + 3 * (float)k));
            values[t][k] = 100 + (wave + rig_uniform(&seed, -0.2f, 0.2f)) * (float)(k + 1);
        }
}

/* Runs the series through; scores [SERIES] are those of the last pass. */
static void run(struct watch *watch, float (*values)[CHANNELS], struct celltap_score *scores)
{
    for (size_t t = 0; t < SERIES; t++) {
        scores[t] = watch_step(watch, values[t]);
        if (scores[t].rewind) {
            celltap_stream_reset(watch->stream);
            t = SIZE_MAX;
        }
    }
}

static size_t count_begins(const struct celltap_score *scores)
{
    size_t n = 0;
    bool is_alarm = false;
    for (size_t t = 0; t < SERIES; t++) {
        n += scores[t].begin;
        ck_assert(!(scores[t].begin && scores[t].end));
        is_alarm = (is_alarm || scores[t].begin) && !scores[t].end;
        ck_assert(scores[t].alarm == is_alarm);
        ck_assert(!scores[t].event || is_alarm);
    }
    return n;
}

START_TEST(test_detector_when_a_sensor_jumps_then_says_when_and_which)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct celltap_channel_share channels[CHANNELS];
    struct celltap_unit_share units[4];
    struct watch watch;
    reservoir_init(&watch, UNITS);
    sensors(values);
    values[SERIES - 1][1] += 20;
    run(&watch, values, scores);
    ck_assert(scores[SERIES - 1].event && scores[SERIES - 1].begin);
    ck_assert_double_ge(scores[SERIES - 1].g, 5);
    ck_assert_uint_eq(scores[WARMUP - 1].phase, CELLTAP_PHASE_LEVEL);
    ck_assert_uint_eq(scores[WARMUP].phase, CELLTAP_PHASE_SCORE);
    ck_assert_uint_le(count_begins(scores), 3);
    size_t n = celltap_detector_channels(watch.detector, values[SERIES - 1], channels, CHANNELS);
    ck_assert_uint_eq(n, CHANNELS);
    ck_assert_uint_eq(channels[0].channel_ix, 1);
    ck_assert_double_ge(channels[0].share, 0.9);
    ck_assert_double_eq(channels[0].value, (double)values[SERIES - 1][1]);
    ck_assert_double_le(fabs(channels[0].expected - 100), 1);
    n = celltap_detector_units(watch.detector, watch.panel, 0, units, 4);
    ck_assert_uint_eq(n, 4);
    ck_assert_str_eq(celltap_layer_name(watch.model, units[0].layer_ix), "reservoir");
    ck_assert_uint_lt(units[0].unit_ix, UNITS);
    ck_assert_double_ge(fabs(units[0].deviation), fabs(units[3].deviation));
    ck_assert_double_ge(fabs(units[0].deviation), 2);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_a_fault_lasts_then_the_level_alarm_begins_once_and_ends)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    size_t n_begins = 0, n_ends = 0;
    reservoir_init(&watch, UNITS);
    sensors(values);
    for (size_t t = 500; t < 600; t++)
        for (size_t k = 0; k < CHANNELS; k++)
            values[t][k] += t % 2 ? 12 : -12;
    run(&watch, values, scores);
    count_begins(scores);
    for (size_t t = 500; t < 650; t++) {
        n_begins += scores[t].begin;
        n_ends += scores[t].end;
    }
    ck_assert_uint_eq(n_begins, 1);
    ck_assert_uint_eq(n_ends, 1);
    ck_assert(scores[520].alarm && scores[520].level > 1 && scores[599].alarm);
    ck_assert(!scores[649].alarm && scores[649].level < 0.8);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_kernels_differ_then_bits_are_the_same)
{
    static const char *const names[] = {"plain", "avx2", "neon"};
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES], others[SERIES];
    const struct kernel *before = kernel_pick();
    bool first = true;
    sensors(values);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct watch watch;
        if (kernel_find(names[i]) == NULL)
            continue;
        kernel_use(kernel_find(names[i]));
        reservoir_init(&watch, 32);
        run(&watch, values, first ? scores : others);
        watch_done(&watch);
        for (size_t t = 0; t < SERIES && !first; t++) {
            ck_assert_mem_eq(&scores[t].score, &others[t].score, sizeof(double));
            ck_assert_mem_eq(&scores[t].g, &others[t].g, sizeof(double));
            ck_assert_mem_eq(scores[t].s, others[t].s, sizeof scores[t].s);
        }
        first = false;
    }
    kernel_use(before);
}
END_TEST

/* ---- sensors that misbehave --------------------------------------------------------------- */

START_TEST(test_detector_when_values_are_missing_then_scores_stay_numbers)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct celltap_channel_share channels[CHANNELS];
    struct watch watch;
    reservoir_init(&watch, UNITS);
    sensors(values);
    for (size_t t = 0; t < SERIES; t++)
        for (size_t k = 0; k < CHANNELS; k++)
            if ((t * 7 + k * 5) % 11 == 0 || (k == 2 && t > 700) || (k == 0 && t < 30))
                values[t][k] = t % 3 ? NAN : t % 2 ? INFINITY : -INFINITY;
    run(&watch, values, scores);
    ck_assert_uint_eq(scores[SERIES - 1].phase, CELLTAP_PHASE_SCORE);
    ck_assert_uint_le(celltap_detector_channels(watch.detector, values[SERIES - 1], channels, 3),
                      2);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_nothing_moves_then_is_calm_until_it_does)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    reservoir_init(&watch, UNITS);
    for (size_t t = 0; t < SERIES; t++)
        for (size_t k = 0; k < CHANNELS; k++)
            values[t][k] = 42;
    for (size_t t = 800; t < SERIES; t++)
        values[t][0] = 43;
    run(&watch, values, scores);
    for (size_t t = 0; t < 800; t++)
        ck_assert(!scores[t].alarm && scores[t].score < 2.7);
    ck_assert(scores[800].alarm && scores[800].begin);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_values_are_of_any_size_then_scores_stay_numbers)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    uint64_t seed = 3;
    reservoir_init(&watch, UNITS);
    for (size_t t = 0; t < SERIES; t++)
        for (size_t k = 0; k < CHANNELS; k++)
            values[t][k] = ldexpf(rig_uniform(&seed, -1, 1), (int)(t % 250) - 125);
    run(&watch, values, scores);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_a_sensor_falls_to_0_then_says_so_at_once)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    reservoir_init(&watch, UNITS);
    sensors(values);
    for (size_t t = 700; t < SERIES; t++)
        values[t][2] = 0;
    run(&watch, values, scores);
    ck_assert(scores[700].event && scores[700].begin);
    watch_done(&watch);
}
END_TEST

/* That it looks calm then is the manual's business; here: that nothing breaks. */
START_TEST(test_detector_when_a_sensor_stops_then_scores_stay_numbers)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    reservoir_init(&watch, UNITS);
    sensors(values);
    for (size_t t = 700; t < SERIES; t++)
        values[t][2] = values[699][2];
    run(&watch, values, scores);
    watch_done(&watch);
}
END_TEST

/* ---- its life ----------------------------------------------------------------------------- */

/* At every kind of moment: in each phase, and with an alarm on. */
START_TEST(test_detector_when_saved_and_loaded_then_goes_on_with_the_same_bits)
{
    static const size_t cuts[] = {1, 120, 200, 320, 400, 520, 700, 1010, 1300};
    static float values[SERIES][CHANNELS];
    sensors(values);
    values[605][0] += 9;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct watch watch, other;
        size_t steps = 0;
        reservoir_init(&watch, UNITS);
        reservoir_init(&other, UNITS);
        for (size_t t = 0; t < SERIES; t++, steps++) {
            struct celltap_score one = watch_step(&watch, values[t]), two = one;
            if (steps > cuts[i])
                two = watch_step(&other, values[t]);
            ck_assert_mem_eq(&one.score, &two.score, sizeof one.score);
            ck_assert_mem_eq(&one.level, &two.level, sizeof one.level);
            ck_assert(one.alarm == two.alarm && one.phase == two.phase);
            if (one.rewind) {
                ck_assert(two.rewind);
                celltap_stream_reset(watch.stream);
                celltap_stream_reset(other.stream);
                t = SIZE_MAX;
            }
            if (steps != cuts[i])
                continue;
            size_t n = celltap_detector_save_bytes(watch.detector);
            size_t n_stream = celltap_stream_save_bytes(watch.stream);
            unsigned char *bytes = malloc(n), *states = malloc(n_stream);
            celltap_detector_save(watch.detector, bytes);
            celltap_stream_save(watch.stream, states);
            ck_assert_int_eq(celltap_detector_load(other.detector, bytes, n), 0);
            ck_assert_int_eq(celltap_stream_load(other.stream, states, n_stream), 0);
            free(bytes);
            free(states);
        }
        watch_done(&watch);
        watch_done(&other);
    }
}
END_TEST

START_TEST(test_detector_when_bytes_are_not_its_own_then_nothing_changes)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch, other;
    sensors(values);
    reservoir_init(&watch, UNITS);
    run(&watch, values, scores);
    size_t n = celltap_detector_save_bytes(watch.detector);
    unsigned char *bytes = malloc(n), *after = malloc(n);
    celltap_detector_save(watch.detector, bytes);
    reservoir_init(&other, UNITS + 1);
    ck_assert_int_eq(celltap_detector_load(other.detector, bytes, n), CELLTAP_ESTATE);
    watch_done(&other);
    for (size_t at = 0; at < n; at += at < 80 ? 1 : 97) {
        bytes[at] ^= 0x10;
        ck_assert_int_eq(celltap_detector_load(watch.detector, bytes, n), CELLTAP_ESTATE);
        bytes[at] ^= 0x10;
        ck_assert_int_eq(celltap_detector_load(watch.detector, bytes, at), CELLTAP_ESTATE);
    }
    celltap_detector_save(watch.detector, after);
    ck_assert_mem_eq(bytes, after, n);
    free(bytes);
    free(after);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_resumed_then_keeps_what_it_learnt_and_waits)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    sensors(values);
    reservoir_init(&watch, UNITS);
    run(&watch, values, scores);
    celltap_stream_reset(watch.stream);
    celltap_detector_resume(watch.detector);
    for (size_t t = 0; t < 300; t++) {
        struct celltap_score score = watch_step(&watch, values[t]);
        ck_assert_uint_eq(score.phase, CELLTAP_PHASE_SCORE);
        ck_assert(t >= 20 ? score.s[0] > 0 : score.g == 0 && !score.alarm);
        ck_assert(!score.event || score.score < 4);
    }
    ck_assert_int_eq(celltap_detector_reset(watch.detector), 0);
    ck_assert_uint_eq(watch_step(&watch, values[0]).phase, CELLTAP_PHASE_SCALE);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_nobody_rewinds_then_learns_from_what_follows)
{
    static float values[SERIES][CHANNELS];
    struct watch watch;
    sensors(values);
    reservoir_init(&watch, UNITS);
    for (size_t t = 0; t < SERIES; t++)
        ck_assert_uint_eq(watch_step(&watch, values[t]).phase,
                          t < 3 * WARMUP ? t / WARMUP : CELLTAP_PHASE_SCORE);
    watch_done(&watch);
}
END_TEST

/* The series of sensors, judged by a reservoir with other options. */
static void run_with(const struct celltap_detector_options *given, float (*values)[CHANNELS],
                     struct celltap_score *scores)
{
    struct celltap_detector_options options = *given;
    struct watch watch;
    celltap_model *model;
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS, UNITS, &model), 0);
    options.warmup = WARMUP;
    watch_init(&watch, model, &options);
    run(&watch, values, scores);
    watch_done(&watch);
}

static struct celltap_detector_options reservoir_options(void)
{
    struct celltap_detector_options options;
    celltap_model *model;
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS, UNITS, &model), 0);
    celltap_detector_defaults(model, &options);
    celltap_model_unref(model);
    return options;
}

START_TEST(test_detector_when_the_warm_up_is_its_history_then_the_first_score_is_calm)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct celltap_detector_options options = reservoir_options();
    sensors(values);
    ck_assert_int_eq(options.history, CELLTAP_HISTORY_WARMUP);
    run_with(&options, values, scores);
    ck_assert_double_le(scores[WARMUP].g, 1.5);
    options.history = CELLTAP_HISTORY_CALM;
    run_with(&options, values, scores);
    ck_assert_double_ge(scores[WARMUP].g, 2);
}
END_TEST

/* A wave stays where it is low: no value is new, but it was never so low for so long. */
START_TEST(test_detector_when_a_mean_leaves_its_range_then_says_so)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[2][SERIES];
    struct celltap_detector_options options = reservoir_options();
    size_t n_more = 0;
    sensors(values);
    for (size_t t = SERIES - 100; t < SERIES; t++)
        values[t][0] = 99;
    ck_assert_double_eq(options.range_smooth, 20);
    run_with(&options, values, scores[0]);
    options.range_smooth = 1;
    run_with(&options, values, scores[1]);
    for (size_t t = 0; t < SERIES; t++) {
        ck_assert(scores[0][t].g >= scores[1][t].g);
        n_more += t >= SERIES - 100 && scores[0][t].g > 3 && scores[1][t].g < 2.7;
    }
    ck_assert_uint_ge(n_more, 1);
}
END_TEST

START_TEST(test_detector_when_at_32_units_then_keeps_12_KiB)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    sensors(values);
    reservoir_init(&watch, 32);
    run(&watch, values, scores);
    ck_assert_uint_le(
        celltap_detector_bytes(watch.detector) + celltap_model_state_bytes(watch.model), 12 * 1024);
    watch_done(&watch);
}
END_TEST

START_TEST(test_detector_when_memory_is_out_then_nothing_is_kept)
{
    struct celltap_detector_options options;
    celltap_detector *detector = NULL;
    celltap_model *model;
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS, UNITS, &model), 0);
    celltap_detector_defaults(model, &options);
    long n_alive = alloc_n_alive();
    for (long n = 0; n < 2; n++) {
        alloc_fail_after(n);
        int err = celltap_detector_new(model, &options, &detector, NULL);
        alloc_fail_after(-1);
        ck_assert_int_eq(err, CELLTAP_ENOMEM);
        ck_assert_int_eq(alloc_n_alive(), n_alive);
    }
    ck_assert_ptr_null(detector);
    ck_assert_int_eq(celltap_detector_new(model, &options, &detector, NULL), 0);
    alloc_fail_after(0);
    int err = celltap_detector_reset(detector);
    alloc_fail_after(-1);
    ck_assert_int_eq(err, CELLTAP_ENOMEM);
    celltap_detector_free(detector);
    celltap_detector_free(NULL);
    celltap_model_unref(model);
}
END_TEST

START_TEST(test_detector_when_memory_is_out_then_steps_all_the_same)
{
    static float values[SERIES][CHANNELS];
    static struct celltap_score scores[SERIES];
    struct watch watch;
    sensors(values);
    reservoir_init(&watch, UNITS);
    alloc_fail_after(0);
    run(&watch, values, scores);
    alloc_fail_after(-1);
    ck_assert_uint_eq(scores[SERIES - 1].phase, CELLTAP_PHASE_SCORE);
    watch_done(&watch);
}
END_TEST

static void refused(celltap_model *model, const struct celltap_detector_options *options,
                    const char *text)
{
    struct celltap_diagnosis why = {"", ""};
    celltap_detector *detector = NULL;
    ck_assert_int_eq(celltap_detector_new(model, options, &detector, &why), CELLTAP_EINVAL);
    ck_assert_msg(strstr(why.text, text) != NULL, "%s", why.text);
    ck_assert_ptr_null(detector);
}

START_TEST(test_detector_when_an_option_is_wrong_then_says_which)
{
    static const size_t falling[] = {2, 1}, zero[] = {0}, two[] = {1, 2};
    struct celltap_detector_options options, right;
    celltap_detector *detector = NULL;
    celltap_model *model;
    ck_assert_int_eq(celltap_model_load(oracles[0].model, &model, NULL), 0);
    celltap_detector_defaults(model, &right);
    const struct {
        const char *text;
        size_t at;
        double wrong;
    } numbers[] = {
        {"threshold", offsetof(struct celltap_detector_options, threshold), NAN},
        {"smooth", offsetof(struct celltap_detector_options, smooth), 0.5},
        {"range_smooth", offsetof(struct celltap_detector_options, range_smooth), 0},
        {"refractory", offsetof(struct celltap_detector_options, refractory), 0},
        {"forget", offsetof(struct celltap_detector_options, forget), 1},
        {"level_state", offsetof(struct celltap_detector_options, level_state), -1},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        options = right;
        memcpy((char *)&options + numbers[i].at, &numbers[i].wrong, sizeof(double));
        refused(model, &options, numbers[i].text);
    }
    options = right, options.warmup = 31;
    refused(model, &options, "warmup");
    options = right, options.scale = (enum celltap_scale)9;
    refused(model, &options, "scale");
    options = right, options.history = (enum celltap_history)2;
    refused(model, &options, "history");
    options = right, options.horizons = falling, options.n_horizons = 2;
    refused(model, &options, "horizons");
    options.horizons = zero, options.n_horizons = 1;
    refused(model, &options, "horizons");
    options.horizons = two, options.n_horizons = 2, options.forecast = "y";
    refused(model, &options, "1 channels x 2 horizons");
    options = right, options.forecast = "nothing";
    refused(model, &options, "no output");
    options = right, options.clock = CELLTAP_CLOCK_DAY;
    refused(model, &options, "at least 3 inputs");
    ck_assert_int_eq(celltap_detector_new(model, &right, &detector, NULL), 0);
    celltap_detector_free(detector);
    celltap_model_unref(model);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_detector_when_beside_its_recipe_in_numpy_then_is_the_same,
        test_detector_when_values_are_a_little_off_then_the_oracle_notices,
        test_detector_when_a_sensor_jumps_then_says_when_and_which,
        test_detector_when_a_fault_lasts_then_the_level_alarm_begins_once_and_ends,
        test_detector_when_kernels_differ_then_bits_are_the_same,
        test_detector_when_values_are_missing_then_scores_stay_numbers,
        test_detector_when_nothing_moves_then_is_calm_until_it_does,
        test_detector_when_values_are_of_any_size_then_scores_stay_numbers,
        test_detector_when_a_sensor_falls_to_0_then_says_so_at_once,
        test_detector_when_a_sensor_stops_then_scores_stay_numbers,
        test_detector_when_saved_and_loaded_then_goes_on_with_the_same_bits,
        test_detector_when_bytes_are_not_its_own_then_nothing_changes,
        test_detector_when_resumed_then_keeps_what_it_learnt_and_waits,
        test_detector_when_nobody_rewinds_then_learns_from_what_follows,
        test_detector_when_the_warm_up_is_its_history_then_the_first_score_is_calm,
        test_detector_when_a_mean_leaves_its_range_then_says_so,
        test_detector_when_at_32_units_then_keeps_12_KiB,
        test_detector_when_memory_is_out_then_nothing_is_kept,
        test_detector_when_memory_is_out_then_steps_all_the_same,
        test_detector_when_an_option_is_wrong_then_says_which,
        NULL,
    };
    return suite_run("detector", tests, 60);
}
