/* test_range.c - a channel that leaves the range it has had, by a value or by the mean of some. */
#include <math.h>

#include "lib/detect/range.h"
#include "tests/support/suite.h"

#define ALONE 1.0  /* weight of a value: there is no mean */
#define NIGHT 0.05 /* of 20 timesteps' mean */

/* Days of 40 timesteps, half of them at 1, half at -1; then the mean has a range, too. */
static void days(struct range *range, double weight)
{
    range_init(range);
    for (int t = 0; t < 400; t++)
        range_step(range, t % 40 < 20 ? 1 : -1, weight);
    ck_assert_double_eq(range->g, 0);
}

START_TEST(test_range_when_a_value_is_beyond_then_g_is_5_and_more)
{
    struct range range;
    days(&range, ALONE);
    range_step(&range, 1.05, ALONE); /* by 2.5 % of the range of 2 */
    ck_assert_double_eq(range.g, 0);
    ck_assert_double_eq(range.excess, 0);
    range_step(&range, -1.5, ALONE);
    ck_assert_double_eq_tol(range.g, 5 + 0.5 / 2.05, 1e-12);
    ck_assert_double_eq_tol(range.excess, 0.5 / 2.05, 1e-12);
    range_step(&range, -1.5, ALONE); /* belongs to it now */
    ck_assert_double_eq(range.g, 0);
    range_step(&range, 1e9, ALONE);
    ck_assert_double_eq(range.g, 25);
}
END_TEST

START_TEST(test_range_when_values_stay_at_one_end_then_their_mean_is_beyond)
{
    static const double weights[] = {ALONE, NIGHT};
    for (int i = 0; i < 2; i++) {
        struct range range;
        double most = 0, last = 0;
        days(&range, weights[i]);
        for (int t = 0; t < 200; t++) {
            range_step(&range, -1, weights[i]);
            most = range.g > most ? range.g : most;
            last = range.g;
        }
        ck_assert_double_eq(last, 0); /* it has arrived */
        if (weights[i] == ALONE)
            ck_assert_double_eq(most, 0);
        else
            ck_assert(most > 3.01 && most < 4);
    }
}
END_TEST

START_TEST(test_range_when_values_creep_then_that_is_within)
{
    struct range range;
    days(&range, NIGHT);
    for (int t = 0; t < 4000; t++) {
        range_step(&range, (t % 40 < 20 ? 1 : -1) + t * 0.0001, NIGHT);
        ck_assert_double_eq(range.g, 0);
    }
}
END_TEST

START_TEST(test_range_when_both_are_beyond_then_the_larger_g_counts)
{
    struct range range;
    days(&range, NIGHT);
    for (int t = 0; t < 5; t++)
        range_step(&range, -1, NIGHT);
    range_step(&range, -1000, NIGHT); /* the mean is beyond by more of its smaller range */
    ck_assert_double_eq(range.g, 25);
    ck_assert_double_eq(range.excess, 999.0 / 2);
}
END_TEST

START_TEST(test_range_when_a_value_is_missing_then_nothing_moves)
{
    struct range range, before;
    days(&range, NIGHT);
    range_step(&range, 9, NIGHT);
    ck_assert_double_gt(range.g, 5);
    before = range;
    range_step(&range, NAN, NIGHT);
    ck_assert_double_eq(range.g, 0);
    ck_assert_double_eq(range.mean, before.mean);
    for (int i = 0; i < RANGE_N; i++) {
        ck_assert_double_eq(range.of[i].low, before.of[i].low);
        ck_assert_double_eq(range.of[i].high, before.of[i].high);
    }
}
END_TEST

START_TEST(test_range_when_nothing_moves_then_is_within)
{
    struct range range;
    range_init(&range);
    for (int t = 0; t < 100; t++) {
        range_step(&range, 0, NIGHT);
        ck_assert_double_eq(range.g, 0);
    }
    range_step(&range, 5, NIGHT); /* there was no range yet */
    ck_assert_double_eq(range.g, 0);
    range_step(&range, 10, NIGHT);
    ck_assert_double_ge(range.g, 5);
}
END_TEST

START_TEST(test_range_when_the_moment_is_forgotten_then_ranges_stay)
{
    struct range range;
    days(&range, NIGHT);
    range_step(&range, 9, NIGHT);
    double low = range.of[RANGE_MEANS].low, high = range.of[RANGE_MEANS].high;
    range_forget_moment(&range, 0.5);
    ck_assert_double_eq(range.g, 0);
    ck_assert_double_eq(range.mean, 0.5);
    ck_assert(range.of[RANGE_MEANS].low == low && range.of[RANGE_MEANS].high == high);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_range_when_a_value_is_beyond_then_g_is_5_and_more,
        test_range_when_values_stay_at_one_end_then_their_mean_is_beyond,
        test_range_when_values_creep_then_that_is_within,
        test_range_when_both_are_beyond_then_the_larger_g_counts,
        test_range_when_a_value_is_missing_then_nothing_moves,
        test_range_when_nothing_moves_then_is_within,
        test_range_when_the_moment_is_forgotten_then_ranges_stay,
        NULL,
    };
    return suite_run("range", tests, 20);
}
