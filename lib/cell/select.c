/* select.c - makes cells that pick values; neighbours that stay neighbours are copied as one run.
 *
 *     cell | sizes [n_inputs] | places [n_inputs] | runs [n_runs]        one allocation */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/cell/cell.h"
#include "lib/celltap.h"

struct select_run {
    size_t input_ix, from, to, n; /* floats from..from+n of an input to to..to+n */
};

struct select {
    struct cell cell;
    size_t n_runs;
    struct select_run *runs; /* in the cell's own memory */
};

static void select_step(const struct cell *cell, struct kernel_panel *panel)
{
    const struct select *select = (const struct select *)cell;
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        for (size_t r = 0; r < select->n_runs; r++) {
            const struct select_run *run = &select->runs[r];
            const float *from = column + cell->in_at[run->input_ix] + run->from;
            float *to = column + cell->out_at + run->to;
            if (run->n == 1)
                *to = *from;
            else
                memcpy(to, from, run->n * sizeof *to);
        }
    }
}

static void select_free(struct cell *cell)
{
    alloc_free(cell);
}

static const struct cell_class select_class = {select_step, select_free};

static bool select_begins_run(const struct select_from *from, size_t i)
{
    return i == 0 || from[i].input != from[i - 1].input || from[i].index != from[i - 1].index + 1;
}

int select_new(size_t n_inputs, const size_t *in_sizes, size_t n, const struct select_from *from,
               struct cell **ret_cell)
{
    size_t n_runs = 0;
    for (size_t i = 0; i < n; i++) {
        if (from[i].input >= n_inputs || from[i].index >= in_sizes[from[i].input])
            return CELLTAP_EINVAL;
        n_runs += select_begins_run(from, i);
    }
    if (n == 0)
        return CELLTAP_EINVAL;
    struct select *select = alloc_new(1, sizeof *select + 2 * n_inputs * sizeof(size_t) +
                                             n_runs * sizeof(struct select_run));
    if (select == NULL)
        return CELLTAP_ENOMEM;
    size_t *sizes = (size_t *)(select + 1);
    memcpy(sizes, in_sizes, n_inputs * sizeof *sizes);
    select->cell.class = &select_class;
    select->cell.n_inputs = n_inputs;
    select->cell.in_sizes = sizes;
    select->cell.in_at = sizes + n_inputs;
    select->cell.n_outputs = 1;
    select->cell.out_sizes[0] = n;
    select->runs = (struct select_run *)(sizes + 2 * n_inputs);
    for (size_t i = 0; i < n; i++) {
        if (select_begins_run(from, i))
            select->runs[select->n_runs++] =
                (struct select_run){from[i].input, from[i].index, i, 0};
        select->runs[select->n_runs - 1].n++;
    }
    *ret_cell = &select->cell;
    return 0;
}
