/* clock.c - measuring a repeated call on a machine that others use too. */
#include "tests/bench/clock.h"

#include <stdlib.h>
#include <time.h>

#define CLOCK_BLOCK_S    2e-3 /* shorter than a scheduler's slice, so that some are undisturbed */
#define CLOCK_BLOCKS_MAX 20000

double clock_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int clock_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double clock_block(void (*work)(void *), void *context, size_t n_calls)
{
    double from = clock_now_s();
    for (size_t i = 0; i < n_calls; i++)
        work(context);
    return clock_now_s() - from;
}

struct clock_result clock_measure(void (*work)(void *context), void *context, double seconds)
{
    static double blocks[CLOCK_BLOCKS_MAX];
    size_t n_calls = 1, n = 0;
    double took;
    while ((took = clock_block(work, context, n_calls)) < CLOCK_BLOCK_S / 2)
        n_calls *= 2;
    double end = clock_now_s() + seconds;
    do {
        blocks[n++] = clock_block(work, context, n_calls) * 1e9 / (double)n_calls;
    } while (n < CLOCK_BLOCKS_MAX && clock_now_s() < end);
    qsort(blocks, n, sizeof *blocks, clock_compare);
    return (struct clock_result){blocks[0], blocks[n / 2]};
}
