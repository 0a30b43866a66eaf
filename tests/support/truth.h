/* truth.h - functions of one value and sums in double, from their definitions and libm. */
#ifndef TESTS_SUPPORT_TRUTH_H
#define TESTS_SUPPORT_TRUTH_H

#include "lib/cell/cell.h"

double truth_function(struct cell_activation activation, double x);

/* Clamped to +-limit, then the function. */
double truth_gate(struct cell_activation activation, double limit, double x);

/* Wb[row] + Rb[row] + W[row] x + R[row] h; B is [2 n_rows], NULL: zeros. */
struct truth_sums {
    const float *W, *R, *B;
    size_t n_rows, n_x, n_h;
};
double truth_sum_x(const struct truth_sums *sums, size_t row, const float *x);
double truth_sum_h(const struct truth_sums *sums, size_t row, const double *h);

#endif
