/* le.h - little-endian numbers in bytes, on any machine.
 *
 * Cannot fail; bytes need no alignment. */
#ifndef LIB_BASE_LE_H
#define LIB_BASE_LE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void le_put32(unsigned char *bytes, uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    memcpy(bytes, &value, sizeof value);
}

static inline void le_put64(unsigned char *bytes, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(bytes, &value, sizeof value);
}

static inline uint32_t le_get32(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

static inline uint64_t le_get64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline void le_put_floats(unsigned char *bytes, const float *values, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        le_put32(bytes + i * sizeof bits, bits);
    }
#else
    if (n > 0)
        memcpy(bytes, values, n * sizeof *values);
#endif
}

static inline void le_get_floats(const unsigned char *bytes, float *ret_values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = le_get32(bytes + i * sizeof bits);
        memcpy(&ret_values[i], &bits, sizeof bits);
    }
}

#endif
