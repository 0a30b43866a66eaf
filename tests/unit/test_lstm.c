/* test_lstm.c - an LSTM cell computes ONNX's equations, whatever its size, attributes and panel. */
#include <math.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"
#include "tests/support/truth.h"

#define N_STEPS   4
#define TOLERANCE 4e-6

/* An LSTM with random weights, which live as long as this does. */
struct sample {
    struct lstm_spec spec;
    float *W, *R, *B, *P, *h0, *c0;
};

static void sample_init(struct sample *sample, uint64_t *seed, size_t X, size_t H)
{
    float range = 1.5f / sqrtf((float)(X + H));
    sample->W = rig_floats(seed, 4 * H * X, range);
    sample->R = rig_floats(seed, 4 * H * H, range);
    sample->B = rig_floats(seed, 8 * H, 0.5f);
    sample->P = rig_floats(seed, 3 * H, 0.5f);
    sample->h0 = rig_floats(seed, H, 0.9f);
    sample->c0 = rig_floats(seed, H, 0.9f);
    sample->spec = (struct lstm_spec){
        .n_inputs = X,
        .n_units = H,
        .W = sample->W,
        .R = sample->R,
        .f = {CELL_SIGMOID, 0, 0},
        .g = {CELL_TANH, 0, 0},
        .h = {CELL_TANH, 0, 0},
        .clip = INFINITY,
    };
}

static void sample_done(struct sample *sample)
{
    free(sample->W);
    free(sample->R);
    free(sample->B);
    free(sample->P);
    free(sample->h0);
    free(sample->c0);
}

/* The textbook's timestep for one stream: h and c in place, gates i f g o. */
struct truth {
    double h[64], c[64], next_h[64], i[64], f[64], g[64], o[64];
};

static void truth_step(const struct lstm_spec *spec, const float *x, struct truth *t)
{
    size_t H = spec->n_units;
    struct truth_sums sums = {spec->W, spec->R, spec->B, 4 * H, spec->n_inputs, H};
    double clip = (double)spec->clip;
    for (size_t j = 0; j < H; j++) {
        double z[4], p[3] = {0, 0, 0};
        for (size_t g = 0; g < 4; g++)
            z[g] = truth_sum_x(&sums, g * H + j, x) + truth_sum_h(&sums, g * H + j, t->h);
        for (size_t g = 0; g < 3 && spec->P != NULL; g++)
            p[g] = (double)spec->P[g * H + j];
        t->i[j] = truth_gate(spec->f, clip, z[0] + p[0] * t->c[j]);
        t->f[j] =
            spec->input_forget ? 1 - t->i[j] : truth_gate(spec->f, clip, z[2] + p[2] * t->c[j]);
        t->g[j] = truth_gate(spec->g, clip, z[3]);
        t->c[j] = t->f[j] * t->c[j] + t->i[j] * t->g[j];
        t->o[j] = truth_gate(spec->f, clip, z[1] + p[1] * t->c[j]);
        t->next_h[j] = t->o[j] * truth_function(spec->h, t->c[j]);
    }
    for (size_t j = 0; j < H; j++)
        t->h[j] = t->next_h[j];
}

/* The largest difference between a cell's tensors and the textbook's over a few timesteps. */
static double difference(const struct lstm_spec *cell_spec, const struct lstm_spec *true_spec,
                         size_t n_columns, uint64_t seed)
{
    struct cell *cell;
    ck_assert_int_eq(lstm_new(cell_spec, &cell), 0);
    struct rig rig;
    rig_init(&rig, cell, n_columns);
    size_t H = true_spec->n_units;
    struct truth *truth = calloc(n_columns, sizeof *truth);
    for (size_t c = 0; c < n_columns; c++)
        for (size_t j = 0; j < H; j++) {
            truth[c].h[j] = true_spec->h0 == NULL ? 0 : (double)true_spec->h0[j];
            truth[c].c[j] = true_spec->c0 == NULL ? 0 : (double)true_spec->c0[j];
        }
    double worst = 0;
    for (uint64_t step = 0; step < N_STEPS; step++) {
        rig_inputs(&rig, seed + step, 2);
        cell_step(cell, &rig.columns);
        for (size_t c = 0; c < n_columns; c++) {
            struct truth *t = &truth[c];
            const double *tensors[] = {t->h, t->c, t->i, t->f, t->g, t->o};
            truth_step(true_spec, rig_in(&rig, c, 0), t);
            for (size_t i = 0; i < 6; i++)
                for (size_t j = 0; j < H; j++)
                    worst = fmax(worst, fabs((double)rig_out(&rig, c, i)[j] - tensors[i][j]));
        }
    }
    free(truth);
    rig_done(&rig);
    return worst;
}

START_TEST(test_lstm_when_sizes_are_odd_then_it_follows_the_equations)
{
    uint64_t seed = 1;
    for (size_t H = 1; H <= 33; H++) {
        size_t X = 1 + rig_random(&seed) % 33, B = 1 + rig_random(&seed) % 9;
        struct sample sample;
        sample_init(&sample, &seed, X, H);
        sample.spec.B = H % 3 == 0 ? NULL : sample.B;
        sample.spec.h0 = H % 2 == 0 ? sample.h0 : NULL;
        sample.spec.c0 = H % 4 < 2 ? sample.c0 : NULL;
        double worst = difference(&sample.spec, &sample.spec, B, seed);
        ck_assert_msg(worst < TOLERANCE, "X %zu H %zu B %zu: %g", X, H, B, worst);
        sample_done(&sample);
    }
}
END_TEST

START_TEST(test_lstm_when_attributes_are_given_then_it_follows_the_equations)
{
    static const struct cell_activation functions[] = {
        {CELL_SIGMOID, 0, 0},
        {CELL_TANH, 0, 0},
        {CELL_RELU, 0, 0},
        {CELL_AFFINE, 0.5f, 0.1f},
        {CELL_LEAKY_RELU, 0.1f, 0},
        {CELL_THRESHOLDED_RELU, 0.3f, 0},
        {CELL_SCALED_TANH, 1.5f, .6f},
        {CELL_HARD_SIGMOID, 0.2f, 0.5f},
        {CELL_ELU, 1.2f, 0},
        {CELL_SOFTSIGN, 0, 0},
        {CELL_SOFTPLUS, 0, 0},
    };
    size_t n_functions = sizeof functions / sizeof functions[0];
    uint64_t seed = 2;
    for (size_t n = 0; n < 64; n++) {
        struct sample sample;
        sample_init(&sample, &seed, 1 + n % 7, 1 + rig_random(&seed) % 20);
        sample.spec.B = sample.B;
        sample.spec.c0 = sample.c0;
        sample.spec.f = functions[n % n_functions];
        sample.spec.g = functions[(n / 2) % n_functions];
        sample.spec.h = functions[(n / 3) % n_functions];
        sample.spec.clip = n % 3 == 0 ? 0.4f : INFINITY;
        sample.spec.P = n % 4 < 2 ? sample.P : NULL;
        sample.spec.input_forget = n % 5 == 0;
        /* Thresholded ReLU jumps: a sum at its threshold may fall on either side. */
        double worst = difference(&sample.spec, &sample.spec, 1 + n % 4, seed);
        ck_assert_msg(worst < 5 * TOLERANCE, "sample %zu: %g", n, worst);
        sample_done(&sample);
    }
}
END_TEST

START_TEST(test_lstm_when_the_truth_is_bent_then_it_is_noticed)
{
    uint64_t seed = 3;
    struct sample sample;
    sample_init(&sample, &seed, 5, 19);
    sample.spec.B = sample.B;
    struct lstm_spec bent = sample.spec;
    bent.B = NULL;
    ck_assert(difference(&sample.spec, &bent, 2, 1) > TOLERANCE);
    bent = sample.spec;
    bent.P = sample.P;
    ck_assert(difference(&sample.spec, &bent, 2, 1) > TOLERANCE);
    sample_done(&sample);
}
END_TEST

START_TEST(test_lstm_when_states_are_tiny_then_they_become_zero)
{
    uint64_t seed = 4;
    struct sample sample;
    sample_init(&sample, &seed, 1, 9);
    for (size_t i = 0; i < 9; i++) {
        sample.c0[i] = i % 2 == 0 ? 0x1p-61f : -0x1p-100f;
        sample.h0[i] = -0x1p-61f;
    }
    for (size_t i = 0; i < 4 * 9; i++)
        sample.W[i] = 0;
    sample.spec.h0 = sample.h0;
    sample.spec.c0 = sample.c0;
    struct cell *cell;
    ck_assert_int_eq(lstm_new(&sample.spec, &cell), 0);
    for (size_t i = 0; i < cell->n_states; i++)
        ck_assert(cell->initial[i] == 0 && !signbit(cell->initial[i]));
    struct rig rig;
    rig_init(&rig, cell, 1);
    rig_inputs(&rig, 1, 1);
    for (size_t i = 0; i < 9; i++)
        rig.states_of[0][cell->state_at + 16 + i] = -0x1p-60f; /* halved by f = 0.5 */
    cell_step(cell, &rig.columns);
    for (size_t i = 0; i < 9; i++) {
        ck_assert(rig_out(&rig, 0, 1)[i] == 0 && !signbit(rig_out(&rig, 0, 1)[i]));
        ck_assert(rig.states_of[0][cell->state_at + 16 + i] == 0);
    }
    rig_done(&rig);
    sample_done(&sample);
}
END_TEST

START_TEST(test_lstm_when_allocations_fail_then_nothing_is_kept)
{
    uint64_t seed = 5;
    struct sample sample;
    sample_init(&sample, &seed, 3, 10);
    long before = alloc_n_alive();
    struct cell *cell = NULL;
    long n = 0;
    for (int result = CELLTAP_ENOMEM; result != 0; n++) {
        alloc_fail_after(n);
        result = lstm_new(&sample.spec, &cell);
        ck_assert(result == 0 || (result == CELLTAP_ENOMEM && cell == NULL));
        ck_assert(result == 0 || alloc_n_alive() == before);
    }
    ck_assert_int_gt(n, 1);
    struct rig rig;
    rig_init(&rig, cell, 7);
    alloc_fail_after(0);
    rig_inputs(&rig, 1, 1);
    cell_step(cell, &rig.columns); /* and a step asks for none */
    alloc_fail_after(-1);
    rig_done(&rig);
    ck_assert_int_eq(alloc_n_alive(), before);
    sample_done(&sample);
}
END_TEST

START_TEST(test_lstm_when_the_specification_is_wrong_then_it_is_refused)
{
    uint64_t seed = 6;
    struct sample sample;
    sample_init(&sample, &seed, 3, 4);
    struct cell *cell = NULL;
    struct lstm_spec spec = sample.spec;
    spec.n_units = 0;
    ck_assert_int_eq(lstm_new(&spec, &cell), CELLTAP_EINVAL);
    spec = sample.spec;
    spec.clip = NAN;
    ck_assert_int_eq(lstm_new(&spec, &cell), CELLTAP_EINVAL);
    spec = sample.spec;
    spec.g.function = CELL_N_FUNCTIONS;
    ck_assert_int_eq(lstm_new(&spec, &cell), CELLTAP_EINVAL);
    ck_assert_ptr_null(cell);
    sample_done(&sample);
}
END_TEST

START_TEST(test_lstm_when_made_then_it_tells_its_sizes)
{
    uint64_t seed = 7;
    struct sample sample;
    sample_init(&sample, &seed, 3, 20);
    sample.spec.B = sample.B;
    struct cell *cell;
    ck_assert_int_eq(lstm_new(&sample.spec, &cell), 0);
    ck_assert_uint_eq(cell->n_inputs, 1);
    ck_assert_uint_eq(cell->in_sizes[0], 3);
    ck_assert_uint_eq(cell->n_outputs, 6);
    ck_assert_uint_eq(cell->n_states, 64);
    ck_assert_uint_eq(cell->n_macs, 80 * 23);
    ck_assert_uint_eq(cell->n_parameters, 80 * 23 + 160);
    cell_free(cell);
    cell_free(NULL);
    sample_done(&sample);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_lstm_when_sizes_are_odd_then_it_follows_the_equations,
        test_lstm_when_attributes_are_given_then_it_follows_the_equations,
        test_lstm_when_the_truth_is_bent_then_it_is_noticed,
        test_lstm_when_states_are_tiny_then_they_become_zero,
        test_lstm_when_allocations_fail_then_nothing_is_kept,
        test_lstm_when_the_specification_is_wrong_then_it_is_refused,
        test_lstm_when_made_then_it_tells_its_sizes,
        NULL,
    };
    return suite_run("lstm", tests, 60);
}
