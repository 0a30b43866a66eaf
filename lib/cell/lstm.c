/* lstm.c - makes LSTM cells; the timestep itself is lib/kernel/kernel_lstm.h.
 *
 *     floats:  | weights [blocks][X+H][4][8] [X+H][tail][8] | bias likewise | peepholes [3][H] | h0 c0 |
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

/* Units behind the last whole block; up to 4 of them share vectors. */
static size_t lstm_n_left(size_t n_units)
{
    size_t n_left = n_units % KERNEL_LANES;
    return n_left <= KERNEL_LANES / 2 ? n_left : 0;
}

/* Input k, or without weights the bias, of the units that are left: gates i f g o of ONNX's i o f c,
 * in as many lanes each as n_tail vectors have for them. */
static void lstm_pack_tail(const struct lstm_spec *spec, size_t k, size_t n_tail, float *to)
{
    static const size_t gates[LSTM_GATES] = {0, 2, 3, 1};
    size_t X = spec->n_inputs, H = spec->n_units, n_left = lstm_n_left(H);
    size_t width = n_tail * KERNEL_LANES / LSTM_GATES;
    for (size_t i = 0; i < LSTM_GATES * n_left; i++) {
        size_t row = gates[i / n_left] * H + H - n_left + i % n_left;
        float *at = to + i / n_left * width + i % n_left;
        if (k < X + H)
            *at = k < X ? spec->W[row * X + k] : spec->R[row * H + k - X];
        else if (spec->B != NULL)
            *at = spec->B[row] + spec->B[LSTM_GATES * H + row];
    }
}

static void lstm_pack(struct lstm *lstm, const struct lstm_spec *spec, float *weights, float *bias,
                      float *peepholes)
{
    size_t X = spec->n_inputs, H = spec->n_units, n_left = lstm_n_left(H);
    size_t n_blocks = cell_n_vectors(H - n_left), n_tail = (n_left + 1) / 2;
    size_t block = LSTM_GATES * KERNEL_LANES;
    cell_pack_gates(spec->W, spec->R, X, H, LSTM_GATES, n_blocks, weights);
    for (size_t g = 0; g < LSTM_GATES && spec->B != NULL; g++)
        cell_pack_bias(spec->B + g * H, spec->B + (LSTM_GATES + g) * H, H - n_left, LSTM_GATES,
                       bias + g * KERNEL_LANES);
    for (size_t k = 0; k < X + H; k++)
        lstm_pack_tail(spec, k, n_tail,
                       weights + n_blocks * block * (X + H) + k * n_tail * KERNEL_LANES);
    lstm_pack_tail(spec, X + H, n_tail, bias + n_blocks * block);
    for (size_t i = 0; i < LSTM_PEEPHOLES * H && spec->P != NULL; i++)
        peepholes[i / H * cell_padded(H) + i % H] = spec->P[i];
    lstm->kernel = (struct kernel_lstm){
        .n_inputs = X,
        .n_units = H,
        .n_blocks = n_blocks,
        .n_tail = n_tail,
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
    size_t n_tail = (lstm_n_left(H) + 1) / 2, n_blocks = cell_n_vectors(H - lstm_n_left(H));
    size_t n_bias = (n_blocks * LSTM_GATES + n_tail) * KERNEL_LANES, n_weights = n_bias * (X + H);
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
