/* digits.c - a number as decimal digits that read back as the same number; a float32 quickly.
 *
 *     |x| --* 10^(8 - e)--> nine digits as an integer --> point and zeros put in
 *
 * Nine digits are enough for any float32.  The product is exact but for one rounding in double,
 * 2^-53 of it, which cannot move it to another float32's digits (those are 2^-24 apart).  printf
 * would do the same in twenty times the time; it still does very large and very small numbers. */
#include "cli/digits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_N 9

/* 10^0 to 10^13; all exact in double. */
static const double DIGITS_POWERS[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                                       1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};

/* The decimal exponent of 1e-4 <= number < 1e8. */
static int digits_exponent(double number)
{
    int e = 0;
    if (number >= 1) {
        while (number >= DIGITS_POWERS[e + 1])
            e++;
        return e;
    }
    do
        e--;
    while (number * DIGITS_POWERS[-e] < 1);
    return e;
}

/* Point and digits without the zeros at the end. */
static size_t digits_place(char *digits, int e, char *out)
{
    size_t n = DIGITS_N, n_whole = e >= 0 ? (size_t)e + 1 : 0;
    char *start = out;
    while (n > n_whole && n > 1 && digits[n - 1] == '0')
        n--;
    if (e < 0) {
        *out++ = '0';
        *out++ = '.';
        for (int i = e + 1; i < 0; i++)
            *out++ = '0';
    }
    for (size_t i = 0; i < n; i++) {
        if (i == n_whole && e >= 0)
            *out++ = '.';
        *out++ = digits[i];
    }
    *out = '\0';
    return (size_t)(out - start);
}

size_t digits_double(double number, char ret_text[DIGITS_DOUBLE_MAX])
{
    int n = 0;
    for (int n_digits = 15; n_digits <= 17; n_digits++) {
        n = snprintf(ret_text, DIGITS_DOUBLE_MAX, "%.*g", n_digits, number);
        if (strtod(ret_text, NULL) == number)
            break;
    }
    return (size_t)n;
}

size_t digits_float(float number, char ret_text[DIGITS_MAX])
{
    double magnitude = fabs((double)number);
    char digits[DIGITS_N + 1], *out = ret_text;
    if (!(magnitude >= 1e-4 && magnitude < 1e8) && magnitude != 0) /* NaN too */
        return (size_t)snprintf(ret_text, DIGITS_MAX, "%.9g", (double)number);
    if (signbit(number))
        *out++ = '-';
    if (magnitude == 0) {
        memcpy(out, "0", 2);
        return (size_t)(out - ret_text) + 1;
    }
    int e = digits_exponent(magnitude);
    long long whole = llrint(magnitude * DIGITS_POWERS[DIGITS_N - 1 - e]);
    if (whole >= 1000000000) { /* 9.9999999996 */
        whole /= 10;
        e++;
    }
    for (int i = DIGITS_N - 1; i >= 0; i--, whole /= 10)
        digits[i] = (char)('0' + whole % 10);
    return (size_t)(out - ret_text) + digits_place(digits, e, out);
}
