/* test_real.c - the detector's own functions against libm, and their ends. */
#include <math.h>
#include <string.h>

#include "lib/detect/real.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define N 100000

/* Relative; the errors of two roundings each. */
static double off(double got, double right)
{
    return right == 0 ? fabs(got) : fabs(got / right - 1);
}

START_TEST(test_real_when_compared_with_libm_then_is_within_what_is_promised)
{
    uint64_t seed = 1;
    for (size_t i = 0; i < N; i++) {
        double x = (double)rig_uniform(&seed, -100, 100), y = exp(x);
        double turn = (double)rig_uniform(&seed, 0, 0.9999999f), s, c;
        ck_assert_double_le(off(real_exp(x), y), 1e-15);
        ck_assert_double_le(fabs(real_log(y) - log(y)), 3e-12);
        double near = (double)rig_uniform(&seed, 0.5, 2);
        ck_assert_double_le(fabs(real_log(near) - log(near)), 3e-12);
        real_turn(turn, &s, &c);
        ck_assert_double_le(fabs(s - sin(turn * 2 * M_PI)), 1e-15);
        ck_assert_double_le(fabs(c - cos(turn * 2 * M_PI)), 1e-15);
    }
}
END_TEST

START_TEST(test_real_when_at_an_end_then_is_exact)
{
    double s, c;
    ck_assert(real_exp(0) == 1 && real_exp(-701) == 0 && real_exp(-INFINITY) == 0);
    ck_assert(isfinite(real_exp(INFINITY)) && isfinite(real_exp(1e300)));
    ck_assert(real_log(1) == 0 && real_log(1 - 0x1p-53) < 0);
    ck_assert_double_le(off(real_log(1e-300), log(1e-300)), 1e-14);
    ck_assert_double_le(off(real_log(1 + 0x1p-40), 0x1p-40), 1e-11);
    real_turn(0, &s, &c);
    ck_assert(s == 0 && c == 1);
    real_turn(0.25, &s, &c);
    ck_assert(s == 1 && c == 0);
    real_turn(0.75, &s, &c);
    ck_assert(s == -1 && c == 0);
}
END_TEST

static uint64_t hash_bits(uint64_t hash, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (hash ^ bits) * 0x100000001b3u;
}

/* What another compiler or machine has to arrive at. */
START_TEST(test_real_when_on_any_machine_then_has_these_bits)
{
    uint64_t hash = 0;
    for (int i = 1; i < 1000; i++) {
        double s, c;
        real_turn(i / 1000.0, &s, &c);
        hash = hash_bits(hash_bits(hash, s), c);
        hash = hash_bits(hash_bits(hash, real_exp(i / 100.0 - 5)), real_log(i / 7.0));
        hash = hash_bits(hash, real_log(1 + i / 300.0));
    }
    ck_assert_msg(hash == 0x2cb898c5b0c434cu, "%llx", (unsigned long long)hash);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_real_when_compared_with_libm_then_is_within_what_is_promised,
        test_real_when_at_an_end_then_is_exact,
        test_real_when_on_any_machine_then_has_these_bits,
        NULL,
    };
    return suite_run("real", tests, 20);
}
