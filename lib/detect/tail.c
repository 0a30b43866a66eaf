/* tail.c - how rare a distance is under its own fading history. */
#include "lib/detect/tail.h"

#include <stddef.h>

#include "lib/detect/real.h"

#define TAIL_TOP        6.90875477931522 /* log1p(1000): the upper end of the highest bin */
#define TAIL_SHARE      0.01             /* of the history: beyond, it is continued exponentially */
#define TAIL_P_MIN      1e-30            /* probability */
#define TAIL_WEIGHT_MAX 1e9              /* then the history is brought back to scale */

void tail_init(struct tail *tail, double n)
{
    *tail = (struct tail){.above = {n}, .weight = 1};
}

/* The probability of q bins or more, beyond the highest 1 %. */
static double tail_beyond(const struct tail *tail, double q)
{
    const double *above = tail->above;
    size_t j = TAIL_BINS - 1;
    while (j > 0 && above[j] < TAIL_SHARE * above[0])
        j--;
    double excess = above[j] / 2; /* each bin's weight, times how far its middle is beyond bin j */
    for (size_t i = j + 1; i < TAIL_BINS; i++)
        excess += above[i];
    double scale = excess / above[j];
    return above[j] / above[0] * real_exp(-(q - (double)j) / (scale < 1 ? 1 : scale));
}

static double tail_probability(const struct tail *tail, size_t b, double q)
{
    const double *above = tail->above;
    double count = (above[b] - above[b + 1]) * ((double)(b + 1) - q) + above[b + 1];
    if (count >= TAIL_SHARE * above[0])
        return count * (1 / above[0]);
    double p = tail_beyond(tail, q), p_max = (count + tail->weight) / above[0];
    return count > 0 && p > p_max ? p_max : p;
}

static void tail_add(struct tail *tail, size_t b, double forget)
{
    for (size_t i = 0; i <= b; i++)
        tail->above[i] += tail->weight;
    tail->weight /= 1 - forget;
    if (tail->weight <= TAIL_WEIGHT_MAX)
        return;
    for (size_t i = 0; i < TAIL_BINS; i++)
        tail->above[i] /= tail->weight;
    tail->weight = 1;
}

double tail_step(struct tail *tail, double log1p_s, double forget)
{
    double q = log1p_s * (TAIL_BINS / TAIL_TOP);
    if (q > TAIL_BINS * (1 - 1e-12))
        q = TAIL_BINS * (1 - 1e-12);
    size_t b = (size_t)q;
    double p = tail_probability(tail, b, q);
    tail_add(tail, b, forget);
    return p > 1 ? 1 : p > TAIL_P_MIN ? p : TAIL_P_MIN;
}
