/* rnn.c - makes RNN cells; the timestep itself is lib/kernel/kernel_rnn.h.
 *
 *     floats:  | W and R as rows | bias | h0 |
 *
 * The two ONNX biases are summed here. */
#include <math.h>

#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

struct rnn {
    struct cell_base base;
    struct kernel_rnn kernel;
};

static void rnn_step(const struct cell *cell, struct kernel_panel *panel)
{
    cell_base_place(cell, panel);
    kernel_pick()->rnn(&((const struct rnn *)cell)->kernel, panel);
}

static const struct cell_class rnn_class = {rnn_step, cell_base_free};

int rnn_new(const struct rnn_spec *spec, struct cell **ret_cell)
{
    if (spec->n_inputs == 0 || spec->n_units == 0 || !(spec->clip >= 0) ||
        !cell_base_is_activation(spec->f))
        return CELLTAP_EINVAL;
    size_t X = spec->n_inputs, H = spec->n_units, lanes = cell_n_vectors(H) * KERNEL_LANES;
    size_t n_weights = lanes * (X + H), n_aligned = cell_padded(n_weights + lanes);
    struct rnn *rnn = cell_base_new(sizeof *rnn, &rnn_class, n_aligned + cell_padded(H));
    if (rnn == NULL)
        return CELLTAP_ENOMEM;
    float *weights = rnn->base.floats, *bias = weights + n_weights;
    struct cell_rows rows = {X, H, H, 1, 0, spec->W, X, 1, spec->R, 1};
    cell_pack_rows(&rows, weights);
    if (spec->B != NULL)
        cell_pack_bias(spec->B, spec->B + H, H, 1, bias);
    rnn->kernel = (struct kernel_rnn){
        .n_inputs = X,
        .n_units = H,
        .rows = {cell_n_vectors(H), X + H, weights, bias},
        .f = cell_base_activation(spec->f),
        .clip = spec->clip,
        .usual = spec->f.function == CELL_TANH && isinf(spec->clip),
    };
    cell_base_input(&rnn->base, X);
    cell_base_output(&rnn->base, H);
    cell_base_initial(&rnn->base, weights + n_aligned, H, &spec->h0, 1);
    struct cell *cell = &rnn->base.cell;
    cell->n_macs = H * (X + H);
    cell->n_parameters = cell->n_macs + (spec->B == NULL ? 0 : 2 * H);
    *ret_cell = cell;
    return 0;
}
