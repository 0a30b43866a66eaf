/* kernel_plain.c - the vocabulary in GNU C's own vectors: runs everywhere, needs no fma.
 *
 * Eight lanes are two vectors of four, which every CPU with vectors at all has.  Where the target
 * has a hardware fma it is used, else the exact one made of doubles: same bits. */
#include <stdint.h>
#include <string.h>

#include "lib/kernel/kernel_fma.h"

typedef int32_t kernel_i4 __attribute__((vector_size(16)));
typedef uint32_t kernel_u4 __attribute__((vector_size(16)));

typedef struct {
    kernel_f4 a, b;
} vf; /* 8 floats */
typedef struct {
    kernel_i4 a, b;
} vi;          /* 8 integers */
typedef vi vm; /* 8 masks: 0 or -1 */

#define VOCABULARY static inline __attribute__((always_inline, unused))

VOCABULARY vf vf_load(const float *at)
{
    vf v;
    memcpy(&v, at, sizeof v);
    return v;
}

VOCABULARY void vf_store(float *at, vf v)
{
    memcpy(at, &v, sizeof v);
}

VOCABULARY vf vf_set1(float x)
{
    kernel_f4 v = {x, x, x, x};
    return (vf){v, v};
}

/* 4 floats, twice; and one of them in all lanes. */
VOCABULARY vf vf_load4(const float *at)
{
    kernel_f4 v;
    memcpy(&v, at, sizeof v);
    return (vf){v, v};
}
#define vf_lane(v, i) vf_set1((v).a[i])

/* 2 floats at each of 4 places, or 4 at each of 2. */
VOCABULARY vf vf_load_parts(const float *const *from, size_t at, size_t width)
{
    vf v;
    for (size_t i = 0; i < 8 / width; i++)
        memcpy((float *)&v + i * width, from[i] + at, width * sizeof(float));
    return v;
}

VOCABULARY void vf_store_parts(float *const *to, size_t at, size_t width, vf v)
{
    for (size_t i = 0; i < 8 / width; i++)
        memcpy(to[i] + at, (float *)&v + i * width, width * sizeof(float));
}

#define BOTH(type, name, op)                                                                       \
    VOCABULARY type name(type x, type y)                                                           \
    {                                                                                              \
        return (type){x.a op y.a, x.b op y.b};                                                     \
    }
BOTH(vf, vf_add, +)
BOTH(vf, vf_sub, -)
BOTH(vf, vf_mul, *)
BOTH(vf, vf_div, /)
BOTH(vi, vi_and, &)
BOTH(vi, vi_or, |)
BOTH(vi, vi_xor, ^)
#undef BOTH

/* Unsigned, as they may wrap. */
VOCABULARY vi vi_add(vi x, vi y)
{
    return (vi){(kernel_i4)((kernel_u4)x.a + (kernel_u4)y.a),
                (kernel_i4)((kernel_u4)x.b + (kernel_u4)y.b)};
}

VOCABULARY vi vi_sub(vi x, vi y)
{
    return (vi){(kernel_i4)((kernel_u4)x.a - (kernel_u4)y.a),
                (kernel_i4)((kernel_u4)x.b - (kernel_u4)y.b)};
}

VOCABULARY vi vi_set1(int32_t x)
{
    kernel_i4 v = {x, x, x, x};
    return (vi){v, v};
}

VOCABULARY vi vi_shl(vi v, int n)
{
    return (vi){(kernel_i4)((kernel_u4)v.a << n), (kernel_i4)((kernel_u4)v.b << n)};
}

VOCABULARY vi vi_sar(vi v, int n)
{
    return (vi){v.a >> n, v.b >> n};
}

VOCABULARY vi vi_bits(vf v)
{
    return (vi){(kernel_i4)v.a, (kernel_i4)v.b};
}

VOCABULARY vf vf_bits(vi v)
{
    return (vf){(kernel_f4)v.a, (kernel_f4)v.b};
}

VOCABULARY vf vf_from_vi(vi v)
{
    return (vf){__builtin_convertvector(v.a, kernel_f4), __builtin_convertvector(v.b, kernel_f4)};
}

VOCABULARY vm vf_lt(vf x, vf y)
{
    return (vm){x.a < y.a, x.b < y.b};
}

VOCABULARY vm vf_not_lt(vf x, vf y)
{
    return (vm){~(x.a < y.a), ~(x.b < y.b)};
}

VOCABULARY vm vf_eq(vf x, vf y)
{
    return (vm){x.a == y.a, x.b == y.b};
}

VOCABULARY vf vf_keep(vm mask, vf x)
{
    return vf_bits(vi_and(mask, vi_bits(x)));
}

VOCABULARY vf vf_select(vm mask, vf x, vf y)
{
    vi yes = vi_and(mask, vi_bits(x));
    return vf_bits((vi){yes.a | (~mask.a & (kernel_i4)y.a), yes.b | (~mask.b & (kernel_i4)y.b)});
}

/* y where neither is smaller: both zeros, or a NaN. */
VOCABULARY vf vf_min(vf x, vf y)
{
    return vf_select(vf_lt(x, y), x, y);
}

VOCABULARY vf vf_max(vf x, vf y)
{
    return vf_select(vf_lt(y, x), x, y);
}

VOCABULARY vf vf_abs(vf x)
{
    return vf_bits(vi_and(vi_bits(x), vi_set1(0x7fffffff)));
}

VOCABULARY vf vf_copysign(vf x, vf sign)
{
    return vf_bits(vi_or(vi_bits(vf_abs(x)), vi_and(vi_bits(sign), vi_set1(INT32_MIN))));
}

/* Sums of neighbours: 2 of x, 2 of y, from the lower halves, then from the upper ones. */
VOCABULARY vf vf_pairs(vf x, vf y)
{
    return (vf){__builtin_shufflevector(x.a, y.a, 0, 2, 4, 6) +
                    __builtin_shufflevector(x.a, y.a, 1, 3, 5, 7),
                __builtin_shufflevector(x.b, y.b, 0, 2, 4, 6) +
                    __builtin_shufflevector(x.b, y.b, 1, 3, 5, 7)};
}

VOCABULARY vf vf_sqrt(vf x)
{
    float v[8];
    vf_store(v, x);
    for (int i = 0; i < 8; i++)
        v[i] = __builtin_sqrtf(v[i]);
    return vf_load(v);
}

VOCABULARY vf vf_fma(vf x, vf y, vf z)
{
#ifdef __FP_FAST_FMAF
    for (int i = 0; i < 4; i++) {
        z.a[i] = __builtin_fmaf(x.a[i], y.a[i], z.a[i]);
        z.b[i] = __builtin_fmaf(x.b[i], y.b[i], z.b[i]);
    }
    return z;
#else
    return (vf){kernel_fma_f4(x.a, y.a, z.a), kernel_fma_f4(x.b, y.b, z.b)};
#endif
}

#define VOCABULARY_NAME   "plain"
#define VOCABULARY_TABLE  kernel_plain
#define VOCABULARY_ROUNDS 1 /* fma is many instructions here, and 4 take a minute to compile */
#include "lib/kernel/kernel_body.h"
