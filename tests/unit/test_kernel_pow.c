/* test_kernel_pow.c - x to the power of y, against libm in double. */
#include <math.h>
#include <string.h>

#include "lib/kernel/kernel.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define N_CASES 2000000

static bool same(float is, float should)
{
    return (isnan(is) && isnan(should)) || memcmp(&is, &should, sizeof is) == 0;
}

START_TEST(test_pow_when_values_are_special_then_it_is_ieees)
{
    static const float special[] = {
        0,     -0.0f,     1,     -1,   2,      -2,       0.5f,
        -0.5f, 3,         -3,    2.5f, -2.5f,  INFINITY, -INFINITY,
        NAN,   0x1p-149f, 1e30f, -7,   1e-30f, 0x1p24f,  0x1.000002p23f};
    size_t n = sizeof special / sizeof special[0];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            float is = kernel_pow(special[i], special[j]);
            float should = (float)pow((double)special[i], (double)special[j]);
            ck_assert_msg(same(is, should) || fabsf(is - should) <= fabsf(should) * 0x1p-23f,
                          "%a ^ %a is %a, not %a", (double)special[i], (double)special[j],
                          (double)is, (double)should);
        }
}
END_TEST

START_TEST(test_pow_when_values_are_random_then_it_is_within_one_ulp)
{
    uint64_t seed = 1;
    double worst = 0;
    for (size_t n = 0; n < N_CASES; n++) {
        uint32_t bits = (uint32_t)rig_random(&seed) & 0x7fffffff;
        float x, y = rig_uniform(&seed, -4, 4);
        memcpy(&x, &bits, sizeof x);
        if (n % 2 == 0)
            y = floorf(y) * (n % 4 == 0 ? 0.5f : 1);
        if (n % 3 == 0)
            x = rig_uniform(&seed, 0, 4);
        double should = pow((double)x, (double)y);
        float is = kernel_pow(x, y);
        if (isnan(x) || !(fabs(should) < 0x1.fffffep127) || should < 0x1p-149)
            continue;
        float near = (float)should;
        double ulp = (double)(nextafterf(near, INFINITY) - near);
        worst = fmax(worst, fabs((double)is - should) / ulp);
    }
    ck_assert_msg(worst <= 1, "%g ulp", worst);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_pow_when_values_are_special_then_it_is_ieees,
        test_pow_when_values_are_random_then_it_is_within_one_ulp,
        NULL,
    };
    return suite_run("pow", tests, 60);
}
