/* rig.h - one cell with a panel and streams of its own, for tests and measurements.
 *
 *     column:  | NaN guard | input 0 | .. | output 0 | .. | NaN guard |      states of each stream
 *
 * Inputs and states are random, and what stands behind a tensor is NaN, so that a cell that uses
 * what is not its own is found out. */
#ifndef TESTS_SUPPORT_RIG_H
#define TESTS_SUPPORT_RIG_H

#include <stdint.h>

#include "lib/cell/cell.h"

struct rig {
    struct cell *cell; /* owned */
    struct kernel_panel columns;
    float *memory, *states;
    float **states_of;
};

/* Takes the cell; ends the program when out of memory. */
void rig_init(struct rig *rig, struct cell *cell, size_t n_columns);
void rig_done(struct rig *rig);

/* The initial states in all streams. */
void rig_reset(struct rig *rig);

/* Inputs of all columns: column c of a step gets the same values wherever it stands in a panel. */
void rig_inputs(struct rig *rig, uint64_t seed, float range);

float *rig_in(const struct rig *rig, size_t column_ix, size_t input_ix);
float *rig_out(const struct rig *rig, size_t column_ix, size_t output_ix);

/* The same for all programs and machines. */
uint64_t rig_random(uint64_t *seed);
float rig_uniform(uint64_t *seed, float low, float high);
float *rig_floats(uint64_t *seed, size_t n, float range); /* to be freed */

/* A hash of all outputs and states of a column, bit for bit. */
uint64_t rig_hash(const struct rig *rig, size_t column_ix, uint64_t hash);

#endif
