/* real.c - exp, log, log1p, sine and cosine in double, the same bits on every machine.
 *
 *     exp    x = k ln 2 + r, |r| <= ln 2 / 2:   2^k times Taylor's series of e^r
 *     log    x = 2^k m, 1/sqrt 2 <= m < sqrt 2:  k ln 2 + 2 artanh((m - 1) / (m + 1)), two at once
 *     turn   folded to an eighth of a turn:      Taylor's series of sine and cosine
 *
 * Each series ends where its next term is about the last bit. */
#include "lib/detect/real.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REAL_LN2_HIGH  0x1.62e42feep-1 /* ln 2 cut to 32 bits: its product with k is exact */
#define REAL_LN2_LOW   0x1.a39ef35793c76p-33
#define REAL_LOG2_E    0x1.71547652b82fep0
#define REAL_TO_SQRT2  0x95f619980c433u /* from the mantissa of sqrt 2 to the next power of two */
#define REAL_2_52      (UINT64_C(1075) << 52) /* a double of which the last bit is 1 */
#define REAL_TWO_PI    0x1.921fb54442d18p2
#define REAL_EXP_LIMIT 700.0

typedef uint64_t real_bits __attribute__((vector_size(16)));

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

/* Every fourth term is summed beside the others, as they do not wait for one another. */
static const double real_odds[] = {1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11,
                                   1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3};

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

/* k ln 2 + 2 artanh(upper / lower), the quotient within +-0.1716. */
static real_two real_series(real_two k, real_two upper, real_two lower)
{
    real_two f = upper / lower, f2 = f * f, f4 = f2 * f2, f8 = f4 * f4, sums[4];
    for (size_t n = 0; n < 4; n++)
        sums[n] = real_odds[n] * f8 + real_odds[n + 4];
    real_two sum = ((sums[0] * f2 + sums[1]) * f4 + (sums[2] * f2 + sums[3])) * f2;
    return k * REAL_LN2_HIGH + ((2 * f + 2 * f * sum) + k * REAL_LN2_LOW);
}

/* x = 2^k m: k to *ret_k, m as the result. */
static real_two real_split(real_two x, real_two *ret_k)
{
    real_bits bits = (real_bits)x, exponent = (bits + REAL_TO_SQRT2) >> 52;
    *ret_k = (real_two)(exponent | REAL_2_52) - (0x1p52 + 1023);
    return (real_two)(bits - ((exponent - 1023) << 52));
}

real_two real_log_two(real_two x)
{
    real_two k, m = real_split(x, &k);
    return real_series(k, m - 1, m + 1);
}

real_two real_log1p_two(real_two x)
{
    real_two k, m = real_split(1 + x, &k);
    real_bits near = (real_bits)(k == 0); /* 1 + x has lost digits of x */
    real_two upper = m - 1, lower = m + 1, near_lower = 2 + x;
    upper = (real_two)(((real_bits)x & near) | ((real_bits)upper & ~near));
    lower = (real_two)(((real_bits)near_lower & near) | ((real_bits)lower & ~near));
    return real_series(k, upper, lower);
}

double real_log(double x)
{
    return real_log_two((real_two){x, 1})[0];
}

double real_log1p(double x)
{
    return real_log1p_two((real_two){x, 0})[0];
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
