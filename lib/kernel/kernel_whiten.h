/* kernel_whiten.h - a lower triangle times a vector, and the length of the result; part of
 * kernel_body.h.
 *
 *     block b: rows 8b .. 8b + 7, weights [8 (b + 1)][8]     eight sums, as eight fma are in flight */

INLINE vf whiten_block(const float *weights, const float *x, size_t n_columns)
{
    vf sums[KERNEL_LANES];
    EACH (k, KERNEL_LANES)
        sums[k] = vf_set1(0);
    for (size_t j = 0; j < n_columns; j += KERNEL_LANES)
        EACH (k, KERNEL_LANES) {
            vf weight = vf_load(weights + (j + k) * KERNEL_LANES);
            sums[k] = vf_fma(weight, vf_set1(x[j + k]), sums[k]);
        }
    EACH (k, 4)
        sums[k] = vf_add(sums[k], sums[k + 4]);
    return vf_add(vf_add(sums[0], sums[2]), vf_add(sums[1], sums[3]));
}

static double whiten_step(const float *weights, const float *x, size_t n, float *ret_y)
{
    vf squares = vf_set1(0);
    float lanes[KERNEL_LANES];
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        vf y = whiten_block(weights, x, i + KERNEL_LANES);
        squares = vf_fma(y, y, squares);
        weights += (i + KERNEL_LANES) * KERNEL_LANES;
        if (ret_y != NULL)
            vf_store(ret_y + i, y);
    }
    vf_store(lanes, squares);
    double sum = 0;
    for (size_t k = 0; k < KERNEL_LANES; k++)
        sum += (double)lanes[k];
    return sum;
}
