/* gru.c - makes GRU cells; the timestep itself is lib/kernel/kernel_gru.h.
 *
 *     floats, linear_before_reset 1:  | weights [H/8][X+H][3][8] | bias [H/8][4][8] | h0 |
 *             linear_before_reset 0:  | z and r as rows | n as rows | their biases | h0 |
 *
 * The two ONNX biases are summed here, but for those of the candidate n with linear_before_reset 1,
 * whose Rbh is multiplied by r. */
#include <math.h>

#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

#define GRU_GATES 3
#define GRU_SUMS  4 /* z r and the two parts of n */

struct gru {
    struct cell_base base;
    struct kernel_gru kernel;
};

static void gru_step(const struct cell *cell, struct kernel_panel *panel)
{
    cell_base_place(cell, panel);
    kernel_pick()->gru(&((const struct gru *)cell)->kernel, panel);
}

static const struct cell_class gru_class = {gru_step, cell_base_free};

/* Gate g's bias: Wb at index 0, Rb at index 1; NULL: zeros. */
static const float *gru_bias(const struct gru_spec *spec, size_t gate, size_t which)
{
    return spec->B == NULL ? NULL : spec->B + (which * GRU_GATES + gate) * spec->n_units;
}

static void gru_pack_linear_first(struct gru *gru, const struct gru_spec *spec, float *weights,
                                  float *bias)
{
    size_t H = spec->n_units;
    cell_pack_gates(spec->W, spec->R, spec->n_inputs, H, GRU_GATES, cell_n_vectors(H), weights);
    for (size_t g = 0; g < GRU_GATES; g++)
        cell_pack_bias(gru_bias(spec, g, 0), g < 2 ? gru_bias(spec, g, 1) : NULL, H, GRU_SUMS,
                       bias + g * KERNEL_LANES);
    cell_pack_bias(gru_bias(spec, 2, 1), NULL, H, GRU_SUMS, bias + 3 * KERNEL_LANES);
    gru->kernel.weights = weights;
    gru->kernel.bias = bias;
}

static void gru_pack_reset_first(struct gru *gru, const struct gru_spec *spec, float *weights,
                                 float *bias)
{
    size_t X = spec->n_inputs, H = spec->n_units, n_vectors = cell_n_vectors(H);
    struct cell_rows rows = {X, H, H, 2, 0, spec->W, X, 1, spec->R, 1};
    float *candidate = weights + 2 * n_vectors * (X + H) * KERNEL_LANES;
    float *candidate_bias = bias + 2 * n_vectors * KERNEL_LANES;
    cell_pack_rows(&rows, weights);
    rows.n_split = 1;
    rows.first_row = 2 * H;
    cell_pack_rows(&rows, candidate);
    for (size_t g = 0; g < 2; g++)
        cell_pack_bias(gru_bias(spec, g, 0), gru_bias(spec, g, 1), H, 2, bias + g * KERNEL_LANES);
    cell_pack_bias(gru_bias(spec, 2, 0), gru_bias(spec, 2, 1), H, 1, candidate_bias);
    gru->kernel.gates = (struct kernel_rows){2 * n_vectors, X + H, weights, bias};
    gru->kernel.candidate = (struct kernel_rows){n_vectors, X + H, candidate, candidate_bias};
}

int gru_new(const struct gru_spec *spec, struct cell **ret_cell)
{
    if (spec->n_inputs == 0 || spec->n_units == 0 || !(spec->clip >= 0) ||
        !cell_base_is_activation(spec->f) || !cell_base_is_activation(spec->g))
        return CELLTAP_EINVAL;
    size_t X = spec->n_inputs, H = spec->n_units, lanes = cell_n_vectors(H) * KERNEL_LANES;
    size_t n_weights = GRU_GATES * lanes * (X + H);
    size_t n_aligned = cell_padded(n_weights + GRU_SUMS * lanes);
    struct gru *gru = cell_base_new(sizeof *gru, &gru_class, n_aligned + cell_padded(H));
    if (gru == NULL)
        return CELLTAP_ENOMEM;
    gru->kernel = (struct kernel_gru){
        .n_inputs = X,
        .n_units = H,
        .f = cell_base_activation(spec->f),
        .g = cell_base_activation(spec->g),
        .clip = spec->clip,
        .linear_before_reset = spec->linear_before_reset,
        .usual =
            spec->f.function == CELL_SIGMOID && spec->g.function == CELL_TANH && isinf(spec->clip),
    };
    float *weights = gru->base.floats;
    if (spec->linear_before_reset)
        gru_pack_linear_first(gru, spec, weights, weights + n_weights);
    else
        gru_pack_reset_first(gru, spec, weights, weights + n_weights);
    cell_base_input(&gru->base, X);
    for (size_t i = 0; i < 4; i++)
        cell_base_output(&gru->base, H);
    cell_base_initial(&gru->base, weights + n_aligned, H, &spec->h0, 1);
    struct cell *cell = &gru->base.cell;
    cell->n_macs = GRU_GATES * H * (X + H);
    cell->n_parameters = cell->n_macs + (spec->B == NULL ? 0 : 2 * GRU_GATES * H);
    *ret_cell = cell;
    return 0;
}
