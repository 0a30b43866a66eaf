/* dense.c - makes dense layers; the arithmetic is lib/kernel/kernel_rows.h.
 *
 *     floats:  | W as rows | bias | */
#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

struct dense {
    struct cell_base base;
    struct kernel_dense kernel;
};

static void dense_step(const struct cell *cell, struct kernel_panel *panel)
{
    cell_base_place(cell, panel);
    kernel_pick()->dense(&((const struct dense *)cell)->kernel, panel);
}

static const struct cell_class dense_class = {dense_step, cell_base_free};

int dense_new(const struct dense_spec *spec, struct cell **ret_cell)
{
    if (spec->n_inputs == 0 || spec->n_outputs == 0 || spec->n_rows == 0)
        return CELLTAP_EINVAL;
    size_t X = spec->n_inputs, Y = spec->n_outputs, lanes = cell_n_vectors(Y) * KERNEL_LANES;
    size_t n_weights = lanes * X;
    struct dense *dense = cell_base_new(sizeof *dense, &dense_class, n_weights + lanes);
    if (dense == NULL)
        return CELLTAP_ENOMEM;
    float *weights = dense->base.floats, *bias = weights + n_weights;
    struct cell_rows rows = {
        X, 0, Y, 1, 0, spec->W, spec->row_stride, spec->column_stride, NULL, spec->scale};
    cell_pack_rows(&rows, weights);
    cell_pack_bias(spec->b, NULL, Y, 1, bias);
    dense->kernel = (struct kernel_dense){Y, spec->n_rows, {cell_n_vectors(Y), X, weights, bias}};
    cell_base_input(&dense->base, spec->n_rows * X);
    cell_base_output(&dense->base, spec->n_rows * Y);
    struct cell *cell = &dense->base.cell;
    cell->n_macs = spec->n_rows * X * Y;
    cell->n_parameters = X * Y + (spec->b == NULL ? 0 : Y);
    *ret_cell = cell;
    return 0;
}
