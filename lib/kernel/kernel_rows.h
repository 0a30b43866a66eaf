/* kernel_rows.h - dense layers and what else is rows of sums; part of kernel_body.h.
 *
 *     group of up to 8 vectors:  sums in registers --> outputs */

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

struct rows_place {
    const float *x, *h;
    float *column;
    size_t row_ix;
};

INLINE struct rows_place rows_find(const struct rows_job *job, size_t column_ix)
{
    size_t ix = job->n_rows == 1 ? column_ix : column_ix / job->n_rows;
    size_t row_ix = column_ix - ix * job->n_rows;
    float *column = job->panel->activations + ix * job->panel->stride;
    const float *x = column + job->x_at + row_ix * job->n_x;
    const float *h = x;
    if (job->n_h != 0)
        h = (job->h_in_column ? column : job->panel->states[ix]) + job->h_at;
    return (struct rows_place){x, h, column, row_ix};
}

INLINE float *rows_out(const struct rows_job *job, const struct rows_place *place, size_t vector)
{
    if (job->n_split == 2)
        return place->column + job->out_at[vector & 1] + (vector >> 1) * KERNEL_LANES;
    return place->column + job->out_at[0] + place->row_ix * job->n_outputs + vector * KERNEL_LANES;
}

INLINE void rows_put(const struct rows_job *job, const struct rows_place *place, size_t vector,
                     vf z)
{
    float *to = rows_out(job, place, vector);
    if (job->n_rows > 1 && (vector + 1) * KERNEL_LANES > job->n_outputs) {
        float v[KERNEL_LANES];
        vf_store(v, z);
        for (size_t i = vector * KERNEL_LANES, j = 0; i < job->n_outputs; i++, j++)
            to[j] = v[j];
    } else
        vf_store(to, z);
}

/* Rows that end in the middle of a vector, or vectors of two tensors. */
static void rows_put_all(const struct rows_job *job, size_t column_ix, size_t first, const vf *sums,
                         size_t n_columns, size_t n_vectors)
{
    for (size_t c = 0; c < n_columns; c++) {
        struct rows_place place = rows_find(job, column_ix + c);
        for (size_t v = 0; v < n_vectors; v++)
            rows_put(job, &place, first + v, sums[c * n_vectors + v]);
    }
}

/* The piece at hand of V vectors from `first` on, of a group of `size`, for C columns. */
INLINE void rows_tile(const struct rows_job *job, size_t column_ix, struct kernel_group group,
                      size_t first, size_t C, size_t V)
{
    const struct kernel_rows *rows = job->rows;
    size_t step = group.size * KERNEL_LANES, at = job->out_at[0] + first * KERNEL_LANES;
    const float *weights = rows->weights + group.first * rows->n_k * KERNEL_LANES +
                           job->piece.from * step + (first - group.first) * KERNEL_LANES;
    const float *bias = rows->bias + first * KERNEL_LANES;
    float *columns[TILE_COLUMNS];
    const float *x[TILE_COLUMNS], *h[TILE_COLUMNS];
    vf sums[TILE_SUMS];
    EACH (c, C) {
        struct rows_place place = rows_find(job, column_ix + c);
        columns[c] = place.column;
        x[c] = place.x + job->px.from;
        h[c] = place.h + job->ph.from;
        if (job->piece.from == 0)
            EACH (v, V)
                sums[c * V + v] = vf_load(bias + v * KERNEL_LANES);
        else
            EACH (v, V)
                sums[c * V + v] = vf_load(rows_out(job, &place, first + v));
    }
    sum_rows(sums, C, V, weights, group.size, x, job->px.to - job->px.from);
    weights += (job->px.to - job->px.from) * step;
    sum_rows(sums, C, V, weights, group.size, h, job->ph.to - job->ph.from);
    if (!job->whole) {
        rows_put_all(job, column_ix, first, sums, C, V);
        return;
    }
    EACH (c, C)
        EACH (v, V)
            vf_store(columns[c] + at + v * KERNEL_LANES, sums[c * V + v]);
}

/* One instance of the tile for each shape. */
typedef void rows_tile_function(const struct rows_job *job, size_t column_ix,
                                struct kernel_group group, size_t first);
#define ROWS_TILE(C, V)                                                                            \
    static __attribute__((noinline)) void rows_tile_##C##_##V(                                     \
        const struct rows_job *job, size_t column_ix, struct kernel_group group, size_t first)     \
    {                                                                                              \
        rows_tile(job, column_ix, group, first, C, V);                                             \
    }
#define ROWS_TILES(X, C) X(C, 1) X(C, 2) X(C, 3) X(C, 4)
ROWS_TILES(ROWS_TILE, 1)
ROWS_TILES(ROWS_TILE, 2)
ROWS_TILES(ROWS_TILE, 3)
ROWS_TILE(1, 5)
ROWS_TILE(1, 6)
ROWS_TILE(1, 7)
ROWS_TILE(1, 8)
#define ROWS_ENTRY(C, V) [C - 1][V - 1] = rows_tile_##C##_##V,
static rows_tile_function *const rows_tiles[TILE_COLUMNS][KERNEL_GROUP] = {
    ROWS_TILES(ROWS_ENTRY, 1) ROWS_TILES(ROWS_ENTRY, 2) ROWS_TILES(ROWS_ENTRY, 3) ROWS_ENTRY(1, 5)
        ROWS_ENTRY(1, 6) ROWS_ENTRY(1, 7) ROWS_ENTRY(1, 8)};
#undef ROWS_TILE
#undef ROWS_TILES
#undef ROWS_ENTRY

/* All columns of a group; with several columns no more than 4 vectors of it at a time. */
static void rows_group(const struct rows_job *job, struct kernel_group group)
{
    size_t n_halves = job->n_columns > 1 && group.size > KERNEL_GROUP / 2 ? 2 : 1;
    size_t half = (group.size + n_halves - 1) / n_halves;
    for (size_t first = 0, v; first < group.size; first += v) {
        v = group.size - first < half ? group.size - first : half;
        for (size_t c = 0, n; c < job->n_columns; c += n) {
            n = tile_columns(job->n_columns - c);
            rows_tiles[n - 1][v - 1](job, c, group, group.first + first);
        }
    }
}

static void rows_step(struct rows_job *job)
{
    size_t n_vectors = job->rows->n_vectors, n_k = job->rows->n_k;
    job->whole = job->n_rows == 1 && job->n_split == 1;
    for (size_t g = 0; g < kernel_n_groups(n_vectors); g++) {
        struct kernel_group group = kernel_group(n_vectors, g);
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
