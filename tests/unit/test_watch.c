/* test_watch.c - a detector as part of a stream: the same scores as one driven by hand, whatever
 * happens around it.
 *
 *     oracle     frames --input, step, detector_step, again after a rewind--> scores by hand
 *     watched    frames --celltap_stream_at, celltap_step--> scores, must be the same bits */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "lib/kernel/kernel.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define CHANNELS 2
#define UNITS    8
#define WARMUP   70
#define SERIES   200
#define HOUR_NS  INT64_C(3600000000000)

struct sight {
    celltap_model *model;
    celltap_stream *stream;
    celltap_panel *panel;
};

static float series[SERIES][CHANNELS];

/* Two noisy waves, here and there without a value, and a jump near the end. */
static void make_series(uint64_t seed)
{
    for (size_t t = 0; t < SERIES; t++)
        for (size_t k = 0; k < CHANNELS; k++) {
            float wave = sinf((float)t / (5 + 2 * (float)k));
            series[t][k] = 50 + (wave + rig_uniform(&seed, -0.2f, 0.2f)) * (float)(k + 1);
            if ((t * 7 + k * 3) % 31 == 0)
                series[t][k] = NAN;
        }
    series[180][1] = 80;
}

static int64_t ts_of(size_t t)
{
    return (int64_t)t * HOUR_NS;
}

static struct celltap_detector_options options_of(const celltap_model *model, size_t warmup)
{
    struct celltap_detector_options options;
    celltap_detector_defaults(model, &options);
    options.warmup = warmup;
    options.clock = CELLTAP_CLOCK_DAY;
    return options;
}

static void sight_of(struct sight *sight, celltap_model *model,
                     const struct celltap_detector_options *options)
{
    struct celltap_diagnosis why = {"", ""};
    sight->model = celltap_model_ref(model);
    ck_assert_int_eq(celltap_stream_new(model, &sight->stream), 0);
    ck_assert_int_eq(celltap_panel_new(model, 1, &sight->panel), 0);
    int err = celltap_stream_watch(sight->stream, options, &why);
    ck_assert_msg(err == 0, "%s", why.text);
}

static void sight_init(struct sight *sight)
{
    celltap_model *model;
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS + 2, UNITS, &model), 0);
    struct celltap_detector_options options = options_of(model, WARMUP);
    sight_of(sight, model, &options);
    celltap_model_unref(model);
}

static void sight_done(struct sight *sight)
{
    celltap_panel_free(sight->panel);
    celltap_stream_free(sight->stream);
    celltap_model_unref(sight->model);
}

static struct celltap_score sight_step(struct sight *sight, size_t t)
{
    celltap_stream_at(sight->stream, ts_of(t));
    ck_assert_int_eq(celltap_step(sight->panel, sight->stream, series[t], CHANNELS), 0);
    const struct celltap_score *score = celltap_panel_score(sight->panel, 0);
    ck_assert_ptr_nonnull(score);
    ck_assert(isfinite(score->score) && isfinite(score->g) && isfinite(score->level));
    return *score;
}

static void sight_run(struct sight *sight, size_t from, size_t to, struct celltap_score *ret_scores)
{
    for (size_t t = from; t < to; t++)
        ret_scores[t] = sight_step(sight, t);
}

static uint64_t sight_state(const struct sight *sight)
{
    size_t n = celltap_stream_save_bytes(sight->stream);
    unsigned char *bytes = malloc(n);
    uint64_t hash = 7;
    celltap_stream_save(sight->stream, bytes);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    free(bytes);
    return hash;
}

static bool same(const struct celltap_score *a, const struct celltap_score *b)
{
    return memcmp(&a->score, &b->score, sizeof a->score) == 0 &&
           memcmp(&a->g, &b->g, sizeof a->g) == 0 &&
           memcmp(&a->level, &b->level, sizeof a->level) == 0 &&
           memcmp(a->s, b->s, sizeof a->s) == 0 && a->alarm == b->alarm && a->begin == b->begin &&
           a->end == b->end && a->event == b->event;
}

static void assert_same(const struct celltap_score *scores, const struct celltap_score *others,
                        size_t from, size_t to)
{
    for (size_t t = from; t < to; t++)
        ck_assert_msg(same(&scores[t], &others[t]), "timestep %zu", t);
}

/* The scores of a detector that is driven by hand; stepped again after each rewind. */
static void by_hand(celltap_model *model, const struct celltap_detector_options *options,
                    struct celltap_score *ret_scores)
{
    celltap_detector *detector;
    celltap_stream *stream;
    celltap_panel *panel;
    float x[CHANNELS + 2];
    ck_assert_int_eq(celltap_detector_new(model, options, &detector, NULL), 0);
    ck_assert_int_eq(celltap_stream_new(model, &stream), 0);
    ck_assert_int_eq(celltap_panel_new(model, 1, &panel), 0);
    for (size_t t = 0; t < SERIES; t++) {
        celltap_detector_input(detector, series[t], ts_of(t), x);
        celltap_step(panel, stream, x, celltap_model_n_values(model));
        celltap_detector_step(detector, panel, 0, series[t], &ret_scores[t]);
        if (ret_scores[t].rewind) {
            celltap_stream_reset(stream);
            t = SIZE_MAX;
        }
    }
    celltap_detector_free(detector);
    celltap_stream_free(stream);
    celltap_panel_free(panel);
}

/* ---- the same as by hand ------------------------------------------------------------------- */

START_TEST(test_watch_when_stepped_then_scores_are_those_of_a_detector_by_hand)
{
    static const enum celltap_scale scales[] = {CELLTAP_SCALE_LEARN, CELLTAP_SCALE_MODEL,
                                                CELLTAP_SCALE_NONE};
    static struct celltap_score scores[SERIES], hand[SERIES];
    make_series(3);
    for (size_t i = 0; i < 6; i++) {
        struct sight sight;
        celltap_model *model;
        ck_assert_int_eq(celltap_model_reservoir(CHANNELS + 2, UNITS, &model), 0);
        struct celltap_detector_options options = options_of(model, WARMUP);
        options.scale = scales[i % 3];
        options.missing = i < 3 ? CELLTAP_MISSING_HOLD : CELLTAP_MISSING_ZERO;
        sight_of(&sight, model, &options);
        sight_run(&sight, 0, SERIES, scores);
        by_hand(model, &options, hand);
        for (size_t t = 0; t < WARMUP; t++)
            ck_assert(scores[t].phase == CELLTAP_PHASE_SCALE && scores[t].g == 0);
        assert_same(scores, hand, WARMUP, SERIES);
        ck_assert(scores[180].g > 0 && scores[180].score > 0);
        sight_done(&sight);
        celltap_model_unref(model);
    }
}
END_TEST

START_TEST(test_watch_when_a_model_forecasts_then_scores_are_those_by_hand)
{
    static struct celltap_score hand[SERIES];
    static const size_t horizons[] = {1};
    struct sight sight;
    celltap_model *model;
    ck_assert_int_eq(celltap_model_load("tests/golden/torch_univariate/opset17.onnx", &model, NULL),
                     0);
    make_series(4);
    for (size_t i = 0; i < 3; i++) {
        struct celltap_detector_options options;
        celltap_detector_defaults(model, &options);
        options.warmup = WARMUP;
        options.forecast = i == 1 ? "none" : NULL;
        options.horizons = i == 2 ? horizons : NULL;
        options.n_horizons = i == 2;
        sight_of(&sight, model, &options);
        by_hand(model, &options, hand);
        for (size_t t = 0; t < SERIES; t++) {
            ck_assert_int_eq(celltap_step(sight.panel, sight.stream, series[t], 1), 0);
            if (t >= WARMUP)
                ck_assert(same(celltap_panel_score(sight.panel, 0), &hand[t]));
        }
        ck_assert(i == 1 || hand[SERIES - 1].s[CELLTAP_VIEW_ERROR] > 0);
        sight_done(&sight);
    }
    celltap_model_unref(model);
}
END_TEST

START_TEST(test_watch_when_warming_up_then_the_network_is_stepped_with_what_is_known_by_then)
{
    struct sight sight;
    make_series(5);
    sight_init(&sight);
    for (size_t t = 0; t < WARMUP; t++) {
        sight_step(&sight, t);
        const float *x = celltap_panel_tensor(sight.panel, 0, 0, 0);
        for (size_t k = 0; k < CHANNELS; k++)
            ck_assert(x[k] >= -6 && x[k] <= 6);
        ck_assert_uint_eq(celltap_stream_warm_left(sight.stream), WARMUP - 1 - t);
    }
    const float *h = celltap_panel_tensor(sight.panel, 0, 1, 1);
    ck_assert(h[0] != 0);
    sight_step(&sight, WARMUP);
    ck_assert_uint_eq(celltap_stream_warm_left(sight.stream), SIZE_MAX);
    sight_done(&sight);
}
END_TEST

/* ---- whoever ends the warm-up --------------------------------------------------------------- */

START_TEST(test_watch_when_the_warm_up_is_ended_beside_then_bits_are_the_same)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other, third;
    celltap_warmup *warmup;
    make_series(6);
    sight_init(&sight);
    sight_init(&other);
    sight_init(&third);
    sight_run(&sight, 0, SERIES, scores);
    sight_run(&other, 0, WARMUP - 1, others);
    ck_assert_int_eq(celltap_warmup_new(other.stream, &warmup), CELLTAP_EINVAL);
    sight_run(&other, WARMUP - 1, WARMUP, others);
    ck_assert_int_eq(celltap_warmup_new(other.stream, &warmup), 0);
    ck_assert_int_eq(celltap_warmup_end(warmup, other.stream), CELLTAP_ESTATE);
    while (celltap_warmup_run(warmup, 7))
        ;
    ck_assert_int_eq(celltap_warmup_end(warmup, third.stream), CELLTAP_ESTATE);
    ck_assert_int_eq(celltap_warmup_end(warmup, other.stream), 0);
    celltap_warmup_free(warmup);
    sight_run(&other, WARMUP, SERIES, others);
    assert_same(scores, others, 0, SERIES);
    ck_assert_uint_eq(sight_state(&sight), sight_state(&other));
    sight_done(&sight);
    sight_done(&other);
    sight_done(&third);
}
END_TEST

START_TEST(test_watch_when_it_changes_while_it_is_warmed_up_then_is_as_if_it_had_not_been)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other;
    celltap_warmup *warmup;
    make_series(7);
    sight_init(&sight);
    sight_init(&other);
    sight_run(&sight, 0, WARMUP, scores);
    ck_assert_int_eq(celltap_warmup_new(sight.stream, &warmup), 0);
    celltap_warmup_run(warmup, SIZE_MAX);
    celltap_stream_rewarm(sight.stream);
    ck_assert_int_eq(celltap_warmup_end(warmup, sight.stream), CELLTAP_ESTATE);
    sight_run(&sight, 0, WARMUP, scores);
    series[3][0] += 1;
    sight_run(&other, 0, WARMUP, others);
    ck_assert_int_eq(celltap_warmup_end(warmup, other.stream), CELLTAP_ESTATE);
    series[3][0] -= 1;
    /* A reset stays to be done. */
    celltap_stream_reset(sight.stream);
    ck_assert_int_eq(celltap_warmup_end(warmup, sight.stream), 0);
    celltap_warmup_free(warmup);
    celltap_stream_rewarm(other.stream);
    sight_run(&other, 0, WARMUP, others);
    ck_assert_int_eq(celltap_stream_warm(other.stream), 0);
    celltap_stream_reset(other.stream);
    ck_assert_uint_eq(sight_state(&sight), sight_state(&other));
    sight_run(&sight, WARMUP, SERIES, scores);
    sight_run(&other, WARMUP, SERIES, others);
    assert_same(scores, others, WARMUP, SERIES);
    ck_assert(scores[WARMUP + 19].g == 0 && scores[WARMUP + 40].g > 0);
    sight_done(&sight);
    sight_done(&other);
}
END_TEST

START_TEST(test_tune_when_anywhere_in_the_warm_up_then_as_if_from_the_beginning)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    static const size_t whens[] = {0, 30, WARMUP};
    celltap_model *model;
    make_series(14);
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS + 2, UNITS, &model), 0);
    struct celltap_detector_options options = options_of(model, WARMUP);
    options.threshold = 1.1;
    options.level_state = 0.5;
    options.level_error = 0.4;
    options.refractory = 7;
    options.forget = 50;
    for (size_t i = 0; i < 2 * sizeof whens / sizeof *whens; i++) {
        struct sight sight, other;
        celltap_warmup *warmup = NULL;
        sight_of(&sight, model, &options);
        sight_init(&other);
        sight_run(&sight, 0, SERIES, scores);
        sight_run(&other, 0, whens[i / 2], others);
        /* The second time somebody ends the warm-up who began before. */
        if (whens[i / 2] == WARMUP && i % 2 == 1)
            ck_assert_int_eq(celltap_warmup_new(other.stream, &warmup), 0);
        ck_assert_int_eq(celltap_detector_tune(celltap_stream_detector(other.stream), &options), 0);
        if (warmup != NULL) {
            celltap_warmup_run(warmup, SIZE_MAX);
            ck_assert_int_eq(celltap_warmup_end(warmup, other.stream), 0);
        }
        celltap_warmup_free(warmup);
        sight_run(&other, whens[i / 2], SERIES, others);
        assert_same(scores, others, WARMUP, SERIES);
        sight_done(&sight);
        sight_done(&other);
    }
    celltap_model_unref(model);
}
END_TEST

START_TEST(test_tune_when_it_has_learnt_then_only_judging_changes)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other;
    size_t n_fewer = 0;
    make_series(15);
    sight_init(&sight);
    sight_init(&other);
    sight_run(&sight, 0, SERIES, scores);
    sight_run(&other, 0, 100, others);
    celltap_detector *detector = celltap_stream_detector(other.stream);
    struct celltap_detector_options options = *celltap_detector_get_options(detector);
    options.threshold = 31;
    uint64_t state = sight_state(&other);
    ck_assert_int_eq(celltap_detector_tune(detector, &options), CELLTAP_EINVAL);
    options.threshold = 29;
    options.warmup = 3; /* of learning: not looked at */
    options.smooth = 1;
    ck_assert_int_eq(celltap_detector_tune(detector, &options), 0);
    ck_assert(celltap_detector_get_options(detector)->smooth > 1);
    ck_assert_uint_eq(celltap_detector_get_options(detector)->warmup, WARMUP);
    ck_assert_uint_eq(sight_state(&other), state);
    sight_run(&other, 100, SERIES, others);
    for (size_t t = 100; t < SERIES; t++) {
        ck_assert(scores[t].g == others[t].g && scores[t].score == others[t].score);
        ck_assert(others[t].event == (others[t].score >= 29));
        n_fewer += scores[t].event && !others[t].event;
    }
    ck_assert_uint_gt(n_fewer, 0);
    sight_done(&sight);
    sight_done(&other);
}
END_TEST

/* ---- batch, kernel ------------------------------------------------------------------------- */

#define PANEL 64

START_TEST(test_watch_when_stepped_together_then_bits_are_those_of_each_alone)
{
    static struct celltap_score scores[SERIES];
    static float x[PANEL][CHANNELS + 2];
    celltap_stream *streams[PANEL];
    const float *frames[PANEL];
    celltap_model *model;
    celltap_panel *panel;
    struct sight sight;
    make_series(8);
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS + 2, UNITS, &model), 0);
    ck_assert_int_eq(celltap_panel_new(model, PANEL, &panel), 0);
    struct celltap_detector_options options = options_of(model, WARMUP);
    options.clock = CELLTAP_CLOCK_NONE;
    sight_of(&sight, model, &options);
    for (size_t i = 0; i < PANEL; i++) {
        frames[i] = x[i];
        ck_assert_int_eq(celltap_stream_new(model, &streams[i]), 0);
        if (i % 3 != 1)
            ck_assert_int_eq(celltap_stream_watch(streams[i], &options, NULL), 0);
    }
    /* Stream i lags i timesteps behind, so that they are due one by one. */
    for (size_t t = 0; t < SERIES; t++) {
        float frame[CHANNELS + 2] = {series[t][0], series[t][1], 1, 2};
        ck_assert_int_eq(celltap_step(sight.panel, sight.stream, frame, CHANNELS + 2), 0);
        scores[t] = *celltap_panel_score(sight.panel, 0);
        size_t n = t + 1 < PANEL ? t + 1 : PANEL;
        for (size_t i = 0; i < n; i++) {
            x[i][0] = i % 3 == 1 && isnan(series[t - i][0]) ? 0 : series[t - i][0];
            x[i][1] = i % 3 == 1 && isnan(series[t - i][1]) ? 0 : series[t - i][1];
            x[i][2] = 1;
            x[i][3] = 2;
        }
        ck_assert_int_eq(celltap_step_many(panel, streams, frames, n, CHANNELS + 2), 0);
        for (size_t i = 0; i < n; i++) {
            const struct celltap_score *score = celltap_panel_score(panel, i);
            ck_assert((score == NULL) == (i % 3 == 1));
            ck_assert(score == NULL || same(score, &scores[t - i]));
        }
    }
    ck_assert_int_eq(celltap_step_many(panel, streams, frames, 2, CHANNELS), CELLTAP_ELENGTH);
    for (size_t i = 0; i < PANEL; i++)
        celltap_stream_free(streams[i]);
    celltap_panel_free(panel);
    celltap_model_unref(model);
    sight_done(&sight);
}
END_TEST

START_TEST(test_watch_when_kernels_differ_then_bits_are_the_same)
{
    static const char *const names[] = {"plain", "avx2", "neon"};
    static struct celltap_score scores[SERIES], others[SERIES];
    const struct kernel *before = kernel_pick();
    uint64_t state = 0;
    make_series(9);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sight sight;
        if (kernel_find(names[i]) == NULL)
            continue;
        kernel_use(kernel_find(names[i]));
        sight_init(&sight);
        sight_run(&sight, 0, SERIES, i == 0 ? scores : others);
        state = i == 0 ? sight_state(&sight) : state;
        ck_assert_uint_eq(sight_state(&sight), state);
        sight_done(&sight);
        if (i > 0)
            assert_same(scores, others, 0, SERIES);
    }
    kernel_use(before);
}
END_TEST

/* ---- bytes --------------------------------------------------------------------------------- */

static void copy_state(const struct sight *from, struct sight *to)
{
    size_t n = celltap_stream_save_bytes(from->stream);
    unsigned char *bytes = malloc(n);
    celltap_stream_save(from->stream, bytes);
    ck_assert_int_eq(celltap_stream_load(to->stream, bytes, n), 0);
    free(bytes);
    ck_assert_uint_eq(sight_state(from), sight_state(to));
}

START_TEST(test_watch_when_saved_and_loaded_in_any_phase_then_goes_on_the_same)
{
    static const size_t cuts[] = {0, 1, 25, WARMUP - 1, WARMUP, WARMUP + 1, 150};
    static struct celltap_score scores[SERIES], others[SERIES];
    make_series(10);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        for (int resets = 0; resets < 2; resets++) {
            struct sight sight, other;
            sight_init(&sight);
            sight_init(&other);
            /* What the other one was before is of no importance. */
            sight_run(&other, 0, i % 2 ? 100 : 10, others);
            sight_run(&sight, 0, cuts[i], scores);
            if (resets)
                celltap_stream_reset(sight.stream);
            copy_state(&sight, &other);
            sight_run(&sight, cuts[i], SERIES, scores);
            sight_run(&other, cuts[i], SERIES, others);
            assert_same(scores, others, cuts[i], SERIES);
            ck_assert(scores[180].g > 0);
            sight_done(&sight);
            sight_done(&other);
        }
}
END_TEST

static void assert_refuses(struct sight *sight, const unsigned char *bytes, size_t n)
{
    uint64_t before = sight_state(sight);
    ck_assert_int_eq(celltap_stream_load(sight->stream, bytes, n), CELLTAP_ESTATE);
    ck_assert_uint_eq(sight_state(sight), before);
}

START_TEST(test_watch_when_bytes_are_of_others_then_nothing_changes)
{
    static struct celltap_score scores[SERIES];
    struct sight sight, other;
    celltap_stream *plain;
    make_series(11);
    for (size_t at = 20; at <= 120; at += 100) {
        sight_init(&sight);
        sight_run(&sight, 0, at, scores);
        size_t n = celltap_stream_save_bytes(sight.stream);
        unsigned char *bytes = malloc(n);
        celltap_stream_save(sight.stream, bytes);
        for (size_t i = 0; i < 9; i++) {
            struct celltap_detector_options options = options_of(sight.model, WARMUP + (i == 7));
            double *const numbers[] = {&options.smooth,      &options.range_smooth,
                                       &options.threshold,   &options.level_state,
                                       &options.level_error, &options.refractory,
                                       &options.forget};
            if (i < 7)
                *numbers[i] += 1;
            if (i == 8)
                options.history = CELLTAP_HISTORY_CALM;
            sight_of(&other, sight.model, &options);
            if (i < 2 || i >= 7)
                assert_refuses(&other, bytes, n);
            else /* of judging alone */
                ck_assert_int_eq(celltap_stream_load(other.stream, bytes, n), 0);
            sight_done(&other);
        }
        for (size_t cut = 0; cut < n; cut += cut < 200 ? 1 : 97)
            assert_refuses(&sight, bytes, cut);
        ck_assert_int_eq(celltap_stream_new(sight.model, &plain), 0);
        ck_assert_int_eq(celltap_stream_load(plain, bytes, n), CELLTAP_ESTATE);
        size_t n_plain = celltap_stream_save_bytes(plain);
        celltap_stream_save(plain, bytes);
        assert_refuses(&sight, bytes, n_plain);
        celltap_stream_free(plain);
        free(bytes);
        sight_done(&sight);
    }
}
END_TEST

START_TEST(test_watch_when_given_what_another_has_learnt_then_there_is_no_warm_up)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other, third;
    make_series(12);
    sight_init(&sight);
    sight_init(&other);
    sight_run(&sight, 0, WARMUP, scores);
    celltap_detector *learning = celltap_stream_detector(sight.stream);
    size_t n = celltap_detector_save_bytes(learning);
    unsigned char *bytes = malloc(n);
    celltap_detector_save(learning, bytes);
    ck_assert_int_eq(celltap_stream_learn(other.stream, bytes, n, NULL), CELLTAP_ESTATE);
    free(bytes);
    sight_run(&sight, WARMUP, SERIES, scores);
    n = celltap_detector_save_bytes(celltap_stream_detector(sight.stream));
    bytes = malloc(n);
    celltap_detector_save(celltap_stream_detector(sight.stream), bytes);
    bytes[n / 2] ^= 1;
    ck_assert_int_eq(celltap_stream_learn(other.stream, bytes, n, NULL), CELLTAP_ESTATE);
    bytes[n / 2] ^= 1;
    ck_assert_uint_eq(celltap_stream_warm_left(other.stream), WARMUP);
    ck_assert_int_eq(celltap_stream_learn(other.stream, bytes, n, NULL), 0);
    ck_assert_uint_eq(celltap_stream_warm_left(other.stream), SIZE_MAX);
    sight_run(&other, 0, SERIES, others);
    ck_assert(others[19].g == 0 && others[19].phase == CELLTAP_PHASE_SCORE && others[40].g > 0);
    /* Another threshold may be set. */
    struct celltap_detector_options options = options_of(sight.model, WARMUP);
    options.threshold = 9;
    sight_of(&third, sight.model, &options);
    ck_assert_int_eq(celltap_stream_learn(third.stream, bytes, n, NULL), 0);
    free(bytes);
    sight_done(&sight);
    sight_done(&other);
    sight_done(&third);
}
END_TEST

/* ---- resets -------------------------------------------------------------------------------- */

START_TEST(test_watch_when_rewarmed_then_is_as_new)
{
    static const size_t cuts[] = {0, 30, WARMUP, 150};
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other;
    make_series(13);
    sight_init(&other);
    sight_run(&other, 0, SERIES, others);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        sight_init(&sight);
        sight_run(&sight, 0, cuts[i], scores);
        celltap_stream_rewarm(sight.stream);
        ck_assert_uint_eq(celltap_stream_warm_left(sight.stream), WARMUP);
        sight_run(&sight, 0, SERIES, scores);
        assert_same(scores, others, 0, SERIES);
        ck_assert_uint_eq(sight_state(&sight), sight_state(&other));
        sight_done(&sight);
    }
    sight_done(&other);
}
END_TEST

START_TEST(test_watch_when_reset_then_what_was_learnt_stays)
{
    static struct celltap_score scores[SERIES];
    struct sight sight;
    make_series(14);
    sight_init(&sight);
    sight_run(&sight, 0, 120, scores);
    celltap_stream_reset(sight.stream);
    ck_assert_uint_eq(celltap_stream_warm_left(sight.stream), SIZE_MAX);
    sight_run(&sight, 120, SERIES, scores);
    for (size_t t = 120; t < 140; t++)
        ck_assert(scores[t].g == 0 && scores[t].phase == CELLTAP_PHASE_SCORE);
    ck_assert(scores[180].g >= 5);
    sight_done(&sight);
}
END_TEST

START_TEST(test_watch_when_reset_in_the_warm_up_then_that_is_where_it_is_stepped_again_too)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other;
    make_series(15);
    sight_init(&sight);
    sight_init(&other);
    sight_run(&sight, 0, 40, scores);
    celltap_stream_reset(sight.stream);
    ck_assert_uint_eq(celltap_stream_warm_left(sight.stream), WARMUP - 40);
    sight_run(&sight, 40, SERIES, scores);
    sight_run(&other, 0, SERIES, others);
    ck_assert(!same(&scores[WARMUP], &others[WARMUP]));
    ck_assert(scores[180].g >= 5);
    sight_done(&sight);
    sight_done(&other);
}
END_TEST

/* ---- what can go wrong --------------------------------------------------------------------- */

START_TEST(test_watch_when_memory_runs_out_then_nothing_has_changed)
{
    static struct celltap_score scores[SERIES], others[SERIES];
    struct sight sight, other;
    make_series(16);
    sight_init(&sight);
    sight_init(&other);
    sight_run(&other, 0, SERIES, others);
    for (size_t t = 0; t < SERIES; t++) {
        uint64_t before = sight_state(&sight);
        int code = CELLTAP_ENOMEM;
        long alive = alloc_n_alive();
        for (long n = 0; code == CELLTAP_ENOMEM; n++) {
            ck_assert_int_lt(n, 10);
            ck_assert_uint_eq(sight_state(&sight), before);
            ck_assert_int_eq(alloc_n_alive(), alive);
            celltap_stream_at(sight.stream, ts_of(t));
            alloc_fail_after(n);
            code = celltap_step(sight.panel, sight.stream, series[t], CHANNELS);
            alloc_fail_after(-1);
            ck_assert(code == 0 || code == CELLTAP_ENOMEM);
            ck_assert(t <= WARMUP || n == 0);
        }
        scores[t] = *celltap_panel_score(sight.panel, 0);
    }
    assert_same(scores, others, 0, SERIES);
    sight_done(&sight);
    sight_done(&other);
}
END_TEST

START_TEST(test_watch_when_reserved_then_steps_need_no_memory)
{
    static struct celltap_score scores[SERIES];
    struct sight sight;
    make_series(17);
    sight_init(&sight);
    ck_assert_int_eq(celltap_stream_reserve(sight.stream, SIZE_MAX), 0);
    alloc_fail_after(0);
    sight_run(&sight, 0, WARMUP, scores);
    ck_assert_int_eq(celltap_stream_warm(sight.stream), CELLTAP_ENOMEM);
    alloc_fail_after(-1);
    ck_assert_int_eq(celltap_stream_warm(sight.stream), 0);
    alloc_fail_after(0);
    sight_run(&sight, WARMUP, SERIES, scores);
    alloc_fail_after(-1);
    sight_done(&sight);
}
END_TEST

START_TEST(test_watch_when_options_are_out_of_range_then_says_why)
{
    celltap_model *model;
    celltap_stream *stream;
    celltap_panel *panel;
    struct celltap_diagnosis why = {"", ""};
    static const float x[CHANNELS + 2];
    ck_assert_int_eq(celltap_model_reservoir(CHANNELS + 2, UNITS, &model), 0);
    ck_assert_int_eq(celltap_stream_new(model, &stream), 0);
    struct celltap_detector_options options = options_of(model, 1);
    ck_assert_int_eq(celltap_stream_watch(stream, &options, &why), CELLTAP_EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "warmup"));
    options = options_of(model, 10000000);
    ck_assert_int_eq(celltap_stream_watch(stream, &options, &why), 0);
    ck_assert_int_eq(celltap_stream_watch(stream, &options, &why), CELLTAP_EINVAL);
    celltap_stream_free(stream);
    ck_assert_int_eq(celltap_stream_new(model, &stream), 0);
    ck_assert_int_eq(celltap_panel_new(model, 1, &panel), 0);
    ck_assert_int_eq(celltap_step(panel, stream, x, CHANNELS + 2), 0);
    ck_assert_ptr_null(celltap_panel_score(panel, 0));
    ck_assert_ptr_null(celltap_panel_score(panel, 1));
    ck_assert_ptr_null(celltap_stream_detector(stream));
    ck_assert_int_eq(celltap_stream_watch(stream, NULL, &why), CELLTAP_EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "fresh"));
    ck_assert_int_eq(celltap_stream_learn(stream, x, sizeof x, NULL), CELLTAP_EINVAL);
    celltap_stream_free(stream);
    celltap_panel_free(panel);
    celltap_model_unref(model);
    ck_assert_int_eq(celltap_model_reservoir(4096, 1, &model), 0);
    ck_assert_int_eq(celltap_stream_new(model, &stream), 0);
    options = options_of(model, 100000);
    ck_assert_int_eq(celltap_stream_watch(stream, &options, &why), CELLTAP_EINVAL);
    ck_assert_ptr_nonnull(strstr(why.text, "1 GiB"));
    celltap_stream_free(stream);
    celltap_model_unref(model);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_watch_when_stepped_then_scores_are_those_of_a_detector_by_hand,
        test_watch_when_a_model_forecasts_then_scores_are_those_by_hand,
        test_watch_when_warming_up_then_the_network_is_stepped_with_what_is_known_by_then,
        test_watch_when_the_warm_up_is_ended_beside_then_bits_are_the_same,
        test_watch_when_it_changes_while_it_is_warmed_up_then_is_as_if_it_had_not_been,
        test_tune_when_anywhere_in_the_warm_up_then_as_if_from_the_beginning,
        test_tune_when_it_has_learnt_then_only_judging_changes,
        test_watch_when_stepped_together_then_bits_are_those_of_each_alone,
        test_watch_when_kernels_differ_then_bits_are_the_same,
        test_watch_when_saved_and_loaded_in_any_phase_then_goes_on_the_same,
        test_watch_when_bytes_are_of_others_then_nothing_changes,
        test_watch_when_given_what_another_has_learnt_then_there_is_no_warm_up,
        test_watch_when_rewarmed_then_is_as_new,
        test_watch_when_reset_then_what_was_learnt_stays,
        test_watch_when_reset_in_the_warm_up_then_that_is_where_it_is_stepped_again_too,
        test_watch_when_memory_runs_out_then_nothing_has_changed,
        test_watch_when_reserved_then_steps_need_no_memory,
        test_watch_when_options_are_out_of_range_then_says_why,
        NULL,
    };
    return suite_run("watch", tests, 30);
}
