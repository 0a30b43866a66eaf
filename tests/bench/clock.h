/* clock.h - measuring a repeated call on a machine that others use too.
 *
 *     | block of calls, a few ms | block | block | ...     the quietest and the median block count
 */
#ifndef TESTS_BENCH_CLOCK_H
#define TESTS_BENCH_CLOCK_H

#include <stddef.h>

struct clock_result {
    double quietest_ns, median_ns; /* of one call */
};

/* Calls work(context) for about this many seconds. */
struct clock_result clock_measure(void (*work)(void *context), void *context, double seconds);

double clock_now_s(void);

#endif
