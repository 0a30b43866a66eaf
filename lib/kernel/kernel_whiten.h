/* kernel_whiten.h - how long a vector is in a covariance; part of kernel_body.h.
 *
 *     vector of weights:  rows r and r + 4, four columns      two halves of four such are a block
 *     values:             four, spread over both rows
 *
 * Weights are read in the order of memory.  Three blocks go together: twelve sums, each of every
 * fourth column of a row, are more than fma are in flight.  A group begins with few of them, at its
 * corner of the triangle, while the one before ends with all. */

#define WHITEN_VECTORS 4 /* of half a block */

/* Four columns of a block.  first: there are no sums yet. */
INLINE void whiten_half(vf *sums, const float *weights, vf values, bool first)
{
    EACH (r, WHITEN_VECTORS) {
        vf weight = vf_load(weights + r * KERNEL_LANES);
        sums[r] = first ? vf_mul(weight, values) : vf_fma(weight, values, sums[r]);
    }
}

/* A column of N blocks, at `x` of the values.  corner: the first of them is of the diagonal.
 * Returns where the weights of the next column are. */
INLINE const float *whiten_column(vf (*sums)[WHITEN_VECTORS], size_t N, const float *weights,
                                  const float *x, bool corner)
{
    size_t half = WHITEN_VECTORS * KERNEL_LANES;
    EACH (k, 2) {
        vf values = vf_load4(x + 4 * k);
        EACH (n, N)
            whiten_half(sums[n], weights + (2 * n + k) * half, values, corner && n + k == 0);
    }
    return weights + 2 * N * half;
}

/* A group of N blocks, which begins at row `row`.  Returns where the weights of the next are. */
INLINE const float *whiten_group(const float *weights, size_t N, const float *x, size_t row,
                                 vf *squares)
{
    vf sums[KERNEL_WHITEN_BLOCKS][WHITEN_VECTORS];
    EACH (n, N) {
        size_t top = N - 1 - n;
        weights = whiten_column(sums + top, n + 1, weights, x + row + top * KERNEL_LANES, true);
    }
    for (size_t to = row; to > 0; to -= KERNEL_LANES)
        weights = whiten_column(sums, N, weights, x + to - KERNEL_LANES, false);
    EACH (n, N) {
        vf y = vf_pairs(vf_pairs(sums[n][0], sums[n][1]), vf_pairs(sums[n][2], sums[n][3]));
        squares[n] = vf_fma(y, y, squares[n]);
    }
    return weights;
}

static double whiten_step(const float *weights, const float *x, size_t n)
{
    vf none = vf_set1(0), squares[KERNEL_WHITEN_BLOCKS] = {none, none, none};
    size_t size = KERNEL_WHITEN_BLOCKS * KERNEL_LANES;
    float lanes[KERNEL_LANES];
    for (; n >= size; n -= size)
        weights = whiten_group(weights, KERNEL_WHITEN_BLOCKS, x, n - size, squares);
    if (n == 2 * KERNEL_LANES)
        whiten_group(weights, 2, x, 0, squares);
    else if (n == KERNEL_LANES)
        whiten_group(weights, 1, x, 0, squares);
    vf sum = vf_add(vf_add(squares[0], squares[1]), squares[2]);
    sum = vf_pairs(sum, sum);
    vf_store(lanes, vf_pairs(sum, sum));
    return (double)lanes[0] + (double)lanes[4];
}
