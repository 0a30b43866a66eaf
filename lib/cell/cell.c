/* cell.c - birth and death of cells, and the packing of their weights. */
#include "lib/cell/cell.h"

#include <math.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"

/* The kernels know functions by the same numbers. */
#define CELL_SAME(NAME, name) _Static_assert((int)CELL_##NAME == (int)KERNEL_##NAME, #name);
KERNEL_FUNCTIONS(CELL_SAME)
KERNEL_OPERATORS(CELL_SAME)
#undef CELL_SAME
_Static_assert((int)CELL_N_FUNCTIONS == (int)KERNEL_N_FUNCTIONS, "functions");
_Static_assert((int)CELL_SUM == (int)KERNEL_SUM && (int)CELL_MEAN == (int)KERNEL_MEAN &&
                   (int)CELL_REDUCE_MAX == (int)KERNEL_REDUCE_MAX &&
                   (int)CELL_REDUCE_MIN == (int)KERNEL_REDUCE_MIN &&
                   (int)CELL_SOFTMAX == (int)KERNEL_SOFTMAX &&
                   (int)CELL_LOG_SOFTMAX == (int)KERNEL_LOG_SOFTMAX,
               "reductions");

void cell_free(struct cell *cell)
{
    if (cell != NULL)
        cell->class->free(cell);
}

void *cell_base_new(size_t n_bytes, const struct cell_class *class, size_t n_floats)
{
    struct cell_base *base = alloc_new(1, n_bytes);
    if (base == NULL)
        return NULL;
    base->floats = alloc_new(n_floats, sizeof *base->floats);
    if (base->floats == NULL) {
        alloc_free(base);
        return NULL;
    }
    base->cell.class = class;
    base->cell.in_sizes = base->in_sizes;
    base->cell.in_at = base->in_at;
    return base;
}

void cell_base_free(struct cell *cell)
{
    struct cell_base *base = (struct cell_base *)cell;
    alloc_free(base->floats);
    alloc_free(base);
}

void cell_base_input(struct cell_base *base, size_t size)
{
    base->in_sizes[base->cell.n_inputs++] = size;
}

void cell_base_output(struct cell_base *base, size_t size)
{
    base->cell.out_sizes[base->cell.n_outputs++] = size;
}

void cell_base_initial(struct cell_base *base, float *to, size_t n, const float *const *parts,
                       size_t n_parts)
{
    base->cell.n_states = n_parts * cell_padded(n);
    for (size_t p = 0; p < n_parts; p++, to += cell_padded(n)) {
        if (parts[p] == NULL)
            continue;
        base->cell.initial = to - p * cell_padded(n);
        for (size_t i = 0; i < n; i++)
            to[i] = fabsf(parts[p][i]) < CELL_FLUSH ? 0 : parts[p][i];
    }
}

struct kernel_activation cell_base_activation(struct cell_activation activation)
{
    return (struct kernel_activation){(enum kernel_function)activation.function, activation.alpha,
                                      activation.beta};
}

bool cell_base_is_activation(struct cell_activation activation)
{
    return (unsigned)activation.function < CELL_N_FUNCTIONS;
}

/* One vector of 8 weights: of input k of rows row .. row + 7, as far as they exist. */
static void cell_pack_vector(const struct cell_rows *rows, size_t vector, size_t k, float *to)
{
    size_t unit = vector / rows->n_split * KERNEL_LANES;
    size_t row = rows->first_row + vector % rows->n_split * rows->n_units + unit;
    for (size_t l = 0; l < KERNEL_LANES && unit + l < rows->n_units; l++)
        to[l] = k < rows->n_x
                    ? rows->scale * rows->W[(row + l) * rows->row_stride + k * rows->column_stride]
                    : rows->R[(row + l) * rows->n_h + k - rows->n_x];
}

void cell_pack_rows(const struct cell_rows *rows, float *to)
{
    size_t n_vectors = cell_n_vectors(rows->n_units) * rows->n_split;
    for (size_t g = 0; g < kernel_n_groups(n_vectors); g++) {
        struct kernel_group group = kernel_group(n_vectors, g);
        for (size_t k = 0; k < rows->n_x + rows->n_h; k++)
            for (size_t v = 0; v < group.size; v++, to += KERNEL_LANES)
                cell_pack_vector(rows, group.first + v, k, to);
    }
}

void cell_pack_gates(const float *W, const float *R, size_t n_inputs, size_t n_units,
                     size_t n_gates, size_t n_blocks, float *to)
{
    struct cell_rows rows = {n_inputs, n_units, n_units, n_gates, 0, W, n_inputs, 1, R, 1};
    for (size_t b = 0; b < n_blocks; b++)
        for (size_t k = 0; k < n_inputs + n_units; k++)
            for (size_t g = 0; g < n_gates; g++, to += KERNEL_LANES)
                cell_pack_vector(&rows, b * n_gates + g, k, to);
}

void cell_pack_bias(const float *a, const float *b, size_t n, size_t n_apart, float *to)
{
    for (size_t i = 0; i < n; i++) {
        float bias = a == NULL ? 0 : a[i];
        bias += b == NULL ? 0 : b[i];
        to[i / KERNEL_LANES * n_apart * KERNEL_LANES + i % KERNEL_LANES] = bias;
    }
}
