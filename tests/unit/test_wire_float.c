/* test_wire_float.c - float16 against its definition, over all of its 65,536 values. */
#include <math.h>
#include <stdbool.h>

#include "lib/base/le.h"
#include "lib/wire/wire_float.h"
#include "tests/support/suite.h"

/* The value of a half as IEEE 754 defines it, in double. */
static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 0x1f;
    double fraction = half & 0x3ff;
    double sign = half & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    return exponent == 0 ? sign * ldexp(fraction, -24)
                         : sign * ldexp(1024 + fraction, exponent - 25);
}

START_TEST(test_half_when_any_then_is_the_float_of_its_definition)
{
    for (uint32_t i = 0; i < 65536; i++) {
        float value = wire_float_of_half((uint16_t)i);
        double expected = half_value((uint16_t)i);
        ck_assert(isnan(expected) ? isnan(value) : (double)value == expected);
        ck_assert_int_eq(signbit(value) != 0, i >> 15);
        if (!isnan(value))
            ck_assert_uint_eq(wire_half_of_float(value), i);
        else
            ck_assert_uint_eq(wire_half_of_float(value), 0x7e00 | (i & 0x8000));
    }
}
END_TEST

/* The nearest of the positive finite halves, a tie to the even one, as 754 says: searched for, not
 * computed.  65520 and more is infinite. */
static uint16_t half_nearest(double magnitude)
{
    uint32_t low = 0, high = 0x7c00; /* half_value(low) <= magnitude < half_value(high) */
    if (magnitude >= 65520)
        return 0x7c00;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (half_value((uint16_t)middle) <= magnitude)
            low = middle;
        else
            high = middle;
    }
    double above = high == 0x7c00 ? 65536 : half_value((uint16_t)high);
    double down = magnitude - half_value((uint16_t)low), up = above - magnitude;
    bool take_high = up < down || (up == down && low % 2 == 1);
    return (uint16_t)(take_high ? high : low);
}

static void half_check(float value)
{
    uint16_t expected = half_nearest(fabs((double)value));
    if (signbit(value))
        expected |= 0x8000;
    if (wire_half_of_float(value) != expected) /* an assertion costs a report even if it holds */
        ck_abort_msg("%a: %04x instead of %04x", (double)value, wire_half_of_float(value),
                     expected);
}

/* Between two neighbours: the middle, and the floats beside it. */
START_TEST(test_float_when_between_two_halves_then_nearest_and_ties_to_even)
{
    for (uint32_t i = 0; i < 0x7c00; i++) {
        double above = i + 1 == 0x7c00 ? 65536 : half_value((uint16_t)(i + 1));
        float middle = (float)((half_value((uint16_t)i) + above) / 2); /* exact */
        const float values[] = {middle, nextafterf(middle, 0), nextafterf(middle, INFINITY)};
        for (size_t j = 0; j < 3; j++) {
            half_check(values[j]);
            half_check(-values[j]);
        }
    }
}
END_TEST

START_TEST(test_float_when_random_then_nearest)
{
    uint64_t state = 1;
    for (size_t i = 0; i < 1000000; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        float value = wire_float_of((uint32_t)(state >> 32));
        if (!isnan(value))
            half_check(value);
    }
    half_check(0.0f);
    half_check(INFINITY);
    half_check(0x1p-149f);
}
END_TEST

START_TEST(test_floats_when_stored_then_are_little_endian)
{
    const float values[] = {1.0f, -0.5f};
    unsigned char bytes[9] = {0};
    le_put_floats(bytes + 1, values, 2); /* not aligned */
    const unsigned char expected[9] = {0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf};
    ck_assert_mem_eq(bytes, expected, sizeof bytes);
    ck_assert_uint_eq(le_get32(bytes + 5), 0xbf000000);
    wire_store16(bytes, 0x1234);
    ck_assert(bytes[0] == 0x34 && bytes[1] == 0x12);
    ck_assert_uint_eq(wire_load16(bytes), 0x1234);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_half_when_any_then_is_the_float_of_its_definition,
        test_float_when_between_two_halves_then_nearest_and_ties_to_even,
        test_float_when_random_then_nearest,
        test_floats_when_stored_then_are_little_endian,
        NULL,
    };
    return suite_run("wire_float", tests, 60);
}
