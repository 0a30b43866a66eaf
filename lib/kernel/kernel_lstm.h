/* kernel_lstm.h - one timestep of an LSTM for a panel; part of kernel_body.h.
 *
 *     block of 8 units:   sums i o f g  --functions-->  i o f g, c     in registers
 *     all blocks done:    o, c          --tanh------->  h              one pass over the column
 *
 * If 1 to 4 units are left behind the blocks, all their gates are 1 or 2 vectors of sums (a "tail"):
 *
 *     one column:  --functions-->     lanes of a block as of the others
 *     panel:       4 or 2 columns' lanes i i i i, o o o o, f f f f, g g g g  --functions-->  h, c
 *
 * In panels tails come first, 8 vectors of sums a tile.
 * The old h is read from the streams' states until all blocks are done; then the new one goes into
 * the panel and over it.  c is updated in place. */

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_G, LSTM_SUMS };
enum { LSTM_OUT_H, LSTM_OUT_C, LSTM_OUT_I, LSTM_OUT_F, LSTM_OUT_G, LSTM_OUT_O, LSTM_OUTS };

#define LSTM_BLOCKS_MAX 3 /* of a tile, with what is behind them */
#define TAIL_SUMS       8 /* vectors of sums in a tile of tails */

static const unsigned char lstm_out[LSTM_SUMS] = {LSTM_OUT_I, LSTM_OUT_O, LSTM_OUT_F, LSTM_OUT_G};

struct lstm_job {
    const struct kernel_lstm *lstm;
    const struct kernel_panel *panel;
    size_t n_k, n_blocks, block_step; /* floats from one block's weights to the next one's */
    size_t padded;                    /* H */
    bool begins, ends;                /* the piece of k at hand: */
    size_t n_x, n_h;                  /* inputs */
    size_t x_at, h_at;                /* offsets into a column and a stream's states */
    size_t weights_at;                /* offset into a block */
};

/* All of k is one piece. */
INLINE struct lstm_job lstm_whole(const struct kernel_lstm *lstm, const struct kernel_panel *panel)
{
    size_t n_k = lstm->n_inputs + lstm->n_units;
    return (struct lstm_job){
        .lstm = lstm,
        .panel = panel,
        .n_k = n_k,
        .n_blocks = lstm->n_blocks,
        .block_step = n_k * LSTM_SUMS * KERNEL_LANES,
        .padded = kernel_padded(lstm->n_units),
        .begins = true,
        .ends = true,
        .n_x = lstm->n_inputs,
        .n_h = lstm->n_units,
        .x_at = panel->in_at,
        .h_at = panel->state_at,
    };
}

INLINE void lstm_take(struct lstm_job *job, struct piece piece)
{
    size_t n_inputs = job->lstm->n_inputs;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    job->begins = piece.from == 0;
    job->ends = piece.to == job->n_k;
    job->n_x = px.to - px.from;
    job->n_h = ph.to - ph.from;
    job->x_at = job->panel->in_at + px.from;
    job->h_at = job->panel->state_at + ph.from;
    job->weights_at = piece.from * LSTM_SUMS * KERNEL_LANES;
}

/* Any functions, clip, peepholes: the sums are in the tensors of the gates. */
static void lstm_general(const struct kernel_lstm *lstm, size_t unit, float *out, float *c_state)
{
    size_t padded = kernel_padded(lstm->n_units);
    const float *p = lstm->peepholes == NULL ? NULL : lstm->peepholes + unit;
    vf z[LSTM_SUMS], c = vf_load(c_state);
    EACH (s, LSTM_SUMS)
        z[s] = vf_load(out + lstm_out[s] * padded);
    if (p != NULL) {
        z[LSTM_I] = vf_fma(vf_load(p), c, z[LSTM_I]);
        z[LSTM_F] = vf_fma(vf_load(p + 2 * padded), c, z[LSTM_F]);
    }
    z[LSTM_I] = apply(&lstm->f, clip_sum(z[LSTM_I], lstm->clip));
    z[LSTM_F] = lstm->input_forget ? vf_sub(vf_set1(1), z[LSTM_I])
                                   : apply(&lstm->f, clip_sum(z[LSTM_F], lstm->clip));
    z[LSTM_G] = apply(&lstm->g, clip_sum(z[LSTM_G], lstm->clip));
    c = flush(vf_fma(z[LSTM_F], c, vf_mul(z[LSTM_I], z[LSTM_G])));
    if (p != NULL)
        z[LSTM_O] = vf_fma(vf_load(p + padded), c, z[LSTM_O]);
    z[LSTM_O] = apply(&lstm->f, clip_sum(z[LSTM_O], lstm->clip));
    EACH (s, LSTM_SUMS)
        vf_store(out + lstm_out[s] * padded, z[s]);
    vf_store(out + LSTM_OUT_C * padded, c);
    vf_store(c_state, c);
}

/* What becomes of a block's gates; returns c before it was flushed, as h need not wait for that: what
 * was flushed makes an h that is, too. */
INLINE vf lstm_put(size_t padded, const vf *gates, float *out, float *c_state)
{
    vf c = vf_fma(gates[LSTM_F], vf_load(c_state), vf_mul(gates[LSTM_I], gates[LSTM_G]));
    vf kept = flush(c);
    EACH (s, LSTM_SUMS)
        vf_store(out + lstm_out[s] * padded, gates[s]);
    vf_store(out + LSTM_OUT_C * padded, kept);
    vf_store(c_state, kept);
    return c;
}

/* The usual functions of a block, from sums in registers to gates in their places. */
INLINE void lstm_usual(vf *sums)
{
    vf none = vf_set1(0);
    sums[LSTM_I] = fn_sigmoid(sums[LSTM_I], none, none);
    sums[LSTM_G] = fn_tanh(sums[LSTM_G], none, none);
    sums[LSTM_F] = fn_sigmoid(sums[LSTM_F], none, none);
    sums[LSTM_O] = fn_sigmoid(sums[LSTM_O], none, none);
}

/* Gates of the units behind the blocks, from `lanes` floats on in lanes of their own; 0 behind them. */
INLINE vf lstm_spread(const float *lanes, size_t T)
{
    static const float numbers[KERNEL_LANES] = {0, 1, 2, 3, 4, 5, 6, 7};
    return vf_keep(vf_lt(vf_load(numbers), vf_set1((float)(2 * T))), vf_load4(lanes));
}

/* The gates of the units behind the blocks from T vectors of sums i f g o; not usual: their sums. */
INLINE void lstm_tail_gates(vf *sums, size_t T, bool usual, vf *ret_gates)
{
    float lanes[3 * KERNEL_LANES], *g = lanes, tanhs[3 * KERNEL_LANES];
    vf none = vf_set1(0);
    if (usual) {
        g = tanhs;
        vf_store(g + (T - 1) * KERNEL_LANES, fn_tanh(sums[T - 1], none, none));
    }
    EACH (t, T)
        vf_store(lanes + t * KERNEL_LANES, usual ? fn_sigmoid(sums[t], none, none) : sums[t]);
    vf_store(lanes + T * KERNEL_LANES, none);
    ret_gates[LSTM_I] = lstm_spread(lanes, T);
    ret_gates[LSTM_F] = lstm_spread(lanes + 2 * T, T);
    ret_gates[LSTM_G] = lstm_spread(g + 4 * T, T);
    ret_gates[LSTM_O] = lstm_spread(lanes + 6 * T, T);
}

INLINE vf lstm_h(vf o, vf c)
{
    return flush(times_tanh(o, c));
}

/* What becomes of a block's sums when they are not usual. */
INLINE void lstm_unusual(const struct lstm_job *job, const vf *sums, size_t unit, float *out,
                         float *c_state)
{
    EACH (s, LSTM_SUMS)
        vf_store(out + lstm_out[s] * job->padded, sums[s]);
    if (job->ends)
        lstm_general(job->lstm, unit, out, c_state);
}

/* One piece of N blocks of units for C columns; for one column also the T vectors behind them. */
INLINE void lstm_tile(const struct lstm_job *job, size_t column_ix, size_t block_ix, size_t C,
                      size_t N, size_t T)
{
    size_t row = LSTM_SUMS * KERNEL_LANES, unit = block_ix * KERNEL_LANES;
    size_t padded = job->padded, stride = job->panel->stride, state_at = job->panel->state_at;
    float *column = job->panel->activations + column_ix * stride;
    float *out = column + job->panel->out_at + unit; /* of h; the others `padded` apart */
    float *const *states = job->panel->states + column_ix;
    const float *bias = job->lstm->bias + block_ix * row;
    const float *weights = job->lstm->weights + block_ix * job->block_step + job->weights_at;
    const float *tail = weights + N * job->block_step;
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    vf sums[TILE_SUMS], *gates = sums + C * N * LSTM_SUMS;
    EACH (c, C) {
        x[c] = column + c * stride + job->x_at;
        h[c] = states[c] + job->h_at;
        EACH (n, N)
            EACH (s, LSTM_SUMS)
                sums[(c * N + n) * LSTM_SUMS + s] = vf_load(
                    job->begins ? bias + n * row + s * KERNEL_LANES
                                : out + c * stride + lstm_out[s] * padded + n * KERNEL_LANES);
    }
    EACH (t, T)
        gates[t] = vf_load(bias + N * row + t * KERNEL_LANES);
    sum_gates(sums, C, N, LSTM_SUMS, T, weights, job->block_step, tail, x, job->n_x);
    weights += job->n_x * row;
    tail += job->n_x * T * KERNEL_LANES;
    sum_gates(sums, C, N, LSTM_SUMS, T, weights, job->block_step, tail, h, job->n_h);
    FORGET(out);
    bool usual = job->ends && job->lstm->usual;
    if (T > 0)
        lstm_tail_gates(gates, T, usual, gates);
    size_t n_all = N + (T > 0);
    if (!usual) {
        EACH (c, C)
            EACH (n, n_all)
                lstm_unusual(job, sums + (c * N + n) * LSTM_SUMS, unit + n * KERNEL_LANES,
                             out + c * stride + n * KERNEL_LANES,
                             states[c] + state_at + padded + unit + n * KERNEL_LANES);
        return;
    }
    vf cs[TILE_SUMS / LSTM_SUMS];
    EACH (c, C)
        EACH (n, n_all) {
            vf *z = sums + (c * N + n) * LSTM_SUMS;
            if (n < N)
                lstm_usual(z);
            cs[n] = lstm_put(padded, z, out + c * stride + n * KERNEL_LANES,
                             states[c] + state_at + padded + unit + n * KERNEL_LANES);
        }
    if (C == 1 && N == job->n_blocks)
        EACH (n, n_all) {
            vf y = lstm_h(sums[n * LSTM_SUMS + LSTM_O], cs[n]);
            vf_store(out + n * KERNEL_LANES, y);
            vf_store(states[0] + state_at + n * KERNEL_LANES, y);
        }
    else if (T > 0)
        vf_store(out + N * KERNEL_LANES, lstm_h(gates[LSTM_O], cs[N]));
}

/* The units behind the blocks of as many columns as fill a vector, from their T vectors of sums; but
 * for h in the states. */
INLINE void lstm_tail_usual(const float *const *sums, float *const *outs, float *const *c_states,
                            size_t T, size_t padded)
{
    size_t width = 2 * T;
    vf z[LSTM_SUMS];
    z[LSTM_I] = vf_load_parts(sums, 0, width);
    z[LSTM_F] = vf_load_parts(sums, width, width);
    z[LSTM_G] = vf_load_parts(sums, 2 * width, width);
    z[LSTM_O] = vf_load_parts(sums, 3 * width, width);
    lstm_usual(z);
    vf c = vf_load_parts((const float *const *)c_states, 0, width);
    c = vf_fma(z[LSTM_F], c, vf_mul(z[LSTM_I], z[LSTM_G]));
    vf kept = flush(c);
    EACH (s, LSTM_SUMS)
        vf_store_parts(outs, lstm_out[s] * padded, width, z[s]);
    vf_store_parts(outs, LSTM_OUT_C * padded, width, kept);
    vf_store_parts(c_states, 0, width, kept);
    vf_store_parts(outs, LSTM_OUT_H * padded, width, lstm_h(z[LSTM_O], c));
}

/* The T vectors behind the blocks for up to C columns, all of k; but for h in the states.  Where
 * columns are missing the last one is computed again. */
INLINE void lstm_tail(const struct kernel_lstm *lstm, const struct kernel_panel *panel,
                      size_t column_ix, size_t C, size_t T)
{
    struct lstm_job job = lstm_whole(lstm, panel);
    size_t unit = lstm->n_blocks * KERNEL_LANES, n_columns = panel->n_columns - column_ix;
    const float *weights = lstm->weights + lstm->n_blocks * job.block_step;
    float *column = panel->activations + column_ix * panel->stride;
    const float *x[TAIL_SUMS], *h[TAIL_SUMS], *sums[TAIL_SUMS];
    float *outs[TAIL_SUMS], *c_states[TAIL_SUMS], lanes[TAIL_SUMS * KERNEL_LANES];
    vf z[TAIL_SUMS];
    EACH (c, C) {
        float *state = panel->states[column_ix] + panel->state_at;
        x[c] = column + panel->in_at;
        h[c] = state;
        outs[c] = column + panel->out_at + unit;
        c_states[c] = state + job.padded + unit;
        sums[c] = lanes + c * T * KERNEL_LANES;
        EACH (t, T)
            z[c * T + t] = vf_load(lstm->bias + unit * LSTM_SUMS + t * KERNEL_LANES);
        if (c + 1 < n_columns)
            column_ix++, column += panel->stride;
    }
    sum_rows(z, C, T, weights, T, x, job.n_x);
    sum_rows(z, C, T, weights + job.n_x * T * KERNEL_LANES, T, h, job.n_h);
    EACH (i, C * T)
        vf_store(lanes + i * KERNEL_LANES, z[i]);
    if (lstm->usual) {
        for (size_t c = 0; c < C; c += KERNEL_LANES / (2 * T))
            lstm_tail_usual(sums + c, outs + c, c_states + c, T, job.padded);
        return;
    }
    for (size_t c = 0; c < C && c < n_columns; c++) {
        vf gates[LSTM_SUMS];
        lstm_tail_gates(z + c * T, T, false, gates);
        lstm_unusual(&job, gates, unit, outs[c], c_states[c]);
    }
}

/* One instance of the tile for each shape, of C columns or, of one column and all of k, of N
 * blocks, and none of them inlined: constants that the compiler takes out of a loop over tiles would
 * push sums out of registers. */
typedef void lstm_blocks_function(const struct kernel_lstm *lstm, const struct kernel_panel *panel,
                                  size_t block_ix);
typedef void lstm_columns_function(const struct lstm_job *job, size_t column_ix, size_t block_ix);
#define LSTM_BLOCKS(N, T)                                                                          \
    static __attribute__((noinline)) void lstm_blocks_##N##_##T(                                   \
        const struct kernel_lstm *lstm, const struct kernel_panel *panel, size_t block_ix)         \
    {                                                                                              \
        struct lstm_job job = lstm_whole(lstm, panel);                                             \
        lstm_tile(&job, 0, block_ix, 1, N, T);                                                     \
    }
#define LSTM_COLUMNS(C)                                                                            \
    static __attribute__((noinline)) void lstm_columns_##C(const struct lstm_job *job,             \
                                                           size_t column_ix, size_t block_ix)      \
    {                                                                                              \
        lstm_tile(job, column_ix, block_ix, C, 1, 0);                                              \
    }
#define LSTM_TAIL(C, T)                                                                            \
    static __attribute__((noinline)) void lstm_tail_##C##_##T(                                     \
        const struct kernel_lstm *lstm, const struct kernel_panel *panel, size_t column_ix)        \
    {                                                                                              \
        lstm_tail(lstm, panel, column_ix, C, T);                                                   \
    }
LSTM_BLOCKS(1, 0)
LSTM_BLOCKS(2, 0)
LSTM_BLOCKS(3, 0)
LSTM_BLOCKS(0, 1)
LSTM_BLOCKS(1, 1)
LSTM_BLOCKS(2, 1)
LSTM_BLOCKS(0, 2)
LSTM_BLOCKS(1, 2)
LSTM_BLOCKS(2, 2)
LSTM_COLUMNS(2)
LSTM_COLUMNS(3)
LSTM_TAIL(4, 1)
LSTM_TAIL(8, 1)
LSTM_TAIL(2, 2)
LSTM_TAIL(4, 2)
#undef LSTM_BLOCKS
#undef LSTM_COLUMNS
#undef LSTM_TAIL
static lstm_blocks_function *const lstm_blocks[][LSTM_BLOCKS_MAX + 1] = {
    {NULL, lstm_blocks_1_0, lstm_blocks_2_0, lstm_blocks_3_0},
    {lstm_blocks_0_1, lstm_blocks_1_1, lstm_blocks_2_1},
    {lstm_blocks_0_2, lstm_blocks_1_2, lstm_blocks_2_2}};
static lstm_columns_function *const lstm_columns[] = {NULL, NULL, lstm_columns_2, lstm_columns_3};
static lstm_blocks_function *const lstm_tails[][2] = {
    {NULL}, {lstm_tail_4_1, lstm_tail_8_1}, {lstm_tail_2_2, lstm_tail_4_2}};

/* h of columns whose gates are all done: into the panel, and over the old one.  Usual tails have
 * put theirs into the panel already. */
INLINE void lstm_finish_column(const struct kernel_lstm *lstm, const struct kernel_panel *panel,
                               size_t ix, bool usual)
{
    size_t padded = kernel_padded(lstm->n_units);
    float *h = panel->activations + ix * panel->stride + panel->out_at;
    float *state = panel->states[ix] + panel->state_at;
    const float *o = h + LSTM_OUT_O * padded, *c = h + LSTM_OUT_C * padded;
    size_t unit = 0, n_units = usual ? lstm->n_blocks * KERNEL_LANES : lstm->n_units;
    for (; unit < n_units; unit += KERNEL_LANES) {
        vf y = vf_load(c + unit);
        if (usual)
            y = lstm_h(vf_load(o + unit), y);
        else
            y = flush(vf_mul(vf_load(o + unit), apply(&lstm->h, y)));
        vf_store(h + unit, y);
        vf_store(state + unit, y);
    }
    if (usual && lstm->n_tail == 1)
        __builtin_memcpy(state + unit, h + unit, 2 * sizeof *h);
    else if (usual && lstm->n_tail == 2)
        __builtin_memcpy(state + unit, h + unit, 4 * sizeof *h);
}

static void lstm_finish(const struct kernel_lstm *lstm, const struct kernel_panel *panel,
                        size_t from, size_t to)
{
    if (lstm->usual)
        for (size_t ix = from; ix < to; ix++)
            lstm_finish_column(lstm, panel, ix, true);
    else
        for (size_t ix = from; ix < to; ix++)
            lstm_finish_column(lstm, panel, ix, false);
}

/* The last tile of one column also takes what is behind the blocks. */
static __attribute__((noinline)) void lstm_one_column(const struct kernel_lstm *lstm,
                                                      const struct kernel_panel *panel)
{
    size_t b = 0, n_left = lstm->n_blocks, n_most = lstm->n_tail > 0 ? 2 : LSTM_BLOCKS_MAX;
    for (; n_left > n_most; b += 2, n_left -= 2)
        lstm_blocks[0][2](lstm, panel, b);
    lstm_blocks[lstm->n_tail][n_left](lstm, panel, b);
    lstm_finish(lstm, panel, 0, 1);
}

/* The piece at hand of blocks [from, to) for all columns; each tile of columns goes through all
 * blocks.  When these are all there are, h can be finished at once. */
static void lstm_panel(const struct lstm_job *job, size_t from, size_t to)
{
    bool all = to - from == job->n_blocks && job->begins && job->ends;
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        for (size_t b = from; b < to; b++)
            lstm_columns[n](job, c, b);
        if (all)
            lstm_finish(job->lstm, job->panel, c, c + n);
    }
    if (!all && to == job->n_blocks && job->ends)
        lstm_finish(job->lstm, job->panel, 0, job->panel->n_columns);
}

static void lstm_tails_first(const struct kernel_lstm *lstm, const struct kernel_panel *panel)
{
    size_t n = TAIL_SUMS / lstm->n_tail;
    for (size_t c = 0; c < panel->n_columns; c += n)
        lstm_tails[lstm->n_tail][panel->n_columns - c > n / 2](lstm, panel, c);
}

static __attribute__((noinline)) void lstm_many_columns(const struct kernel_lstm *lstm,
                                                        const struct kernel_panel *panel)
{
    struct lstm_job job = lstm_whole(lstm, panel);
    size_t row = LSTM_SUMS * KERNEL_LANES, length = piece_length(job.n_k, row, panel->n_columns);
    if (lstm->n_tail > 0)
        lstm_tails_first(lstm, panel);
    if (job.n_blocks == 0)
        lstm_finish(lstm, panel, 0, panel->n_columns);
    for (size_t b = 0, n; b < job.n_blocks; b += n) {
        n = piece_blocks(job.n_blocks - b, length, row);
        for (struct piece p = {0, 0}; p.to < job.n_k;) {
            p = piece_next(p, length, job.n_k);
            lstm_take(&job, p);
            lstm_panel(&job, b, b + n);
        }
    }
}

/* One column: up to 3 blocks are one tile, which does all. */
static void lstm_step(const struct kernel_lstm *lstm, const struct kernel_panel *panel)
{
    if (panel->n_columns != 1)
        lstm_many_columns(lstm, panel);
    else if (lstm->n_blocks + (lstm->n_tail > 0) <= LSTM_BLOCKS_MAX && lstm->usual)
        lstm_blocks[lstm->n_tail][lstm->n_blocks](lstm, panel, 0);
    else
        lstm_one_column(lstm, panel);
}
