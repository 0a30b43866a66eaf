/* test_rnn.c - an RNN cell computes ONNX's equation, whatever its size, function and panel. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"
#include "tests/support/truth.h"

#define TOLERANCE 4e-6
#define H_MAX     128

struct sample {
    struct rnn_spec spec;
    float *W, *R, *B, *h0;
};

static void sample_init(struct sample *sample, uint64_t *seed, size_t X, size_t H)
{
    float range = 1.5f / sqrtf((float)(X + H));
    sample->W = rig_floats(seed, H * X, range);
    sample->R = rig_floats(seed, H * H, range);
    sample->B = rig_floats(seed, 2 * H, 0.5f);
    sample->h0 = rig_floats(seed, H, 0.9f);
    sample->spec =
        (struct rnn_spec){X, H, sample->W, sample->R, NULL, NULL, {CELL_TANH, 0, 0}, INFINITY};
}

static void sample_done(struct sample *sample)
{
    free(sample->W);
    free(sample->R);
    free(sample->B);
    free(sample->h0);
}

static double difference(const struct rnn_spec *cell_spec, const struct rnn_spec *spec,
                         size_t n_columns, uint64_t seed)
{
    struct cell *cell;
    ck_assert_int_eq(rnn_new(cell_spec, &cell), 0);
    struct rig rig;
    rig_init(&rig, cell, n_columns);
    size_t H = spec->n_units;
    struct truth_sums sums = {spec->W, spec->R, spec->B, H, spec->n_inputs, H};
    double worst = 0, (*h)[H_MAX] = calloc(n_columns, sizeof *h), next[H_MAX];
    for (size_t c = 0; c < n_columns; c++)
        for (size_t j = 0; j < H && spec->h0 != NULL; j++)
            h[c][j] = (double)spec->h0[j];
    for (uint64_t step = 0; step < 4; step++) {
        rig_inputs(&rig, seed + step, 2);
        cell_step(cell, &rig.columns);
        for (size_t c = 0; c < n_columns; c++) {
            for (size_t j = 0; j < H; j++)
                next[j] = truth_gate(spec->f, (double)spec->clip,
                                     truth_sum_x(&sums, j, rig_in(&rig, c, 0)) +
                                         truth_sum_h(&sums, j, h[c]));
            for (size_t j = 0; j < H; j++) {
                h[c][j] = next[j];
                worst = fmax(worst, fabs((double)rig_out(&rig, c, 0)[j] - next[j]));
            }
        }
    }
    free(h);
    rig_done(&rig);
    return worst;
}

START_TEST(test_rnn_when_sizes_are_odd_then_it_follows_the_equation)
{
    static const struct cell_activation functions[] = {
        {CELL_TANH, 0, 0}, {CELL_RELU, 0, 0}, {CELL_SIGMOID, 0, 0}, {CELL_SCALED_TANH, 1.1f, .7f}};
    uint64_t seed = 1;
    for (size_t H = 1; H <= 100; H++) {
        size_t X = 1 + rig_random(&seed) % 33, B = 1 + rig_random(&seed) % 9;
        struct sample sample;
        sample_init(&sample, &seed, X, H);
        sample.spec.B = H % 3 == 0 ? NULL : sample.B;
        sample.spec.h0 = H % 2 == 0 ? sample.h0 : NULL;
        sample.spec.f = functions[H % 4];
        sample.spec.clip = H % 5 == 0 ? 0.5f : INFINITY;
        double worst = difference(&sample.spec, &sample.spec, B, seed);
        ck_assert_msg(worst < TOLERANCE, "X %zu H %zu B %zu: %g", X, H, B, worst);
        sample_done(&sample);
    }
}
END_TEST

/* A float of any kind but infinities and NaN; every other one is near 2^-60 or a multiple of ln 2 / 4,
 * where tanh's parts are 0. */
static float any_float(uint64_t *seed)
{
    uint64_t r = rig_random(seed);
    float sign = r & 1 ? -1.0f : 1.0f, ulps = 1 + ((float)(r >> 8 & 7) - 3) * 0x1p-23f;
    if (r & 2)
        return sign * ulps * (r & 4 ? 0x1p-60f : (float)(r >> 16 & 31) * 0x1.62e430p-2f);
    return sign * ldexpf(1 + (float)(r >> 16 & 0xffff) * 0x1p-16f, (int)(r >> 32) % 277 - 149);
}

START_TEST(test_rnn_when_a_sum_is_any_float_then_h_is_its_tanh_or_zero)
{
    enum { H = 72, N_COLUMNS = 9 };
    uint64_t seed = 7;
    struct sample sample;
    sample_init(&sample, &seed, H, H);
    for (size_t i = 0; i < (size_t)H * H; i++) {
        sample.W[i] = i % (H + 1) == 0;
        sample.R[i] = 0;
    }
    for (size_t n_columns = 1; n_columns <= N_COLUMNS; n_columns += 4) {
        struct cell *cell;
        ck_assert_int_eq(rnn_new(&sample.spec, &cell), 0);
        struct rig rig;
        rig_init(&rig, cell, n_columns);
        for (size_t n = 0; n < 1000 * n_columns; n++) {
            size_t c = n % n_columns;
            for (size_t j = 0; j < H; j++)
                rig_in(&rig, c, 0)[j] = any_float(&seed);
            if (c + 1 < n_columns)
                continue;
            cell_step(cell, &rig.columns);
            for (c = 0; c < n_columns; c++) {
                float should[H];
                kernel_pick()->unary[KERNEL_TANH](rig_in(&rig, c, 0), should, H, 0, 0);
                for (size_t j = 0; j < H; j++) {
                    float x = rig_in(&rig, c, 0)[j], h = rig_out(&rig, c, 0)[j];
                    if (fabsf(should[j]) < 0x1p-60f)
                        should[j] = 0;
                    ck_assert_msg(memcmp(&h, &should[j], sizeof h) == 0, "tanh %a is %a, not %a",
                                  (double)x, (double)h, (double)should[j]);
                }
            }
        }
        rig_done(&rig);
    }
    sample_done(&sample);
}
END_TEST

START_TEST(test_rnn_when_the_truth_is_bent_then_it_is_noticed)
{
    uint64_t seed = 3;
    struct sample sample;
    sample_init(&sample, &seed, 5, 19);
    struct rnn_spec bent = sample.spec;
    bent.B = sample.B;
    ck_assert(difference(&sample.spec, &bent, 2, 1) > TOLERANCE);
    sample_done(&sample);
}
END_TEST

START_TEST(test_rnn_when_allocations_fail_then_nothing_is_kept)
{
    uint64_t seed = 5;
    struct sample sample;
    sample_init(&sample, &seed, 3, 10);
    long before = alloc_n_alive();
    struct cell *cell = NULL;
    long n = 0;
    for (int result = CELLTAP_ENOMEM; result != 0; n++) {
        alloc_fail_after(n);
        result = rnn_new(&sample.spec, &cell);
        ck_assert(result == 0 || (result == CELLTAP_ENOMEM && cell == NULL));
        ck_assert(result == 0 || alloc_n_alive() == before);
    }
    ck_assert_int_gt(n, 1);
    struct rig rig;
    rig_init(&rig, cell, 5);
    rig_inputs(&rig, 1, 1);
    alloc_fail_after(0);
    cell_step(cell, &rig.columns); /* and a step asks for none */
    alloc_fail_after(-1);
    rig_done(&rig);
    ck_assert_int_eq(alloc_n_alive(), before);
    sample.spec.n_units = 0;
    ck_assert_int_eq(rnn_new(&sample.spec, &cell), CELLTAP_EINVAL);
    sample_done(&sample);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_rnn_when_sizes_are_odd_then_it_follows_the_equation,
        test_rnn_when_a_sum_is_any_float_then_h_is_its_tanh_or_zero,
        test_rnn_when_the_truth_is_bent_then_it_is_noticed,
        test_rnn_when_allocations_fail_then_nothing_is_kept,
        NULL,
    };
    return suite_run("rnn", tests, 60);
}
