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

INLINE void lstm_put_gates(vf c, const vf *gates, const struct kernel_panel *panel, float *column,
                           size_t unit, float *c_state)
{
    vf_store(c_state, c);
    vf_store(column + panel->out_at[LSTM_OUT_C] + unit, c);
    EACH (s, LSTM_SUMS)
        vf_store(column + panel->out_at[lstm_out[s]] + unit, gates[s]);
}

struct lstm_job {
    const struct kernel_lstm *lstm;
    const struct kernel_panel *panel;
    size_t n_k, block_step; /* floats from one block's weights to the next one's */
    bool usual;
};

/* A block of units of one column: where its numbers are. */
struct lstm_place {
    float *column, *c_state;
    size_t unit;
};

/* Any functions, clip, peepholes: the sums are in the tensors of the gates. */
static void lstm_general(const struct kernel_lstm *lstm, const struct kernel_panel *panel,
                         const struct lstm_place *place)
{
    size_t padded = (lstm->n_units + 15) / 16 * 16, unit = place->unit;
    const float *p = lstm->peepholes == NULL ? NULL : lstm->peepholes + unit;
    vf z[LSTM_SUMS], c = vf_load(place->c_state);
    EACH (s, LSTM_SUMS)
        z[s] = vf_load(place->column + panel->out_at[lstm_out[s]] + unit);
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
    vf h = flush(vf_mul(z[LSTM_O], apply(&lstm->h, c)));
    lstm_put_gates(c, z, panel, place->column, unit, place->c_state);
    vf_store(place->column + panel->out_at[LSTM_OUT_H] + unit, h);
}

/* The usual functions for a whole tile, stage by stage: what does not wait for each other stands
 * side by side, so that the latencies of one hide behind the work of the others. */
INLINE void lstm_usual(const struct lstm_job *job, vf *sums, const struct lstm_place *places,
                       size_t n)
{
    const struct kernel_panel *panel = job->panel;
    vf zero = vf_set1(0), c[TILE_SUMS / LSTM_SUMS];
    EACH (p, n) {
        vf *z = sums + p * LSTM_SUMS;
        EACH (s, LSTM_SUMS)
            z[s] = s == LSTM_G ? fn_tanh(z[s], zero, zero) : fn_sigmoid(z[s], zero, zero);
        c[p] = vf_fma(z[LSTM_F], vf_load(places[p].c_state), vf_mul(z[LSTM_I], z[LSTM_G]));
        c[p] = flush(c[p]);
        lstm_put_gates(c[p], z, panel, places[p].column, places[p].unit, places[p].c_state);
    }
    EACH (p, n) {
        vf h = flush(vf_mul(sums[p * LSTM_SUMS + LSTM_O], fn_tanh(c[p], zero, zero)));
        vf_store(places[p].column + panel->out_at[LSTM_OUT_H] + places[p].unit, h);
    }
}

/* Sums of a tile that is not complete wait in the tensors that they are to become. */
INLINE void lstm_wait(const struct lstm_job *job, const vf *sums, const struct lstm_place *places,
                      size_t n)
{
    EACH (p, n)
        EACH (s, LSTM_SUMS)
            vf_store(places[p].column + job->panel->out_at[lstm_out[s]] + places[p].unit,
                     sums[p * LSTM_SUMS + s]);
}

/* One piece of N blocks of units for C columns. */
INLINE void lstm_tile(const struct lstm_job *job, size_t column_ix, size_t block_ix,
                      struct piece piece, size_t C, size_t N)
{
    const struct kernel_lstm *lstm = job->lstm;
    const struct kernel_panel *panel = job->panel;
    size_t n_inputs = lstm->n_inputs, padded = (lstm->n_units + 15) / 16 * 16;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    const float *weights =
        lstm->weights + block_ix * job->block_step + piece.from * LSTM_SUMS * KERNEL_LANES;
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    struct lstm_place places[TILE_SUMS / LSTM_SUMS];
    vf sums[TILE_SUMS];
    EACH (c, C) {
        float *column = panel->activations + (column_ix + c) * panel->stride;
        float *states = panel->states[column_ix + c] + panel->state_at;
        x[c] = column + panel->in_at[0] + px.from;
        h[c] = states + ph.from;
        EACH (n, N) {
            size_t unit = (block_ix + n) * KERNEL_LANES;
            places[c * N + n] = (struct lstm_place){column, states + padded + unit, unit};
            EACH (s, LSTM_SUMS)
                sums[(c * N + n) * LSTM_SUMS + s] =
                    vf_load(piece.from == 0 ? lstm->bias + unit * LSTM_SUMS + s * KERNEL_LANES
                                            : column + panel->out_at[lstm_out[s]] + unit);
        }
    }
    sum_gates(sums, C, N, LSTM_SUMS, weights, job->block_step, x, px.to - px.from);
    weights += (px.to - px.from) * LSTM_SUMS * KERNEL_LANES;
    sum_gates(sums, C, N, LSTM_SUMS, weights, job->block_step, h, ph.to - ph.from);
    if (piece.to == job->n_k && job->usual) {
        lstm_usual(job, sums, places, C * N);
        return;
    }
    lstm_wait(job, sums, places, C * N);
    if (piece.to == job->n_k)
        EACH (p, C * N)
            lstm_general(lstm, panel, &places[p]);
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

/* One piece of blocks [from, to) for all columns; each tile of columns goes through all blocks. */
static void lstm_columns(const struct lstm_job *job, size_t from, size_t to, struct piece piece)
{
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        for (size_t b = from; b < to; b++)
            lstm_columns_tiles[n - 1](job, c, b, piece);
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
        for (size_t b = 0, n; b < n_blocks; b += n) {
            n = piece_blocks(n_blocks - b, length, row);
            for (struct piece p = {0, 0}; p.to < n_k;) {
                p = piece_next(p, length, n_k);
                lstm_columns(&job, b, b + n, p);
            }
        }
    keep_h(panel, lstm->n_units);
}
