/* real.c - exp, log, log1p, sine and cosine in double, the same bits on every machine.
 *
 *     exp    x = k ln 2 + r, |r| <= ln 2 / 2:   2^k times Taylor's series of e^r
 *     log    x = 2^k m, 1/sqrt 2 <= m < sqrt 2:  k ln 2 + 2 artanh((m - 1) / (m + 1))
 *     turn   folded to an eighth of a turn:      Taylor's series of sine and cosine
 *
 * Each series ends where its next term is below the last bit. */
#include "lib/detect/real.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REAL_LN2_HIGH  0x1.62e42feep-1 /* ln 2 cut to 32 bits: its product with k is exact */
#define REAL_LN2_LOW   0x1.a39ef35793c76p-33
#define REAL_LOG2_E    0x1.71547652b82fep0
#define REAL_SQRT2     0x1.6a09e667f3bcdp0
#define REAL_TWO_PI    0x1.921fb54442d18p2
#define REAL_EXP_LIMIT 700.0

/* 1 / 14! .. 1 / 0! */
static const double real_factorials[] = {1.0 / 87178291200,
                                         1.0 / 6227020800,
                                         1.0 / 479001600,
                                         1.0 / 39916800,
                                         1.0 / 3628800,
                                         1.0 / 362880,
                                         1.0 / 40320,
                                         1.0 / 5040,
                                         1.0 / 720,
                                         1.0 / 120,
                                         1.0 / 24,
                                         1.0 / 6,
                                         1.0 / 2,
                                         1,
                                         1};

/* Alternate terms are summed side by side, as they do not wait for one another. */
static const double real_odds[] = {1.0 / 25, 1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15,
                                   1.0 / 13, 1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3};

/* 1 / (n (n + 1)) and 1 / (n (n - 1)) for n = 18, 16 .. 2 */
#define REAL_WAVE(n)                                                                               \
    {                                                                                              \
        1.0 / ((n) * (n + 1)), 1.0 / ((n) * (n - 1))                                               \
    }
static const double real_waves[][2] = {REAL_WAVE(18), REAL_WAVE(16), REAL_WAVE(14),
                                       REAL_WAVE(12), REAL_WAVE(10), REAL_WAVE(8),
                                       REAL_WAVE(6),  REAL_WAVE(4),  REAL_WAVE(2)};

/* 2^k, -1022 <= k <= 1023. */
static double real_power_of_two(int k)
{
    uint64_t bits = (uint64_t)(1023 + k) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double real_exp(double x)
{
    if (x < -REAL_EXP_LIMIT)
        return 0;
    if (!(x < REAL_EXP_LIMIT))
        x = REAL_EXP_LIMIT;
    int k = (int)(x * REAL_LOG2_E + (x < 0 ? -0.5 : 0.5));
    double r = (x - k * REAL_LN2_HIGH) - k * REAL_LN2_LOW;
    double sum = 0;
    for (size_t n = 0; n < sizeof real_factorials / sizeof *real_factorials; n++)
        sum = sum * r + real_factorials[n];
    return sum * real_power_of_two(k);
}

/* 2 artanh(f), |f| <= 0.1716. */
static double real_artanh2(double f)
{
    double f2 = f * f, f4 = f2 * f2, sums[2] = {0, 0};
    for (size_t n = 0; n < sizeof real_odds / sizeof *real_odds; n += 2) {
        sums[0] = sums[0] * f4 + real_odds[n];
        sums[1] = sums[1] * f4 + real_odds[n + 1];
    }
    return 2 * f + 2 * f * ((sums[0] * f2 + sums[1]) * f2);
}

double real_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffff) | (uint64_t)1023 << 52;
    memcpy(&x, &bits, sizeof x);
    if (x >= REAL_SQRT2) {
        x /= 2;
        k++;
    }
    return k * REAL_LN2_HIGH + (real_artanh2((x - 1) / (x + 1)) + k * REAL_LN2_LOW);
}

double real_log1p(double x)
{
    return x < REAL_SQRT2 - 1 ? real_artanh2(x / (2 + x)) : real_log(1 + x);
}

void real_turn(double turn, double *ret_sin, double *ret_cos)
{
    int quarter = (int)(turn * 4 + 0.5);
    double x = (turn - quarter * 0.25) * REAL_TWO_PI, x2 = x * x, s = 1, c = 1;
    for (size_t n = 0; n < sizeof real_waves / sizeof *real_waves; n++) {
        s = 1 - s * x2 * real_waves[n][0];
        c = 1 - c * x2 * real_waves[n][1];
    }
    s *= x;
    const double wave[] = {s, c, -s, -c}; /* the sine, a quarter of a turn apart */
    *ret_sin = wave[quarter & 3];
    *ret_cos = wave[(quarter + 1) & 3];
}
