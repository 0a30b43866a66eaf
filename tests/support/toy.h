/* toy.h - a model made by hand, so small that its numbers can be worked out in the head.
 *
 *     values   | a[2] | b[1] |         layer "sum":  h[j] += value[j]   output[0] = h0 + h1 + h2
 *
 * For tests of what steps models, without a model file.  It is not freed by its references. */
#ifndef TESTS_SUPPORT_TOY_H
#define TESTS_SUPPORT_TOY_H

#include "lib/model/model.h"

enum { TOY_LAYER_INPUT, TOY_LAYER_SUM, TOY_N_LAYERS }; /* layers */
enum { TOY_INPUT_A, TOY_INPUT_B };                     /* tensors of "@input" */
enum { TOY_SUM_OUTPUT, TOY_SUM_H };                    /* tensors of "sum" */

#define TOY_N_VALUES 3
#define TOY_INITIAL  100.0f /* h[0] of a fresh stream */

struct toy {
    struct celltap_model model;
    struct cell cell;
    struct cell *cells[1];
    float initial[CELL_PAD];
    size_t n_steps; /* of the cell */
};

void toy_init(struct toy *toy);

#endif
