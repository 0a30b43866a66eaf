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

static inline kernel_f4 kernel_fma_f4(kernel_f4 a, kernel_f4 b, kernel_f4 c)
{
    kernel_d2 low =
        kernel_fma_odd((kernel_d2){a[0], a[1]}, (kernel_d2){b[0], b[1]}, (kernel_d2){c[0], c[1]});
    kernel_d2 high =
        kernel_fma_odd((kernel_d2){a[2], a[3]}, (kernel_d2){b[2], b[3]}, (kernel_d2){c[2], c[3]});
    return (kernel_f4){(float)low[0], (float)low[1], (float)high[0], (float)high[1]};
}

#endif
