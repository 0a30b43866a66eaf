/* cell.h - one layer's timestep: what every kind of layer has in common, and how each is made.
 *
 *     panel   activations[n_columns][stride]     column = one stream's timestep, all layers'
 * tensors streams states[n_columns] -> h, c          what a layer keeps between timesteps
 *
 *     cell    in_at[]  --step-->  out_at         offsets into a column, the same for all columns
 *             state_at                           offset into a stream's states
 *
 * A cell is made from weights in ONNX's layout, which it packs for the kernels and does not keep;
 * after that it is const and shared by all threads.  A step cannot fail and does not allocate.
 *
 * Offsets and the stride are multiples of CELL_PAD floats and the memory is aligned to 64 bytes, so
 * that whole vectors may be loaded and stored: a tensor of n values owns cell_padded(n) floats, and
 * what stands behind the n-th is nobody's business. */
#ifndef LIB_CELL_CELL_H
#define LIB_CELL_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/kernel/kernel.h"

#define CELL_PAD         KERNEL_PAD
#define CELL_TENSORS_MAX 6 /* h c i f g o */

static inline size_t cell_padded(size_t n)
{
    return kernel_padded(n);
}

struct cell;

struct cell_class {
    void (*step)(const struct cell *cell, struct kernel_panel *panel);
    void (*free)(struct cell *cell); /* gives packed weights and the cell back */
};

/* The common head of every cell.  Its maker fills the class and the sizes, the model the offsets.
 */
struct cell {
    const struct cell_class *class;
    size_t n_inputs;        /* vectors read */
    const size_t *in_sizes; /* [n_inputs] floats of each; owned by the cell */
    size_t *in_at;          /* [n_inputs] offsets into a column; owned by the cell */
    size_t n_outputs;       /* tensors written, at most CELL_TENSORS_MAX */
    size_t out_sizes[CELL_TENSORS_MAX];
    size_t out_at;        /* offset of the first into a column; the others follow, each padded */
    size_t n_states;      /* floats kept between timesteps, padded; 0: none */
    size_t state_at;      /* offset into a stream's states */
    const float *initial; /* [n_states] the states of a fresh stream; owned; NULL: zeros */
    size_t n_parameters;  /* weights and biases */
    size_t n_macs;        /* multiply-adds a timestep */
};

/* The panel's columns are the caller's; where the cell's numbers are in them, the step fills in. */
static inline void cell_step(const struct cell *cell, struct kernel_panel *panel)
{
    cell->class->step(cell, panel);
}

void cell_free(struct cell *cell); /* NULL is fine */

/* ---- functions of one value ---------------------------------------------------------------- */

/* What an activation function or an elementwise operator computes; alpha and beta as ONNX defines
 * them.  The first block are those that a recurrent cell may use for its gates. */
enum cell_function {
    CELL_SIGMOID,
    CELL_TANH,
    CELL_RELU,
    CELL_AFFINE,           /* alpha x + beta */
    CELL_LEAKY_RELU,       /* x >= 0 ? x : alpha x */
    CELL_THRESHOLDED_RELU, /* x >= alpha ? x : 0   (as a gate function; the operator has > ) */
    CELL_SCALED_TANH,      /* alpha tanh(beta x) */
    CELL_HARD_SIGMOID,     /* clamp(alpha x + beta, 0, 1) */
    CELL_ELU,              /* x >= 0 ? x : alpha (exp(x) - 1) */
    CELL_SOFTSIGN,
    CELL_SOFTPLUS,
    CELL_IDENTITY,
    CELL_SELU, /* gamma (x > 0 ? x : alpha exp(x) - alpha); alpha = alpha, beta = gamma */
    CELL_EXP,
    CELL_LOG,
    CELL_SQRT,
    CELL_ABS,
    CELL_NEG,
    CELL_ERF,
    CELL_GELU,      /* x/2 (1 + erf(x / sqrt 2)) */
    CELL_GELU_TANH, /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    CELL_CLIP,      /* clamp(x, alpha, beta) */
    CELL_N_FUNCTIONS
};

struct cell_activation {
    enum cell_function function;
    float alpha, beta;
};

/* ---- makers: 0 or CELLTAP_ENOMEM / CELLTAP_EINVAL; on failure nothing is kept -----------------
 */

/* LSTM, forward.  ONNX's equations and order of gates (i, o, f, c):
 *   i = f(Wi x + Ri h + Pi . c + Wbi + Rbi)      f likewise with Pf   (input_forget: f = 1 - i)
 *   g = g(Wc x + Rc h + Wbc + Rbc)               c' = f . c + i . g
 *   o = f(Wo x + Ro h + Po . c' + Wbo + Rbo)     h' = o . h(c')
 * Every sum over x and h is clipped to +-clip before its function.
 * Input 0: x.  Outputs: h c i f g o.  States: h, then c. */
struct lstm_spec {
    size_t n_inputs, n_units; /* X, H */
    const float *W;           /* [4H][X] */
    const float *R;           /* [4H][H] */
    const float *B;           /* [8H]: Wb, Rb; NULL: zeros */
    const float *P;           /* [3H]: peepholes i, o, f; NULL: none */
    const float *h0, *c0;     /* [H]; NULL: zeros */
    struct cell_activation f, g, h;
    float clip; /* INFINITY: none */
    bool input_forget;
};
int lstm_new(const struct lstm_spec *spec, struct cell **ret_cell);

/* GRU, forward.  ONNX's order of gates (z, r, h):
 *   z = f(Wz x + Rz h + ..)   r = f(Wr x + Rr h + ..)
 *   n = g(Wh x + Rh (r . h) + Rbh + Wbh)          linear_before_reset 0
 *   n = g(Wh x + r . (Rh h + Rbh) + Wbh)          linear_before_reset 1
 *   h' = (1 - z) . n + z . h
 * Input 0: x.  Outputs: h z r n.  States: h. */
struct gru_spec {
    size_t n_inputs, n_units;
    const float *W;  /* [3H][X] */
    const float *R;  /* [3H][H] */
    const float *B;  /* [6H]: Wb, Rb; NULL: zeros */
    const float *h0; /* [H]; NULL: zeros */
    struct cell_activation f, g;
    float clip;
    bool linear_before_reset;
};
int gru_new(const struct gru_spec *spec, struct cell **ret_cell);

/* RNN, forward: h' = f(W x + R h + Wb + Rb).  Input 0: x.  Outputs: h.  States: h. */
struct rnn_spec {
    size_t n_inputs, n_units;
    const float *W;  /* [H][X] */
    const float *R;  /* [H][H] */
    const float *B;  /* [2H]; NULL: zeros */
    const float *h0; /* [H]; NULL: zeros */
    struct cell_activation f;
    float clip;
};
int rnn_new(const struct rnn_spec *spec, struct cell **ret_cell);

/* Dense: y = W x + b, for each of n_rows rows that lie side by side in the input.  Input 0: x
 * [n_rows * X].  Output: y [n_rows * Y].  W is given with strides, so that ONNX's B of MatMul
 * ([X][Y]: row_stride 1, column_stride Y) and Gemm's transposed one ([Y][X]) both fit. */
struct dense_spec {
    size_t n_inputs, n_outputs, n_rows; /* X, Y, rows */
    const float *W;                     /* W[y * row_stride + x * column_stride] */
    size_t row_stride, column_stride;
    float scale;    /* every weight is multiplied by this (Gemm's alpha); 1: none */
    const float *b; /* [Y]; NULL: zeros */
};
int dense_new(const struct dense_spec *spec, struct cell **ret_cell);

/* One value in, one out.  Input 0: [n].  Output: [n]. */
int unary_new(size_t n, struct cell_activation activation, struct cell **ret_cell);

/* Two values in, one out; an operand is an input vector or a constant. */
enum cell_operator {
    CELL_ADD,
    CELL_SUB,
    CELL_MUL,
    CELL_DIV,
    CELL_POW,
    CELL_MAX,
    CELL_MIN,
    CELL_PRELU, /* a >= 0 ? a : a * b */
    CELL_LESS,  /* a < b ? 1 : 0 */
    CELL_EQUAL, /* a == b ? 1 : 0 */
    CELL_KEEP,  /* a != 0 ? b : 0 */
    CELL_N_OPERATORS
};
/* a or b: [n], copied, the constant operand; NULL: an input (both NULL: inputs 0 and 1).
 * Output: a op b. */
int binary_new(size_t n, enum cell_operator operator, const float * a, const float *b,
               struct cell **ret_cell);

/* Softmax and reductions over the middle axis of input 0 [outer][n][inner].  Softmax and
 * log-softmax give [outer][n][inner], reductions [outer][inner]. */
enum cell_reduction {
    CELL_SUM,
    CELL_MEAN,
    CELL_REDUCE_MAX,
    CELL_REDUCE_MIN,
    CELL_SOFTMAX,
    CELL_LOG_SOFTMAX
};
int reduce_new(enum cell_reduction reduction, size_t outer, size_t n, size_t inner,
               struct cell **ret_cell);

/* Layer normalisation over the last axis of input 0 [outer][n]:
 *   y = (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias
 * scale, bias: [n], NULL: 1 and 0.  Output: [outer][n]. */
int norm_new(size_t outer, size_t n, float epsilon, const float *scale, const float *bias,
             struct cell **ret_cell);

/* Picks values: output[j] = input[from[j].input][from[j].index].  Concat, Slice, Gather, Split,
 * Transpose, Expand and Pad over features are all this. */
struct select_from {
    uint32_t input, index;
};
int select_new(size_t n_inputs, const size_t *in_sizes, size_t n, const struct select_from *from,
               struct cell **ret_cell);

/* A vector of the timestep before, zeros at first.  Output: [n]; states: padded n. */
int recall_new(size_t n, struct cell **ret_cell);

/* What a recall cell gives at the next timestep: input 0 [n].  No output and no states of its own:
 * its state_at is to be the other's. */
int recall_keep_new(size_t n, struct cell **ret_cell);

#endif
