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
#define GRU_GATES   3
#define GRU_COLUMNS 4 /* of a tile */

static const unsigned char gru_out[GRU_SUMS] = {GRU_OUT_Z, GRU_OUT_R, GRU_OUT_N, GRU_OUT_H};

struct gru_job {
    const struct kernel_gru *gru;
    const struct kernel_panel *panel;
    size_t n_k, n_blocks, block_step; /* floats from one block's weights to the next one's */
    size_t padded;                    /* H */
    bool begins, ends;                /* the piece of k at hand: */
    bool begins_h;                    /* nothing of R h is in the sums yet */
    size_t n_x, n_h;                  /* inputs */
    size_t x_at, h_at;                /* offsets into a column and a stream's states */
    size_t weights_at;                /* offset into a block */
};

/* All of k is one piece. */
INLINE struct gru_job gru_whole(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    size_t n_k = gru->n_inputs + gru->n_units;
    return (struct gru_job){
        .gru = gru,
        .panel = panel,
        .n_k = n_k,
        .n_blocks = (gru->n_units + KERNEL_LANES - 1) / KERNEL_LANES,
        .block_step = n_k * GRU_GATES * KERNEL_LANES,
        .padded = kernel_padded(gru->n_units),
        .begins = true,
        .begins_h = true,
        .ends = true,
        .n_x = gru->n_inputs,
        .n_h = gru->n_units,
        .x_at = panel->in_at,
        .h_at = panel->state_at,
    };
}

INLINE void gru_take(struct gru_job *job, struct piece piece)
{
    size_t n_inputs = job->gru->n_inputs;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    job->begins = piece.from == 0;
    job->begins_h = piece.from <= n_inputs;
    job->ends = piece.to == job->n_k;
    job->n_x = px.to - px.from;
    job->n_h = ph.to - ph.from;
    job->x_at = job->panel->in_at + px.from;
    job->h_at = job->panel->state_at + ph.from;
    job->weights_at = piece.from * GRU_GATES * KERNEL_LANES;
}

INLINE vf gru_blend(vf z, vf n, vf h)
{
    return flush(vf_fma(z, vf_sub(h, n), n));
}

static vf gru_function(const struct kernel_gru *gru, const struct kernel_activation *function, vf z)
{
    return apply(function, clip_sum(z, gru->clip));
}

/* z, r and p of a block, whose tensor of h is `out`; sums: z r nh, while nx is in that of n. */
INLINE void gru_gates(const struct kernel_gru *gru, const vf *sums, float *out, bool usual)
{
    size_t padded = kernel_padded(gru->n_units);
    vf z = sums[GRU_Z], r = sums[GRU_R];
    z = usual ? fn_sigmoid(z, z, z) : gru_function(gru, &gru->f, z);
    r = usual ? fn_sigmoid(r, r, r) : gru_function(gru, &gru->f, r);
    vf p = vf_fma(r, sums[GRU_NX], vf_load(out + GRU_OUT_N * padded));
    vf_store(out + GRU_OUT_Z * padded, z);
    vf_store(out + GRU_OUT_R * padded, r);
    vf_store(out + GRU_OUT_N * padded, p);
}

static void gru_general(const struct kernel_gru *gru, float *out)
{
    size_t padded = kernel_padded(gru->n_units);
    vf sums[GRU_GATES] = {vf_load(out + GRU_OUT_Z * padded), vf_load(out + GRU_OUT_R * padded),
                          vf_load(out + GRU_OUT_H * padded)};
    gru_gates(gru, sums, out, false);
}

/* n_k of N blocks for one column, or of one block for C. */
INLINE void gru_sum(const struct gru_job *job, vf *sums, size_t C, size_t N, const float *weights,
                    const float *const *values, size_t n_k)
{
    if (N == 1)
        sum_rows(sums, C, GRU_GATES, weights, GRU_GATES, values, n_k);
    else
        sum_gates(sums, 1, N, GRU_GATES, 0, weights, job->block_step, NULL, values, n_k);
}

/* One piece of N blocks of units for C columns.  nx waits in the tensor of n while nh grows in its
 * place: so all sums find a register.  Sums that are not complete wait in the tensors. */
INLINE void gru_tile(const struct gru_job *job, size_t column_ix, size_t block_ix, size_t C,
                     size_t N)
{
    size_t row = GRU_GATES * KERNEL_LANES, unit = block_ix * KERNEL_LANES;
    size_t padded = job->padded, stride = job->panel->stride;
    float *column = job->panel->activations + column_ix * stride;
    float *out = column + job->panel->out_at + unit; /* of h; the others `padded` apart */
    float *const *states = job->panel->states + column_ix;
    const float *bias = job->gru->bias + unit * GRU_SUMS;
    const float *weights = job->gru->weights + block_ix * job->block_step + job->weights_at;
    const float *x[GRU_COLUMNS], *h[GRU_COLUMNS];
    vf sums[TILE_SUMS];
    EACH (c, C) {
        x[c] = column + c * stride + job->x_at;
        h[c] = states[c] + job->h_at;
        EACH (n, N)
            EACH (g, GRU_GATES)
                sums[(c * N + n) * GRU_GATES + g] = vf_load(
                    job->begins ? bias + (n * GRU_SUMS + g) * KERNEL_LANES
                                : out + c * stride + gru_out[g] * padded + n * KERNEL_LANES);
    }
    gru_sum(job, sums, C, N, weights, x, job->n_x);
    EACH (c, C)
        EACH (n, N) {
            vf *nx = &sums[(c * N + n) * GRU_GATES + GRU_NX];
            float *to = out + c * stride + n * KERNEL_LANES;
            vf_store(to + GRU_OUT_N * padded, *nx);
            *nx = vf_load(job->begins_h ? bias + (n * GRU_SUMS + GRU_NH) * KERNEL_LANES : to);
        }
    __asm__ volatile("" ::: "memory"); /* what waits shall not be kept in registers as well */
    weights += job->n_x * row;
    gru_sum(job, sums, C, N, weights, h, job->n_h);
    FORGET(out);
    EACH (c, C)
        EACH (n, N) {
            float *to = out + c * stride + n * KERNEL_LANES;
            const vf *z = sums + (c * N + n) * GRU_GATES;
            if (job->ends && job->gru->usual) {
                gru_gates(job->gru, z, to, true);
                continue;
            }
            vf_store(to + GRU_OUT_Z * padded, z[GRU_Z]);
            vf_store(to + GRU_OUT_R * padded, z[GRU_R]);
            vf_store(to, z[GRU_NX]);
            if (job->ends)
                gru_general(job->gru, to);
        }
}

/* One instance of the tile for each shape, as an LSTM has them. */
typedef void gru_blocks_function(const struct kernel_gru *gru, const struct kernel_panel *panel,
                                 size_t block_ix);
typedef void gru_columns_function(const struct gru_job *job, size_t column_ix, size_t block_ix);
#define GRU_BLOCKS(N)                                                                              \
    static __attribute__((noinline)) void gru_blocks_##N(                                          \
        const struct kernel_gru *gru, const struct kernel_panel *panel, size_t block_ix)           \
    {                                                                                              \
        struct gru_job job = gru_whole(gru, panel);                                                \
        gru_tile(&job, 0, block_ix, 1, N);                                                         \
    }
#define GRU_TILE(C)                                                                                \
    static __attribute__((noinline)) void gru_columns_##C(const struct gru_job *job,               \
                                                          size_t column_ix, size_t block_ix)       \
    {                                                                                              \
        gru_tile(job, column_ix, block_ix, C, 1);                                                  \
    }
GRU_BLOCKS(1)
GRU_BLOCKS(2)
GRU_BLOCKS(3)
GRU_TILE(2)
GRU_TILE(3)
GRU_TILE(4)
#undef GRU_BLOCKS
#undef GRU_TILE
static gru_blocks_function *const gru_blocks[] = {NULL, gru_blocks_1, gru_blocks_2, gru_blocks_3};
static gru_columns_function *const gru_columns[] = {NULL, NULL, gru_columns_2, gru_columns_3,
                                                    gru_columns_4};

/* n and h of a column whose blocks are all done: into the panel, and h over the old one. */
INLINE void gru_finish_column(const struct kernel_gru *gru, const struct kernel_panel *panel,
                              size_t ix, bool usual)
{
    size_t padded = kernel_padded(gru->n_units);
    float *h = panel->activations + ix * panel->stride + panel->out_at;
    float *state = panel->states[ix] + panel->state_at;
    float *z = h + GRU_OUT_Z * padded, *n = h + GRU_OUT_N * padded;
    for (size_t unit = 0; unit < gru->n_units; unit += KERNEL_LANES) {
        vf y = vf_load(n + unit);
        y = usual ? fn_tanh(y, y, y) : gru_function(gru, &gru->g, y);
        vf_store(n + unit, y);
        y = gru_blend(vf_load(z + unit), y, vf_load(state + unit));
        vf_store(h + unit, y);
        vf_store(state + unit, y);
    }
}

static void gru_finish(const struct kernel_gru *gru, const struct kernel_panel *panel, size_t from,
                       size_t to)
{
    if (gru->usual)
        for (size_t ix = from; ix < to; ix++)
            gru_finish_column(gru, panel, ix, true);
    else
        for (size_t ix = from; ix < to; ix++)
            gru_finish_column(gru, panel, ix, false);
}

static void gru_one_column(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    size_t n_blocks = (gru->n_units + KERNEL_LANES - 1) / KERNEL_LANES;
    for (size_t b = 0, n; b < n_blocks; b += n) {
        n = tile_blocks(n_blocks - b, 3);
        gru_blocks[n](gru, panel, b);
    }
    gru_finish(gru, panel, 0, 1);
}

/* Columns of the next tile: 4, but rather 3 and 3 than 4 and 2. */
INLINE size_t gru_tile_columns(size_t n_left)
{
    size_t rest = n_left % GRU_COLUMNS;
    return n_left <= 3 ? n_left : rest == 1 || rest == 2 ? 3 : GRU_COLUMNS;
}

/* The piece at hand of blocks [from, to) for all columns; each tile of columns goes through all
 * blocks.  When these are all there are, the columns can be finished at once. */
static void gru_panel(const struct gru_job *job, size_t from, size_t to)
{
    bool all = to - from == job->n_blocks && job->begins && job->ends;
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = gru_tile_columns(job->panel->n_columns - c);
        for (size_t b = from; b < to; b++)
            gru_columns[n](job, c, b);
        if (all)
            gru_finish(job->gru, job->panel, c, c + n);
    }
    if (!all && to == job->n_blocks && job->ends)
        gru_finish(job->gru, job->panel, 0, job->panel->n_columns);
}

static void gru_linear_first(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    if (panel->n_columns == 1) {
        gru_one_column(gru, panel);
        return;
    }
    struct gru_job job = gru_whole(gru, panel);
    size_t row = GRU_GATES * KERNEL_LANES, length = piece_length(job.n_k, row, panel->n_columns);
    for (size_t b = 0, n; b < job.n_blocks; b += n) {
        n = piece_blocks(job.n_blocks - b, length, row);
        for (struct piece p = {0, 0}; p.to < job.n_k;) {
            p = piece_next(p, length, job.n_k);
            gru_take(&job, p);
            gru_panel(&job, b, b + n);
        }
    }
}

/* Of each column z and r from their sums, and r . h into the tensor of h. */
static void gru_reset_h(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    size_t padded = kernel_padded(gru->n_units);
    for (size_t c = 0; c < panel->n_columns; c++) {
        float *reset = panel->activations + c * panel->stride + panel->out_at;
        float *z = reset + GRU_OUT_Z * padded, *r = reset + GRU_OUT_R * padded;
        const float *h = panel->states[c] + panel->state_at;
        for (size_t i = 0; i < gru->n_units; i += KERNEL_LANES) {
            vf y = gru_function(gru, &gru->f, vf_load(r + i));
            vf_store(z + i, gru_function(gru, &gru->f, vf_load(z + i)));
            vf_store(r + i, y);
            vf_store(reset + i, vf_mul(y, vf_load(h + i)));
        }
    }
}

static void gru_reset_first(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    size_t padded = kernel_padded(gru->n_units);
    struct rows_job rows = {
        .rows = &gru->gates,
        .panel = panel,
        .n_columns = panel->n_columns,
        .n_rows = 1,
        .n_x = gru->n_inputs,
        .n_h = gru->n_units,
        .x_at = panel->in_at,
        .h_at = panel->state_at,
        .out_at = {panel->out_at + GRU_OUT_Z * padded, panel->out_at + GRU_OUT_R * padded},
        .n_split = 2,
    };
    rows_step(&rows);
    gru_reset_h(gru, panel);
    rows.rows = &gru->candidate;
    rows.h_at = panel->out_at;
    rows.h_in_column = true;
    rows.out_at[0] = panel->out_at + GRU_OUT_N * padded;
    rows.n_split = 1;
    rows_step(&rows);
    gru_finish(gru, panel, 0, panel->n_columns);
}

static void gru_step(const struct kernel_gru *gru, const struct kernel_panel *panel)
{
    if (gru->linear_before_reset)
        gru_linear_first(gru, panel);
    else
        gru_reset_first(gru, panel);
}
