/* kernel_whiten.h - how far a vector is from a mean, in a covariance; part of kernel_body.h.
 *
 *     block b: rows 8b .. 8b + 7 of a lower triangle, weights [8 (b + 1)][8]
 *
 * Four blocks go together: a value is spread over the lanes once for all of them, and their eight
 * sums, of even and of odd columns, are as many as fma are in flight. */

#define WHITEN_BLOCKS 4

/* Columns [from, to) of N blocks. */
INLINE void whiten_columns(vf (*sums)[2], size_t N, const float *const *blocks, const float *x,
                           size_t from, size_t to)
{
    for (size_t j = from; j < to; j += KERNEL_LANES)
        EACH (k, KERNEL_LANES) {
            vf value = vf_set1(x[j + k]);
            EACH (n, N) {
                vf weight = vf_load(blocks[n] + (j + k) * KERNEL_LANES);
                sums[n][k % 2] = vf_fma(weight, value, sums[n][k % 2]);
            }
        }
}

/* N blocks, from row `row` on.  Returns where the weights of the next are. */
INLINE const float *whiten_rows(const float *weights, size_t N, const float *x, size_t row,
                                vf *squares, float *ret_y)
{
    const float *blocks[WHITEN_BLOCKS + 1] = {weights};
    vf sums[WHITEN_BLOCKS][2];
    EACH (n, N) {
        blocks[n + 1] = blocks[n] + (row + (n + 1) * KERNEL_LANES) * KERNEL_LANES;
        sums[n][0] = sums[n][1] = vf_set1(0);
    }
    EACH (n, N) {
        size_t to = row + (n + 1) * KERNEL_LANES;
        whiten_columns(sums + n, N - n, blocks + n, x, n == 0 ? 0 : to - KERNEL_LANES, to);
    }
    EACH (n, N) {
        vf y = vf_add(sums[n][0], sums[n][1]);
        squares[n] = vf_fma(y, y, squares[n]);
        if (ret_y != NULL)
            vf_store(ret_y + row + n * KERNEL_LANES, y);
    }
    return blocks[N];
}

static double whiten_step(const float *weights, const float *mean, float *x, size_t n, float *ret_y)
{
    vf squares[WHITEN_BLOCKS];
    float lanes[KERNEL_LANES];
    size_t row = 0;
    EACH (k, WHITEN_BLOCKS)
        squares[k] = vf_set1(0);
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        vf_store(x + i, vf_sub(vf_load(x + i), vf_load(mean + i)));
    for (; row + WHITEN_BLOCKS * KERNEL_LANES <= n; row += WHITEN_BLOCKS * KERNEL_LANES)
        weights = whiten_rows(weights, WHITEN_BLOCKS, x, row, squares, ret_y);
    for (; row + 2 * KERNEL_LANES <= n; row += 2 * KERNEL_LANES)
        weights = whiten_rows(weights, 2, x, row, squares, ret_y);
    if (row < n)
        whiten_rows(weights, 1, x, row, squares, ret_y);
    vf_store(lanes, vf_add(vf_add(squares[0], squares[1]), vf_add(squares[2], squares[3])));
    EACH (k, 4)
        lanes[k] += lanes[k + 4];
    return ((double)lanes[0] + (double)lanes[2]) + ((double)lanes[1] + (double)lanes[3]);
}
