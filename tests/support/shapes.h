/* shapes.h - cells of random kinds, shapes and attributes, and a hash of what they compute.
 *
 * The same seed gives the same cell on every machine, so hashes may be compared between kernels,
 * batch sizes and architectures. */
#ifndef TESTS_SUPPORT_SHAPES_H
#define TESTS_SUPPORT_SHAPES_H

#include <stdint.h>

#include "lib/cell/cell.h"

/* A cell for a seed; ends the program when out of memory. */
struct cell *shapes_cell(uint64_t seed);

/* Hashes of each column after a few timesteps of that cell in a panel: [n_columns]. */
void shapes_hashes(uint64_t seed, size_t n_columns, uint64_t *hashes);

#endif
