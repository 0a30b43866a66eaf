/* kernel_reduce.h - sums and maxima over a line, softmax, normalisation; part of kernel_body.h.
 *
 * The order depends on n alone: lane l gathers values l, l + 8, l + 16 .., then the lanes are
 * joined as a tree, ((0 4) (2 6)) ((1 5) (3 7)). */

/* Values i .. i + 7 of a line of n that lie `inner` apart; `fill` behind the end. */
INLINE vf line_load(const float *x, size_t i, size_t n, size_t inner, float fill)
{
    if (inner == 1 && n - i >= KERNEL_LANES)
        return vf_load(x + i);
    float v[KERNEL_LANES];
    for (size_t l = 0; l < KERNEL_LANES; l++)
        v[l] = i + l < n ? x[(i + l) * inner] : fill;
    return vf_load(v);
}

INLINE void line_store(float *y, size_t i, size_t n, size_t inner, vf value)
{
    if (inner == 1 && n - i >= KERNEL_LANES) {
        vf_store(y + i, value);
        return;
    }
    float v[KERNEL_LANES];
    vf_store(v, value);
    for (size_t l = 0; l < KERNEL_LANES && i + l < n; l++)
        y[(i + l) * inner] = v[l];
}

#define JOIN(name, op)                                                                             \
    INLINE vf join_##name(vf x)                                                                    \
    {                                                                                              \
        float v[KERNEL_LANES * 2] = {0};                                                           \
        for (size_t n = KERNEL_LANES / 2; n > 0; n /= 2) {                                         \
            vf_store(v, x);                                                                        \
            x = op(x, vf_load(v + n));                                                             \
        }                                                                                          \
        vf_store(v, x);                                                                            \
        return vf_set1(v[0]);                                                                      \
    }
JOIN(sum, vf_add)
JOIN(max, vf_max)
JOIN(min, vf_min)
#undef JOIN

INLINE vf line_sum(const float *x, size_t n, size_t inner)
{
    vf sum = vf_set1(0);
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        sum = vf_add(sum, line_load(x, i, n, inner, 0));
    return join_sum(sum);
}

INLINE vf line_max(const float *x, size_t n, size_t inner)
{
    vf max = vf_set1(-__builtin_inff());
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        max = vf_max(max, line_load(x, i, n, inner, -__builtin_inff()));
    return join_max(max);
}

INLINE void line_put(float *y, vf value)
{
    float v[KERNEL_LANES];
    vf_store(v, value);
    y[0] = v[0];
}

static void reduce_sum(const float *x, float *y, size_t n, size_t inner)
{
    line_put(y, line_sum(x, n, inner));
}

static void reduce_mean(const float *x, float *y, size_t n, size_t inner)
{
    line_put(y, vf_div(line_sum(x, n, inner), vf_set1((float)n)));
}

static void reduce_max(const float *x, float *y, size_t n, size_t inner)
{
    line_put(y, line_max(x, n, inner));
}

static void reduce_min(const float *x, float *y, size_t n, size_t inner)
{
    vf min = vf_set1(__builtin_inff());
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        min = vf_min(min, line_load(x, i, n, inner, __builtin_inff()));
    line_put(y, join_min(min));
}

/* exp(x - max) into y; returns their sum. */
INLINE vf softmax_sum(const float *x, float *y, size_t n, size_t inner, vf max)
{
    vf sum = vf_set1(0);
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        vf v = vf_sub(line_load(x, i, n, inner, -__builtin_inff()), max);
        v = fn_exp(v, v, v);
        line_store(y, i, n, inner, v);
        sum = vf_add(sum, v);
    }
    return join_sum(sum);
}

static void reduce_softmax(const float *x, float *y, size_t n, size_t inner)
{
    vf sum = softmax_sum(x, y, n, inner, line_max(x, n, inner));
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        line_store(y, i, n, inner, vf_div(line_load(y, i, n, inner, 0), sum));
}

static void reduce_log_softmax(const float *x, float *y, size_t n, size_t inner)
{
    vf max = line_max(x, n, inner);
    vf sum = softmax_sum(x, y, n, inner, max);
    sum = fn_log(sum, sum, sum);
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        line_store(y, i, n, inner, vf_sub(vf_sub(line_load(x, i, n, inner, 0), max), sum));
}

static void norm_step(const float *x, float *y, size_t n, float epsilon, const float *scale,
                      const float *bias)
{
    vf mean = vf_div(line_sum(x, n, 1), vf_set1((float)n));
    vf squares = vf_set1(0);
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        vf v = vf_sub(line_load(x, i, n, 1, 0), mean);
        if (n - i < KERNEL_LANES) { /* nothing from behind the end */
            float lanes[KERNEL_LANES];
            vf_store(lanes, v);
            v = line_load(lanes, 0, n - i, 1, 0);
        }
        squares = vf_fma(v, v, squares);
    }
    vf variance = vf_div(join_sum(squares), vf_set1((float)n));
    vf factor = vf_div(vf_set1(1), vf_sqrt(vf_add(variance, vf_set1(epsilon))));
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        vf v = vf_mul(vf_sub(line_load(x, i, n, 1, 0), mean), factor);
        v = vf_fma(v, line_load(scale, i, n, 1, 0), line_load(bias, i, n, 1, 0));
        line_store(y, i, n, 1, v);
    }
}
