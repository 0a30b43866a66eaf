/* test_kernel_whiten.c - the squared length A x of a packed triangle A: right, and the same bits in
 * every kernel. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kernel/kernel.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define N_MAX 136 /* rows: 17 blocks, so that groups of each size are there */

static float weights[N_MAX * N_MAX], x[N_MAX];

/* A random triangle of n rows, d of them in use; returns |A x|^2. */
static double fill(uint64_t seed, size_t n, size_t d)
{
    double squares = 0;
    memset(weights, 0, sizeof weights);
    memset(x, 0, sizeof x);
    for (size_t j = 0; j < d; j++)
        x[j] = rig_uniform(&seed, -1, 1);
    for (size_t i = 0; i < d; i++) {
        double y = 0;
        for (size_t j = 0; j <= i; j++) {
            float weight = rig_uniform(&seed, -1, 1);
            weights[kernel_whiten_at(n, i, j)] = weight;
            y += (double)weight * (double)x[j];
        }
        squares += y * y;
    }
    return squares;
}

START_TEST(test_whiten_when_compared_with_double_then_is_right_in_every_kernel)
{
    static const char *const names[] = {"plain", "avx2", "neon"};
    for (size_t n = KERNEL_LANES; n <= N_MAX; n += KERNEL_LANES)
        for (size_t d = n - KERNEL_LANES + 1; d <= n; d++) {
            double right = fill(n * N_MAX + d, n, d);
            double plain = kernel_find("plain")->whiten(weights, x, n);
            ck_assert_double_le(fabs(plain / right - 1), 1e-5);
            for (size_t k = 1; k < sizeof names / sizeof *names; k++) {
                const struct kernel *kernel = kernel_find(names[k]);
                ck_assert(kernel == NULL || kernel->whiten(weights, x, n) == plain);
            }
        }
}
END_TEST

START_TEST(test_whiten_when_a_weight_is_another_then_it_is_noticed)
{
    size_t n = 5 * KERNEL_LANES;
    double right = fill(1, n, n);
    weights[kernel_whiten_at(n, n - 1, 0)] += 1;
    ck_assert_double_gt(fabs(kernel_pick()->whiten(weights, x, n) / right - 1), 1e-5);
}
END_TEST

/* Each place is of one element, and of none outside. */
START_TEST(test_whiten_when_elements_are_placed_then_they_fill_the_triangle)
{
    for (size_t n = KERNEL_LANES; n <= N_MAX; n += KERNEL_LANES) {
        size_t n_floats = kernel_whiten_floats(n / KERNEL_LANES);
        unsigned char *taken = calloc(n_floats, 1);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < (i / KERNEL_LANES + 1) * KERNEL_LANES; j++) {
                size_t at = kernel_whiten_at(n, i, j);
                ck_assert(at < n_floats && !taken[at]);
                taken[at] = 1;
            }
        ck_assert_ptr_null(memchr(taken, 0, n_floats));
        free(taken);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_whiten_when_compared_with_double_then_is_right_in_every_kernel,
        test_whiten_when_a_weight_is_another_then_it_is_noticed,
        test_whiten_when_elements_are_placed_then_they_fill_the_triangle,
        NULL,
    };
    return suite_run("whiten", tests, 20);
}
