/* test_gru.c - a GRU cell computes ONNX's equations, whatever its size, attributes and panel. */
#include <math.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"
#include "tests/support/truth.h"

#define N_STEPS   4
#define TOLERANCE 4e-6
#define H_MAX     64

/* A GRU with random weights, which live as long as this does. */
struct sample {
    struct gru_spec spec;
    float *W, *R, *B, *h0;
};

static void sample_init(struct sample *sample, uint64_t *seed, size_t X, size_t H)
{
    float range = 1.5f / sqrtf((float)(X + H));
    sample->W = rig_floats(seed, 3 * H * X, range);
    sample->R = rig_floats(seed, 3 * H * H, range);
    sample->B = rig_floats(seed, 6 * H, 0.5f);
    sample->h0 = rig_floats(seed, H, 0.9f);
    sample->spec = (struct gru_spec){
        .n_inputs = X,
        .n_units = H,
        .W = sample->W,
        .R = sample->R,
        .f = {CELL_SIGMOID, 0, 0},
        .g = {CELL_TANH, 0, 0},
        .clip = INFINITY,
    };
}

static void sample_done(struct sample *sample)
{
    free(sample->W);
    free(sample->R);
    free(sample->B);
    free(sample->h0);
}

struct truth {
    double h[H_MAX], z[H_MAX], r[H_MAX], n[H_MAX];
};

/* The textbook's timestep for one stream. */
static void truth_step(const struct gru_spec *spec, const float *x, struct truth *t)
{
    size_t H = spec->n_units;
    struct truth_sums sums = {spec->W, spec->R, spec->B, 3 * H, spec->n_inputs, H};
    double clip = (double)spec->clip, rh[H_MAX], next[H_MAX];
    for (size_t j = 0; j < H; j++) {
        double zx = truth_sum_x(&sums, j, x), rx = truth_sum_x(&sums, H + j, x);
        t->z[j] = truth_gate(spec->f, clip, zx + truth_sum_h(&sums, j, t->h));
        t->r[j] = truth_gate(spec->f, clip, rx + truth_sum_h(&sums, H + j, t->h));
    }
    for (size_t j = 0; j < H; j++)
        rh[j] = t->r[j] * t->h[j];
    for (size_t j = 0; j < H; j++) {
        double nx = truth_sum_x(&sums, 2 * H + j, x);
        double nh = spec->linear_before_reset ? t->r[j] * truth_sum_h(&sums, 2 * H + j, t->h)
                                              : truth_sum_h(&sums, 2 * H + j, rh);
        t->n[j] = truth_gate(spec->g, clip, nx + nh);
        next[j] = (1 - t->z[j]) * t->n[j] + t->z[j] * t->h[j];
    }
    for (size_t j = 0; j < H; j++)
        t->h[j] = next[j];
}

/* The largest difference between a cell's tensors and the textbook's over a few timesteps. */
static double difference(const struct gru_spec *cell_spec, const struct gru_spec *true_spec,
                         size_t n_columns, uint64_t seed)
{
    struct cell *cell;
    ck_assert_int_eq(gru_new(cell_spec, &cell), 0);
    struct rig rig;
    rig_init(&rig, cell, n_columns);
    size_t H = true_spec->n_units;
    struct truth *truth = calloc(n_columns, sizeof *truth);
    for (size_t c = 0; c < n_columns; c++)
        for (size_t j = 0; j < H && true_spec->h0 != NULL; j++)
            truth[c].h[j] = (double)true_spec->h0[j];
    double worst = 0;
    for (uint64_t step = 0; step < N_STEPS; step++) {
        rig_inputs(&rig, seed + step, 2);
        cell_step(cell, &rig.columns);
        for (size_t c = 0; c < n_columns; c++) {
            struct truth *t = &truth[c];
            const double *tensors[] = {t->h, t->z, t->r, t->n};
            truth_step(true_spec, rig_in(&rig, c, 0), t);
            for (size_t i = 0; i < 4; i++)
                for (size_t j = 0; j < H; j++)
                    worst = fmax(worst, fabs((double)rig_out(&rig, c, i)[j] - tensors[i][j]));
        }
    }
    free(truth);
    rig_done(&rig);
    return worst;
}

START_TEST(test_gru_when_sizes_are_odd_then_it_follows_the_equations)
{
    uint64_t seed = 1;
    for (size_t n = 0; n < 66; n++) {
        size_t H = 1 + n / 2, X = 1 + rig_random(&seed) % 33, B = 1 + rig_random(&seed) % 9;
        struct sample sample;
        sample_init(&sample, &seed, X, H);
        sample.spec.B = H % 3 == 0 ? NULL : sample.B;
        sample.spec.h0 = H % 2 == 0 ? sample.h0 : NULL;
        sample.spec.linear_before_reset = n % 2 == 0;
        double worst = difference(&sample.spec, &sample.spec, B, seed);
        ck_assert_msg(worst < TOLERANCE, "X %zu H %zu B %zu: %g", X, H, B, worst);
        sample_done(&sample);
    }
}
END_TEST

START_TEST(test_gru_when_attributes_are_given_then_it_follows_the_equations)
{
    static const struct cell_activation functions[] = {
        {CELL_SIGMOID, 0, 0},      {CELL_TANH, 0, 0},     {CELL_HARD_SIGMOID, 0.2f, 0.5f},
        {CELL_RELU, 0, 0},         {CELL_ELU, 1.2f, 0},   {CELL_SOFTPLUS, 0, 0},
        {CELL_AFFINE, 0.5f, 0.1f}, {CELL_SOFTSIGN, 0, 0},
    };
    uint64_t seed = 2;
    for (size_t n = 0; n < 64; n++) {
        struct sample sample;
        sample_init(&sample, &seed, 1 + n % 7, 1 + rig_random(&seed) % 20);
        sample.spec.B = sample.B;
        sample.spec.h0 = sample.h0;
        sample.spec.f = functions[n % 8];
        sample.spec.g = functions[n / 2 % 8];
        sample.spec.clip = n % 3 == 0 ? 0.4f : INFINITY;
        sample.spec.linear_before_reset = n % 4 < 2;
        double worst = difference(&sample.spec, &sample.spec, 1 + n % 4, seed);
        ck_assert_msg(worst < 5 * TOLERANCE, "sample %zu: %g", n, worst);
        sample_done(&sample);
    }
}
END_TEST

START_TEST(test_gru_when_the_truth_is_bent_then_it_is_noticed)
{
    uint64_t seed = 3;
    struct sample sample;
    sample_init(&sample, &seed, 5, 19);
    sample.spec.B = sample.B;
    struct gru_spec bent = sample.spec;
    bent.linear_before_reset = true;
    ck_assert(difference(&sample.spec, &bent, 2, 1) > TOLERANCE);
    sample_done(&sample);
}
END_TEST

START_TEST(test_gru_when_allocations_fail_then_nothing_is_kept)
{
    uint64_t seed = 5;
    struct sample sample;
    sample_init(&sample, &seed, 3, 10);
    for (int linear = 0; linear < 2; linear++) {
        sample.spec.linear_before_reset = linear == 1;
        long before = alloc_n_alive();
        struct cell *cell = NULL;
        long n = 0;
        for (int result = CELLTAP_ENOMEM; result != 0; n++) {
            alloc_fail_after(n);
            result = gru_new(&sample.spec, &cell);
            ck_assert(result == 0 || (result == CELLTAP_ENOMEM && cell == NULL));
            ck_assert(result == 0 || alloc_n_alive() == before);
        }
        ck_assert_int_gt(n, 1);
        struct rig rig;
        rig_init(&rig, cell, 7);
        rig_inputs(&rig, 1, 1);
        alloc_fail_after(0);
        cell_step(cell, &rig.columns); /* and a step asks for none */
        alloc_fail_after(-1);
        rig_done(&rig);
        ck_assert_int_eq(alloc_n_alive(), before);
    }
    sample_done(&sample);
}
END_TEST

START_TEST(test_gru_when_the_specification_is_wrong_then_it_is_refused)
{
    uint64_t seed = 6;
    struct sample sample;
    sample_init(&sample, &seed, 3, 4);
    struct cell *cell = NULL;
    struct gru_spec spec = sample.spec;
    spec.n_inputs = 0;
    ck_assert_int_eq(gru_new(&spec, &cell), CELLTAP_EINVAL);
    spec = sample.spec;
    spec.clip = -1;
    ck_assert_int_eq(gru_new(&spec, &cell), CELLTAP_EINVAL);
    ck_assert_ptr_null(cell);
    sample_done(&sample);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_gru_when_sizes_are_odd_then_it_follows_the_equations,
        test_gru_when_attributes_are_given_then_it_follows_the_equations,
        test_gru_when_the_truth_is_bent_then_it_is_noticed,
        test_gru_when_allocations_fail_then_nothing_is_kept,
        test_gru_when_the_specification_is_wrong_then_it_is_refused,
        NULL,
    };
    return suite_run("gru", tests, 60);
}
