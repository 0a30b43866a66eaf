/* kernel_pow.c - x to the power of y without libm.
 *
 *     x = m 2^e      ln x = e ln 2 + 2 atanh((m - 1) / (m + 1))     m in sqrt(1/2) .. sqrt(2)
 *     t = y ln x = k ln 2 + r            x^y = 2^k exp(r)           |r| <= ln 2 / 2
 *
 * Both series are Taylor's, in double, with an error near 2^-50 of ln x: far below what the one
 * rounding to float at the end can show.  Plain double operations are the same on every CPU. */
#include <stdint.h>
#include <string.h>

#include "lib/kernel/kernel.h"

#define POW_LN2_HIGH 0x1.62e42fefa0000p-1 /* 13 low bits free: exact times any exponent */
#define POW_LN2_LOW  0x1.cf79abc9e3b3ap-40
#define POW_INFINITY __builtin_inff()

static double pow_log(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (bits - 0x3fe6a09e667f3bcd) >> 52; /* bits of sqrt(1/2) */
    bits -= (int64_t)((uint64_t)e << 52);
    double m;
    memcpy(&m, &bits, sizeof m);
    double s = (m - 1) / (m + 1), s2 = s * s, p = 0;
    for (int k = 21; k >= 1; k -= 2)
        p = p * s2 + 1.0 / k;
    return (double)e * POW_LN2_HIGH + (2 * s * p + (double)e * POW_LN2_LOW);
}

static double pow_exp(double t)
{
    double k = t * 0x1.71547652b82fep+0 + 0x1.8p52; /* to the nearest integer */
    k -= 0x1.8p52;
    double r = (t - k * POW_LN2_HIGH) - k * POW_LN2_LOW, p = 1;
    for (int n = 14; n >= 1; n--)
        p = p * r / n + 1;
    int64_t bits = ((int64_t)k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

static bool pow_is_integer(float y)
{
    return y >= 0x1p23f || y <= -0x1p23f || (float)(int32_t)y == y;
}

static bool pow_is_odd(float y)
{
    return y < 0x1p24f && y > -0x1p24f && (float)(int32_t)y == y && ((int32_t)y & 1) != 0;
}

/* x is 0 or infinite: x^y for y > 0 is like x, for y < 0 the inverse. */
static float pow_of_limit(float x, float y)
{
    bool large = (x == 0) == (y < 0);
    float magnitude = large ? POW_INFINITY : 0;
    return __builtin_signbit(x) && pow_is_odd(y) ? -magnitude : magnitude;
}

float kernel_pow(float x, float y)
{
    float a = x < 0 ? -x : x;
    if (y == 0 || x == 1)
        return 1;
    if (x != x || y != y)
        return x + y;
    if (y == 2)
        return x * x;
    if (y == POW_INFINITY || y == -POW_INFINITY)
        return a == 1 ? 1 : (a > 1) == (y > 0) ? POW_INFINITY : 0;
    if (a == 0 || a == POW_INFINITY)
        return pow_of_limit(x, y);
    if (x < 0 && !pow_is_integer(y))
        return __builtin_nanf("");
    double t = (double)y * pow_log((double)a);
    t = t > 200 ? 200 : t < -200 ? -200 : t;
    float magnitude = (float)pow_exp(t);
    return x < 0 && pow_is_odd(y) ? -magnitude : magnitude;
}
