/* fold_sum.h - reductions and matrix products of constants, computed at load. */
#ifndef LIB_MODEL_FOLD_SUM_H
#define LIB_MODEL_FOLD_SUM_H

#include "lib/model/value.h"

/* "ReduceSum", "ReduceMean", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2" or
 * "ReduceSumSquare" over the middle axis of x's items [outer][n][inner].  to: its shape is ready,
 * it gets items [outer][inner]. */
int fold_sum_reduce(struct load *load, const char *op, const struct value *x, size_t outer,
                    size_t n, size_t inner, struct value *to);

/* a [rows][k] times b [k][columns], floats, row by row.  to: its shape is ready. */
int fold_sum_matmul(struct load *load, const struct value *a, const struct value *b, size_t rows,
                    size_t k, size_t columns, struct value *to);

#endif
