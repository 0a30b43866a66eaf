/* kernel_lstm.h - one timestep of an LSTM for a panel; part of kernel_body.h.
 *
 *     block of 8 units:  sums i o f g  --functions-->  i o f g, c, h     all in registers
 *
 * The old h is read from the streams' states while the new one goes into the panel, and becomes
 * the state when all blocks are done; c is updated in place. */

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_G, LSTM_SUMS };
enum { LSTM_OUT_H, LSTM_OUT_C, LSTM_OUT_I, LSTM_OUT_F, LSTM_OUT_G, LSTM_OUT_O };

static const unsigned char lstm_out[LSTM_SUMS] = {LSTM_OUT_I, LSTM_OUT_O, LSTM_OUT_F, LSTM_OUT_G};

static bool lstm_is_usual(const struct kernel_lstm *lstm)
{
    return lstm->f.function == KERNEL_SIGMOID && lstm->g.function == KERNEL_TANH &&
           lstm->h.function == KERNEL_TANH && lstm->clip == __builtin_inff() &&
           lstm->peepholes == NULL && !lstm->input_forget;
}

INLINE void lstm_put(vf h, vf c, const vf *gates, const struct kernel_panel *panel, float *column,
                     size_t unit, float *c_state)
{
    vf_store(c_state, c);
    vf_store(column + panel->out_at[LSTM_OUT_H] + unit, h);
    vf_store(column + panel->out_at[LSTM_OUT_C] + unit, c);
    EACH (s, LSTM_SUMS)
        vf_store(column + panel->out_at[lstm_out[s]] + unit, gates[s]);
}

INLINE void lstm_usual(const vf *z, const struct kernel_panel *panel, float *column, size_t unit,
                       float *c_state)
{
    vf zero = vf_set1(0);
    vf i = fn_sigmoid(z[LSTM_I], zero, zero), f = fn_sigmoid(z[LSTM_F], zero, zero);
    vf g = fn_tanh(z[LSTM_G], zero, zero), o = fn_sigmoid(z[LSTM_O], zero, zero);
    vf c = flush(vf_fma(f, vf_load(c_state), vf_mul(i, g)));
    vf h = flush(vf_mul(o, fn_tanh(c, zero, zero)));
    vf gates[LSTM_SUMS] = {[LSTM_I] = i, [LSTM_O] = o, [LSTM_F] = f, [LSTM_G] = g};
    lstm_put(h, c, gates, panel, column, unit, c_state);
}

static void lstm_general(const struct kernel_lstm *lstm, const vf *z,
                         const struct kernel_panel *panel, float *column, size_t unit,
                         float *c_state)
{
    size_t padded = (lstm->n_units + 15) / 16 * 16;
    const float *p = lstm->peepholes == NULL ? NULL : lstm->peepholes + unit;
    vf c = vf_load(c_state);
    vf zi = z[LSTM_I], zf = z[LSTM_F], zo = z[LSTM_O];
    if (p != NULL) {
        zi = vf_fma(vf_load(p), c, zi);
        zf = vf_fma(vf_load(p + 2 * padded), c, zf);
    }
    vf i = apply(&lstm->f, clip_sum(zi, lstm->clip));
    vf f = lstm->input_forget ? vf_sub(vf_set1(1), i) : apply(&lstm->f, clip_sum(zf, lstm->clip));
    vf g = apply(&lstm->g, clip_sum(z[LSTM_G], lstm->clip));
    c = flush(vf_fma(f, c, vf_mul(i, g)));
    if (p != NULL)
        zo = vf_fma(vf_load(p + padded), c, zo);
    vf o = apply(&lstm->f, clip_sum(zo, lstm->clip));
    vf h = flush(vf_mul(o, apply(&lstm->h, c)));
    vf gates[LSTM_SUMS] = {[LSTM_I] = i, [LSTM_O] = o, [LSTM_F] = f, [LSTM_G] = g};
    lstm_put(h, c, gates, panel, column, unit, c_state);
}

struct lstm_job {
    const struct kernel_lstm *lstm;
    const struct kernel_panel *panel;
    size_t n_k, block_step; /* floats from one block's weights to the next one's */
    bool usual;
};

/* One piece of N blocks of units for C columns. */
INLINE void lstm_tile(const struct lstm_job *job, size_t column_ix, size_t block_ix,
                      struct piece piece, size_t C, size_t N)
{
    const struct kernel_lstm *lstm = job->lstm;
    const struct kernel_panel *panel = job->panel;
    size_t n_inputs = lstm->n_inputs;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    const float *weights =
        lstm->weights + block_ix * job->block_step + piece.from * LSTM_SUMS * KERNEL_LANES;
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    float *column[TILE_COLUMNS];
    vf sums[TILE_SUMS];
    EACH (c, C) {
        column[c] = panel->activations + (column_ix + c) * panel->stride;
        x[c] = column[c] + panel->in_at[0] + px.from;
        h[c] = panel->states[column_ix + c] + panel->state_at + ph.from;
    }
    EACH (c, C)
        EACH (n, N)
            EACH (s, LSTM_SUMS) {
                size_t unit = (block_ix + n) * KERNEL_LANES;
                const float *from = piece.from == 0
                                        ? lstm->bias + unit * LSTM_SUMS + s * KERNEL_LANES
                                        : column[c] + panel->out_at[lstm_out[s]] + unit;
                sums[(c * N + n) * LSTM_SUMS + s] = vf_load(from);
            }
    sum_gates(sums, C, N, LSTM_SUMS, weights, job->block_step, x, px.to - px.from);
    weights += (px.to - px.from) * LSTM_SUMS * KERNEL_LANES;
    sum_gates(sums, C, N, LSTM_SUMS, weights, job->block_step, h, ph.to - ph.from);
    size_t padded = (lstm->n_units + 15) / 16 * 16;
    EACH (c, C)
        EACH (n, N) {
            const vf *z = sums + (c * N + n) * LSTM_SUMS;
            size_t unit = (block_ix + n) * KERNEL_LANES;
            float *c_state = panel->states[column_ix + c] + panel->state_at + padded + unit;
            if (piece.to < job->n_k)
                EACH (s, LSTM_SUMS)
                    vf_store(column[c] + panel->out_at[lstm_out[s]] + unit, z[s]);
            else if (job->usual)
                lstm_usual(z, panel, column[c], unit, c_state);
            else {
                vf copy[LSTM_SUMS]; /* so that the sums need no address */
                EACH (s, LSTM_SUMS)
                    copy[s] = z[s];
                lstm_general(lstm, copy, panel, column[c], unit, c_state);
            }
        }
}

/* One instance of the tile for each shape, of C columns or of N blocks, and none of them inlined:
 * constants that the compiler takes out of a loop over tiles would push sums out of registers. */
typedef void lstm_tile_function(const struct lstm_job *job, size_t column_ix, size_t block_ix,
                                struct piece piece);
#define LSTM_TILE(C, N)                                                                            \
    static __attribute__((noinline)) void lstm_tile_##C##_##N(                                     \
        const struct lstm_job *job, size_t column_ix, size_t block_ix, struct piece piece)         \
    {                                                                                              \
        lstm_tile(job, column_ix, block_ix, piece, C, N);                                          \
    }
LSTM_TILE(1, 1)
LSTM_TILE(1, 2)
LSTM_TILE(1, 3)
LSTM_TILE(2, 1)
LSTM_TILE(3, 1)
#undef LSTM_TILE
static lstm_tile_function *const lstm_blocks_tiles[] = {lstm_tile_1_1, lstm_tile_1_2,
                                                        lstm_tile_1_3};
static lstm_tile_function *const lstm_columns_tiles[] = {lstm_tile_1_1, lstm_tile_2_1,
                                                         lstm_tile_3_1};

static void lstm_one_column(const struct lstm_job *job, size_t n_blocks)
{
    struct piece all = {0, job->n_k};
    for (size_t b = 0, n; b < n_blocks; b += n) {
        n = tile_blocks(n_blocks - b, 2);
        lstm_blocks_tiles[n - 1](job, 0, b, all);
    }
}

static void lstm_columns(const struct lstm_job *job, size_t block_ix, struct piece piece)
{
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        lstm_columns_tiles[n - 1](job, c, block_ix, piece);
    }
}

static void lstm_step(const struct kernel_lstm *lstm, const struct kernel_panel *panel)
{
    size_t n_k = lstm->n_inputs + lstm->n_units;
    size_t n_blocks = (lstm->n_units + KERNEL_LANES - 1) / KERNEL_LANES;
    size_t row = LSTM_SUMS * KERNEL_LANES;
    struct lstm_job job = {lstm, panel, n_k, n_k * row, lstm_is_usual(lstm)};
    size_t length = piece_length(n_k, row, panel->n_columns);
    if (panel->n_columns == 1)
        lstm_one_column(&job, n_blocks);
    else
        for (size_t b = 0; b < n_blocks; b++)
            for (struct piece p = {0, 0}; p.to < n_k;) {
                p = piece_next(p, length, n_k);
                lstm_columns(&job, b, p);
            }
    keep_h(panel, lstm->n_units);
}
