/* recall.c - cells that bring a vector to the next timestep: what a graph gives out and takes in.
 *
 *     timestep t       states --recall--> h     ...the graph's own cells...     h_out --keep--> states
 *     timestep t + 1   states --recall--> h
 *
 * The two share their place in a stream's states; the keeping one steps last. */
#include <math.h>
#include <string.h>

#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

static void recall_step(const struct cell *cell, struct kernel_panel *panel)
{
    for (size_t c = 0; c < panel->n_columns; c++)
        memcpy(panel->activations + c * panel->stride + cell->out_at,
               panel->states[c] + cell->state_at, cell->out_sizes[0] * sizeof(float));
}

static void recall_keep_step(const struct cell *cell, struct kernel_panel *panel)
{
    for (size_t c = 0; c < panel->n_columns; c++) {
        const float *from = panel->activations + c * panel->stride + cell->in_at[0];
        float *to = panel->states[c] + cell->state_at;
        for (size_t i = 0; i < cell->in_sizes[0]; i++)
            to[i] = fabsf(from[i]) < CELL_FLUSH ? 0 : from[i];
    }
}

static const struct cell_class recall_class = {recall_step, cell_base_free};
static const struct cell_class recall_keep_class = {recall_keep_step, cell_base_free};

int recall_new(size_t n, struct cell **ret_cell)
{
    if (n == 0 || n > SIZE_MAX / 8)
        return CELLTAP_EINVAL;
    struct cell_base *base = cell_base_new(sizeof *base, &recall_class, 0);
    if (base == NULL)
        return CELLTAP_ENOMEM;
    cell_base_output(base, n);
    base->cell.n_states = cell_padded(n);
    *ret_cell = &base->cell;
    return 0;
}

int recall_keep_new(size_t n, struct cell **ret_cell)
{
    struct cell_base *base = cell_base_new(sizeof *base, &recall_keep_class, 0);
    if (base == NULL)
        return CELLTAP_ENOMEM;
    cell_base_input(base, n);
    *ret_cell = &base->cell;
    return 0;
}
