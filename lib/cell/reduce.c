/* reduce.c - makes softmax and reductions over the middle axis of [outer][n][inner]. */
#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

struct reduce {
    struct cell_base base;
    enum kernel_reduction reduction;
    size_t outer, n, inner;
    size_t n_results; /* of a line: n, or 1 */
};

static void reduce_step(const struct cell *cell, struct kernel_panel *panel)
{
    const struct reduce *reduce = (const struct reduce *)cell;
    const struct kernel *kernel = kernel_pick();
    for (size_t c = 0; c < panel->n_columns; c++) {
        const float *x = panel->activations + c * panel->stride + cell->in_at[0];
        float *y = panel->activations + c * panel->stride + cell->out_at;
        for (size_t o = 0; o < reduce->outer; o++)
            for (size_t i = 0; i < reduce->inner; i++)
                kernel->reduce[reduce->reduction](x + o * reduce->n * reduce->inner + i,
                                                  y + o * reduce->n_results * reduce->inner + i,
                                                  reduce->n, reduce->inner);
    }
}

static const struct cell_class reduce_class = {reduce_step, cell_base_free};

int reduce_new(enum cell_reduction reduction, size_t outer, size_t n, size_t inner,
               struct cell **ret_cell)
{
    size_t n_in, n_out;
    bool keeps = reduction == CELL_SOFTMAX || reduction == CELL_LOG_SOFTMAX;
    if ((unsigned)reduction >= KERNEL_N_REDUCTIONS || outer == 0 || n == 0 || inner == 0 ||
        __builtin_mul_overflow(outer, inner, &n_out) || __builtin_mul_overflow(n_out, n, &n_in))
        return CELLTAP_EINVAL;
    struct reduce *reduce = cell_base_new(sizeof *reduce, &reduce_class, 0);
    if (reduce == NULL)
        return CELLTAP_ENOMEM;
    reduce->reduction = (enum kernel_reduction)reduction;
    reduce->outer = outer;
    reduce->n = n;
    reduce->inner = inner;
    reduce->n_results = keeps ? n : 1;
    cell_base_input(&reduce->base, n_in);
    cell_base_output(&reduce->base, keeps ? n_in : n_out);
    *ret_cell = &reduce->base.cell;
    return 0;
}
