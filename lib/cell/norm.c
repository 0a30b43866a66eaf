/* norm.c - makes layer normalisations.
 *
 *     floats:  | scale [n] | bias [n] | */
#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

struct norm {
    struct cell_base base;
    size_t outer, n;
    float epsilon;
    const float *scale, *bias;
};

static void norm_step(const struct cell *cell, struct kernel_panel *panel)
{
    const struct norm *norm = (const struct norm *)cell;
    const struct kernel *kernel = kernel_pick();
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        for (size_t o = 0; o < norm->outer; o++)
            kernel->norm(column + cell->in_at[0] + o * norm->n, column + cell->out_at + o * norm->n,
                         norm->n, norm->epsilon, norm->scale, norm->bias);
    }
}

static const struct cell_class norm_class = {norm_step, cell_base_free};

int norm_new(size_t outer, size_t n, float epsilon, const float *scale, const float *bias,
             struct cell **ret_cell)
{
    size_t n_all;
    if (outer == 0 || n == 0 || n > SIZE_MAX / 4 || __builtin_mul_overflow(outer, n, &n_all))
        return CELLTAP_EINVAL;
    size_t padded = cell_padded(n);
    struct norm *norm = cell_base_new(sizeof *norm, &norm_class, 2 * padded);
    if (norm == NULL)
        return CELLTAP_ENOMEM;
    float *floats = norm->base.floats;
    for (size_t i = 0; i < n; i++) {
        floats[i] = scale == NULL ? 1 : scale[i];
        floats[padded + i] = bias == NULL ? 0 : bias[i];
    }
    norm->outer = outer;
    norm->n = n;
    norm->epsilon = epsilon;
    norm->scale = floats;
    norm->bias = floats + padded;
    cell_base_input(&norm->base, n_all);
    cell_base_output(&norm->base, n_all);
    norm->base.cell.n_parameters = (scale == NULL ? 0 : n) + (bias == NULL ? 0 : n);
    *ret_cell = &norm->base.cell;
    return 0;
}
