/* kernel_avx2.c - the vocabulary in AVX2 and FMA: eight lanes are one register. */
#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m256 vf;  /* 8 floats */
typedef __m256i vi; /* 8 integers */
typedef __m256 vm;  /* 8 masks: 0 or -1 */

#define VOCABULARY static inline __attribute__((always_inline, unused))

#define WORD(type, name, args, expression)                                                         \
    VOCABULARY type name args                                                                      \
    {                                                                                              \
        return expression;                                                                         \
    }
WORD(vf, vf_load, (const float *at), _mm256_loadu_ps(at))
/* 4 floats, twice; and one of them in all lanes. */
WORD(vf, vf_load4, (const float *at), _mm256_broadcast_ps((const __m128 *)(const void *)at))
#define vf_lane(v, i) _mm256_permute_ps(v, (i)*0x55)
WORD(vf, vf_set1, (float x), _mm256_set1_ps(x))
WORD(vf, vf_add, (vf x, vf y), _mm256_add_ps(x, y))
WORD(vf, vf_sub, (vf x, vf y), _mm256_sub_ps(x, y))
WORD(vf, vf_mul, (vf x, vf y), _mm256_mul_ps(x, y))
WORD(vf, vf_div, (vf x, vf y), _mm256_div_ps(x, y))
WORD(vf, vf_fma, (vf x, vf y, vf z), _mm256_fmadd_ps(x, y, z))
WORD(vf, vf_sqrt, (vf x), _mm256_sqrt_ps(x))
/* Sums of neighbours: 2 of x, 2 of y, from the lower halves, then from the upper ones. */
WORD(vf, vf_pairs, (vf x, vf y), _mm256_hadd_ps(x, y))
/* y where neither is smaller: both zeros, or a NaN. */
WORD(vf, vf_min, (vf x, vf y), _mm256_min_ps(x, y))
WORD(vf, vf_max, (vf x, vf y), _mm256_max_ps(x, y))
WORD(vi, vi_set1, (int32_t x), _mm256_set1_epi32(x))
WORD(vi, vi_add, (vi x, vi y), _mm256_add_epi32(x, y))
WORD(vi, vi_sub, (vi x, vi y), _mm256_sub_epi32(x, y))
WORD(vi, vi_and, (vi x, vi y), _mm256_and_si256(x, y))
WORD(vi, vi_or, (vi x, vi y), _mm256_or_si256(x, y))
WORD(vi, vi_xor, (vi x, vi y), _mm256_xor_si256(x, y))
WORD(vi, vi_shl, (vi v, int n), _mm256_slli_epi32(v, n))
WORD(vi, vi_sar, (vi v, int n), _mm256_srai_epi32(v, n))
WORD(vi, vi_bits, (vf v), _mm256_castps_si256(v))
WORD(vf, vf_bits, (vi v), _mm256_castsi256_ps(v))
WORD(vf, vf_from_vi, (vi v), _mm256_cvtepi32_ps(v))
WORD(vm, vf_lt, (vf x, vf y), _mm256_cmp_ps(x, y, _CMP_LT_OQ))
WORD(vm, vf_not_lt, (vf x, vf y), _mm256_cmp_ps(x, y, _CMP_NLT_UQ))
WORD(vm, vf_eq, (vf x, vf y), _mm256_cmp_ps(x, y, _CMP_EQ_OQ))
WORD(vf, vf_keep, (vm mask, vf x), _mm256_and_ps(mask, x))
WORD(vf, vf_select, (vm mask, vf x, vf y), _mm256_blendv_ps(y, x, mask))
WORD(vf, vf_abs, (vf x), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x))
#undef WORD

VOCABULARY void vf_store(float *at, vf v)
{
    _mm256_storeu_ps(at, v);
}

/* 2 floats at each of 4 places, or 4 at each of 2. */
VOCABULARY vf vf_load_parts(const float *const *from, size_t at, size_t width)
{
    if (width == 4)
        return _mm256_loadu2_m128(from[1] + at, from[0] + at);
#define PAIR(low, high)                                                                            \
    _mm_loadh_pi(_mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)(const void *)(from[low] + at)),    \
                 (const __m64 *)(const void *)(from[high] + at))
    return _mm256_set_m128(PAIR(2, 3), PAIR(0, 1));
#undef PAIR
}

VOCABULARY void vf_store_parts(float *const *to, size_t at, size_t width, vf v)
{
    __m128 a = _mm256_castps256_ps128(v), b = _mm256_extractf128_ps(v, 1);
    if (width == 4) {
        _mm_storeu_ps(to[0] + at, a);
        _mm_storeu_ps(to[1] + at, b);
        return;
    }
    _mm_storel_pi((__m64 *)(void *)(to[0] + at), a);
    _mm_storeh_pi((__m64 *)(void *)(to[1] + at), a);
    _mm_storel_pi((__m64 *)(void *)(to[2] + at), b);
    _mm_storeh_pi((__m64 *)(void *)(to[3] + at), b);
}

VOCABULARY vf vf_copysign(vf x, vf sign)
{
    return _mm256_or_ps(vf_abs(x), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}

#define VOCABULARY_NAME   "avx2"
#define VOCABULARY_TABLE  kernel_avx2
#define VOCABULARY_ROUNDS 4
#include "lib/kernel/kernel_body.h"

#else
typedef int kernel_avx2_is_for_x86; /* an empty translation unit is not C */
#endif
