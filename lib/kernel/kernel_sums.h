/* kernel_sums.h - matrix-vector sums for a tile of columns; part of kernel_body.h.
 *
 *     weights  [k][vectors][8]  ----->  sum[column][vector] += weight * value[column][k]
 *
 * A tile is as many sums as registers hold: for one column 8 to 12 vectors, so that the latency of
 * fma is hidden; for several, 3 columns share each weight that is loaded.  C, N, .. are constants
 * wherever this is inlined, so all loops but that over k vanish; of that, four rounds are one, which
 * made panels up to 8 % faster.  The order over k is never changed: where a panel of weights outgrows
 * a core's own caches, k goes in pieces and the sums wait between them in the tensors that they are
 * to become.  (Weights of a tile of 3 columns come as fast from the second cache as from the first;
 * pieces of 24 KiB were 2 to 6 % slower than those of 48.) */

#define TILE_COLUMNS 3     /* columns of a tile of 4 vectors; of fewer, up to TILE_SUMS */
#define TILE_SUMS    12    /* vectors of sums in a tile */
#define PIECE_FLOATS 12288 /* weights of a piece: 48 KiB stay in a core's own caches */

enum { SUM_ROUNDS = VOCABULARY_ROUNDS }; /* over k, that are one */

/* A loop over a constant few, to be unrolled whole. */
#define EACH(i, n) _Pragma("GCC unroll 16") for (size_t i = 0; i < (n); i++)

/* What the compiler has made of this variable so far (a dozen addresses) shall not be kept in
 * registers that the loop over k before this needs. */
#define FORGET(v) __asm__("" : "+r"(v))

/* n_k of a group that is laid out [k][size]: vectors first .. first + V - 1 of it, C columns.  What
 * there is less of, values or weights, is held in registers while the other passes. */
INLINE void sum_rows(vf *sums, size_t C, size_t V, const float *weights, size_t size,
                     const float *const *values, size_t n_k)
{
#pragma GCC unroll SUM_ROUNDS
    for (size_t k = 0; k < n_k; k++, weights += size * KERNEL_LANES) {
        vf held[TILE_SUMS];
        if (C <= V) {
            EACH (c, C)
                held[c] = vf_set1(values[c][k]);
            EACH (v, V) {
                vf weight = vf_load(weights + v * KERNEL_LANES);
                EACH (c, C)
                    sums[c * V + v] = vf_fma(weight, held[c], sums[c * V + v]);
            }
        } else {
            EACH (v, V)
                held[v] = vf_load(weights + v * KERNEL_LANES);
            EACH (c, C) {
                vf value = vf_set1(values[c][k]);
                EACH (v, V)
                    sums[c * V + v] = vf_fma(held[v], value, sums[c * V + v]);
            }
        }
    }
}

/* The same of a whole group for one column whose weights are in the first cache: there the loads of
 * values, one for 8 of weights, are a ninth of the time. */
INLINE void sum_group(vf *sums, size_t V, const float *weights, const float *values, size_t n_k)
{
    size_t k = 0;
    for (; k + 4 <= n_k; k += 4, weights += 4 * V * KERNEL_LANES) {
        vf four = vf_load4(values + k);
#define SUM_LANE(i)                                                                                \
    EACH (v, V)                                                                                    \
        sums[v] = vf_fma(vf_load(weights + ((i)*V + v) * KERNEL_LANES), vf_lane(four, i), sums[v]);
        SUM_LANE(0)
        SUM_LANE(1)
        SUM_LANE(2)
        SUM_LANE(3)
#undef SUM_LANE
    }
    values += k;
    sum_rows(sums, 1, V, weights, V, &values, n_k - k);
}

/* n_k of N blocks of units, `block_step` floats apart, each laid out [k][G gates]; C columns; behind
 * them, of one column, T vectors laid out [k][T]. */
INLINE void sum_gates(vf *sums, size_t C, size_t N, size_t G, size_t T, const float *weights,
                      size_t block_step, const float *tail, const float *const *values, size_t n_k)
{
#pragma GCC unroll SUM_ROUNDS
    for (size_t k = 0; k < n_k; k++, weights += G * KERNEL_LANES) {
        vf value[TILE_COLUMNS];
        EACH (c, C)
            value[c] = vf_set1(values[c][k]);
        EACH (n, N)
            EACH (g, G) {
                vf weight = vf_load(weights + n * block_step + g * KERNEL_LANES);
                EACH (c, C)
                    sums[(c * N + n) * G + g] = vf_fma(weight, value[c], sums[(c * N + n) * G + g]);
            }
        EACH (t, T)
            sums[N * G + t] = vf_fma(vf_load(tail + t * KERNEL_LANES), value[0], sums[N * G + t]);
        if (T > 0)
            tail += T * KERNEL_LANES;
    }
}

/* The part of k that lies in [from, to) of a matrix's X + H inputs, as the two vectors' shares. */
struct piece {
    size_t from, to;
};

INLINE size_t piece_length(size_t n_k, size_t row_floats, size_t n_columns)
{
    size_t n = PIECE_FLOATS / row_floats;
    n = n < 32 ? 32 : n;
    return n_columns <= TILE_COLUMNS || n_k <= n + n / 2 ? n_k : n;
}

/* Blocks whose pieces of weights stay in those caches together: their outputs lie side by side
 * and fill lines that would else be fetched once for each. */
INLINE size_t piece_blocks(size_t n_left, size_t length, size_t row_floats)
{
    size_t n = PIECE_FLOATS / (length * row_floats);
    n = n < 1 ? 1 : n;
    return n < n_left ? n : n_left;
}

INLINE struct piece piece_next(struct piece done, size_t length, size_t n_k)
{
    return (struct piece){done.to, n_k - done.to < length ? n_k : done.to + length};
}

INLINE struct piece piece_cut(struct piece piece, size_t from, size_t to)
{
    size_t a = piece.from < from ? from : piece.from > to ? to : piece.from;
    size_t b = piece.to < from ? from : piece.to > to ? to : piece.to;
    return (struct piece){a - from, b - from};
}

/* Columns of the next tile: 3, but rather 2 and 2 than 3 and 1. */
INLINE size_t tile_columns(size_t n_left)
{
    return n_left == 4 || n_left == 2 ? 2 : n_left < TILE_COLUMNS ? n_left : TILE_COLUMNS;
}

/* Blocks of units of the next tile for one column: 2, and the last 3 together. */
INLINE size_t tile_blocks(size_t n_left, size_t usual)
{
    return n_left == 3 || n_left < usual ? n_left : n_left == 4 ? 2 : usual;
}

/* ---- what happens to sums ------------------------------------------------------------------ */

/* Smaller than 2^-60: +0, so that no state ever becomes denormal. */
INLINE vf flush(vf x)
{
    return vf_keep(vf_not_lt(vf_abs(x), vf_set1(0x1p-60f)), x);
}

INLINE vf clip_sum(vf z, float limit)
{
    return clamp(z, -limit, limit);
}
