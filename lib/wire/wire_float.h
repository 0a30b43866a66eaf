/* wire_float.h - float32 and float16, and the latter as bytes, whatever the machine.
 *
 *     float32   s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm      float16   s eeeee mmmmmmmmmm
 *
 * Cannot fail; bytes need no alignment. */
#ifndef LIB_WIRE_WIRE_FLOAT_H
#define LIB_WIRE_WIRE_FLOAT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t wire_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float wire_float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t wire_load16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline void wire_store16(unsigned char *bytes, uint16_t bits)
{
    bytes[0] = (unsigned char)bits;
    bytes[1] = (unsigned char)(bits >> 8);
}

/* To the nearest float16, ties to even; beyond 65520 infinite; every NaN becomes 0x7e00 with its
 * sign. */
static inline uint16_t wire_half_of_float(float value)
{
    uint32_t bits = wire_float_bits(value);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t rest = bits & 0x7fffffff;
    uint32_t half;
    if (rest >= 0x47800000) { /* 65536 and up, Inf, NaN */
        half = rest > 0x7f800000 ? 0x7e00 : 0x7c00;
    } else if (rest < 0x38800000) { /* below 2^-14: 0.5's last bit is float16's smallest step */
        half = wire_float_bits(wire_float_of(rest) + 0.5f) - 0x3f000000;
    } else { /* exponent bias 127 -> 15, 13 bits rounded off */
        uint32_t odd = rest >> 13 & 1;
        half = (rest - 0x38000000 + 0xfff + odd) >> 13;
    }
    return (uint16_t)(sign | half);
}

/* Exact. */
static inline float wire_float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t rest = half & 0x7fff;
    if (rest >= 0x7c00) /* Inf, NaN */
        return wire_float_of(sign | 0x7f800000 | rest << 13);
    if (rest < 0x0400) /* zero, subnormal: rest * 2^-24 */
        return wire_float_of(sign | wire_float_bits((float)rest * 0x1p-24f));
    return wire_float_of(sign | ((rest << 13) + 0x38000000));
}

#endif
