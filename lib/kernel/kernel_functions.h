/* kernel_functions.h - functions of one value, eight lanes at a time; part of kernel_body.h.
 *
 * Nothing here asks libm, and a NaN stays a NaN: vf_min and vf_max give their second argument then.
 * What is promised of each of them, against the true value and over all floats, is tested. */

INLINE vf clamp(vf x, float low, float high)
{
    return vf_min(vf_set1(high), vf_max(vf_set1(low), x));
}

/* 2^t = scale 2^f with |f| <= 1/2, t = x * factor in -126.5 .. 128.5; from 127.5 on the scale is
 * infinite.  The magic number rounds t to an integer and has the exponent's bias in its low bits. */
INLINE vf exp2_split(vf x, float factor, vf *ret_scale)
{
    vf magic = vf_set1(0x1.8p23f + 127);
    vf shifted = vf_fma(x, vf_set1(factor), magic);
    *ret_scale = vf_bits(vi_shl(vi_bits(shifted), 23));
    return vf_fma(x, vf_set1(factor), vf_sub(magic, shifted));
}

#define LOG2_E 0x1.715476p+0f

/* Pairs side by side (Estrin), as a timestep waits for these functions. */
INLINE vf polynomial_5(vf x, float c5, float c4, float c3, float c2, float c1, float c0)
{
    vf high = vf_fma(vf_set1(c5), x, vf_set1(c4)), middle = vf_fma(vf_set1(c3), x, vf_set1(c2));
    vf low = vf_fma(vf_set1(c1), x, vf_set1(c0)), square = vf_mul(x, x);
    return vf_fma(vf_fma(high, square, middle), square, low);
}

/* 1 / (1 + exp(-x)).  Within 1.5e-7; 0.5 at 0; exactly 0 below -89 and 1 above 18. */
INLINE vf fn_sigmoid(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    vf scale, f = exp2_split(clamp(x, -89, 87), -LOG2_E, &scale);
    vf p = polynomial_5(f, 0.00132643531008556328f, 0.00967152179581622713f, 0.0555073547690335687f,
                        0.240222419583205829f, 0.693146975772887908f, 1);
    return vf_div(vf_set1(1), vf_fma(p, scale, vf_set1(1)));
}

/* tanh x of 2 x = n ln 2 + 2 y, |y| <= ln 2 / 4, s = 2^n: by the addition of tanh y = u and tanh of
 * the rest, (s - 1) / (s + 1), it is (less + more u) / (more + less u), less = s - 1, more = s + 1. */
struct tanh_parts {
    vf u, less, more, square; /* y^2 */
};

INLINE struct tanh_parts tanh_split(vf x)
{
    vf magic = vf_set1(0x1.8p23f + 127); /* as in exp2_split */
    x = clamp(x, -10, 10);
    vf shifted = vf_fma(x, vf_set1(2 * LOG2_E), magic);
    vf scale = vf_bits(vi_shl(vi_bits(shifted), 23));
    vf y = vf_fma(vf_sub(shifted, magic), vf_set1(-0x1.62e430p-2f), x);
    vf square = vf_mul(y, y);
    vf p = vf_fma(vf_set1(0.13110619179284785f), square, vf_set1(-0.3333127301292149f));
    vf u = vf_fma(vf_mul(square, y), p, y);
    return (struct tanh_parts){u, vf_sub(scale, vf_set1(1)), vf_add(scale, vf_set1(1)), square};
}

/* Within 1.5e-7 and a few ulp; odd, but for the sign of 0; exactly 1 from 10 on. */
INLINE vf fn_tanh(vf x, vf alpha, vf beta)
{
    (void)alpha, (void)beta;
    struct tanh_parts t = tanh_split(x);
    return vf_div(vf_fma(t.u, t.more, t.less), vf_fma(t.u, t.less, t.more));
}

/* flush(tanh x) in fewer operations: if |x| < 2^-60, then y = x, u = x and less = 0, and 0 more makes
 * +0 of it; else y^2 >= 2^-120, or y = 0 and u more is 0 anyway. */
INLINE vf tanh_flushed(vf x)
{
    struct tanh_parts t = tanh_split(x);
    vf more = vf_keep(vf_not_lt(t.square, vf_set1(0x1p-120f)), t.more);
    return vf_div(vf_fma(t.u, more, t.less), vf_fma(t.u, t.less, t.more));
}

/* o tanh x, with nothing left to be done when the division is. */
INLINE vf times_tanh(vf o, vf x)
{
    struct tanh_parts t = tanh_split(x);
    vf above = vf_fma(t.u, vf_mul(o, t.more), vf_mul(o, t.less));
    return vf_div(above, vf_fma(t.u, t.less, t.more));
}

/* ---- exponential and logarithm ------------------------------------------------------------- */

/* x = n ln 2 + r, |r| <= ln 2 / 2, for |x| < 2^21. */
INLINE vi exp_split(vf x, vf *ret_r)
{
    vf magic = vf_set1(0x1.8p23f); /* adding it rounds to an integer, in the low bits */
    vf shifted = vf_fma(x, vf_set1(LOG2_E), magic);
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
    return vf_mul(alpha, fn_tanh(vf_mul(beta, x), x, x));
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
    vf t = fn_tanh(vf_mul(vf_set1(0.797884560802865356f), inner), x, x);
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

INLINE vf op_less(vf a, vf b)
{
    return vf_keep(vf_lt(a, b), vf_set1(1));
}

INLINE vf op_equal(vf a, vf b)
{
    return vf_keep(vf_eq(a, b), vf_set1(1));
}

INLINE vf op_keep(vf a, vf b)
{
    return vf_select(vf_eq(a, vf_set1(0)), vf_set1(0), b);
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
