/* kernel_rnn.h - one timestep of an RNN for a panel; part of kernel_body.h.
 *
 *     one column:  sums of a group --tanh, flush--> h        in registers; into the panel, and when
 *                                                            all groups are done into the state
 *     else:        rows of sums (kernel_rows.h) into the tensor of h; all groups done:
 *                  --clip, function, flush--> h, in the panel and the state */

/* h of a vector from its sums: into the panel, and over the old one. */
INLINE void rnn_put(const struct kernel_rnn *rnn, vf z, float *h, float *state, bool usual)
{
    z = usual ? tanh_flushed(z) : flush(apply(&rnn->f, clip_sum(z, rnn->clip)));
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

/* One column: h of V vectors from `first` on into the panel; if they are all, over the old one. */
INLINE void rnn_tile(const struct kernel_rnn *rnn, const struct kernel_panel *panel, size_t first,
                     size_t V, bool all)
{
    const float *weights = rnn->rows.weights + first * rnn->rows.n_k * KERNEL_LANES;
    const float *bias = rnn->rows.bias + first * KERNEL_LANES;
    const float *x = panel->activations + panel->in_at;
    float *state = panel->states[0] + panel->state_at;
    float *out = panel->activations + panel->out_at + first * KERNEL_LANES;
    vf sums[KERNEL_GROUP];
    EACH (v, V)
        sums[v] = vf_load(bias + v * KERNEL_LANES);
    sum_group(sums, V, weights, x, rnn->n_inputs);
    weights += rnn->n_inputs * V * KERNEL_LANES;
    sum_group(sums, V, weights, state, rnn->n_units);
    EACH (v, V) {
        vf y = tanh_flushed(sums[v]);
        vf_store(out + v * KERNEL_LANES, y);
        if (all)
            vf_store(state + v * KERNEL_LANES, y);
    }
}

/* One instance for each number of vectors that are all or a group. */
typedef void rnn_tile_function(const struct kernel_rnn *rnn, const struct kernel_panel *panel,
                               size_t first);
#define RNN_TILE(V, ALL)                                                                           \
    static __attribute__((noinline)) void rnn_tile_##V##_##ALL(                                    \
        const struct kernel_rnn *rnn, const struct kernel_panel *panel, size_t first)              \
    {                                                                                              \
        rnn_tile(rnn, panel, ALL ? 0 : first, V, ALL);                                             \
    }
#define RNN_SMALL(X, ALL) X(1, ALL) X(2, ALL) X(3, ALL)
#define RNN_LARGE(X, ALL) X(4, ALL) X(5, ALL) X(6, ALL) X(7, ALL) X(8, ALL)
RNN_SMALL(RNN_TILE, true)
RNN_LARGE(RNN_TILE, true)
RNN_LARGE(RNN_TILE, false)
#define RNN_ENTRY(V, ALL) [ALL][V] = rnn_tile_##V##_##ALL,
static rnn_tile_function *const rnn_tiles[][KERNEL_GROUP + 1] = {
    RNN_SMALL(RNN_ENTRY, true) RNN_LARGE(RNN_ENTRY, true) RNN_LARGE(RNN_ENTRY, false)};
#undef RNN_TILE
#undef RNN_SMALL
#undef RNN_LARGE
#undef RNN_ENTRY

/* One column of several groups. */
static __attribute__((noinline)) void rnn_groups(const struct kernel_rnn *rnn,
                                                 const struct kernel_panel *panel)
{
    for (size_t g = 0; g < kernel_n_groups(rnn->rows.n_vectors); g++) {
        struct kernel_group group = rows_nth(&rnn->rows, panel, g);
        rnn_tiles[false][group.size](rnn, panel, group.first);
    }
    const float *h = panel->activations + panel->out_at;
    float *state = panel->states[0] + panel->state_at;
    for (size_t unit = 0; unit < rnn->n_units; unit += KERNEL_LANES)
        vf_store(state + unit, vf_load(h + unit));
}

static void rnn_step(const struct kernel_rnn *rnn, const struct kernel_panel *panel)
{
    if (panel->n_columns != 1 || !rnn->usual)
        rnn_many(rnn, panel);
    else if (rnn->rows.n_vectors <= KERNEL_GROUP)
        rnn_tiles[true][rnn->rows.n_vectors](rnn, panel, 0);
    else
        rnn_groups(rnn, panel);
}
