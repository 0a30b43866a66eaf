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
};

/* Of one channel, in its own unit. */
struct range {
    struct range_of of[RANGE_N];
    double mean;   /* of the last values; at first that of the warm-up */
    double g;      /* how unusual the last value is; 0: within its ranges */
    double excess; /* how far beyond the range that is the reason for g, as a share of that; or 0 */
};

/* Nothing has been seen. */
void range_init(struct range *range);

/* The moment is forgotten; what has been seen is not.  mean: of the warm-up's values. */
void range_forget_moment(struct range *range, double mean);

/* A value and the mean (NaN: there is none), of which one is beyond its range. */
void range_leave(struct range *range, double v, double mean);

static inline bool range_has(const struct range_of *of, double v)
{
    return v >= of->low && v <= of->high;
}

/* A value; not finite: it is missing.  weight: of a value in the mean, 1 / timesteps; 1: there is none.
 * Returns g.  Here, as nearly every value is within. */
static inline double range_step(struct range *range, double v, double weight)
{
    bool has_mean = weight < 1;
    range->g = range->excess = 0;
    if (!isfinite(v))
        return 0;
    if (has_mean)
        range->mean += (v - range->mean) * weight;
    if (!range_has(&range->of[RANGE_VALUES], v) ||
        (has_mean && !range_has(&range->of[RANGE_MEANS], range->mean)))
        range_leave(range, v, has_mean ? range->mean : NAN);
    return range->g;
}

#endif
