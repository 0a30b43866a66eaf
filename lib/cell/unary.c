/* unary.c - makes cells that apply a function to every value. */
#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

struct unary {
    struct cell_base base;
    struct kernel_activation activation;
};

static void unary_step(const struct cell *cell, struct kernel_panel *panel)
{
    const struct kernel_activation *activation = &((const struct unary *)cell)->activation;
    const struct kernel *kernel = kernel_pick();
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        kernel->unary[activation->function](column + cell->in_at[0], column + cell->out_at,
                                            cell->out_sizes[0], activation->alpha,
                                            activation->beta);
    }
}

static const struct cell_class unary_class = {unary_step, cell_base_free};

int unary_new(size_t n, struct cell_activation activation, struct cell **ret_cell)
{
    if (n == 0 || !cell_base_is_activation(activation))
        return CELLTAP_EINVAL;
    struct unary *unary = cell_base_new(sizeof *unary, &unary_class, 0);
    if (unary == NULL)
        return CELLTAP_ENOMEM;
    unary->activation = cell_base_activation(activation);
    cell_base_input(&unary->base, n);
    cell_base_output(&unary->base, n);
    *ret_cell = &unary->base.cell;
    return 0;
}
