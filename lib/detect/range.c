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

void range_forget_moment(struct range *range)
{
    range->mean = range->g = 0;
}

static double range_rule_g(const struct range *range, size_t i)
{
    double excess = range->of[i].excess;
    if (excess <= range_rules[i].share)
        return 0;
    return range_rules[i].g + (excess < RANGE_G_MORE ? excess : RANGE_G_MORE);
}

static void range_widen(struct range_of *of, double v)
{
    double span = of->high - of->low;
    of->excess = 0;
    if (span > 0 && (v > of->high || v < of->low))
        of->excess = (v > of->high ? v - of->high : of->low - v) / span;
    of->high = v > of->high ? v : of->high;
    of->low = v < of->low ? v : of->low;
}

void range_leave(struct range *range, double v, double mean)
{
    range_widen(&range->of[RANGE_VALUES], v);
    range_widen(&range->of[RANGE_MEANS], mean);
    for (size_t i = 0; i < RANGE_N; i++) {
        double g = range_rule_g(range, i);
        range->g = g > range->g ? g : range->g;
    }
}

double range_excess(const struct range *range)
{
    for (size_t i = 0; i < RANGE_N && range->g > 0; i++)
        if (range_rule_g(range, i) == range->g)
            return range->of[i].excess;
    return 0;
}
