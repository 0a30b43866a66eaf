/* kernel_lstm.h - one timestep of an LSTM for a panel; part of kernel_body.h.
 *
 *     block of 8 units:   sums i o f g  --functions-->  i o f g, c     in registers
 *     all blocks done:    o, c          --tanh------->  h              one pass over the column
 *
 * The old h is read from the streams' states until all blocks are done; then the new one goes into
 * the panel and over it.  c is updated in place. */

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_G, LSTM_SUMS };
enum { LSTM_OUT_H, LSTM_OUT_C, LSTM_OUT_I, LSTM_OUT_F, LSTM_OUT_G, LSTM_OUT_O, LSTM_OUTS };

static const unsigned char lstm_out[LSTM_SUMS] = {LSTM_OUT_I, LSTM_OUT_O, LSTM_OUT_F, LSTM_OUT_G};

static bool lstm_is_usual(const struct kernel_lstm *lstm)
{
    return lstm->f.function == KERNEL_SIGMOID && lstm->g.function == KERNEL_TANH &&
           lstm->h.function == KERNEL_TANH && lstm->clip == __builtin_inff() &&
           lstm->peepholes == NULL && !lstm->input_forget;
}

struct lstm_job {
    const struct kernel_lstm *lstm;
    const struct kernel_panel *panel;
    size_t n_k, n_blocks, block_step; /* floats from one block's weights to the next one's */
    size_t padded;                    /* H */
    bool usual;
    bool begins, ends; /* the piece of k at hand: */
    size_t n_x, n_h;   /* inputs */
    size_t x_at, h_at; /* offsets into a column and a stream's states */
    size_t weights_at; /* offset into a block */
};

INLINE void lstm_take(struct lstm_job *job, struct piece piece)
{
    size_t n_inputs = job->lstm->n_inputs;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    job->begins = piece.from == 0;
    job->ends = piece.to == job->n_k;
    job->n_x = px.to - px.from;
    job->n_h = ph.to - ph.from;
    job->x_at = job->panel->in_at[0] + px.from;
    job->h_at = job->panel->state_at + ph.from;
    job->weights_at = piece.from * LSTM_SUMS * KERNEL_LANES;
}

/* Any functions, clip, peepholes: the sums are in the tensors of the gates. */
static void lstm_general(const struct lstm_job *job, float *column, float *c_state, size_t unit)
{
    const struct kernel_lstm *lstm = job->lstm;
    const size_t *out_at = job->panel->out_at;
    const float *p = lstm->peepholes == NULL ? NULL : lstm->peepholes + unit;
    vf z[LSTM_SUMS], c = vf_load(c_state + unit);
    EACH (s, LSTM_SUMS)
        z[s] = vf_load(column + out_at[lstm_out[s]] + unit);
    if (p != NULL) {
        z[LSTM_I] = vf_fma(vf_load(p), c, z[LSTM_I]);
        z[LSTM_F] = vf_fma(vf_load(p + 2 * job->padded), c, z[LSTM_F]);
    }
    z[LSTM_I] = apply(&lstm->f, clip_sum(z[LSTM_I], lstm->clip));
    z[LSTM_F] = lstm->input_forget ? vf_sub(vf_set1(1), z[LSTM_I])
                                   : apply(&lstm->f, clip_sum(z[LSTM_F], lstm->clip));
    z[LSTM_G] = apply(&lstm->g, clip_sum(z[LSTM_G], lstm->clip));
    c = flush(vf_fma(z[LSTM_F], c, vf_mul(z[LSTM_I], z[LSTM_G])));
    if (p != NULL)
        z[LSTM_O] = vf_fma(vf_load(p + job->padded), c, z[LSTM_O]);
    z[LSTM_O] = apply(&lstm->f, clip_sum(z[LSTM_O], lstm->clip));
    EACH (s, LSTM_SUMS)
        vf_store(column + out_at[lstm_out[s]] + unit, z[s]);
    vf_store(column + out_at[LSTM_OUT_C] + unit, c);
    vf_store(c_state + unit, c);
}

/* The usual functions of a block, from sums in registers; returns c, and o in its sum's place. */
INLINE vf lstm_usual(const size_t *out_at, vf *sums, float *column, float *c_state)
{
    vf none = vf_set1(0);
    vf i = fn_sigmoid(sums[LSTM_I], none, none), g = fn_tanh(sums[LSTM_G], none, none);
    vf f = fn_sigmoid(sums[LSTM_F], none, none), o = fn_sigmoid(sums[LSTM_O], none, none);
    vf c = flush(vf_fma(f, vf_load(c_state), vf_mul(i, g)));
    vf_store(column + out_at[LSTM_OUT_I], i);
    vf_store(column + out_at[LSTM_OUT_G], g);
    vf_store(column + out_at[LSTM_OUT_F], f);
    vf_store(column + out_at[LSTM_OUT_O], o);
    vf_store(column + out_at[LSTM_OUT_C], c);
    vf_store(c_state, c);
    sums[LSTM_O] = o;
    return c;
}

INLINE vf lstm_h(vf o, vf c)
{
    return flush(vf_mul(o, fn_tanh(c, c, c)));
}

/* One piece of N blocks of units for C columns. */
INLINE void lstm_tile(const struct lstm_job *job, size_t column_ix, size_t block_ix, size_t C,
                      size_t N)
{
    size_t row = LSTM_SUMS * KERNEL_LANES, unit = block_ix * KERNEL_LANES, out_at[LSTM_OUTS];
    size_t c_at = job->panel->state_at + job->padded, stride = job->panel->stride;
    float *column = job->panel->activations + column_ix * stride;
    float *const *states = job->panel->states + column_ix;
    const float *bias = job->lstm->bias + block_ix * row;
    const float *weights = job->lstm->weights + block_ix * job->block_step + job->weights_at;
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    vf sums[TILE_SUMS];
    EACH (i, LSTM_OUTS)
        out_at[i] = job->panel->out_at[i] + unit;
    EACH (c, C) {
        x[c] = column + c * stride + job->x_at;
        h[c] = states[c] + job->h_at;
        EACH (n, N)
            EACH (s, LSTM_SUMS)
                sums[(c * N + n) * LSTM_SUMS + s] = vf_load(
                    job->begins ? bias + n * row + s * KERNEL_LANES
                                : column + c * stride + out_at[lstm_out[s]] + n * KERNEL_LANES);
    }
    sum_gates(sums, C, N, LSTM_SUMS, weights, job->block_step, x, job->n_x);
    weights += job->n_x * row;
    sum_gates(sums, C, N, LSTM_SUMS, weights, job->block_step, h, job->n_h);
    if (job->ends && job->usual) {
        vf cs[TILE_SUMS / LSTM_SUMS];
        EACH (c, C)
            EACH (n, N)
                cs[n] = lstm_usual(out_at, sums + (c * N + n) * LSTM_SUMS,
                                   column + c * stride + n * KERNEL_LANES,
                                   states[c] + c_at + unit + n * KERNEL_LANES);
        if (C == 1 && N == job->n_blocks)
            EACH (n, N) {
                vf y = lstm_h(sums[n * LSTM_SUMS + LSTM_O], cs[n]);
                vf_store(column + out_at[LSTM_OUT_H] + n * KERNEL_LANES, y);
                vf_store(states[0] + job->panel->state_at + n * KERNEL_LANES, y);
            }
        return;
    }
    EACH (c, C)
        EACH (n, N) {
            float *to = column + c * stride;
            EACH (s, LSTM_SUMS)
                vf_store(to + out_at[lstm_out[s]] + n * KERNEL_LANES,
                         sums[(c * N + n) * LSTM_SUMS + s]);
            if (job->ends)
                lstm_general(job, to, states[c] + c_at, unit + n * KERNEL_LANES);
        }
}

/* One instance of the tile for each shape, of C columns or of N blocks, and none of them inlined:
 * constants that the compiler takes out of a loop over tiles would push sums out of registers. */
typedef void lstm_tile_function(const struct lstm_job *job, size_t column_ix, size_t block_ix);
#define LSTM_TILE(C, N)                                                                            \
    static __attribute__((noinline)) void lstm_tile_##C##_##N(const struct lstm_job *job,          \
                                                              size_t column_ix, size_t block_ix)   \
    {                                                                                              \
        lstm_tile(job, column_ix, block_ix, C, N);                                                 \
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

/* h of columns whose gates are all done: into the panel, and over the old one. */
INLINE void lstm_finish_column(const struct lstm_job *job, size_t ix, bool usual)
{
    const size_t *out_at = job->panel->out_at;
    float *column = job->panel->activations + ix * job->panel->stride;
    float *state = job->panel->states[ix] + job->panel->state_at;
    const float *o = column + out_at[LSTM_OUT_O], *c = column + out_at[LSTM_OUT_C];
    float *h = column + out_at[LSTM_OUT_H];
    for (size_t unit = 0, n = job->n_blocks * KERNEL_LANES; unit < n; unit += KERNEL_LANES) {
        vf y = vf_load(c + unit);
        if (usual)
            y = lstm_h(vf_load(o + unit), y);
        else
            y = flush(vf_mul(vf_load(o + unit), apply(&job->lstm->h, y)));
        vf_store(h + unit, y);
        vf_store(state + unit, y);
    }
}

static void lstm_finish(const struct lstm_job *job, size_t from, size_t to)
{
    if (job->usual)
        for (size_t ix = from; ix < to; ix++)
            lstm_finish_column(job, ix, true);
    else
        for (size_t ix = from; ix < to; ix++)
            lstm_finish_column(job, ix, false);
}

/* Up to 3 blocks are one tile, which has done all. */
static void lstm_one_column(struct lstm_job *job)
{
    for (size_t b = 0, n; b < job->n_blocks; b += n) {
        n = tile_blocks(job->n_blocks - b, 2);
        lstm_blocks_tiles[n - 1](job, 0, b);
        if (n == job->n_blocks && job->usual)
            return;
    }
    lstm_finish(job, 0, 1);
}

/* The piece at hand of blocks [from, to) for all columns; each tile of columns goes through all
 * blocks.  When these are all there are, h can be finished at once. */
static void lstm_columns(const struct lstm_job *job, size_t from, size_t to)
{
    bool all = to - from == job->n_blocks && job->begins && job->ends;
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        for (size_t b = from; b < to; b++)
            lstm_columns_tiles[n - 1](job, c, b);
        if (all)
            lstm_finish(job, c, c + n);
    }
    if (!all && to == job->n_blocks && job->ends)
        lstm_finish(job, 0, job->panel->n_columns);
}

static void lstm_step(const struct kernel_lstm *lstm, const struct kernel_panel *panel)
{
    size_t n_k = lstm->n_inputs + lstm->n_units, row = LSTM_SUMS * KERNEL_LANES;
    struct lstm_job job;
    job.lstm = lstm;
    job.panel = panel;
    job.n_k = n_k;
    job.n_blocks = (lstm->n_units + KERNEL_LANES - 1) / KERNEL_LANES;
    job.block_step = n_k * row;
    job.padded = (lstm->n_units + 15) / 16 * 16;
    job.usual = lstm_is_usual(lstm);
    if (panel->n_columns == 1) {
        lstm_take(&job, (struct piece){0, n_k});
        lstm_one_column(&job);
        return;
    }
    size_t length = piece_length(n_k, row, panel->n_columns);
    for (size_t b = 0, n; b < job.n_blocks; b += n) {
        n = piece_blocks(job.n_blocks - b, length, row);
        for (struct piece p = {0, 0}; p.to < n_k;) {
            p = piece_next(p, length, n_k);
            lstm_take(&job, p);
            lstm_columns(&job, b, b + n);
        }
    }
}
