/* test_kernel_fma.c - the fma made of doubles is IEEE 754's, for any bits.
 *
 * CELLTAP_ALL_FLOATS=1 tries 500 million cases instead of 4 million. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kernel/kernel_fma.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define N_CASES 1000000 /* of four lanes each */

static float from_bits(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float x;
    memcpy(&x, &low, sizeof x);
    return x;
}

static long n_cases(void)
{
    return getenv("CELLTAP_ALL_FLOATS") != NULL ? 125 * N_CASES : N_CASES;
}

/* Any bits; or with few bits set, which makes ties; or exponents near each other. */
static float random_float(uint64_t *seed, uint64_t kind)
{
    uint64_t r = rig_random(seed);
    if (kind == 0)
        return from_bits(r);
    if (kind == 1)
        return from_bits(((r >> 32) & r & (r >> 16) & 0x007fffff) | (r & 0xff800000));
    if (kind == 2)
        return from_bits((r & 0x807fffff) | ((r >> 40) % 40 + 107) << 23);
    return from_bits((r & 0x80000007) | ((r >> 40) % 30 + (r >> 50) % 2 * 220) << 23);
}

static bool is_fma(const float *a, const float *b, const float *c)
{
    kernel_f4 x, y, z, got;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    memcpy(&z, c, sizeof z);
    got = kernel_fma_f4(x, y, z);
    for (size_t i = 0; i < 4; i++) {
        float is = got[i], should = fmaf(a[i], b[i], c[i]);
        if (memcmp(&is, &should, sizeof is) != 0 && !(isnan(is) && isnan(should)))
            return false;
    }
    return true;
}

START_TEST(test_fma_when_bits_are_random_then_it_is_libms)
{
    uint64_t seed = (uint64_t)_i + 1;
    for (long n = 0; n < n_cases() / 4; n++) {
        float a[4], b[4], c[4];
        for (size_t i = 0; i < 4; i++) {
            a[i] = random_float(&seed, (uint64_t)_i);
            b[i] = random_float(&seed, (uint64_t)_i);
            c[i] = random_float(&seed, (uint64_t)_i);
            if (n % 4 == 1) /* the sum nearly cancels */
                c[i] = -nextafterf(a[i] * b[i], c[i]);
            if (n % 4 == 2) /* a product just beside a tie of the sum */
                c[i] = ldexpf(a[i] * b[i], 24 + (int)(rig_random(&seed) % 3));
        }
        if (!is_fma(a, b, c))
            ck_abort_msg("among fma(%a, %a, %a), (%a, %a, %a), (%a, %a, %a), (%a, %a, %a)",
                         (double)a[0], (double)b[0], (double)c[0], (double)a[1], (double)b[1],
                         (double)c[1], (double)a[2], (double)b[2], (double)c[2], (double)a[3],
                         (double)b[3], (double)c[3]);
    }
}
END_TEST

START_TEST(test_fma_when_values_are_special_then_it_is_libms)
{
    static const float special[] = {0,         -0.0f,           1,
                                    -1,        0x1p-149f,       -0x1p-149f,
                                    0x1p-126f, 0x1.fffffep127f, -0x1.fffffep127f,
                                    INFINITY,  -INFINITY,       0x1.000002p0f,
                                    0x1p-75f,  0x1p64f,         NAN};
    size_t n = sizeof special / sizeof special[0];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k + 3 < n; k++) {
                float a[4] = {special[i], special[i], special[i], special[i]};
                float b[4] = {special[j], special[j], special[j], special[j]};
                ck_assert_msg(is_fma(a, b, special + k), "%zu %zu %zu", i, j, k);
            }
}
END_TEST

/* Rounding twice, first to double and then to float, is what the detour over odd avoids. */
START_TEST(test_fma_when_rounded_twice_then_it_would_be_wrong)
{
    /* a b + c is 2^-70 below the middle of two floats, which a double cannot show. */
    float a[4] = {0x1.000002p0f, 0x1.000002p0f, 1, 0}, b[4] = {0x1.fffffcp-25f, -0x1.fffffcp-25f};
    float c[4] = {0x1.000002p0f, -0x1.000002p0f, 1, 1};
    double twice = (double)a[0] * (double)b[0] + (double)c[0];
    ck_assert((float)twice != fmaf(a[0], b[0], c[0]));
    ck_assert(is_fma(a, b, c));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("fma");
    tcase_set_timeout(tcase, n_cases() > N_CASES ? 36000 : 60);
    tcase_add_loop_test(tcase, test_fma_when_bits_are_random_then_it_is_libms, 0, 4);
    tcase_add_test(tcase, test_fma_when_values_are_special_then_it_is_libms);
    tcase_add_test(tcase, test_fma_when_rounded_twice_then_it_would_be_wrong);
    Suite *suite = suite_create("fma");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
