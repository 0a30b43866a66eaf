/* kernel_gru.h - one timestep of a GRU for a panel; part of kernel_body.h.
 *
 * linear_before_reset 1, block of 8 units, all in registers:
 *
 *     sums z r nx nh  --functions-->  z r, n = g(nx + r nh), h' = n + z (h - n)
 *
 * (nx gathers W x, nh gathers R h, so at each k three of the four sums grow.)  With 0 the candidate
 * needs r . h of all units first: z and r, then r . h into the tensor of h, then n, then h'. */

enum { GRU_Z, GRU_R, GRU_NX, GRU_NH, GRU_SUMS };
enum { GRU_OUT_H, GRU_OUT_Z, GRU_OUT_R, GRU_OUT_N };
#define GRU_GATES 3

static const unsigned char gru_out[GRU_SUMS] = {GRU_OUT_Z, GRU_OUT_R, GRU_OUT_N, GRU_OUT_H};

struct gru_job {
    const struct kernel_gru *gru;
    const struct kernel_panel *panel;
    size_t n_k, block_step;
    bool usual;
};

/* A block of units of one column: where its numbers are. */
struct gru_place {
    float *column;
    const float *h_state;
    size_t unit;
};

INLINE vf gru_blend(vf z, vf n, vf h)
{
    return flush(vf_fma(z, vf_sub(h, n), n));
}

INLINE void gru_put(vf z, vf r, vf n, vf h, const struct kernel_panel *panel, float *column,
                    size_t unit)
{
    vf_store(column + panel->out_at[GRU_OUT_H] + unit, gru_blend(z, n, h));
    vf_store(column + panel->out_at[GRU_OUT_Z] + unit, z);
    vf_store(column + panel->out_at[GRU_OUT_R] + unit, r);
    vf_store(column + panel->out_at[GRU_OUT_N] + unit, n);
}

static vf gru_function(const struct gru_job *job, const struct kernel_activation *function, vf z)
{
    return apply(function, clip_sum(z, job->gru->clip));
}

/* The usual functions for a whole tile, stage by stage, as in an LSTM; sums: z r nh, while nx is in
 * the tensor of n. */
INLINE void gru_usual(const struct gru_job *job, vf *sums, const struct gru_place *places, size_t n)
{
    size_t n_at = job->panel->out_at[GRU_OUT_N];
    EACH (p, n) {
        vf *z = sums + p * GRU_GATES;
        z[GRU_Z] = fn_sigmoid(z[GRU_Z], z[GRU_Z], z[GRU_Z]);
        z[GRU_R] = fn_sigmoid(z[GRU_R], z[GRU_R], z[GRU_R]);
        z[GRU_NX] = vf_fma(z[GRU_R], z[GRU_NX], vf_load(places[p].column + n_at + places[p].unit));
    }
    EACH (p, n) {
        vf *z = sums + p * GRU_GATES, h = vf_load(places[p].h_state);
        vf candidate = fn_tanh(z[GRU_NX], h, h);
        gru_put(z[GRU_Z], z[GRU_R], candidate, h, job->panel, places[p].column, places[p].unit);
    }
}

static void gru_general(const struct gru_job *job, const struct gru_place *place)
{
    const struct kernel_panel *panel = job->panel;
    const float *at = place->column + place->unit;
    vf z = gru_function(job, &job->gru->f, vf_load(at + panel->out_at[GRU_OUT_Z]));
    vf r = gru_function(job, &job->gru->f, vf_load(at + panel->out_at[GRU_OUT_R]));
    vf nx = vf_load(at + panel->out_at[GRU_OUT_N]), nh = vf_load(at + panel->out_at[GRU_OUT_H]);
    vf n = gru_function(job, &job->gru->g, vf_fma(r, nh, nx));
    gru_put(z, r, n, vf_load(place->h_state), panel, place->column, place->unit);
}

/* Sums of a tile that is not complete wait in the tensors; nx is there already. */
INLINE void gru_wait(const struct gru_job *job, const vf *sums, const struct gru_place *places,
                     size_t n)
{
    const size_t *out_at = job->panel->out_at;
    EACH (p, n) {
        float *at = places[p].column + places[p].unit;
        vf_store(at + out_at[GRU_OUT_Z], sums[p * GRU_GATES + GRU_Z]);
        vf_store(at + out_at[GRU_OUT_R], sums[p * GRU_GATES + GRU_R]);
        vf_store(at + out_at[GRU_OUT_H], sums[p * GRU_GATES + GRU_NX]);
    }
}

/* Sum s of a block of units: its bias, or where it waited since the last piece. */
INLINE vf gru_begin(const struct gru_job *job, const float *column, size_t unit, size_t s,
                    bool begins)
{
    return vf_load(begins ? job->gru->bias + unit * GRU_SUMS + s * KERNEL_LANES
                          : column + job->panel->out_at[gru_out[s]] + unit);
}

/* One piece of N blocks of units for C columns.  nx waits in the tensor of n while nh grows in its
 * place: so all sums find a register. */
INLINE void gru_tile(const struct gru_job *job, size_t column_ix, size_t block_ix,
                     struct piece piece, size_t C, size_t N)
{
    const struct kernel_gru *gru = job->gru;
    const struct kernel_panel *panel = job->panel;
    size_t n_inputs = gru->n_inputs, n_at = panel->out_at[GRU_OUT_N];
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    const float *weights =
        gru->weights + block_ix * job->block_step + piece.from * GRU_GATES * KERNEL_LANES;
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    struct gru_place places[TILE_SUMS / GRU_GATES];
    vf sums[TILE_SUMS];
    EACH (c, C) {
        float *column = panel->activations + (column_ix + c) * panel->stride;
        const float *states = panel->states[column_ix + c] + panel->state_at;
        x[c] = column + panel->in_at[0] + px.from;
        h[c] = states + ph.from;
        EACH (n, N) {
            size_t unit = (block_ix + n) * KERNEL_LANES;
            places[c * N + n] = (struct gru_place){column, states + unit, unit};
            EACH (g, GRU_GATES)
                sums[(c * N + n) * GRU_GATES + g] =
                    gru_begin(job, column, unit, g, piece.from == 0);
        }
    }
    sum_gates(sums, C, N, GRU_GATES, weights, job->block_step, x, px.to - px.from);
    EACH (p, C * N) {
        vf *nx = &sums[p * GRU_GATES + GRU_NX];
        vf_store(places[p].column + n_at + places[p].unit, *nx);
        *nx = gru_begin(job, places[p].column, places[p].unit, GRU_NH, piece.from <= n_inputs);
    }
    __asm__ volatile("" ::: "memory"); /* what waits shall not be kept in registers as well */
    weights += (px.to - px.from) * GRU_GATES * KERNEL_LANES;
    sum_gates(sums, C, N, GRU_GATES, weights, job->block_step, h, ph.to - ph.from);
    if (piece.to == job->n_k && job->usual) {
        gru_usual(job, sums, places, C * N);
        return;
    }
    gru_wait(job, sums, places, C * N);
    if (piece.to == job->n_k)
        EACH (p, C * N)
            gru_general(job, &places[p]);
}

/* One instance of the tile for each shape, of C columns or of N blocks, and none of them inlined:
 * constants that the compiler takes out of a loop over tiles would push sums out of registers. */
typedef void gru_tile_function(const struct gru_job *job, size_t column_ix, size_t block_ix,
                               struct piece piece);
#define GRU_TILE(C, N)                                                                             \
    static __attribute__((noinline)) void gru_tile_##C##_##N(                                      \
        const struct gru_job *job, size_t column_ix, size_t block_ix, struct piece piece)          \
    {                                                                                              \
        gru_tile(job, column_ix, block_ix, piece, C, N);                                           \
    }
GRU_TILE(1, 1)
GRU_TILE(1, 2)
GRU_TILE(1, 3)
GRU_TILE(2, 1)
GRU_TILE(3, 1)
#undef GRU_TILE
static gru_tile_function *const gru_blocks_tiles[] = {gru_tile_1_1, gru_tile_1_2, gru_tile_1_3};
static gru_tile_function *const gru_columns_tiles[] = {gru_tile_1_1, gru_tile_2_1, gru_tile_3_1};

static void gru_one_column(const struct gru_job *job, size_t n_blocks)
{
    struct piece all = {0, job->n_k};
    for (size_t b = 0, n; b < n_blocks; b += n) {
        n = tile_blocks(n_blocks - b, 3);
        gru_blocks_tiles[n - 1](job, 0, b, all);
    }
}

static void gru_columns(const struct gru_job *job, size_t block_ix, struct piece piece)
{
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        gru_columns_tiles[n - 1](job, c, block_ix, piece);
    }
}

static void gru_linear_first(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    size_t n_k = gru->n_inputs + gru->n_units;
    size_t n_blocks = (gru->n_units + KERNEL_LANES - 1) / KERNEL_LANES;
    size_t row = GRU_GATES * KERNEL_LANES;
    bool usual = gru->f.function == KERNEL_SIGMOID && gru->g.function == KERNEL_TANH &&
                 gru->clip == __builtin_inff();
    struct gru_job job = {gru, panel, n_k, n_k * row, usual};
    size_t length = piece_length(n_k, row, panel->n_columns);
    if (panel->n_columns == 1)
        gru_one_column(&job, n_blocks);
    else
        for (size_t b = 0; b < n_blocks; b++)
            for (struct piece p = {0, 0}; p.to < n_k;) {
                p = piece_next(p, length, n_k);
                gru_columns(&job, b, p);
            }
}

/* r . h of each column into the tensor of h. */
static void gru_reset_h(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        const float *r = column + panel->out_at[GRU_OUT_R];
        const float *h = panel->states[c] + panel->state_at;
        for (size_t i = 0; i < gru->n_units; i += KERNEL_LANES)
            vf_store(column + panel->out_at[GRU_OUT_H] + i, vf_mul(vf_load(r + i), vf_load(h + i)));
    }
}

static void gru_finish_h(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        const float *z = column + panel->out_at[GRU_OUT_Z];
        const float *n = column + panel->out_at[GRU_OUT_N];
        const float *h = panel->states[c] + panel->state_at;
        for (size_t i = 0; i < gru->n_units; i += KERNEL_LANES)
            vf_store(column + panel->out_at[GRU_OUT_H] + i,
                     gru_blend(vf_load(z + i), vf_load(n + i), vf_load(h + i)));
    }
}

static void gru_reset_first(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    struct rows_job job = {
        .rows = &gru->gates,
        .panel = panel,
        .n_columns = panel->n_columns,
        .n_rows = 1,
        .n_x = gru->n_inputs,
        .n_h = gru->n_units,
        .x_at = panel->in_at[0],
        .h_at = panel->state_at,
        .out_at = {panel->out_at[GRU_OUT_Z], panel->out_at[GRU_OUT_R]},
        .n_split = 2,
        .activation = &gru->f,
        .clip = gru->clip,
    };
    rows_step(&job);
    gru_reset_h(gru, panel);
    job.rows = &gru->candidate;
    job.h_at = panel->out_at[GRU_OUT_H];
    job.h_in_column = true;
    job.out_at[0] = panel->out_at[GRU_OUT_N];
    job.n_split = 1;
    job.activation = &gru->g;
    rows_step(&job);
    gru_finish_h(gru, panel);
}

static void gru_step(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    if (gru->linear_before_reset)
        gru_linear_first(gru, panel);
    else
        gru_reset_first(gru, panel);
    keep_h(panel, gru->n_units);
}
