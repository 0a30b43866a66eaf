/* kernel_gru.h - one timestep of a GRU for a panel; part of kernel_body.h.
 *
 * linear_before_reset 1, block of 8 units, all in registers:
 *
 *     sums z r nx nh  --functions-->  z r, n = g(nx + r nh), h' = n + z (h - n)
 *
 * (nx gathers W x, nh gathers R h, so of each k three of the four sums grow.)  With 0 the candidate
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

INLINE void gru_usual(const vf *s, vf h, const struct kernel_panel *panel, float *column,
                      size_t unit)
{
    vf zero = vf_set1(0);
    vf z = fn_sigmoid(s[GRU_Z], zero, zero), r = fn_sigmoid(s[GRU_R], zero, zero);
    vf n = fn_tanh(vf_fma(r, s[GRU_NH], s[GRU_NX]), zero, zero);
    gru_put(z, r, n, h, panel, column, unit);
}

static void gru_general(const struct kernel_gru *gru, const vf *s, vf h,
                        const struct kernel_panel *panel, float *column, size_t unit)
{
    vf z = apply(&gru->f, clip_sum(s[GRU_Z], gru->clip));
    vf r = apply(&gru->f, clip_sum(s[GRU_R], gru->clip));
    vf n = apply(&gru->g, clip_sum(vf_fma(r, s[GRU_NH], s[GRU_NX]), gru->clip));
    gru_put(z, r, n, h, panel, column, unit);
}

INLINE void gru_tile(const struct gru_job *job, size_t column_ix, size_t block_ix,
                     struct piece piece, size_t C, size_t N)
{
    const struct kernel_gru *gru = job->gru;
    const struct kernel_panel *panel = job->panel;
    size_t n_inputs = gru->n_inputs;
    struct piece px = piece_cut(piece, 0, n_inputs), ph = piece_cut(piece, n_inputs, job->n_k);
    const float *weights =
        gru->weights + block_ix * job->block_step + piece.from * GRU_GATES * KERNEL_LANES;
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
            EACH (s, GRU_SUMS) {
                size_t unit = (block_ix + n) * KERNEL_LANES;
                sums[(c * N + n) * GRU_SUMS + s] =
                    vf_load(piece.from == 0 ? gru->bias + unit * GRU_SUMS + s * KERNEL_LANES
                                            : column[c] + panel->out_at[gru_out[s]] + unit);
            }
    sum_gates(sums, C, N, GRU_SUMS, GRU_GATES, GRU_NX, weights, job->block_step, x,
              px.to - px.from);
    weights += (px.to - px.from) * GRU_GATES * KERNEL_LANES;
    sum_gates(sums, C, N, GRU_SUMS, GRU_GATES, GRU_NH, weights, job->block_step, h,
              ph.to - ph.from);
    EACH (c, C)
        EACH (n, N) {
            const vf *s = sums + (c * N + n) * GRU_SUMS;
            size_t unit = (block_ix + n) * KERNEL_LANES;
            vf old = vf_load(panel->states[column_ix + c] + panel->state_at + unit);
            if (piece.to < job->n_k)
                EACH (j, GRU_SUMS)
                    vf_store(column[c] + panel->out_at[gru_out[j]] + unit, s[j]);
            else if (job->usual)
                gru_usual(s, old, panel, column[c], unit);
            else {
                vf copy[GRU_SUMS]; /* so that the sums need no address */
                EACH (j, GRU_SUMS)
                    copy[j] = s[j];
                gru_general(gru, copy, old, panel, column[c], unit);
            }
        }
}

static void gru_one_column(const struct gru_job *job, size_t n_blocks)
{
    struct piece all = {0, job->n_k};
    for (size_t b = 0, n; b < n_blocks; b += n) {
        n = tile_blocks(n_blocks - b, 3);
        if (n == 3)
            gru_tile(job, 0, b, all, 1, 3);
        else if (n == 2)
            gru_tile(job, 0, b, all, 1, 2);
        else
            gru_tile(job, 0, b, all, 1, 1);
    }
}

static void gru_columns(const struct gru_job *job, size_t block_ix, struct piece piece)
{
    for (size_t c = 0, n; c < job->panel->n_columns; c += n) {
        n = tile_columns(job->panel->n_columns - c);
        if (n == 3)
            gru_tile(job, c, block_ix, piece, 3, 1);
        else if (n == 2)
            gru_tile(job, c, block_ix, piece, 2, 1);
        else
            gru_tile(job, c, block_ix, piece, 1, 1);
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
