/* cell_base.h - what all makers of cells share; private to lib/cell.
 *
 *     struct lstm { cell_base { cell, sizes and places of up to 2 inputs, floats } , kernel's own }
 *
 * A cell is two allocations: itself, and one block of floats for packed weights, constants and the
 * initial states. */
#ifndef LIB_CELL_CELL_BASE_H
#define LIB_CELL_CELL_BASE_H

#include "lib/cell/cell.h"
#include "lib/kernel/kernel.h"

#define CELL_FLUSH 0x1p-60f /* states smaller than this are 0 */

struct cell_base {
    struct cell cell;
    size_t in_sizes[2], in_at[2];
    float *floats; /* owned */
};

/* A zeroed cell of n_bytes, which begins with a cell_base, with room for n_floats.  NULL when out
 * of memory. */
void *cell_base_new(size_t n_bytes, const struct cell_class *class, size_t n_floats);
void cell_base_free(struct cell *cell);

void cell_base_input(struct cell_base *base, size_t size);  /* one more input, of size floats */
void cell_base_output(struct cell_base *base, size_t size); /* one more output */

/* Initial states: parts of n floats side by side, each padded; `to` stays if all are NULL. */
void cell_base_initial(struct cell_base *base, float *to, size_t n, const float *const *parts,
                       size_t n_parts);

/* The same activation for the kernel. */
struct kernel_activation cell_base_activation(struct cell_activation activation);

bool cell_base_is_activation(struct cell_activation activation);

/* Where the kernel finds a cell's numbers. */
static inline void cell_base_place(const struct cell *cell, struct kernel_panel *panel)
{
    panel->state_at = cell->state_at;
    panel->in_at = cell->in_at[0];
    panel->out_at = cell->out_at;
}

/* ---- packing ------------------------------------------------------------------------------- */

static inline size_t cell_n_vectors(size_t n)
{
    return (n + KERNEL_LANES - 1) / KERNEL_LANES;
}

/* Rows of ONNX's matrices.  Row r of the packed matrix is row `first_row` + r; with n_split 2,
 * vectors alternate between rows u and rows n_units + u. */
struct cell_rows {
    size_t n_x, n_h; /* inputs; the second may be 0 */
    size_t n_units;  /* rows */
    size_t n_split, first_row;
    const float *W; /* W[row * row_stride + x * column_stride] */
    size_t row_stride, column_stride;
    const float *R; /* [rows][n_h] */
    float scale;    /* of W */
};

/* [groups][X+H][size][8]: n_vectors * (X+H) * 8 floats. */
void cell_pack_rows(const struct cell_rows *rows, float *to);

/* [n_blocks][X+H][n_gates][8] from W [n_gates H][X] and R [n_gates H][H]. */
void cell_pack_gates(const float *W, const float *R, size_t n_inputs, size_t n_units,
                     size_t n_gates, size_t n_blocks, float *to);

/* n values of `a` + those of `b` (either may be NULL) into every n_apart-th vector of 8. */
void cell_pack_bias(const float *a, const float *b, size_t n, size_t n_apart, float *to);

#endif
