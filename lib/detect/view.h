/* view.h - how unusual is a vector of d numbers among those of the warm-up?
 *
 *     warm-up:    u --Welford--> mean[d], scatter[d][d]
 *     its end:    scatter --shrinkage, ridge, Cholesky, inverse--> whiten[d][d], lower triangle
 *     then:       r = sqrt(|whiten (u - mean)|^2 / d),  s += (r - s) / smooth,  g = tail(s)
 *
 * Learning is in double.  What is kept of it is float32, in the layout of the kernel's `whiten`.
 * Cannot fail or allocate. */
#ifndef LIB_DETECT_VIEW_H
#define LIB_DETECT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/detect/tail.h"

#define VIEW_LANES 8

struct view {
    size_t d;      /* numbers; 0: there is no such view */
    float *mean;   /* [view_padded(d)] borrowed */
    float *whiten; /* [view_n_whiten(d)] borrowed, aligned to 64 bytes */
    double s, g;   /* smoothed distance (1: calm), and how rare it is */
    double level;  /* 0.99 quantile of s over the warm-up */
    bool is_high;  /* the level alarm is on */
    struct tail tail;
};

/* What only the warm-up needs. */
struct view_warm {
    uint64_t n;      /* vectors seen */
    double *mean;    /* [d] borrowed */
    double *scatter; /* [d (d + 1) / 2] borrowed: lower triangle, row by row */
    double *delta;   /* [d] borrowed: scratch */
};

/* d rounded up to whole blocks; floats of `whiten`; doubles of `scatter`. */
size_t view_padded(size_t d);
size_t view_n_whiten(size_t d);
size_t view_n_scatter(size_t d);

/* The element of whiten in row i and column j, both below view_padded(d), and j / 8 <= i / 8. */
float *view_at(const struct view *view, size_t i, size_t j);

/* One vector u [d] of the warm-up, finite or NaN, which is missing. */
void view_learn(const struct view *view, struct view_warm *warm, const float *u);

/* Ends the warm-up; scatter is used up.  ridge: added to the variances. */
void view_freeze(struct view *view, struct view_warm *warm, double ridge);

/* |whiten x|^2 / d of x = u - mean [view_padded(d)], zeros behind x[d - 1]; that is r^2, and not
 * finite if x is not. */
double view_squares(const struct view *view, const float *x);

/* A timestep's r^2, which may be infinite or NaN: s moves on. */
double view_step(struct view *view, double squares, double smooth);

#endif
