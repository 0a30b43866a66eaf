/* tail.c - how rare a distance is under its own fading history. */
#include "lib/detect/tail.h"

#include <stddef.h>
#include <string.h>

#include "lib/detect/real.h"

#define TAIL_TOP        6.90875477931522 /* log1p(1000): the upper end of the highest bin */
#define TAIL_WIDTH      (TAIL_TOP / TAIL_BINS)
#define TAIL_SHARE      0.01  /* of the history, beyond which it is continued exponentially */
#define TAIL_P_MIN      1e-30 /* probability */
#define TAIL_WEIGHT_MAX 1e9   /* then the history is brought back to scale */
#define TAIL_LOG10_E    0x1.bcb7b1526e50ep-2

void tail_init(struct tail *tail, double n)
{
    *tail = (struct tail){.bins = {n}, .total = n, .weight = 1};
}

/* The sum of the bins above bin `b`, in four sums side by side as they do not wait for one another. */
static double tail_above(const struct tail *tail, size_t b)
{
    typedef double two __attribute__((vector_size(16)));
    two sums[2] = {{0}};
    size_t i = b + 1;
    for (; i % 4 != 0; i++)
        sums[0][0] += tail->bins[i];
    for (; i < TAIL_BINS; i += 4) {
        two bins[2];
        memcpy(bins, tail->bins + i, sizeof bins);
        sums[0] += bins[0];
        sums[1] += bins[1];
    }
    return (sums[0][0] + sums[0][1]) + (sums[1][0] + sums[1][1]);
}

/* The probability of q or more, q beyond the highest 1 %. */
static double tail_beyond(const struct tail *tail, double q)
{
    size_t j = TAIL_BINS - 1;
    double area = tail->bins[j], excess = 0;
    while (j > 0 && area < TAIL_SHARE * tail->total)
        area += tail->bins[--j];
    for (size_t i = j; i < TAIL_BINS; i++)
        excess += tail->bins[i] * ((double)(i - j) + 0.5);
    double scale = excess * TAIL_WIDTH / area;
    if (scale < TAIL_WIDTH)
        scale = TAIL_WIDTH;
    return area / tail->total * real_exp(-(q - (double)j * TAIL_WIDTH) / scale);
}

static double tail_probability(const struct tail *tail, size_t b, double q)
{
    double part = ((double)(b + 1) * TAIL_WIDTH - q) / TAIL_WIDTH;
    double count = tail->bins[b] * part + tail_above(tail, b);
    if (count >= TAIL_SHARE * tail->total)
        return count / tail->total;
    double p = tail_beyond(tail, q), p_max = (count + tail->weight) / tail->total;
    return count > 0 && p > p_max ? p_max : p;
}

static void tail_add(struct tail *tail, size_t b, double forget)
{
    tail->bins[b] += tail->weight;
    tail->total += tail->weight;
    tail->weight /= 1 - forget;
    if (tail->weight <= TAIL_WEIGHT_MAX)
        return;
    for (size_t i = 0; i < TAIL_BINS; i++)
        tail->bins[i] /= tail->weight;
    tail->total /= tail->weight;
    tail->weight = 1;
}

double tail_step(struct tail *tail, double s, double forget)
{
    double q = real_log1p(s);
    if (q > TAIL_TOP * (1 - 1e-12))
        q = TAIL_TOP * (1 - 1e-12);
    size_t b = (size_t)(q / TAIL_WIDTH);
    double p = tail_probability(tail, b, q);
    tail_add(tail, b, forget);
    if (p >= 1)
        return 0;
    return -real_log(p > TAIL_P_MIN ? p : TAIL_P_MIN) * TAIL_LOG10_E;
}
