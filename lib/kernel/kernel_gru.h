/* kernel_gru.h - one timestep of a GRU for a panel; part of kernel_body.h.
 *
 * linear_before_reset 1, block of 8 units:
 *
 *     sums z r nx nh  --functions-->  z r, p = nx + r nh      in registers, p waits for n
 *     all blocks done --------------> n = g(p), h' = n + z (h - n)
 *
 * (nx gathers W x, nh gathers R h, so at each k three of the four sums grow.)  With 0 the candidate
 * needs r . h of all units first: z and r, then r . h into the tensor of h, then n, then h'. */

enum { GRU_Z, GRU_R, GRU_NX, GRU_NH, GRU_SUMS };
enum { GRU_OUT_H, GRU_OUT_Z, GRU_OUT_R, GRU_OUT_N, GRU_OUTS };
#define GRU_GATES 3

static const unsigned char gru_out[GRU_SUMS] = {GRU_OUT_Z, GRU_OUT_R, GRU_OUT_N, GRU_OUT_H};

struct gru_job {
    const struct kernel_gru *gru;
    const struct kernel_panel *panel;
    size_t n_k, n_blocks, block_step; /* floats from one block's weights to the next one's */
    bool usual;
    bool begins, ends; /* the piece of k at hand: */
    bool begins_h;     /* nothing of R h is in the sums yet */
    size_t n_x, n_h;   /* inputs */
    size_t x_at, h_at; /* offsets into a column and a stream's states */
    size_t weights_at; /* offset into a block */
};

INLINE void gru_take(struct gru_job *job, struct piece piece)
{
    size_t n_inputs = job->gru->n_inputs;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    job->begins = piece.from == 0;
    job->begins_h = piece.from <= n_inputs;
    job->ends = piece.to == job->n_k;
    job->n_x = px.to - px.from;
    job->n_h = ph.to - ph.from;
    job->x_at = job->panel->in_at[0] + px.from;
    job->h_at = job->panel->state_at + ph.from;
    job->weights_at = piece.from * GRU_GATES * KERNEL_LANES;
}

INLINE vf gru_blend(vf z, vf n, vf h)
{
    return flush(vf_fma(z, vf_sub(h, n), n));
}

static vf gru_function(const struct gru_job *job, const struct kernel_activation *function, vf z)
{
    return apply(function, clip_sum(z, job->gru->clip));
}

/* z, r and p of a block; sums: z r nh, while nx is in the tensor of n. */
INLINE void gru_gates(const struct gru_job *job, const size_t *out_at, const vf *sums,
                      float *column, bool usual)
{
    vf z = sums[GRU_Z], r = sums[GRU_R];
    z = usual ? fn_sigmoid(z, z, z) : gru_function(job, &job->gru->f, z);
    r = usual ? fn_sigmoid(r, r, r) : gru_function(job, &job->gru->f, r);
    vf p = vf_fma(r, sums[GRU_NX], vf_load(column + out_at[GRU_OUT_N]));
    vf_store(column + out_at[GRU_OUT_Z], z);
    vf_store(column + out_at[GRU_OUT_R], r);
    vf_store(column + out_at[GRU_OUT_N], p);
}

static void gru_general(const struct gru_job *job, const size_t *out_at, float *column)
{
    vf sums[GRU_GATES] = {vf_load(column + out_at[GRU_OUT_Z]), vf_load(column + out_at[GRU_OUT_R]),
                          vf_load(column + out_at[GRU_OUT_H])};
    gru_gates(job, out_at, sums, column, false);
}

/* One piece of N blocks of units for C columns.  nx waits in the tensor of n while nh grows in its
 * place: so all sums find a register.  Sums that are not complete wait in the tensors. */
INLINE void gru_tile(const struct gru_job *job, size_t column_ix, size_t block_ix, size_t C,
                     size_t N)
{
    size_t row = GRU_GATES * KERNEL_LANES, unit = block_ix * KERNEL_LANES, out_at[GRU_OUTS];
    size_t stride = job->panel->stride;
    float *column = job->panel->activations + column_ix * stride;
    float *const *states = job->panel->states + column_ix;
    const float *bias = job->gru->bias + unit * GRU_SUMS;
    const float *weights = job->gru->weights + block_ix * job->block_step + job->weights_at;
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    vf sums[TILE_SUMS];
    EACH (i, GRU_OUTS)
        out_at[i] = job->panel->out_at[i] + unit;
    EACH (c, C) {
        x[c] = column + c * stride + job->x_at;
        h[c] = states[c] + job->h_at;
        EACH (n, N)
            EACH (g, GRU_GATES)
                sums[(c * N + n) * GRU_GATES + g] = vf_load(
                    job->begins ? bias + (n * GRU_SUMS + g) * KERNEL_LANES
                                : column + c * stride + out_at[gru_out[g]] + n * KERNEL_LANES);
    }
    sum_gates(sums, C, N, GRU_GATES, weights, job->block_step, x, job->n_x);
    EACH (c, C)
        EACH (n, N) {
            vf *nx = &sums[(c * N + n) * GRU_GATES + GRU_NX];
            float *to = column + c * stride + n * KERNEL_LANES;
            vf_store(to + out_at[GRU_OUT_N], *nx);
            *nx = vf_load(job->begins_h ? bias + (n * GRU_SUMS + GRU_NH) * KERNEL_LANES
                                        : to + out_at[GRU_OUT_H]);
        }
    __asm__ volatile("" ::: "memory"); /* what waits shall not be kept in registers as well */
    weights += job->n_x * row;
    sum_gates(sums, C, N, GRU_GATES, weights, job->block_step, h, job->n_h);
    EACH (c, C)
        EACH (n, N) {
            float *to = column + c * stride + n * KERNEL_LANES;
            const vf *z = sums + (c * N + n) * GRU_GATES;
            if (job->ends && job->usual) {
                gru_gates(job, out_at, z, to, true);
                continue;
            }
            vf_store(to + out_at[GRU_OUT_Z], z[GRU_Z]);
            vf_store(to + out_at[GRU_OUT_R], z[GRU_R]);
            vf_store(to + out_at[GRU_OUT_H], z[GRU_NX]);
            if (job->ends)
                gru_general(job, out_at, to);
        }
}

/* One instance of the tile for each shape, of C columns or of N blocks, and none of them inlined:
 * constants that the compiler takes out of a loop over tiles would push sums out of registers. */
typedef void gru_tile_function(const struct gru_job *job, size_t column_ix, size_t block_ix);
#define GRU_TILE(C, N)                                                                             \
    static __attribute__((noinline)) void gru_tile_##C##_##N(const struct gru_job *job,            \
                                                             size_t column_ix, size_t block_ix)    \
    {                                                                                              \
        gru_tile(job, column_ix, block_ix, C, N);                                                  \
    }
GRU_TILE(1, 1)
GRU_TILE(1, 2)
GRU_TILE(1, 3)
GRU_TILE(2, 1)
GRU_TILE(3, 1)
#undef GRU_TILE
static gru_tile_function *const gru_blocks_tiles[] = {gru_tile_1_1, gru_tile_1_2, gru_tile_1_3};
static gru_tile_function *const gru_columns_tiles[] = {gru_tile_1_1, gru_tile_2_1, gru_tile_3_1};

/* n and h of a column whose blocks are all done: into the panel, and h over the old one. */
INLINE void gru_finish_column(const struct gru_job *job, size_t ix, bool usual)
{
    const size_t *out_at = job->panel->out_at;
    float *column = job->panel->activations + ix * job->panel->stride;
    float *state = job->panel->states[ix] + job->panel->state_at;
    const float *z = column + out_at[GRU_OUT_Z];
    float *n = column + out_at[GRU_OUT_N], *h = column + out_at[GRU_OUT_H];
    for (size_t unit = 0, end = job->n_blocks * KERNEL_LANES; unit < end; unit += KERNEL_LANES) {
        vf y = vf_load(n + unit);
        y = usual ? fn_tanh(y, y, y) : gru_function(job, &job->gru->g, y);
        vf_store(n + unit, y);
        y = gru_blend(vf_load(z + unit), y, vf_load(state + unit));
        vf_store(h + unit, y);
        vf_store(state + unit, y);
    }
}

static void gru_finish(const struct gru_job *job, size_t from, size_t to)
{
    if (job->usual)
        for (size_t ix = from; ix < to; ix++)
            gru_finish_column(job, ix, true);
    else
        for (size_t ix = from; ix < to; ix++)
            gru_finish_column(job, ix, false);
}

static void gru_one_column(const struct gru_job *job)
{
    for (size_t b = 0, n; b < job->n_blocks; b += n) {
        n = tile_blocks(job->n_blocks - b, 3);
        gru_blocks_tiles[n - 1](job, 0, b);
    }
    gru_finish(job, 0, 1);
}

/* The piece at hand of blocks [from, to) for all columns; each tile of columns goes through all
 * blocks.  When these are all there are, the columns can be finished at once. */
static void gru_columns(const struct gru_job *job, size_t from, size_t to)
{
    bool all = to - from == job->n_blocks && job->begins && job->ends;
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        for (size_t b = from; b < to; b++)
            gru_columns_tiles[n - 1](job, c, b);
        if (all)
            gru_finish(job, c, c + n);
    }
    if (!all && to == job->n_blocks && job->ends)
        gru_finish(job, 0, job->panel->n_columns);
}

static void gru_linear_first(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    size_t n_k = gru->n_inputs + gru->n_units, row = GRU_GATES * KERNEL_LANES;
    struct gru_job job;
    job.gru = gru;
    job.panel = panel;
    job.n_k = n_k;
    job.n_blocks = (gru->n_units + KERNEL_LANES - 1) / KERNEL_LANES;
    job.block_step = n_k * row;
    job.usual = gru->f.function == KERNEL_SIGMOID && gru->g.function == KERNEL_TANH &&
                gru->clip == __builtin_inff();
    if (panel->n_columns == 1) {
        gru_take(&job, (struct piece){0, n_k});
        gru_one_column(&job);
        return;
    }
    size_t length = piece_length(n_k, row, panel->n_columns);
    for (size_t b = 0, n; b < job.n_blocks; b += n) {
        n = piece_blocks(job.n_blocks - b, length, row);
        for (struct piece p = {0, 0}; p.to < n_k;) {
            p = piece_next(p, length, n_k);
            gru_take(&job, p);
            gru_columns(&job, b, b + n);
        }
    }
}

/* Of each column z and r from their sums, and r . h into the tensor of h. */
static void gru_reset_h(const struct gru_job *job)
{
    const struct kernel_panel *panel = job->panel;
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *column = panel->activations + c * panel->stride;
        float *z = column + panel->out_at[GRU_OUT_Z], *r = column + panel->out_at[GRU_OUT_R];
        float *reset = column + panel->out_at[GRU_OUT_H];
        const float *h = panel->states[c] + panel->state_at;
        for (size_t i = 0; i < job->gru->n_units; i += KERNEL_LANES) {
            vf y = gru_function(job, &job->gru->f, vf_load(r + i));
            vf_store(z + i, gru_function(job, &job->gru->f, vf_load(z + i)));
            vf_store(r + i, y);
            vf_store(reset + i, vf_mul(y, vf_load(h + i)));
        }
    }
}

static void gru_reset_first(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    struct gru_job job = {.gru = gru, .panel = panel};
    job.n_blocks = (gru->n_units + KERNEL_LANES - 1) / KERNEL_LANES;
    struct rows_job rows = {
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
    };
    rows_step(&rows);
    gru_reset_h(&job);
    rows.rows = &gru->candidate;
    rows.h_at = panel->out_at[GRU_OUT_H];
    rows.h_in_column = true;
    rows.out_at[0] = panel->out_at[GRU_OUT_N];
    rows.n_split = 1;
    rows_step(&rows);
    gru_finish(&job, 0, panel->n_columns);
}

static void gru_step(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    if (gru->linear_before_reset)
        gru_linear_first(gru, panel);
    else
        gru_reset_first(gru, panel);
}
