/* binary.c - makes cells of two operands, of which one may be a constant (both: a constant). */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

struct binary {
    struct cell_base base;
    enum kernel_operator operator;
    const float *constant[2]; /* in floats; NULL: an input */
};

static void binary_step(const struct cell *cell, struct kernel_panel *panel)
{
    const struct binary *binary = (const struct binary *)cell;
    const struct kernel *kernel = kernel_pick();
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        const float *operands[2];
        for (size_t i = 0, input_ix = 0; i < 2; i++)
            operands[i] = binary->constant[i] != NULL ? binary->constant[i]
                                                      : column + cell->in_at[input_ix++];
        kernel->binary[binary->operator](operands[0], operands[1], column + cell->out_at,
                                         cell->out_sizes[0]);
    }
}

static const struct cell_class binary_class = {binary_step, cell_base_free};

int binary_new(size_t n, enum cell_operator operator, const float * a, const float *b,
               struct cell **ret_cell)
{
    if (n == 0 || n > SIZE_MAX / 4 || (unsigned)operator>= KERNEL_N_OPERATORS)
        return CELLTAP_EINVAL;
    const float *operands[2] = {a, b};
    size_t padded = cell_padded(n);
    struct binary *binary = cell_base_new(sizeof *binary, &binary_class, 2 * padded);
    if (binary == NULL)
        return CELLTAP_ENOMEM;
    binary->operator=(enum kernel_operator) operator;
    for (size_t i = 0; i < 2; i++) {
        if (operands[i] == NULL) {
            cell_base_input(&binary->base, n);
            continue;
        }
        float *to = binary->base.floats + i * padded;
        memcpy(to, operands[i], n * sizeof *to);
        binary->constant[i] = to;
        binary->base.cell.n_parameters += n;
    }
    cell_base_output(&binary->base, n);
    *ret_cell = &binary->base.cell;
    return 0;
}
