/* real.c - exp, log, sine and cosine in double, the same bits on every machine.
 *
 *     exp    x = k ln 2 + r, |r| <= ln 2 / 2:   2^k times Taylor's series of e^r
 *     log    x = 2^k c (1 + f), c = 1 + i / 32:  k ln 2 + ln c from a table + Taylor's series in f
 *            (k and c of x rounded to a 32nd, so that |f| <= 1 / 64)
 *     turn   folded to an eighth of a turn:      Taylor's series of sine and cosine
 *
 * Each series ends where its next term is about the last bit; but that of log, which a verdict
 * waits for twice, at f^5. */
#include "lib/detect/real.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REAL_LN2_HIGH  0x1.62e42feep-1 /* ln 2 cut to 32 bits: its product with k is exact */
#define REAL_LN2_LOW   0x1.a39ef35793c76p-33
#define REAL_LOG2_E    0x1.71547652b82fep0
#define REAL_LN2       0x1.62e42fefa39efp-1
#define REAL_MANTISSA  UINT64_C(0xfffffffffffff)
#define REAL_LOG_SHIFT 47                                    /* from a mantissa to its 32nds */
#define REAL_LOG_HALF  (UINT64_C(1) << (REAL_LOG_SHIFT - 1)) /* of a 32nd */
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

/* 1 / (1 + i / 32), i = 0 .. 31 */
#define REAL_INVERSES(i) 32.0 / (32 + (i)), 32.0 / (33 + (i)), 32.0 / (34 + (i)), 32.0 / (35 + (i))
static const double real_inverses[] = {REAL_INVERSES(0),  REAL_INVERSES(4),  REAL_INVERSES(8),
                                       REAL_INVERSES(12), REAL_INVERSES(16), REAL_INVERSES(20),
                                       REAL_INVERSES(24), REAL_INVERSES(28)};

/* -ln of these */
static const double real_logs[] = {
    0x0.0000000000000p-0, 0x1.f829b0e7832f8p-6, 0x1.f0a30c01162a8p-5, 0x1.6f0d28ae56b4ep-4,
    0x1.e27076e2af2eap-4, 0x1.29552f81ff521p-3, 0x1.5ff3070a793d6p-3, 0x1.9525a9cf456b6p-3,
    0x1.c8ff7c79a9a20p-3, 0x1.fb9186d5e3e29p-3, 0x1.1675cababa60fp-2, 0x1.2e8e2bae11d31p-2,
    0x1.4618bc21c5ec2p-2, 0x1.5d1bdbf5809cap-2, 0x1.739d7f6bbd007p-2, 0x1.89a3386c1425bp-2,
    0x1.9f323ecbf984dp-2, 0x1.b44f77bcc8f64p-2, 0x1.c8ff7c79a9a21p-2, 0x1.dd46a04c1c4a1p-2,
    0x1.f128f5faf06ecp-2, 0x1.02552a5a5d0ffp-1, 0x1.0be72e4252a83p-1, 0x1.154c3d2f4d5eap-1,
    0x1.1e85f5e7040d1p-1, 0x1.2795e1289b11bp-1, 0x1.307d7334f10bep-1, 0x1.393e0d3562a1ap-1,
    0x1.41d8fe84672afp-1, 0x1.4a4f85db03ebbp-1, 0x1.52a2d265bc5abp-1, 0x1.5ad404c359f2dp-1};

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

double real_log(double x)
{
    uint64_t bits, rounded, one = UINT64_C(1023) << 52;
    memcpy(&bits, &x, sizeof bits);
    rounded = bits + REAL_LOG_HALF;
    uint64_t near = rounded >> REAL_LOG_SHIFT & 31;
    double k = (int)(rounded >> 52) - 1023, m;
    bits -= (rounded & ~REAL_MANTISSA) - one;
    memcpy(&m, &bits, sizeof m);
    double f = m * real_inverses[near] - 1, f2 = f * f;
    double sum = (-1.0 / 2 + 1.0 / 3 * f) + (-1.0 / 4 + 1.0 / 5 * f) * f2;
    return (k * REAL_LN2 + real_logs[near] + f) + f2 * sum;
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
