/* test_digits.c - a float32's digits read back as the same float32, and are those of printf. */
#include "cli/digits.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

START_TEST(test_double_when_printed_then_the_same_again)
{
    static const double numbers[] = {0,    2.7,   1.0 / 3, 5.859900390583118,      1e-300, -1e22,
                                     -0.0, 1e300, 0.1,     4.9406564584124654e-324};
    char text[DIGITS_DOUBLE_MAX];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ck_assert_uint_eq(digits_double(numbers[i], text), strlen(text));
        double back = strtod(text, NULL);
        ck_assert_msg(memcmp(&back, &numbers[i], sizeof back) == 0, "%s", text);
    }
    ck_assert_uint_eq(digits_double(2.7, text), 3); /* no more digits than it takes */
}
END_TEST

static void check_digits(float number)
{
    char text[DIGITS_MAX], expected[DIGITS_MAX + 8];
    float back;
    size_t n_bytes = digits_float(number, text);
    ck_assert_uint_eq(n_bytes, strlen(text));
    snprintf(expected, sizeof expected, "%.9g", (double)number);
    ck_assert_str_eq(text, expected);
    back = strtof(text, NULL);
    ck_assert_mem_eq(&back, &number, sizeof number);
}

START_TEST(test_digits_when_of_floats_all_over_then_printf_s)
{
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 40009) {
        uint32_t pattern = (uint32_t)bits;
        float number;
        memcpy(&number, &pattern, sizeof number);
        if (isfinite(number))
            check_digits(number);
    }
}
END_TEST

START_TEST(test_digits_when_at_edges_then_printf_s)
{
    static const float edges[] = {0,       -0.0f,     1,          -1,       10,         0.1f,
                                  1e-4f,   9.999e-5f, 99999999.f, 1e8f,     9.9999998f, 0.99999994f,
                                  3.4e38f, 1e-45f,    123.456f,   100000.f, 16777216.f, 0.0001234f};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        check_digits(edges[i]);
        check_digits(nextafterf(edges[i], INFINITY));
        check_digits(nextafterf(edges[i], -INFINITY));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_digits_when_of_floats_all_over_then_printf_s,
        test_digits_when_at_edges_then_printf_s,
        test_double_when_printed_then_the_same_again,
        NULL,
    };
    return suite_run("digits", tests, 60);
}
