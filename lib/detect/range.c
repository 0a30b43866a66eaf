/* range.c - does a channel leave the range that it has had? */
#include "lib/detect/range.h"

#include <math.h>
#include <stddef.h>

#define RANGE_G_MORE 20.0 /* g grows by how many ranges it is beyond, up to this */

/* To be beyond by more than this share of the range is unusual, and so much at least. */
static const struct {
    double share, g;
} range_rules[RANGE_N] = {[RANGE_VALUES] = {0.03, 5}, [RANGE_MEANS] = {0.01, 3}};

void range_init(struct range *range)
{
    const struct range_of none = {.low = INFINITY, .high = -INFINITY};
    *range = (struct range){.of = {none, none}};
}

void range_forget_moment(struct range *range, double mean)
{
    range->mean = mean;
    range->g = range->excess = 0;
}

/* How far v is beyond, as a share; then the range has it. */
static double range_widen(struct range_of *of, double v)
{
    double span = of->high - of->low, excess = 0;
    if (span > 0 && (v > of->high || v < of->low))
        excess = (v > of->high ? v - of->high : of->low - v) / span;
    of->high = v > of->high ? v : of->high;
    of->low = v < of->low ? v : of->low;
    return excess;
}

void range_leave(struct range *range, double v, double mean)
{
    const double values[RANGE_N] = {[RANGE_VALUES] = v, [RANGE_MEANS] = mean};
    for (size_t i = 0; i < RANGE_N; i++) {
        double excess = range_widen(&range->of[i], values[i]);
        double g = range_rules[i].g + (excess < RANGE_G_MORE ? excess : RANGE_G_MORE);
        if (excess > range_rules[i].share && g > range->g) {
            range->g = g;
            range->excess = excess;
        }
    }
}
