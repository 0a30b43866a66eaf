/* kernel_fma.h - a correct fma of floats for CPUs that have none, four lanes, without branches.
 *
 *     p = a * b          exact in double: 24 + 24 bits fit into 53
 *     s + e = p + c      exactly (TwoSum)
 *     s to odd           if e is not 0, s's last bit is made 1, towards e: nothing is lost that
 *                        the second rounding could need, as 53 >= 24 + 2 (Boldo, Melquiond 2008)
 *     (float)s           the one rounding
 *
 * Infinities and zeros come out as IEEE 754's fma has them: e is then NaN or 0 and s stays. */
#ifndef LIB_KERNEL_KERNEL_FMA_H
#define LIB_KERNEL_KERNEL_FMA_H

#include <stdint.h>

typedef float kernel_f4 __attribute__((vector_size(16)));
typedef float kernel_f2 __attribute__((vector_size(8)));
typedef double kernel_d2 __attribute__((vector_size(16)));
typedef int64_t kernel_l2 __attribute__((vector_size(16)));

static inline kernel_d2 kernel_fma_odd(kernel_d2 a, kernel_d2 b, kernel_d2 c)
{
    kernel_d2 zero = {0, 0};
    kernel_d2 p = a * b;
    kernel_d2 s = p + c;
    kernel_d2 q = s - p;
    kernel_d2 e = (p - (s - q)) + (c - q);
    kernel_l2 up = e > zero, down = e < zero;
    kernel_l2 away = (s > zero) ^ up;                 /* -1: e points towards zero */
    kernel_l2 even = ((kernel_l2)s & 1) - 1;          /* -1: the last bit is 0 */
    kernel_l2 step = (away | 1) & (up | down) & even; /* +1 or -1 in the last place */
    return (kernel_d2)((kernel_l2)s + step);
}

static inline kernel_d2 kernel_fma_low(kernel_f4 v)
{
    return __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1), kernel_d2);
}

static inline kernel_d2 kernel_fma_high(kernel_f4 v)
{
    return __builtin_convertvector(__builtin_shufflevector(v, v, 2, 3), kernel_d2);
}

static inline kernel_f4 kernel_fma_f4(kernel_f4 a, kernel_f4 b, kernel_f4 c)
{
    kernel_d2 low = kernel_fma_odd(kernel_fma_low(a), kernel_fma_low(b), kernel_fma_low(c));
    kernel_d2 high = kernel_fma_odd(kernel_fma_high(a), kernel_fma_high(b), kernel_fma_high(c));
    return __builtin_shufflevector(__builtin_convertvector(low, kernel_f2),
                                   __builtin_convertvector(high, kernel_f2), 0, 1, 2, 3);
}

#endif
