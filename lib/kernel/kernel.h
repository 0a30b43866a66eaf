/* kernel.h - the arithmetic of a step: one table of operations for each instruction set.
 *
 *     lib/cell --packs weights, says where things are--> struct kernel --> kernel_plain
 *                                                                          kernel_avx2
 *                                                                          kernel_neon
 *
 * All of them are one body (kernel_body.h) over 8 float lanes, compiled with another vocabulary of
 * vector operations, and give the same bits: every sum is in an order that the layer's shape alone
 * fixes, every fma is an explicit one, and functions are built of the same operations.  (Inputs are
 * finite by contract; should an overflow make a NaN, its sign and payload are the machine's own.)
 *
 * An output is one lane: z = b, then z = fma(W[k], x[k], z) for k = 0 .. X-1, then
 * fma(R[k], h[k], z) for k = 0 .. H-1, then peephole, clip, function.  States whose magnitude is
 * below 2^-60 become +0.  Nothing here fails, allocates, or calls libm. */
#ifndef LIB_KERNEL_KERNEL_H
#define LIB_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#define KERNEL_LANES 8
#define KERNEL_GROUP 8 /* vectors of outputs that are summed together at most */

/* ---- functions ----------------------------------------------------------------------------- */

/* The order is that of enum cell_function, whose comments say what each of them computes. */
#define KERNEL_FUNCTIONS(X)                                                                        \
    X(SIGMOID, sigmoid)                                                                            \
    X(TANH, tanh)                                                                                  \
    X(RELU, relu)                                                                                  \
    X(AFFINE, affine)                                                                              \
    X(LEAKY_RELU, leaky_relu)                                                                      \
    X(THRESHOLDED_RELU, thresholded_relu)                                                          \
    X(SCALED_TANH, scaled_tanh)                                                                    \
    X(HARD_SIGMOID, hard_sigmoid)                                                                  \
    X(ELU, elu)                                                                                    \
    X(SOFTSIGN, softsign)                                                                          \
    X(SOFTPLUS, softplus)                                                                          \
    X(IDENTITY, identity)                                                                          \
    X(SELU, selu)                                                                                  \
    X(EXP, exp)                                                                                    \
    X(LOG, log)                                                                                    \
    X(SQRT, sqrt)                                                                                  \
    X(ABS, abs)                                                                                    \
    X(NEG, neg)                                                                                    \
    X(ERF, erf)                                                                                    \
    X(GELU, gelu)                                                                                  \
    X(GELU_TANH, gelu_tanh)                                                                        \
    X(CLIP, clip)

enum kernel_function {
#define KERNEL_FUNCTION(NAME, name) KERNEL_##NAME,
    KERNEL_FUNCTIONS(KERNEL_FUNCTION)
#undef KERNEL_FUNCTION
        KERNEL_N_FUNCTIONS
};

/* In the order of enum cell_operator. */
#define KERNEL_OPERATORS(X)                                                                        \
    X(ADD, add)                                                                                    \
    X(SUB, sub)                                                                                    \
    X(MUL, mul)                                                                                    \
    X(DIV, div)                                                                                    \
    X(POW, pow)                                                                                    \
    X(MAX, max)                                                                                    \
    X(MIN, min)                                                                                    \
    X(PRELU, prelu)                                                                                \
    X(LESS, less)                                                                                  \
    X(EQUAL, equal)                                                                                \
    X(KEEP, keep)

enum kernel_operator {
#define KERNEL_OPERATOR(NAME, name) KERNEL_##NAME,
    KERNEL_OPERATORS(KERNEL_OPERATOR)
#undef KERNEL_OPERATOR
        KERNEL_N_OPERATORS
};

/* In the order of enum cell_reduction. */
enum kernel_reduction {
    KERNEL_SUM,
    KERNEL_MEAN,
    KERNEL_REDUCE_MAX,
    KERNEL_REDUCE_MIN,
    KERNEL_SOFTMAX,
    KERNEL_LOG_SOFTMAX,
    KERNEL_N_REDUCTIONS
};

struct kernel_activation {
    enum kernel_function function;
    float alpha, beta;
};

/* ---- where a step finds its numbers -------------------------------------------------------- */

/* Memory is aligned to 64 bytes and strides and offsets are multiples of 16 floats.  A tensor of n
 * floats owns kernel_padded(n); what stands behind the n-th does not matter. */
#define KERNEL_PAD 16 /* floats: 64 bytes */

static inline size_t kernel_padded(size_t n)
{
    return (n + KERNEL_PAD - 1) & ~(size_t)(KERNEL_PAD - 1);
}

struct kernel_panel {
    size_t n_columns;
    float *activations;   /* [n_columns][stride] */
    size_t stride;        /* floats */
    float *const *states; /* [n_columns] */
    size_t state_at;      /* offset into a stream's states */
    size_t in_at;         /* offset into a column */
    size_t out_at;        /* likewise, of the first output; the others follow, each padded */
    bool backwards; /* through the weights, in every other step: the last may still be cached */
};

/* ---- packed weights ------------------------------------------------------------------------ */

/* Rows of a matrix: 8 outputs are one vector, up to 8 vectors are a group that is summed together,
 * and in memory a group is [K][size][8] weights.  Groups differ by at most one vector in size, so
 * that no small one is left at the end.  Lanes without an output hold zeros. */
struct kernel_rows {
    size_t n_vectors;     /* of 8 outputs */
    size_t n_k;           /* inputs of each output */
    const float *weights; /* borrowed from the cell, aligned to 64 bytes */
    const float *bias;    /* [n_vectors][8] */
};

struct kernel_group {
    size_t first, size; /* vectors */
};

static inline size_t kernel_n_groups(size_t n_vectors)
{
    return (n_vectors + KERNEL_GROUP - 1) / KERNEL_GROUP;
}

/* Group `group_ix` of a matrix; its weights begin at first * K * 8. */
static inline struct kernel_group kernel_group(size_t n_vectors, size_t group_ix)
{
    size_t n_groups = kernel_n_groups(n_vectors);
    size_t size = n_vectors / n_groups, n_larger = n_vectors % n_groups;
    size_t n_larger_before = group_ix < n_larger ? group_ix : n_larger;
    return (struct kernel_group){group_ix * size + n_larger_before, size + (group_ix < n_larger)};
}

/* weights: [blocks][X+H][4][8], the gates i o f g of 8 units side by side, then, if 1 to 4 units are
 * left behind the blocks, [X+H][tail][8], their gates i f g o side by side in 1 or 2 vectors, 2 or 4
 * lanes each; bias: [blocks][4][8], [tail][8]; state: h, then c, each padded; outputs: h c i f g o. */
struct kernel_lstm {
    size_t n_inputs, n_units;
    size_t n_blocks, n_tail; /* of 8 units; vectors of the units behind them */
    const float *weights, *bias;
    const float *peepholes; /* [3][padded H]: i, o, f; NULL: none */
    struct kernel_activation f, g, h;
    float clip; /* INFINITY: none */
    bool input_forget;
    bool usual; /* sigmoid, tanh, tanh, and none of clip, peepholes and input_forget */
};

/* linear_before_reset: weights [H/8][X+H][3][8], the gates z r n side by side; bias: [H/8][4][8],
 * z r n and Rbh.  Else all in `gates` (vectors z0 r0 z1 r1 ..) and `candidate` (n0 n1 ..);
 * state: h; outputs: h z r n. */
struct kernel_gru {
    size_t n_inputs, n_units;
    const float *weights, *bias;
    struct kernel_rows gates, candidate;
    struct kernel_activation f, g;
    float clip;
    bool linear_before_reset;
    bool usual; /* sigmoid, tanh, no clip */
};

/* state: h; output: h. */
struct kernel_rnn {
    size_t n_inputs, n_units;
    struct kernel_rows rows;
    struct kernel_activation f;
    float clip;
    bool usual; /* tanh, no clip */
};

struct kernel_dense {
    size_t n_outputs, n_rows;
    struct kernel_rows rows;
};

/* A lower triangle of n rows, a multiple of 8, in blocks of 8 x 8, those of the diagonal filled up
 * with zeros.  Groups of three rows of blocks follow each other from the bottom up (the last may
 * have fewer), in them columns of blocks from the right, in these blocks from the top; a block is
 * [2 halves of its columns][4][rows r and r + 4][4 columns]. */
#define KERNEL_WHITEN_BLOCKS 3

/* Floats of the first n rows of blocks. */
static inline size_t kernel_whiten_floats(size_t n_blocks)
{
    return KERNEL_LANES * KERNEL_LANES * (n_blocks * (n_blocks + 1) / 2);
}

/* Where the element in row i and column j is, which is in or below a block of the diagonal. */
static inline size_t kernel_whiten_at(size_t n, size_t i, size_t j)
{
    size_t row = i / KERNEL_LANES, column = j / KERNEL_LANES, n_blocks = n / KERNEL_LANES;
    size_t end = n_blocks - (n_blocks - 1 - row) / KERNEL_WHITEN_BLOCKS * KERNEL_WHITEN_BLOCKS;
    size_t begin = end < KERNEL_WHITEN_BLOCKS ? 0 : end - KERNEL_WHITEN_BLOCKS; /* of the group */
    size_t top = column > begin ? column : begin; /* block of the column */
    size_t block = (top - column) * (end - top) + row - top;
    return kernel_whiten_floats(n_blocks) - kernel_whiten_floats(end) +
           kernel_whiten_floats(end - 1 - top) + block * KERNEL_LANES * KERNEL_LANES +
           j % 8 / 4 * 32 + i % 4 * 8 + i % 8 / 4 * 4 + j % 4;
}

/* ---- the table ----------------------------------------------------------------------------- */

struct kernel {
    const char *name;
    void (*lstm)(const struct kernel_lstm *lstm, const struct kernel_panel *panel);
    void (*gru)(const struct kernel_gru *gru, const struct kernel_panel *panel);
    void (*rnn)(const struct kernel_rnn *rnn, const struct kernel_panel *panel);
    void (*dense)(const struct kernel_dense *dense, const struct kernel_panel *panel);

    /* y[i] = f(x[i]) and y[i] = a[i] op b[i] for i = 0 .. n-1, whole vectors: all pointers own n
     * rounded up to 8 floats.  y may be x, a or b. */
    void (*unary[KERNEL_N_FUNCTIONS])(const float *x, float *y, size_t n, float alpha, float beta);
    void (*binary[KERNEL_N_OPERATORS])(const float *a, const float *b, float *y, size_t n);

    /* One line of n values that lie `inner` apart, y[0] or y[j * inner] from x[j * inner]. */
    void (*reduce[KERNEL_N_REDUCTIONS])(const float *x, float *y, size_t n, size_t inner);

    /* Layer normalisation of one row of n values; scale and bias are [n]. */
    void (*norm)(const float *x, float *y, size_t n, float epsilon, const float *scale,
                 const float *bias);

    /* |A x|^2 of a lower triangle A, x [n]. */
    double (*whiten)(const float *weights, const float *x, size_t n);
};

/* The kernel in use.  Picked once, at the first call; any thread. */
const struct kernel *kernel_pick(void);

/* A kernel by name, NULL when there is none or this machine cannot run it. */
const struct kernel *kernel_find(const char *name);

/* Tests: use this one from now on. */
void kernel_use(const struct kernel *kernel);

/* x to the power of y, within 1 ulp; special cases as IEEE 754's pow.  The same on every CPU. */
float kernel_pow(float x, float y);

#endif
