/* test_kernel_functions.c - functions of one value are as exact as promised, with the same bits in
 * every kernel.
 *
 * CELLTAP_ALL_FLOATS=1 goes through all 2^32 floats (minutes) and prints the largest errors; else
 * every 4099th is taken, and all near the special points. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kernel/kernel.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"
#include "tests/support/truth.h"

#define CHUNK  4096 /* floats at a time */
#define STRIDE 4099 /* a prime, so that all low bits occur */

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t stride(void)
{
    return getenv("CELLTAP_ALL_FLOATS") != NULL ? 1 : STRIDE;
}

/* Floats first, first + stride, ..; NaNs become 1, as inputs are finite or at most infinite. */
static size_t take_floats(float *x, uint64_t first, uint64_t step)
{
    size_t n = 0;
    for (; n < CHUNK && first < (uint64_t)1 << 32; first += step, n++) {
        x[n] = from_bits((uint32_t)first);
        if (isnan(x[n]))
            x[n] = 1;
    }
    memset(x + n, 0, (CHUNK - n) * sizeof *x);
    return n;
}

/* ---- against libm in double ---------------------------------------------------------------- */

struct promise {
    struct cell_activation activation;
    double ulps;     /* of the true value, rounded to float; 0: not promised */
    double absolute; /* the error may be as large as the larger of the two */
};

static const struct promise promises[] = {
    {{CELL_SIGMOID, 0, 0}, 0, 1.5e-7},
    {{CELL_TANH, 0, 0}, 4, 1.5e-7},
    {{CELL_EXP, 0, 0}, 2, 0},
    {{CELL_LOG, 0, 0}, 2, 0},
    {{CELL_ERF, 0, 0}, 2, 0},
    {{CELL_SOFTPLUS, 0, 0}, 4, 0},
    {{CELL_ELU, 1, 0}, 4, 0},
    {{CELL_SELU, 1.67326324f, 1.05070102f}, 6, 0},
    {{CELL_SOFTSIGN, 0, 0}, 2, 0},
    {{CELL_GELU, 0, 0}, 4, 4e-7},
    {{CELL_GELU_TANH, 0, 0}, 4, 6e-7},
    {{CELL_SCALED_TANH, 1.5f, 0.5f}, 5, 2.3e-7},
    {{CELL_HARD_SIGMOID, .2f, .5f}, 1, 0},
    {{CELL_SQRT, 0, 0}, 1, 0},
    {{CELL_AFFINE, 0.5f, 0.25f}, 1, 0},
    {{CELL_LEAKY_RELU, 0.01f, 0}, 1, 0},
};

static double ulp_of(double y)
{
    float magnitude = fabsf((float)y);
    if (!(magnitude < 0x1p126f))
        return 0x1p103;
    return fmax((double)(nextafterf(magnitude, INFINITY) - magnitude), 0x1p-149);
}

/* The error as a share of what is allowed; also where and how much. */
static double share(const struct promise *promise, float x, float y, double bend)
{
    double truth = truth_function(promise->activation, (double)x) + bend;
    if (isnan(truth) || isinf(y) || isinf(truth))
        return isnan(truth) ? !isnan(y) * 9.0 : ((float)truth == y ? 0 : 9);
    double allowed = fmax(promise->ulps * ulp_of(truth), promise->absolute);
    double error = fabs((double)y - truth);
    return isnan(error) ? 9 : error / allowed;
}

static double worst_share(const struct promise *promise, const struct kernel *kernel, uint64_t step,
                          double bend, float *ret_x)
{
    static _Alignas(64) float x[CHUNK], y[CHUNK];
    const struct cell_activation *f = &promise->activation;
    double worst = 0;
    size_t n;
    for (uint64_t first = 0; (n = take_floats(x, first, step)) > 0; first += n * step) {
        kernel->unary[f->function](x, y, n, f->alpha, f->beta);
        for (size_t i = 0; i < n; i++) {
            double s = share(promise, x[i], y[i], bend);
            if (s > worst) {
                worst = s;
                *ret_x = x[i];
            }
        }
    }
    return worst;
}

START_TEST(test_function_when_any_float_comes_then_it_is_as_exact_as_promised)
{
    const struct promise *promise = &promises[_i];
    float x = 0;
    double worst = worst_share(promise, kernel_pick(), stride(), 0, &x);
    if (stride() == 1)
        printf("function %2d: largest error %.3f of %g ulp or %g, at %a\n",
               promise->activation.function, worst, promise->ulps, promise->absolute, (double)x);
    ck_assert_msg(worst <= 1, "function %d: %g of what is allowed, at %a",
                  promise->activation.function, worst, (double)x);
}
END_TEST

START_TEST(test_function_when_the_truth_is_bent_then_it_is_noticed)
{
    float x = 0;
    for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++)
        ck_assert(worst_share(&promises[i], kernel_pick(), STRIDE * 64, 1e-6, &x) > 1);
}
END_TEST

/* ---- exact points -------------------------------------------------------------------------- */

static float value(struct cell_activation f, float x)
{
    _Alignas(64) float v[8] = {x};
    kernel_pick()->unary[f.function](v, v, 1, f.alpha, f.beta);
    return v[0];
}

START_TEST(test_function_when_at_its_limits_then_they_are_exact)
{
    struct cell_activation sigmoid = {CELL_SIGMOID, 0, 0}, tanh_ = {CELL_TANH, 0, 0};
    struct cell_activation exp_ = {CELL_EXP, 0, 0}, log_ = {CELL_LOG, 0, 0};
    struct cell_activation erf_ = {CELL_ERF, 0, 0}, elu = {CELL_ELU, 1, 0};
    static const float large[] = {90, 1e3f, 1e20f, 3e38f, INFINITY};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        ck_assert(value(sigmoid, large[i]) == 1 && value(sigmoid, -large[i]) == 0);
        ck_assert(value(tanh_, large[i]) == 1 && value(tanh_, -large[i]) == -1);
        ck_assert(value(erf_, large[i]) == 1 && value(erf_, -large[i]) == -1);
        ck_assert(value(elu, -large[i]) == -1);
    }
    ck_assert(value(sigmoid, 0) == 0.5f && value(tanh_, 0) == 0 && value(erf_, 0) == 0);
    ck_assert(value(tanh_, -0.0f) == 0);
    ck_assert(value(exp_, 0) == 1 && value(exp_, INFINITY) == INFINITY);
    ck_assert(value(exp_, -INFINITY) == 0 && value(exp_, -104) == 0 && value(exp_, 89) == INFINITY);
    ck_assert(value(exp_, -103) > 0); /* gradual underflow */
    ck_assert(value(log_, 1) == 0 && value(log_, 0) == -INFINITY);
    ck_assert(value(log_, INFINITY) == INFINITY && isnan(value(log_, -1)));
    for (size_t f = 0; f < CELL_N_FUNCTIONS; f++) /* a NaN is not hidden */
        ck_assert_msg(isnan(value((struct cell_activation){(enum cell_function)f, 1, 1}, NAN)),
                      "function %zu", f);
}
END_TEST

/* tanh is odd, and neither it nor sigmoid leaves its range, for any float. */
START_TEST(test_function_when_it_is_a_gate_then_it_stays_in_its_range)
{
    static _Alignas(64) float x[CHUNK], t[CHUNK], s[CHUNK];
    const struct kernel *kernel = kernel_pick();
    size_t n;
    uint64_t half = (uint64_t)1 << 31;
    for (uint64_t first = 0; first < half; first += n * stride()) {
        n = take_floats(x, first, stride());
        for (size_t i = 0; i < n; i++)
            x[i] = fabsf(x[i]); /* the last chunk goes on behind the infinity */
        kernel->unary[KERNEL_TANH](x, t, n, 0, 0);
        kernel->unary[KERNEL_SIGMOID](x, s, n, 0, 0);
        size_t n_outside = 0, n_uneven = 0;
        for (size_t i = 0; i < n; i++) {
            n_outside += !(t[i] >= 0 && t[i] <= 1) || !(s[i] >= 0.5f && s[i] <= 1);
            x[i] = -x[i];
        }
        kernel->unary[KERNEL_TANH](x, s, n, 0, 0);
        for (size_t i = 0; i < n; i++)
            n_uneven += s[i] != -t[i];
        kernel->unary[KERNEL_SIGMOID](x, s, n, 0, 0);
        for (size_t i = 0; i < n; i++)
            n_outside += !(s[i] >= 0 && s[i] <= 0.5f);
        ck_assert_uint_eq(n_outside, 0);
        ck_assert_uint_eq(n_uneven, 0);
    }
}
END_TEST

/* ---- the same bits in all kernels ---------------------------------------------------------- */

START_TEST(test_function_when_computed_by_another_kernel_then_the_bits_are_the_same)
{
    static const char *const names[] = {"avx2", "neon"};
    static _Alignas(64) float x[CHUNK], a[CHUNK], b[CHUNK];
    const struct kernel *plain = kernel_find("plain");
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const struct kernel *other = kernel_find(names[k]);
        size_t n;
        for (uint64_t first = 0; other != NULL && (n = take_floats(x, first, stride())) > 0;
             first += n * stride()) {
            plain->unary[_i](x, a, n, 0.75f, 1.25f);
            other->unary[_i](x, b, n, 0.75f, 1.25f);
            for (size_t i = 0; i < n; i++)
                if (to_bits(a[i]) != to_bits(b[i]) && !(isnan(a[i]) && isnan(b[i])))
                    ck_abort_msg("function %d of %a: %a, %a", _i, (double)x[i], (double)a[i],
                                 (double)b[i]);
        }
    }
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, stride() == 1 ? 36000 : 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("functions");
    TCase *exact = case_of(suite, "exact");
    tcase_add_loop_test(exact, test_function_when_any_float_comes_then_it_is_as_exact_as_promised,
                        0, sizeof promises / sizeof promises[0]);
    tcase_add_test(exact, test_function_when_the_truth_is_bent_then_it_is_noticed);
    TCase *limits = case_of(suite, "limits");
    tcase_add_test(limits, test_function_when_at_its_limits_then_they_are_exact);
    tcase_add_test(limits, test_function_when_it_is_a_gate_then_it_stays_in_its_range);
    TCase *bits = case_of(suite, "bits");
    tcase_add_loop_test(bits,
                        test_function_when_computed_by_another_kernel_then_the_bits_are_the_same, 0,
                        KERNEL_N_FUNCTIONS);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
