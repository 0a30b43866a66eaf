/* range.h - does a channel leave the range that it has had?
 *
 *     v ------------------> range of values     beyond by more than 3 % of it: g of at least 5
 *       --exponential mean--> range of means      beyond by more than 1 %: g of at least 3
 *
 * What is beyond belongs to the range from then on.  The second rule is for what lasts: every value
 * of a quiet day may have been there in a night, but not their mean.  Cannot fail or allocate. */
#ifndef LIB_DETECT_RANGE_H
#define LIB_DETECT_RANGE_H

#include <math.h>
#include <stdbool.h>

enum { RANGE_VALUES, RANGE_MEANS, RANGE_N };

struct range_of {
    double low, high; /* seen so far; low > high: nothing */
    double excess;    /* of what was beyond: how far, as a share of the range */
};

/* Of one channel, in standard deviations. */
struct range {
    struct range_of of[RANGE_N];
    double mean; /* of the last values; at first that of all, 0 */
    double g;    /* how unusual the last value is; 0: within its ranges */
};

/* Nothing has been seen. */
void range_init(struct range *range);

/* The moment is forgotten; what has been seen is not. */
void range_forget_moment(struct range *range);

/* A value and the mean (NaN: there is none), of which one is beyond its range. */
void range_leave(struct range *range, double v, double mean);

static inline bool range_has(const struct range_of *of, double v)
{
    return v >= of->low && v <= of->high;
}

/* A value, or NaN: it is missing.  smooth: timesteps of the mean; 1: of values alone.  Here, as
 * nearly every value is within. */
static inline void range_step(struct range *range, double v, double smooth)
{
    bool has_mean = smooth > 1;
    range->g = 0;
    if (isnan(v))
        return;
    if (has_mean)
        range->mean += (v - range->mean) * (1 / smooth);
    if (!range_has(&range->of[RANGE_VALUES], v) ||
        (has_mean && !range_has(&range->of[RANGE_MEANS], range->mean)))
        range_leave(range, v, has_mean ? range->mean : NAN);
}

/* How far the last value is beyond the range that is the reason for g; 0: within. */
double range_excess(const struct range *range);

#endif
