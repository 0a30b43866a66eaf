/* lower_cell.c - the recurrent operators: what ONNX's LSTM, GRU and RNN say becomes a cell.
 *
 *     X [time, batch, I]  ->  Y [time, 1, batch, H], Y_h [1, batch, H], Y_c
 *
 * (with layout 1 the batch comes first).  Y_h and Y_c are Y and c at the last timestep. */
#include "lib/model/broadcast.h"
#include "lib/model/lower.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* What the three have in common; n_gates times H is the height of W and R. */
struct lower_cell {
    size_t n_inputs, n_units, n_gates;
    bool batch_first;
    const float *W, *R, *B, *h0;
    float clip;
    struct cell_activation activations[3];
    size_t in; /* slot */
    const struct value *x;
    const char *origin;
};

/* ---- activation functions ----------------------------------------------------------------- */

static const struct lower_activation {
    const char *name;
    enum cell_function function;
    bool has_alpha, has_beta;
    float alpha, beta; /* defaults */
} lower_activations[] = {
    {"Sigmoid", CELL_SIGMOID, false, false, 0, 0},
    {"Tanh", CELL_TANH, false, false, 0, 0},
    {"Relu", CELL_RELU, false, false, 0, 0},
    {"Affine", CELL_AFFINE, true, true, 1, 0},
    {"LeakyRelu", CELL_LEAKY_RELU, true, false, 0.01f, 0},
    {"ThresholdedRelu", CELL_THRESHOLDED_RELU, true, false, 1, 0},
    {"ScaledTanh", CELL_SCALED_TANH, true, true, 1, 1},
    {"HardSigmoid", CELL_HARD_SIGMOID, true, true, 0.2f, 0.5f},
    {"Elu", CELL_ELU, true, false, 1, 0},
    {"Softsign", CELL_SOFTSIGN, false, false, 0, 0},
    {"Softplus", CELL_SOFTPLUS, false, false, 0, 0},
};

/* Takes the next number of activation_alpha or _beta, if there is one. */
static float lower_next(const struct graph_attr *attr, size_t *at, float otherwise)
{
    return attr == NULL || attr->kind != GRAPH_ATTR_REALS || *at >= attr->n ? otherwise
                                                                            : attr->reals[(*at)++];
}

/* The functions by name, the defaults for those not named; alphas and betas are consumed in order
 * by the functions that have one. */
static int lower_find_activations(struct lower *lower, const struct graph_node *node,
                                  const char *const *defaults, size_t n,
                                  struct cell_activation *ret_activations)
{
    const struct graph_attr *names = graph_attr(node, "activations");
    const struct graph_attr *alphas = graph_attr(node, "activation_alpha");
    const struct graph_attr *betas = graph_attr(node, "activation_beta");
    size_t at_alpha = 0, at_beta = 0;
    if (names != NULL && (names->kind != GRAPH_ATTR_TEXTS || names->n != n))
        return load_invalid(&lower->load, "names %zu activation functions, not %zu", names->n, n);
    for (size_t k = 0; k < n; k++) {
        const char *name = names == NULL ? defaults[k] : names->texts[k];
        const struct lower_activation *row = NULL;
        for (size_t r = 0; r < sizeof lower_activations / sizeof *lower_activations; r++)
            if (strcasecmp(lower_activations[r].name, name) == 0)
                row = &lower_activations[r];
        if (row == NULL)
            return load_refuse(&lower->load, "activation function '%s' is not known", name);
        ret_activations[k] = (struct cell_activation){row->function, row->alpha, row->beta};
        if (row->has_alpha)
            ret_activations[k].alpha = lower_next(alphas, &at_alpha, row->alpha);
        if (row->has_beta)
            ret_activations[k].beta = lower_next(betas, &at_beta, row->beta);
    }
    return 0;
}

/* ---- inputs ------------------------------------------------------------------------------- */

static int lower_cell_weights(struct lower *lower, const struct graph_node *node, size_t k,
                              const char *what, size_t n_wanted, const float **ret_items)
{
    size_t n;
    if (lower_in(lower, node, k) == NULL && k > 2) {
        *ret_items = NULL;
        return 0;
    }
    int err = lower_floats(lower, node, k, what, ret_items, &n);
    if (err == 0 && n != n_wanted)
        err = load_invalid(&lower->load, "%s has %zu values, not %zu", what, n, n_wanted);
    return err;
}

/* X must be [time, batch, I]: the sequence's own time, all of it. */
static int lower_cell_input(struct lower *lower, const struct graph_node *node,
                            struct lower_cell *cell)
{
    struct load *load = &lower->load;
    const struct value *x = lower_in(lower, node, 0);
    char text[160];
    size_t time = cell->batch_first ? 1 : 0, batch = 1 - time;
    if (x == NULL || !x->data || x->n_axes != 3)
        return load_invalid(load, "its input X is not a sequence [time, batch, values]");
    if (x->last)
        return load_refuse(load, "runs over the last timestep of another layer, not over a "
                                 "sequence");
    if (x->type != GRAPH_FLOAT)
        return load_refuse(load, "computes with integers of the input: cast it to float first");
    if (!value_axis_is(x, time, FACTOR_TIME) || !value_axis_is(x, batch, FACTOR_BATCH) ||
        !value_axis_is(x, 2, FACTOR_ITEM) || (x->dims[time] == 1 && value_has(x, FACTOR_TIME))) {
        lower->contradicted = true;
        return load_refuse(load, "its sequence X is %s, which is not [%s, values]",
                           value_shape_text(x, text),
                           cell->batch_first ? "batch, time" : "time, batch");
    }
    cell->x = x;
    cell->n_inputs = (size_t)x->dims[2];
    return lower_slot(lower, node, x, &cell->in);
}

/* All sequences must be whole: a constant that says the length of the sequence everywhere. */
static int lower_cell_lengths(struct lower *lower, const struct graph_node *node,
                              const struct lower_cell *cell)
{
    const int64_t *lengths;
    size_t n;
    if (lower_in(lower, node, 4) == NULL)
        return 0;
    int err = lower_ints(lower, node, 4, "sequence_lens", &lengths, &n);
    for (size_t k = 0; err == 0 && k < n; k++)
        if (lengths[k] != cell->x->dims[cell->batch_first ? 1 : 0])
            err = load_refuse(&lower->load,
                              "stops at %lld timesteps (sequence_lens): only whole "
                              "sequences can stream",
                              (long long)lengths[k]);
    return err;
}

/* initial_h or initial_c: [1, batch, H], the same in every row of the batch; NULL: zeros. */
static int lower_cell_state(struct lower *lower, const struct graph_node *node, size_t k,
                            const struct lower_cell *cell, const float **ret_state)
{
    const struct value *state = lower_in(lower, node, k);
    const char *what = k == 5 ? "the initial hidden state" : "the initial cell state";
    struct value row;
    size_t batch = cell->batch_first ? 0 : 1;
    const void *items;
    *ret_state = NULL;
    if (state == NULL)
        return 0;
    int err = lower_constant(lower, node, k, what, &state);
    if (err == 0 && (state->n_axes != 3 || state->dims[2] != (int64_t)cell->n_units ||
                     state->dims[1 - batch] != 1 || state->type != GRAPH_FLOAT))
        err = load_invalid(&lower->load, "%s is not [1, batch, %zu]", what, cell->n_units);
    if (err == 0) { /* a shape in which the batch is taken away: all rows must agree */
        row = value_like(state);
        row.data = true;
        for (size_t axis = 0; err == 0 && axis < 3; axis++) {
            err = value_add_axis(&lower->load, &row);
            if (err == 0)
                err =
                    value_add_factor(&lower->load, &row, axis == batch ? FACTOR_BATCH : FACTOR_ITEM,
                                     state->dims[axis]);
        }
    }
    if (err < 0)
        return err;
    err = broadcast_items(&lower->load, state, &row, &items);
    if (err == CELLTAP_EREFUSED)
        err = load_refuse(&lower->load, "%s differs from row to row of the batch", what);
    bool zero = true;
    for (size_t j = 0; err == 0 && j < row.n; j++)
        zero = zero && ((const float *)items)[j] == 0;
    if (err == 0 && !zero)
        *ret_state = items;
    return err;
}

/* W [1, gates H, I], R [1, gates H, H], B [1, 2 gates H]. */
static int lower_cell_matrices(struct lower *lower, const struct graph_node *node,
                               struct lower_cell *cell)
{
    size_t H = cell->n_units, rows = cell->n_gates * H;
    const struct value *W = lower_in(lower, node, 1), *R = lower_in(lower, node, 2);
    if (graph_attr_int(node, "hidden_size", (int64_t)H) != (int64_t)H)
        return load_invalid(&lower->load, "hidden_size and R differ");
    int err = lower_cell_weights(lower, node, 1, "W", rows * cell->n_inputs, &cell->W);
    if (err == 0)
        err = lower_cell_weights(lower, node, 2, "R", rows * H, &cell->R);
    if (err == 0)
        err = lower_cell_weights(lower, node, 3, "B", 2 * rows, &cell->B);
    if (err == 0)
        cell->origin = W->origin != NULL ? W->origin : R->origin;
    return err;
}

static int lower_cell_common(struct lower *lower, const struct graph_node *node,
                             const char *const *defaults, size_t n_gates, size_t n_activations,
                             struct lower_cell *ret_cell)
{
    const char *direction = graph_attr_text(node, "direction", "forward");
    const struct value *R;
    struct lower_cell cell = {.n_gates = n_gates,
                              .batch_first = graph_attr_int(node, "layout", 0) != 0,
                              .clip = graph_attr_real(node, "clip", INFINITY)};
    if (strcasecmp(direction, "forward") != 0)
        return load_refuse(&lower->load, "runs %s: it needs the sequence's end first", direction);
    if (cell.clip <= 0)
        cell.clip = INFINITY;
    int err = lower_cell_input(lower, node, &cell);
    if (err == 0)
        err = lower_constant(lower, node, 2, "R", &R);
    if (err == 0 && (R->n_axes != 3 || R->dims[0] != 1))
        err = load_invalid(&lower->load, "R is not [1, %zu H, H]", n_gates);
    if (err < 0)
        return err;
    cell.n_units = (size_t)R->dims[2];
    err = lower_cell_matrices(lower, node, &cell);
    if (err == 0)
        err = lower_cell_lengths(lower, node, &cell);
    if (err == 0)
        err = lower_cell_state(lower, node, 5, &cell, &cell.h0);
    if (err == 0)
        err = lower_find_activations(lower, node, defaults, n_activations, cell.activations);
    if (err == 0)
        *ret_cell = cell;
    return err;
}

/* ---- outputs ------------------------------------------------------------------------------ */

/* A vector of the cell as output k: Y with its time, Y_h and Y_c as the last timestep. */
static int lower_cell_output(struct lower *lower, const struct graph_node *node,
                             const struct lower_cell *cell, size_t k, size_t slot)
{
    struct load *load = &lower->load;
    struct value to = value_like(cell->x);
    size_t time = cell->batch_first ? 1 : 0, batch = 1 - time;
    size_t axes[4], n = 0; /* of x; 3: the direction; the last is always H */
    if (cell->batch_first)
        axes[n++] = batch;
    if (k == 0)
        axes[n++] = time;
    axes[n++] = 3;
    if (!cell->batch_first)
        axes[n++] = batch;
    int err = 0;
    for (size_t j = 0; err == 0 && j < n; j++)
        err =
            axes[j] == 3 ? value_add_axis(load, &to) : value_copy_axis(load, &to, cell->x, axes[j]);
    if (err == 0)
        err = value_add_axis(load, &to);
    if (err == 0)
        err = value_add_factor(load, &to, FACTOR_ITEM, (int64_t)cell->n_units);
    if (err == 0)
        err = plan_refs(&lower->plan, slot, &to.ints);
    to.last = k > 0 && value_has(cell->x, FACTOR_TIME);
    to.origin = NULL;
    if (err == 0)
        lower_out(lower, node, k, &to);
    return err;
}

static int lower_cell_step(struct lower *lower, const struct graph_node *node,
                           const struct lower_cell *cell, struct plan_step *step, size_t n_tensors,
                           bool has_cell_state)
{
    size_t sizes[CELL_TENSORS_MAX], slot;
    for (size_t k = 0; k < n_tensors; k++)
        sizes[k] = cell->n_units;
    step->node = node;
    step->op = node->op;
    step->origin = cell->origin;
    step->layer = true;
    int err = plan_append(&lower->plan, step, &cell->in, 1, sizes, n_tensors, &slot);
    for (size_t k = 0; err == 0 && k < (has_cell_state ? 3 : 2); k++)
        err = lower_cell_output(lower, node, cell, k, k < 2 ? slot : slot + 1);
    return err;
}

/* ---- the three ---------------------------------------------------------------------------- */

int lower_cell_lstm(struct lower *lower, const struct graph_node *node)
{
    static const char *const defaults[] = {"Sigmoid", "Tanh", "Tanh"};
    struct lower_cell cell;
    const float *P = NULL, *c0 = NULL;
    int err = lower_cell_common(lower, node, defaults, 4, 3, &cell);
    if (err == 0)
        err = lower_cell_state(lower, node, 6, &cell, &c0);
    if (err == 0)
        err = lower_cell_weights(lower, node, 7, "P", 3 * cell.n_units, &P);
    if (err < 0)
        return err;
    struct plan_step step = {
        .kind = PLAN_LSTM,
        .lstm = {.n_inputs = cell.n_inputs,
                 .n_units = cell.n_units,
                 .W = cell.W,
                 .R = cell.R,
                 .B = cell.B,
                 .P = P,
                 .h0 = cell.h0,
                 .c0 = c0,
                 .f = cell.activations[0],
                 .g = cell.activations[1],
                 .h = cell.activations[2],
                 .clip = cell.clip,
                 .input_forget = graph_attr_int(node, "input_forget", 0) != 0}};
    return lower_cell_step(lower, node, &cell, &step, 6, true);
}

int lower_cell_gru(struct lower *lower, const struct graph_node *node)
{
    static const char *const defaults[] = {"Sigmoid", "Tanh"};
    struct lower_cell cell;
    int err = lower_cell_common(lower, node, defaults, 3, 2, &cell);
    if (err < 0)
        return err;
    struct plan_step step = {
        .kind = PLAN_GRU,
        .gru = {.n_inputs = cell.n_inputs,
                .n_units = cell.n_units,
                .W = cell.W,
                .R = cell.R,
                .B = cell.B,
                .h0 = cell.h0,
                .f = cell.activations[0],
                .g = cell.activations[1],
                .clip = cell.clip,
                .linear_before_reset = graph_attr_int(node, "linear_before_reset", 0) != 0}};
    return lower_cell_step(lower, node, &cell, &step, 4, false);
}

int lower_cell_rnn(struct lower *lower, const struct graph_node *node)
{
    static const char *const defaults[] = {"Tanh"};
    struct lower_cell cell;
    int err = lower_cell_common(lower, node, defaults, 1, 1, &cell);
    if (err < 0)
        return err;
    struct plan_step step = {.kind = PLAN_RNN,
                             .rnn = {.n_inputs = cell.n_inputs,
                                     .n_units = cell.n_units,
                                     .W = cell.W,
                                     .R = cell.R,
                                     .B = cell.B,
                                     .h0 = cell.h0,
                                     .f = cell.activations[0],
                                     .clip = cell.clip}};
    return lower_cell_step(lower, node, &cell, &step, 1, false);
}
