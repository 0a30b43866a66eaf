/* kernel_neon.c - the vocabulary in NEON of aarch64: eight lanes are two registers. */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    float32x4_t a, b;
} vf; /* 8 floats */
typedef struct {
    int32x4_t a, b;
} vi; /* 8 integers */
typedef struct {
    uint32x4_t a, b;
} vm; /* 8 masks: 0 or -1 */

#define VOCABULARY static inline __attribute__((always_inline, unused))

/* A word that is the same instruction on both halves. */
#define WORD_1(type, name, from, instruction)                                                      \
    VOCABULARY type name(from x)                                                                   \
    {                                                                                              \
        return (type){instruction(x.a), instruction(x.b)};                                         \
    }
#define WORD_2(type, name, from, instruction)                                                      \
    VOCABULARY type name(from x, from y)                                                           \
    {                                                                                              \
        return (type){instruction(x.a, y.a), instruction(x.b, y.b)};                               \
    }
WORD_2(vf, vf_add, vf, vaddq_f32)
WORD_2(vf, vf_sub, vf, vsubq_f32)
WORD_2(vf, vf_mul, vf, vmulq_f32)
WORD_2(vf, vf_div, vf, vdivq_f32)
WORD_2(vf, vf_pairs, vf, vpaddq_f32)
WORD_1(vf, vf_sqrt, vf, vsqrtq_f32)
WORD_1(vf, vf_abs, vf, vabsq_f32)
WORD_2(vi, vi_add, vi, vaddq_s32)
WORD_2(vi, vi_sub, vi, vsubq_s32)
WORD_2(vi, vi_and, vi, vandq_s32)
WORD_2(vi, vi_or, vi, vorrq_s32)
WORD_2(vi, vi_xor, vi, veorq_s32)
WORD_1(vi, vi_bits, vf, vreinterpretq_s32_f32)
WORD_1(vf, vf_bits, vi, vreinterpretq_f32_s32)
WORD_1(vf, vf_from_vi, vi, vcvtq_f32_s32)
WORD_2(vm, vf_lt, vf, vcltq_f32)
WORD_2(vm, vf_eq, vf, vceqq_f32)
#undef WORD_1
#undef WORD_2

VOCABULARY vf vf_load(const float *at)
{
    return (vf){vld1q_f32(at), vld1q_f32(at + 4)};
}

VOCABULARY void vf_store(float *at, vf v)
{
    vst1q_f32(at, v.a);
    vst1q_f32(at + 4, v.b);
}

VOCABULARY vf vf_set1(float x)
{
    return (vf){vdupq_n_f32(x), vdupq_n_f32(x)};
}

/* 4 floats, twice; and one of them in all lanes. */
VOCABULARY vf vf_load4(const float *at)
{
    return (vf){vld1q_f32(at), vld1q_f32(at)};
}
#define vf_lane(v, i) ((vf){vdupq_laneq_f32((v).a, i), vdupq_laneq_f32((v).b, i)})

/* 2 floats at each of 4 places, or 4 at each of 2. */
VOCABULARY vf vf_load_parts(const float *const *from, size_t at, size_t width)
{
    if (width == 4)
        return (vf){vld1q_f32(from[0] + at), vld1q_f32(from[1] + at)};
    return (vf){vcombine_f32(vld1_f32(from[0] + at), vld1_f32(from[1] + at)),
                vcombine_f32(vld1_f32(from[2] + at), vld1_f32(from[3] + at))};
}

VOCABULARY void vf_store_parts(float *const *to, size_t at, size_t width, vf v)
{
    if (width == 4) {
        vst1q_f32(to[0] + at, v.a);
        vst1q_f32(to[1] + at, v.b);
        return;
    }
    vst1_f32(to[0] + at, vget_low_f32(v.a));
    vst1_f32(to[1] + at, vget_high_f32(v.a));
    vst1_f32(to[2] + at, vget_low_f32(v.b));
    vst1_f32(to[3] + at, vget_high_f32(v.b));
}

VOCABULARY vf vf_fma(vf x, vf y, vf z)
{
    return (vf){vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b)};
}

VOCABULARY vi vi_set1(int32_t x)
{
    return (vi){vdupq_n_s32(x), vdupq_n_s32(x)};
}

VOCABULARY vi vi_shl(vi v, int n)
{
    return (vi){vshlq_s32(v.a, vdupq_n_s32(n)), vshlq_s32(v.b, vdupq_n_s32(n))};
}

VOCABULARY vi vi_sar(vi v, int n)
{
    return vi_shl(v, -n);
}

VOCABULARY vm vf_not_lt(vf x, vf y)
{
    vm less = vf_lt(x, y);
    return (vm){vmvnq_u32(less.a), vmvnq_u32(less.b)};
}

VOCABULARY vf vf_select(vm mask, vf x, vf y)
{
    return (vf){vbslq_f32(mask.a, x.a, y.a), vbslq_f32(mask.b, x.b, y.b)};
}

VOCABULARY vf vf_keep(vm mask, vf x)
{
    return vf_select(mask, x, vf_set1(0));
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

VOCABULARY vf vf_copysign(vf x, vf sign)
{
    vm top = {vdupq_n_u32(0x80000000u), vdupq_n_u32(0x80000000u)};
    return vf_select(top, sign, x);
}

#define VOCABULARY_NAME   "neon"
#define VOCABULARY_TABLE  kernel_neon
#define VOCABULARY_ROUNDS 4
#include "lib/kernel/kernel_body.h"

#else
typedef int kernel_neon_is_for_aarch64; /* an empty translation unit is not C */
#endif
