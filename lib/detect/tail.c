/* tail.c - how rare a distance is under its own fading history.
 *
 * Sums from above are kept in two levels, so that a sample changes 8 bins and 8 groups whatever it
 * is: how often a loop runs would depend on the distance, and a CPU that guesses that wrong loses
 * all it has begun of the next timestep. */
#include "lib/detect/tail.h"

#include <stddef.h>
#include <stdint.h>

#include "lib/detect/real.h"

#define TAIL_TOP        6.90875477931522 /* log1p(1000): the upper end of the highest bin */
#define TAIL_SHARE      0.01             /* of the history: beyond, it is continued exponentially */
#define TAIL_P_MIN      1e-30            /* probability */
#define TAIL_WEIGHT_MAX 1e9              /* then the history is brought back to scale */

void tail_init(struct tail *tail, double n)
{
    *tail = (struct tail){.bins = {n}, .groups = {n}, .weight = 1};
}

/* Weight of what is in bin b <= TAIL_BINS or a higher one. */
static double tail_above(const struct tail *tail, size_t b)
{
    return tail->bins[b] + tail->groups[b / TAIL_GROUP + 1];
}

/* The probability of q bins or more, beyond the highest 1 %. */
static double tail_beyond(const struct tail *tail, double q)
{
    size_t j = TAIL_BINS - 1;
    double excess = 0, above, all = tail->groups[0];
    for (; (above = tail_above(tail, j)) < TAIL_SHARE * all && j > 0; j--)
        excess += above; /* in the end each bin's weight, times how far its middle is beyond j */
    double scale = (excess + above / 2) / above;
    double p = above / all * real_exp(-(q - (double)j) / (scale < 1 ? 1 : scale));
    return p > TAIL_P_MIN ? p : TAIL_P_MIN;
}

static double tail_probability(const struct tail *tail, uint32_t b, double q)
{
    double higher = tail_above(tail, b + 1), all = tail->groups[0];
    double count = (tail_above(tail, b) - higher) * ((double)(b + 1) - q) + higher;
    if (count >= TAIL_SHARE * all)
        return count * (1 / all);
    double p = tail_beyond(tail, q), p_max = (count + tail->weight) / all;
    return count > 0 && p > p_max ? p_max : p;
}

/* Adds weight to the first `n` of eight, 1 to 8. */
static void tail_add_first(double *sums, size_t n, double weight)
{
    static const double ones[2 * TAIL_GROUP] = {1, 1, 1, 1, 1, 1, 1, 1};
    const double *wanted = ones + TAIL_GROUP - n;
    for (size_t i = 0; i < TAIL_GROUP; i++)
        sums[i] += weight * wanted[i];
}

static void tail_add(struct tail *tail, size_t b, double forget)
{
    size_t group = b / TAIL_GROUP;
    tail_add_first(tail->bins + group * TAIL_GROUP, b % TAIL_GROUP + 1, tail->weight);
    tail_add_first(tail->groups, group + 1, tail->weight);
    tail->weight /= 1 - forget;
    if (tail->weight <= TAIL_WEIGHT_MAX)
        return;
    for (size_t i = 0; i < TAIL_BINS; i++)
        tail->bins[i] /= tail->weight;
    for (size_t i = 0; i < TAIL_GROUPS; i++)
        tail->groups[i] /= tail->weight;
    tail->weight = 1;
}

/* In bins, below TAIL_BINS. */
static double tail_place(double log1p_s)
{
    double q = log1p_s * (TAIL_BINS / TAIL_TOP);
    return q > TAIL_BINS * (1 - 1e-12) ? TAIL_BINS * (1 - 1e-12) : q;
}

void tail_put(struct tail *tail, double log1p_s, double weight)
{
    double next = tail->weight;
    tail->weight = weight;
    tail_add(tail, (size_t)tail_place(log1p_s), 0);
    tail->weight = next;
}

double tail_step(struct tail *tail, double log1p_s, double forget)
{
    double q = tail_place(log1p_s);
    uint32_t b = (uint32_t)q;
    double p = tail_probability(tail, b, q);
    tail_add(tail, b, forget);
    return p < 1 ? p : 1;
}
