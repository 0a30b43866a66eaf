/* kernel_rnn.h - one timestep of an RNN for a panel; part of kernel_body.h.
 *
 *     one column, one group:  sums --tanh, flush--> h, in the panel and the state     in registers
 *     else:                   rows of sums (kernel_rows.h) into the tensor of h; all groups done:
 *                             --clip, function, flush--> h, in the panel and the state */

/* h of a vector from its sums: into the panel, and over the old one. */
INLINE void rnn_put(const struct kernel_rnn *rnn, vf z, float *h, float *state, bool usual)
{
    z = flush(usual ? fn_tanh(z, z, z) : apply(&rnn->f, clip_sum(z, rnn->clip)));
    vf_store(h, z);
    vf_store(state, z);
}

/* h of a column whose sums are all done: into the panel, and over the old one. */
INLINE void rnn_finish(const struct kernel_rnn *rnn, const struct kernel_panel *panel, size_t ix,
                       bool usual)
{
    float *h = panel->activations + ix * panel->stride + panel->out_at;
    float *state = panel->states[ix] + panel->state_at;
    for (size_t unit = 0; unit < rnn->n_units; unit += KERNEL_LANES)
        rnn_put(rnn, vf_load(h + unit), h + unit, state + unit, usual);
}

static __attribute__((noinline)) void rnn_many(const struct kernel_rnn *rnn,
                                               const struct kernel_panel *panel)
{
    struct rows_job job = {
        .rows = &rnn->rows,
        .panel = panel,
        .n_columns = panel->n_columns,
        .n_rows = 1,
        .n_x = rnn->n_inputs,
        .n_h = rnn->n_units,
        .x_at = panel->in_at,
        .h_at = panel->state_at,
        .out_at = {panel->out_at},
        .n_split = 1,
    };
    rows_step(&job);
    if (rnn->usual)
        for (size_t c = 0; c < panel->n_columns; c++)
            rnn_finish(rnn, panel, c, true);
    else
        for (size_t c = 0; c < panel->n_columns; c++)
            rnn_finish(rnn, panel, c, false);
}

/* The whole timestep of one column of V vectors, which are one group. */
INLINE void rnn_tile(const struct kernel_rnn *rnn, const struct kernel_panel *panel, size_t V)
{
    const float *weights = rnn->rows.weights, *bias = rnn->rows.bias;
    const float *x = panel->activations + panel->in_at;
    float *state = panel->states[0] + panel->state_at, *out = panel->activations + panel->out_at;
    vf sums[KERNEL_GROUP];
    EACH (v, V)
        sums[v] = vf_load(bias + v * KERNEL_LANES);
    sum_group(sums, V, weights, x, rnn->n_inputs);
    weights += rnn->n_inputs * V * KERNEL_LANES;
    sum_group(sums, V, weights, state, rnn->n_units);
    EACH (v, V)
        rnn_put(rnn, sums[v], out + v * KERNEL_LANES, state + v * KERNEL_LANES, true);
}

/* One instance for each number of vectors. */
typedef void rnn_tile_function(const struct kernel_rnn *rnn, const struct kernel_panel *panel);
#define RNN_TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define RNN_TILE(V)                                                                                \
    static __attribute__((noinline)) void rnn_tile_##V(const struct kernel_rnn *rnn,               \
                                                       const struct kernel_panel *panel)           \
    {                                                                                              \
        rnn_tile(rnn, panel, V);                                                                   \
    }
RNN_TILES(RNN_TILE)
#define RNN_ENTRY(V) [V] = rnn_tile_##V,
static rnn_tile_function *const rnn_tiles[KERNEL_GROUP + 1] = {RNN_TILES(RNN_ENTRY)};

static void rnn_step(const struct kernel_rnn *rnn, const struct kernel_panel *panel)
{
    if (panel->n_columns == 1 && rnn->usual && rnn->rows.n_vectors <= KERNEL_GROUP)
        rnn_tiles[rnn->rows.n_vectors](rnn, panel);
    else
        rnn_many(rnn, panel);
}
