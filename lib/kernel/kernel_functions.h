/* kernel_functions.h - functions of one value, eight lanes at a time; part of kernel_body.h.
 *
 * Nothing here asks libm, and a NaN stays a NaN: vf_min and vf_max give their second argument then.
 * What is promised of each of them, against the true value and over all floats, is tested. */

/* sigmoid and tanh share a rational minimax of tanh(x) / x, of degree 8/8, found by Remez' exchange
 * on [0, 9.01] and then rounded so that the limits come out exactly. */
#define TANH_LIMIT 9.01f
#define TANH_P0    1.0f
#define TANH_P1    0.133803713271178447f
#define TANH_P2    0.00349481075717047275f
#define TANH_P3    0.0000205962696594598113f
#define TANH_P4    1.33368428456587998e-8f
#define TANH_Q1    0.467136867427306581f
#define TANH_Q2    0.0258740255744809157f
#define TANH_Q3    0.000328436277685458929f
#define TANH_Q4    7.76928073637426407e-7f

INLINE vf clamp(vf x, float low, float high)
{
    return vf_min(vf_set1(high), vf_max(vf_set1(low), x));
}

/* scale tanh(x / divide), divide a power of two: the same bits as with the divisions done. */
INLINE vf tanh_scaled(vf x, float scale, float divide)
{
    float d2 = 1.0f / (divide * divide), d1 = scale / divide;
    x = clamp(x, -TANH_LIMIT * divide, TANH_LIMIT * divide);
    vf u = vf_mul(x, x);
    vf p =
        vf_fma(u, vf_set1(TANH_P4 * d2 * d2 * d2 * d2 * d1), vf_set1(TANH_P3 * d2 * d2 * d2 * d1));
    vf q = vf_fma(u, vf_set1(TANH_Q4 * d2 * d2 * d2 * d2), vf_set1(TANH_Q3 * d2 * d2 * d2));
    p = vf_fma(u, p, vf_set1(TANH_P2 * d2 * d2 * d1));
    q = vf_fma(u, q, vf_set1(TANH_Q2 * d2 * d2));
    p = vf_fma(u, p, vf_set1(TANH_P1 * d2 * d1));
    q = vf_fma(u, q, vf_set1(TANH_Q1 * d2));
    p = vf_fma(u, p, vf_set1(TANH_P0 * d1));
    q = vf_fma(u, q, vf_set1(1.0f));
    return vf_div(vf_mul(x, p), q);
}

/* Within 1.5e-7; odd; exactly 1 from the limit on. */
INLINE vf fn_tanh(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return tanh_scaled(x, 1, 1);
}

/* 1/2 + 1/2 tanh(x / 2).  Within 1.5e-7; exactly 0 and 1 beyond the limits. */
INLINE vf fn_sigmoid(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return vf_add(vf_set1(0.5f), tanh_scaled(x, 0.5f, 2));
}

/* ---- exponential and logarithm ------------------------------------------------------------- */

/* x = n ln 2 + r, |r| <= ln 2 / 2, for |x| < 2^21. */
INLINE vi exp_split(vf x, vf *ret_r)
{
    vf magic = vf_set1(0x1.8p23f); /* adding it rounds to an integer, in the low bits */
    vf shifted = vf_fma(x, vf_set1(0x1.715476p+0f), magic);
    vf n = vf_sub(shifted, magic);
    vf r = vf_fma(n, vf_set1(-0x1.62e400p-1f), x);    /* ln 2 in two parts, */
    *ret_r = vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), r); /* the first short enough to be exact */
    return vi_sub(vi_bits(shifted), vi_bits(magic));
}

INLINE vf exp_two_to(vi n)
{
    return vf_bits(vi_shl(vi_add(n, vi_set1(127)), 23));
}

/* Within 2 ulp; infinite above 88.72, gradual underflow below -87.33, 0 below -103.97. */
INLINE vf fn_exp(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    vf r;
    vi n = exp_split(clamp(x, -104, 89), &r);
    vf p = vf_fma(vf_set1(1.37805939e-3f), r, vf_set1(8.37312452e-3f));
    p = vf_fma(p, r, vf_set1(4.16695364e-2f));
    p = vf_fma(p, r, vf_set1(1.66664720e-1f));
    p = vf_fma(p, r, vf_set1(4.99999851e-1f));
    p = vf_fma(p, r, vf_set1(1));
    p = vf_fma(p, r, vf_set1(1));
    vi half = vi_sar(n, 1); /* in two steps: 2^n itself may be out of range, and */
    return vf_mul(vf_mul(p, exp_two_to(half)), exp_two_to(vi_sub(n, half))); /* one rounding */
}

/* exp(x) - 1 for x <= 0, a few ulp. */
INLINE vf exp_minus_1(vf x)
{
    vf r;
    vi n = exp_split(clamp(x, -30, 0), &r);
    vf p = vf_fma(vf_set1(1.98412698e-4f), r, vf_set1(1.38888889e-3f));
    p = vf_fma(p, r, vf_set1(8.33333333e-3f));
    p = vf_fma(p, r, vf_set1(4.16666667e-2f));
    p = vf_fma(p, r, vf_set1(1.66666667e-1f));
    p = vf_fma(p, r, vf_set1(0.5f));
    p = vf_fma(vf_mul(r, r), p, r);
    vf two_to_n = exp_two_to(n);
    return vf_fma(two_to_n, p, vf_sub(two_to_n, vf_set1(1)));
}

/* A few ulp; log 0 = -inf, of what is negative NaN. */
INLINE vf fn_log(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    vm tiny = vf_lt(x, vf_set1(0x1p-126f));
    vf e = vf_keep(tiny, vf_set1(-23));
    vf v = vf_select(tiny, vf_mul(x, vf_set1(0x1p23f)), x);
    vi bits = vi_bits(v);
    vi n = vi_sar(vi_sub(bits, vi_set1(0x3f2aaaab)), 23); /* v = m 2^n, m in 2/3 .. 4/3 */
    vf f = vf_sub(vf_bits(vi_sub(bits, vi_shl(n, 23))), vf_set1(1));
    e = vf_add(e, vf_from_vi(n));
    vf s = vf_mul(f, f);
    vf r = vf_fma(vf_set1(-0.130310059f), s, vf_set1(-0.121484190f));
    vf t = vf_fma(vf_set1(0.140869141f), s, vf_set1(0.139814854f));
    r = vf_fma(r, s, vf_set1(-0.166846052f));
    t = vf_fma(t, s, vf_set1(0.200120345f));
    r = vf_fma(r, s, vf_set1(-0.249996200f));
    r = vf_fma(t, f, r);
    r = vf_fma(r, f, vf_set1(0.333331972f));
    r = vf_fma(r, f, vf_set1(-0.5f));
    r = vf_fma(r, s, f);
    r = vf_fma(e, vf_set1(0.693147182f), r);
    vf infinity = vf_set1(__builtin_inff());
    r = vf_select(vf_lt(x, infinity), r, vf_add(x, x)); /* inf and NaN stay */
    r = vf_select(vf_eq(x, vf_set1(0)), vf_sub(vf_set1(0), infinity), r);
    return vf_select(vf_lt(x, vf_set1(0)), vf_set1(__builtin_nanf("")), r);
}

/* log(1 + u) = 2 atanh(u / (2 + u)) for 0 <= u <= 1, a few ulp. */
INLINE vf log_of_1_plus(vf u)
{
    vf t = vf_div(u, vf_add(vf_set1(2), u));
    vf s = vf_mul(t, t);
    vf p = vf_fma(vf_set1(0.138308438881619162f), s, vf_set1(0.140403108862501193f));
    p = vf_fma(p, s, vf_set1(0.200080246361773245f));
    p = vf_fma(p, s, vf_set1(0.3333326471966555f));
    t = vf_add(t, t);
    return vf_fma(vf_mul(t, s), p, t);
}

/* max(x, 0) + log(1 + exp(-|x|)), a few ulp. */
INLINE vf fn_softplus(vf x, vf alpha, vf beta)
{
    vf minus = vf_sub(vf_set1(0), vf_abs(x));
    return vf_add(vf_max(vf_set1(0), x), log_of_1_plus(fn_exp(minus, alpha, beta)));
}

/* ---- error function ------------------------------------------------------------------------ */

/* Within 2 ulp: 1 - exp(polynomial) away from 0, x + x polynomial near it. */
INLINE vf fn_erf(vf x, vf alpha, vf beta)
{
    vf t = vf_min(vf_set1(4), vf_abs(x)), s = vf_mul(t, t);
    vf r = vf_fma(vf_set1(-1.72853470e-5f), t, vf_set1(3.83197126e-4f));
    vf u = vf_fma(vf_set1(-3.88396438e-3f), t, vf_set1(2.42546219e-2f));
    r = vf_fma(r, s, u);
    r = vf_fma(r, t, vf_set1(-1.06777877e-1f));
    r = vf_fma(r, t, vf_set1(-6.34846687e-1f));
    r = vf_fma(r, t, vf_set1(-1.28717512e-1f));
    r = vf_fma(r, t, vf_sub(vf_set1(0), t));
    vf far = vf_copysign(vf_sub(vf_set1(1), fn_exp(r, alpha, beta)), x);
    vf p = vf_fma(vf_set1(-5.96761703e-4f), s, vf_set1(4.99119423e-3f));
    p = vf_fma(p, s, vf_set1(-2.67681349e-2f));
    p = vf_fma(p, s, vf_set1(1.12819925e-1f));
    p = vf_fma(p, s, vf_set1(-3.76125336e-1f));
    p = vf_fma(p, s, vf_set1(1.28379166e-1f));
    return vf_select(vf_lt(vf_set1(0.927734375f), t), far, vf_fma(p, x, x));
}

/* ---- the rest is a few operations each ----------------------------------------------------- */

INLINE vf fn_relu(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return vf_max(vf_set1(0), x);
}

INLINE vf fn_affine(vf x, vf alpha, vf beta)
{
    return vf_fma(alpha, x, beta);
}

INLINE vf fn_leaky_relu(vf x, vf alpha, vf beta)
{
    (void)beta;
    return vf_select(vf_lt(x, vf_set1(0)), vf_mul(alpha, x), x);
}

INLINE vf fn_thresholded_relu(vf x, vf alpha, vf beta)
{
    (void)beta;
    return vf_select(vf_lt(x, alpha), vf_set1(0), x);
}

INLINE vf fn_scaled_tanh(vf x, vf alpha, vf beta)
{
    return vf_mul(alpha, tanh_scaled(vf_mul(beta, x), 1, 1));
}

INLINE vf fn_hard_sigmoid(vf x, vf alpha, vf beta)
{
    return clamp(vf_fma(alpha, x, beta), 0, 1);
}

INLINE vf fn_elu(vf x, vf alpha, vf beta)
{
    (void)beta;
    return vf_select(vf_lt(x, vf_set1(0)), vf_mul(alpha, exp_minus_1(x)), x);
}

INLINE vf fn_selu(vf x, vf alpha, vf beta)
{
    return vf_mul(beta, fn_elu(x, alpha, beta));
}

INLINE vf fn_softsign(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return vf_div(x, vf_add(vf_set1(1), vf_abs(x)));
}

INLINE vf fn_identity(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return x;
}

INLINE vf fn_sqrt(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return vf_select(vf_lt(x, vf_set1(0)), vf_set1(__builtin_nanf("")), vf_sqrt(x));
}

INLINE vf fn_abs(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return vf_abs(x);
}

INLINE vf fn_neg(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    return vf_bits(vi_xor(vi_bits(x), vi_set1(INT32_MIN)));
}

INLINE vf fn_gelu(vf x, vf alpha, vf beta)
{
    vf e = fn_erf(vf_mul(x, vf_set1(0.707106781186547524f)), alpha, beta);
    vf half = vf_mul(vf_set1(0.5f), x);
    return vf_fma(half, e, half);
}

INLINE vf fn_gelu_tanh(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    vf cube = vf_mul(vf_mul(x, x), x);
    vf inner = vf_fma(vf_set1(0.044715f), cube, x);
    vf t = tanh_scaled(vf_mul(vf_set1(0.797884560802865356f), inner), 1, 1);
    vf half = vf_mul(vf_set1(0.5f), x);
    return vf_fma(half, t, half);
}

INLINE vf fn_clip(vf x, vf alpha, vf beta)
{
    return vf_min(beta, vf_max(alpha, x));
}

/* ---- operators of two values --------------------------------------------------------------- */

INLINE vf op_prelu(vf a, vf b)
{
    return vf_select(vf_lt(a, vf_set1(0)), vf_mul(a, b), a);
}

INLINE vf op_pow(vf a, vf b)
{
    float x[KERNEL_LANES], y[KERNEL_LANES];
    vf_store(x, a);
    vf_store(y, b);
    for (size_t i = 0; i < KERNEL_LANES; i++)
        x[i] = kernel_pow(x[i], y[i]);
    return vf_load(x);
}

/* ---- loops --------------------------------------------------------------------------------- */

#define UNARY(NAME, name)                                                                          \
    static void unary_##name(const float *x, float *y, size_t n, float alpha, float beta)          \
    {                                                                                              \
        vf a = vf_set1(alpha), b = vf_set1(beta);                                                  \
        for (size_t i = 0; i < n; i += KERNEL_LANES)                                               \
            vf_store(y + i, fn_##name(vf_load(x + i), a, b));                                      \
    }
KERNEL_FUNCTIONS(UNARY)
#undef UNARY

#define op_add vf_add
#define op_sub vf_sub
#define op_mul vf_mul
#define op_div vf_div
#define op_max vf_max
#define op_min vf_min
#define BINARY(NAME, name)                                                                         \
    static void binary_##name(const float *a, const float *b, float *y, size_t n)                  \
    {                                                                                              \
        for (size_t i = 0; i < n; i += KERNEL_LANES)                                               \
            vf_store(y + i, op_##name(vf_load(a + i), vf_load(b + i)));                            \
    }
KERNEL_OPERATORS(BINARY)
#undef BINARY

/* In the order of their enums. */
#define UNARY_ENTRY(NAME, name)  [KERNEL_##NAME] = unary_##name,
#define BINARY_ENTRY(NAME, name) [KERNEL_##NAME] = binary_##name,

static void (*const unary_table[])(const float *, float *, size_t, float,
                                   float) = {KERNEL_FUNCTIONS(UNARY_ENTRY)};

/* A gate's function by table; vectors travel through memory, so that there is one copy of each. */
static vf apply(const struct kernel_activation *activation, vf x)
{
    float v[KERNEL_LANES];
    vf_store(v, x);
    unary_table[activation->function](v, v, KERNEL_LANES, activation->alpha, activation->beta);
    return vf_load(v);
}
