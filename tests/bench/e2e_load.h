/* e2e_load.h - the load of an end-to-end run: which frame is the i-th, and what is in it.
 *
 *     frame     0    1    2   ...  n-1 |   n   n+1  ...     n streams, one frame each, round and round
 *     stream   s0   s1   s2   ...      |  s0    s1  ...
 *     seq       1    1    1   ...      |   2     2  ...
 *
 * The values are a hash of (stream, seq, channel), so that feeder and checker need not talk. */
#ifndef TESTS_BENCH_E2E_LOAD_H
#define TESTS_BENCH_E2E_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define E2E_VALUES_MAX 256

static inline void e2e_values(size_t stream_ix, uint64_t seq, float *ret_values, size_t n_values)
{
    uint64_t x = (stream_ix + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ seq;
    for (size_t i = 0; i < n_values; i++) {
        x = (x ^ (x >> 31)) * UINT64_C(0xbf58476d1ce4e5b9) + UINT64_C(0x94d049bb133111eb);
        ret_values[i] = (float)(int32_t)(x >> 32) * 0x1p-31f;
    }
}

static inline int64_t e2e_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
