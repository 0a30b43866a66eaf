/* kernel_rows.h - dense layers and what else is rows of sums; part of kernel_body.h.
 *
 *     group of up to 8 vectors:  sums in registers --> outputs
 *
 *     tile   1 column   up to 8 vectors          3 columns   4 vectors      12 sums or nearly so:
 *            2 columns  up to 6                  4           3 or 2         two fmas a cycle, of
 *                                                up to 8     1              4 cycles each, need 8
 */

#define ROWS_COLUMNS 8 /* of a tile, at most */

struct rows_job {
    const struct kernel_rows *rows;
    const struct kernel_panel *panel;
    size_t n_columns;           /* the panel's, times rows that lie side by side in each */
    size_t n_rows;              /* of each of the panel's columns */
    size_t n_x, n_h;            /* inputs from the column, then from the state or again column */
    size_t x_at, h_at;          /* offsets: x in the column */
    bool h_in_column;           /* h_at is in the column, else in the stream's states */
    size_t out_at[2];           /* vectors 0, 2, 4 .. and 1, 3, 5 .. when split in two */
    size_t n_split;             /* 1, 2 */
    size_t n_outputs;           /* of a row; not 0: rows end in the middle of a vector */
    bool whole;                 /* outputs are vectors side by side */
    struct piece piece, px, ph; /* of k, the piece at hand; its shares of x and h */
};

/* Where a column's numbers are: inputs of the piece at hand, outputs. */
struct rows_place {
    const float *x, *h;
    float *out[2]; /* vectors 0, 2, 4 .. and 1, 3, 5 .. when split in two */
};

static void rows_find(const struct rows_job *job, size_t column_ix, size_t n,
                      struct rows_place *ret_places)
{
    size_t ix = job->whole ? column_ix : column_ix / job->n_rows;
    size_t row_ix = column_ix - ix * job->n_rows;
    for (size_t i = 0; i < n; i++) {
        float *column = job->panel->activations + ix * job->panel->stride;
        const float *h = job->n_h == 0 || job->h_in_column ? column : job->panel->states[ix];
        ret_places[i] = (struct rows_place){
            .x = column + job->x_at + row_ix * job->n_x + job->px.from,
            .h = h + job->h_at + job->ph.from,
            .out = {column + job->out_at[0] + row_ix * job->n_outputs, column + job->out_at[1]},
        };
        if (++row_ix == job->n_rows) {
            row_ix = 0;
            ix++;
        }
    }
}

INLINE float *rows_out(const struct rows_job *job, const struct rows_place *place, size_t vector)
{
    if (job->n_split == 2)
        return place->out[vector & 1] + (vector >> 1) * KERNEL_LANES;
    return place->out[0] + vector * KERNEL_LANES;
}

/* Rows that end in the middle of a vector, or vectors of two tensors. */
static void rows_put(const struct rows_job *job, const struct rows_place *places, size_t first,
                     const vf *sums, size_t n_columns, size_t n_vectors)
{
    for (size_t c = 0; c < n_columns; c++)
        for (size_t v = first; v < first + n_vectors; v++, sums++) {
            float *to = rows_out(job, &places[c], v);
            if (job->n_rows > 1 && (v + 1) * KERNEL_LANES > job->n_outputs) {
                float lanes[KERNEL_LANES];
                vf_store(lanes, *sums);
                for (size_t i = v * KERNEL_LANES, j = 0; i < job->n_outputs; i++, j++)
                    to[j] = lanes[j];
            } else
                vf_store(to, *sums);
        }
}

/* The piece at hand of V vectors from `first` on, of a group of `size`, for C columns. */
INLINE void rows_tile(const struct rows_job *job, const struct rows_place *places,
                      struct kernel_group group, size_t first, size_t C, size_t V)
{
    const struct kernel_rows *rows = job->rows;
    size_t step = group.size * KERNEL_LANES;
    const float *weights = rows->weights + group.first * rows->n_k * KERNEL_LANES +
                           job->piece.from * step + (first - group.first) * KERNEL_LANES;
    const float *bias = rows->bias + first * KERNEL_LANES;
    const float *x[ROWS_COLUMNS], *h[ROWS_COLUMNS];
    vf sums[TILE_SUMS];
    EACH (c, C) {
        x[c] = places[c].x;
        h[c] = places[c].h;
        EACH (v, V)
            sums[c * V + v] = vf_load(job->piece.from == 0 ? bias + v * KERNEL_LANES
                                                           : rows_out(job, &places[c], first + v));
    }
    sum_rows(sums, C, V, weights, group.size, x, job->px.to - job->px.from);
    weights += (job->px.to - job->px.from) * step;
    sum_rows(sums, C, V, weights, group.size, h, job->ph.to - job->ph.from);
    if (!job->whole) {
        vf copy[TILE_SUMS]; /* by its address, which would keep the sums themselves in memory */
        EACH (i, C * V)
            copy[i] = sums[i];
        rows_put(job, places, first, copy, C, V);
        return;
    }
    EACH (c, C)
        EACH (v, V)
            vf_store(places[c].out[0] + (first + v) * KERNEL_LANES, sums[c * V + v]);
}

/* One instance of the tile for each shape. */
typedef void rows_tile_function(const struct rows_job *job, const struct rows_place *places,
                                struct kernel_group group, size_t first);
#define ROWS_TILE(C, V)                                                                            \
    static __attribute__((noinline)) void rows_tile_##C##_##V(                                     \
        const struct rows_job *job, const struct rows_place *places, struct kernel_group group,    \
        size_t first)                                                                              \
    {                                                                                              \
        rows_tile(job, places, group, first, C, V);                                                \
    }
#define ROWS_UP_TO_2(X, V) X(1, V) X(2, V)
#define ROWS_UP_TO_3(X, V) X(1, V) X(2, V) X(3, V)
#define ROWS_UP_TO_4(X, V) X(1, V) X(2, V) X(3, V) X(4, V)
#define ROWS_UP_TO_8(X, V) ROWS_UP_TO_4(X, V) X(5, V) X(6, V) X(7, V) X(8, V)
ROWS_UP_TO_8(ROWS_TILE, 1)
ROWS_UP_TO_4(ROWS_TILE, 2)
ROWS_UP_TO_4(ROWS_TILE, 3)
ROWS_UP_TO_3(ROWS_TILE, 4)
ROWS_UP_TO_2(ROWS_TILE, 5)
ROWS_UP_TO_2(ROWS_TILE, 6)
ROWS_TILE(1, 7)
ROWS_TILE(1, 8)
#define ROWS_ENTRY(C, V) [C][V] = rows_tile_##C##_##V,
static rows_tile_function *const rows_tiles[][KERNEL_GROUP + 1] = {
    ROWS_UP_TO_8(ROWS_ENTRY, 1) ROWS_UP_TO_4(ROWS_ENTRY, 2) ROWS_UP_TO_4(ROWS_ENTRY, 3)
        ROWS_UP_TO_3(ROWS_ENTRY, 4) ROWS_UP_TO_2(ROWS_ENTRY, 5) ROWS_UP_TO_2(ROWS_ENTRY, 6)
            ROWS_ENTRY(1, 7) ROWS_ENTRY(1, 8)};
#undef ROWS_TILE
#undef ROWS_UP_TO_2
#undef ROWS_UP_TO_3
#undef ROWS_UP_TO_4
#undef ROWS_UP_TO_8
#undef ROWS_ENTRY

/* At most: columns of a tile by its vectors, and its vectors by the columns that there are. */
static const unsigned char rows_columns[KERNEL_GROUP + 1] = {0, 8, 4, 4, 3, 2, 2, 1, 1};
static const unsigned char rows_vectors[TILE_COLUMNS + 1] = {0, 8, 6, 4};

/* How many of those that are left a tile takes: the most it can, but the last two are alike. */
INLINE size_t rows_next(size_t n_left, size_t most)
{
    return n_left <= most ? n_left : n_left < 2 * most ? (n_left + 1) / 2 : most;
}

/* All columns of a group. */
static void rows_group(const struct rows_job *job, struct kernel_group group)
{
    size_t n_columns = job->n_columns, end = group.first + group.size;
    size_t most = rows_vectors[n_columns < TILE_COLUMNS ? n_columns : TILE_COLUMNS];
    struct rows_place places[ROWS_COLUMNS];
    for (size_t first = group.first, v; first < end; first += v) {
        v = rows_next(end - first, most);
        for (size_t c = 0, n; c < n_columns; c += n) {
            n = rows_next(n_columns - c, rows_columns[v]);
            rows_find(job, c, n, places);
            rows_tiles[n][v](job, places, group, first);
        }
    }
}

/* Group `ix` on the way through the weights, which goes backwards in every other step. */
INLINE struct kernel_group rows_nth(const struct kernel_rows *rows,
                                    const struct kernel_panel *panel, size_t ix)
{
    size_t last = kernel_n_groups(rows->n_vectors) - 1;
    return kernel_group(rows->n_vectors, panel->backwards ? last - ix : ix);
}

static void rows_step(struct rows_job *job)
{
    size_t n_vectors = job->rows->n_vectors, n_k = job->rows->n_k;
    job->whole = job->n_rows == 1 && job->n_split == 1;
    for (size_t g = 0; g < kernel_n_groups(n_vectors); g++) {
        struct kernel_group group = rows_nth(job->rows, job->panel, g);
        size_t length = piece_length(n_k, group.size * KERNEL_LANES, job->n_columns);
        if (job->n_rows > 1)
            length = n_k;
        job->piece = (struct piece){0, 0};
        do {
            job->piece = piece_next(job->piece, length, n_k);
            job->px = piece_cut(job->piece, 0, job->n_x);
            job->ph = piece_cut(job->piece, job->n_x, n_k);
            rows_group(job, group);
        } while (job->piece.to < n_k);
    }
}

static void dense_step(const struct kernel_dense *dense, const struct kernel_panel *panel)
{
    struct rows_job job = {
        .rows = &dense->rows,
        .panel = panel,
        .n_columns = panel->n_columns * dense->n_rows,
        .n_rows = dense->n_rows,
        .n_x = dense->rows.n_k,
        .x_at = panel->in_at,
        .out_at = {panel->out_at},
        .n_split = 1,
        .n_outputs = dense->n_outputs,
    };
    rows_step(&job);
}
