/* lstm.c - makes LSTM cells; the timestep itself is lib/kernel/kernel_lstm.h.
 *
 *     floats:  | weights [H/8][X+H][4][8] | bias [H/8][4][8] | peepholes [3][H] | h0 c0 |
 *
 * The two ONNX biases are summed here.  Gates stay in ONNX's order i o f c. */
#include <math.h>

#include "lib/base/alloc.h"
#include "lib/cell/cell_base.h"
#include "lib/celltap.h"

#define LSTM_GATES     4
#define LSTM_PEEPHOLES 3

struct lstm {
    struct cell_base base;
    struct kernel_lstm kernel;
};

static void lstm_step(const struct cell *cell, struct kernel_panel *panel)
{
    cell_base_place(cell, panel);
    kernel_pick()->lstm(&((const struct lstm *)cell)->kernel, panel);
}

static const struct cell_class lstm_class = {lstm_step, cell_base_free};

static bool lstm_is_valid(const struct lstm_spec *spec)
{
    return spec->n_inputs > 0 && spec->n_units > 0 && spec->clip >= 0 &&
           cell_base_is_activation(spec->f) && cell_base_is_activation(spec->g) &&
           cell_base_is_activation(spec->h);
}

static void lstm_pack(struct lstm *lstm, const struct lstm_spec *spec, float *weights, float *bias,
                      float *peepholes)
{
    size_t H = spec->n_units;
    cell_pack_gates(spec->W, spec->R, spec->n_inputs, H, LSTM_GATES, weights);
    for (size_t g = 0; g < LSTM_GATES && spec->B != NULL; g++)
        cell_pack_bias(spec->B + g * H, spec->B + (LSTM_GATES + g) * H, H, LSTM_GATES,
                       bias + g * KERNEL_LANES);
    for (size_t i = 0; i < LSTM_PEEPHOLES * H && spec->P != NULL; i++)
        peepholes[i / H * cell_padded(H) + i % H] = spec->P[i];
    lstm->kernel = (struct kernel_lstm){
        .n_inputs = spec->n_inputs,
        .n_units = H,
        .weights = weights,
        .bias = bias,
        .peepholes = spec->P == NULL ? NULL : peepholes,
        .f = cell_base_activation(spec->f),
        .g = cell_base_activation(spec->g),
        .h = cell_base_activation(spec->h),
        .clip = spec->clip,
        .input_forget = spec->input_forget,
        .usual = spec->f.function == CELL_SIGMOID && spec->g.function == CELL_TANH &&
                 spec->h.function == CELL_TANH && isinf(spec->clip) && spec->P == NULL &&
                 !spec->input_forget,
    };
}

int lstm_new(const struct lstm_spec *spec, struct cell **ret_cell)
{
    if (!lstm_is_valid(spec))
        return CELLTAP_EINVAL;
    size_t X = spec->n_inputs, H = spec->n_units, padded = cell_padded(H);
    size_t n_bias = cell_n_vectors(H) * LSTM_GATES * KERNEL_LANES, n_weights = n_bias * (X + H);
    size_t n_aligned = cell_padded(n_weights + n_bias);
    struct lstm *lstm = cell_base_new(sizeof *lstm, &lstm_class, n_aligned + 5 * padded);
    if (lstm == NULL)
        return CELLTAP_ENOMEM;
    float *weights = lstm->base.floats, *peepholes = weights + n_aligned;
    lstm_pack(lstm, spec, weights, weights + n_weights, peepholes);
    cell_base_input(&lstm->base, X);
    for (size_t i = 0; i < 6; i++)
        cell_base_output(&lstm->base, H);
    const float *initial[] = {spec->h0, spec->c0};
    cell_base_initial(&lstm->base, peepholes + LSTM_PEEPHOLES * padded, H, initial, 2);
    struct cell *cell = &lstm->base.cell;
    size_t n_peepholes = spec->P == NULL ? 0 : LSTM_PEEPHOLES * H;
    cell->n_macs = LSTM_GATES * H * (X + H) + n_peepholes;
    cell->n_parameters = cell->n_macs + (spec->B == NULL ? 0 : 2 * LSTM_GATES * H);
    *ret_cell = cell;
    return 0;
}
