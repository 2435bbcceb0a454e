/* Vector arithmetic for one instruction set and real type; see isa.h. No include guard on purpose.
 *
 * v_fma is fused where the machine can, and exp and log use tables where the machine can look them up
 * at once, so results may differ in the last place from one instruction set to another. (An exp with
 * the same bits on AVX2 and AVX-512 took 1.6 times as long.)
 */
#define VEC SK_(vec)
#define IVEC SK_(ivec)
#if SK_VBYTES / (SK_IS_DOUBLE + 1) == 64
#define SK_LANES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#elif SK_VBYTES / (SK_IS_DOUBLE + 1) == 32
#define SK_LANES 0, 1, 2, 3, 4, 5, 6, 7
#elif SK_VBYTES / (SK_IS_DOUBLE + 1) == 16
#define SK_LANES 0, 1, 2, 3
#elif SK_VBYTES / (SK_IS_DOUBLE + 1) == 8
#define SK_LANES 0, 1
#endif
#if SK_VBYTES
typedef SK_REAL VEC __attribute__((vector_size(SK_VBYTES)));
typedef SK_INT IVEC __attribute__((vector_size(SK_VBYTES)));
enum { SK_(lanes) = SK_VBYTES / sizeof(SK_REAL) };
SK_INLINE VEC SK_(v_set)(SK_REAL a) { return a - (VEC){0}; }
SK_INLINE IVEC SK_(v_bits)(VEC a) { return (IVEC)a; }
SK_INLINE VEC SK_(v_real)(IVEC a) { return (VEC)a; }
SK_INLINE IVEC SK_(v_gt)(VEC a, VEC b) { return a > b; }
#else
typedef SK_REAL VEC;
typedef SK_INT IVEC;
enum { SK_(lanes) = 1 };
SK_INLINE VEC SK_(v_set)(SK_REAL a) { return a; }
SK_INLINE IVEC SK_(v_bits)(VEC a) { IVEC b; memcpy(&b, &a, sizeof b); return b; }
SK_INLINE VEC SK_(v_real)(IVEC a) { VEC b; memcpy(&b, &a, sizeof b); return b; }
SK_INLINE IVEC SK_(v_gt)(VEC a, VEC b) { return -(IVEC)(a > b); }
#endif

/* The W x W matrix with rows a, transposed in place: a butterfly that swaps its off-diagonal blocks
 * of 1, 2, 4 ... lanes. Where the compiler has no general shuffle, SK_HAVE_TRANSPOSE is 0. */
#if SK_HAVE_TRANSPOSE && SK_VBYTES
SK_INLINE void SK_(v_transpose)(VEC *a) {
    const IVEC lane = {SK_LANES};
    SK_UNROLL
    for (int step = 1; step < SK_(lanes); step *= 2) {
        const IVEC odd = ((lane & step) != 0) & (SK_(lanes) - step);
        SK_UNROLL
        for (int i = 0; i < SK_(lanes); i++)
            if (!(i & step)) {
                VEC low = __builtin_shuffle(a[i], a[i + step], lane + odd);
                a[i + step] = __builtin_shuffle(a[i], a[i + step], lane + step + odd);
                a[i] = low;
            }
    }
}
#endif

/* a where the mask is set, b elsewhere */
SK_INLINE VEC SK_(v_blend)(IVEC mask, VEC a, VEC b) {
    return SK_(v_real)((mask & SK_(v_bits)(a)) | (~mask & SK_(v_bits)(b)));
}

/* c where a > b, d elsewhere */
SK_INLINE VEC SK_(v_pick)(VEC a, VEC b, VEC c, VEC d) {
#if SK_VBYTES == 64 && SK_IS_DOUBLE
    return (VEC)_mm512_mask_blend_pd(_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GT_OQ), (__m512d)d, (__m512d)c);
#elif SK_VBYTES == 64
    return (VEC)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ), (__m512)d, (__m512)c);
#else
    return SK_(v_blend)(SK_(v_gt)(a, b), c, d);
#endif
}

/* a * b + c; the larger of a and b, and b where one of them is NaN; square root */
#if SK_VBYTES == 64 && SK_IS_DOUBLE
SK_INLINE VEC SK_(v_fma)(VEC a, VEC b, VEC c) { return (VEC)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
SK_INLINE VEC SK_(v_max)(VEC a, VEC b) { return (VEC)_mm512_max_pd((__m512d)a, (__m512d)b); }
SK_INLINE VEC SK_(v_sqrt)(VEC a) { return (VEC)_mm512_sqrt_pd((__m512d)a); }
#elif SK_VBYTES == 64
SK_INLINE VEC SK_(v_fma)(VEC a, VEC b, VEC c) { return (VEC)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
SK_INLINE VEC SK_(v_max)(VEC a, VEC b) { return (VEC)_mm512_max_ps((__m512)a, (__m512)b); }
SK_INLINE VEC SK_(v_sqrt)(VEC a) { return (VEC)_mm512_sqrt_ps((__m512)a); }
#elif SK_VBYTES == 32 && SK_IS_DOUBLE
SK_INLINE VEC SK_(v_fma)(VEC a, VEC b, VEC c) { return (VEC)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
SK_INLINE VEC SK_(v_max)(VEC a, VEC b) { return (VEC)_mm256_max_pd((__m256d)a, (__m256d)b); }
SK_INLINE VEC SK_(v_sqrt)(VEC a) { return (VEC)_mm256_sqrt_pd((__m256d)a); }
#elif SK_VBYTES == 32
SK_INLINE VEC SK_(v_fma)(VEC a, VEC b, VEC c) { return (VEC)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
SK_INLINE VEC SK_(v_max)(VEC a, VEC b) { return (VEC)_mm256_max_ps((__m256)a, (__m256)b); }
SK_INLINE VEC SK_(v_sqrt)(VEC a) { return (VEC)_mm256_sqrt_ps((__m256)a); }
#else
SK_INLINE VEC SK_(v_fma)(VEC a, VEC b, VEC c) { return a * b + c; }
SK_INLINE VEC SK_(v_max)(VEC a, VEC b) { return SK_(v_blend)(SK_(v_gt)(a, b), a, b); }
SK_INLINE VEC SK_(v_sqrt)(VEC a) {
    for (int i = 0; i < SK_(lanes); i++) ((SK_REAL *)&a)[i] = (SK_REAL)sqrt((double)((SK_REAL *)&a)[i]);
    return a;
}
#endif

#if SK_IS_DOUBLE
#define SK_MAGIC 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer in the low bits */
#define SK_MANTISSA 52
#define SK_BIAS 1023
#define SK_EXP_MIN -708.0
#define SK_LN2_HI 0.693145751953125
#define SK_LN2_LO 1.42860682030941723212e-6
#else
#define SK_MAGIC 12582912.0f
#define SK_MANTISSA 23
#define SK_BIAS 127
#define SK_EXP_MIN -87.0f
#define SK_LN2_HI 0.693359375f
#define SK_LN2_LO -2.12194440054690583e-4f
#endif
#define SK_STEP(c) p = SK_(v_fma)(p, r, SK_(v_set)((SK_REAL)(c)))

/* exp(x) for x <= 0, to about one unit in the last place; 0 below SK_EXP_MIN, NaN for NaN. */
#if SK_VBYTES == 64
/* exp(x) = 2^(n / 16) (1 + r + r^2 p(r)), |r| <= ln(2) / 32, with 2^(i / 16), i < 16, from a table
 * in one register or two: half the work of the other way below. Entry i has i / 16 taken off its
 * exponent, where n, shifted into place, puts it back. p as below, relative error 3e-17 and 5e-9.
 * ln(2) in one number brings an error of 3e-17 |x|, and 3e-9 |x|: less than the rounding of x. */
static const SK_INT SK_(exp_table)[16] = {
#if SK_IS_DOUBLE
    0x3ff0000000000000, 0x3fefb5586cf9890f, 0x3fef72b83c7d517b, 0x3fef387a6e756238,
    0x3fef06fe0a31b715, 0x3feedea64c123422, 0x3feebfdad5362a27, 0x3feeab07dd485429,
    0x3feea09e667f3bcd, 0x3feea11473eb0187, 0x3feeace5422aa0db, 0x3feec49182a3f090,
    0x3feee89f995ad3ad, 0x3fef199bdd85529c, 0x3fef5818dcfba487, 0x3fefa4afa2a490da
#else
    0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7,
    0x3f75583f, 0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf,
    0x3f7ac0c7, 0x3f7d257d
#endif
};
SK_INLINE VEC SK_(v_exp)(VEC x) {
    IVEC table[16 / SK_(lanes)];
    memcpy(table, SK_(exp_table), sizeof table);
    VEC t = SK_(v_fma)(x, SK_(v_set)((SK_REAL)(16 * 1.44269504088896341)), SK_(v_set)(SK_MAGIC));
    VEC n = t - SK_(v_set)(SK_MAGIC);
    VEC r = SK_(v_fma)(n, SK_(v_set)((SK_REAL)(-0.693147180559945309 / 16)), x), r2 = r * r;
#if SK_IS_DOUBLE
    __mmask8 keep = _mm512_cmp_pd_mask((__m512d)x, _mm512_set1_pd(SK_EXP_MIN), _CMP_NLT_UQ);
    IVEC entry = (IVEC)_mm512_permutex2var_epi64((__m512i)table[0], (__m512i)t, (__m512i)table[1]);
    __m512d scale = (__m512d)((SK_(v_bits)(t) << (SK_MANTISSA - 4)) + entry);
    VEC a0 = SK_(v_fma)(r, SK_(v_set)(0.1666666666530169), SK_(v_set)(0.5));
    VEC a1 = SK_(v_fma)(r, SK_(v_set)(0.008333449701253456), SK_(v_set)(0.04166666666496045));
    a1 = SK_(v_fma)(r2, SK_(v_set)(0.001388903434859959), a1);
    VEC p = SK_(v_fma)(r2, SK_(v_fma)(r2, a1, a0), r);
    return (VEC)_mm512_maskz_fmadd_pd(keep, (__m512d)p, scale, scale);
#else
    __mmask16 keep = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(SK_EXP_MIN), _CMP_NLT_UQ);
    IVEC entry = (IVEC)_mm512_permutexvar_epi32((__m512i)t, (__m512i)table[0]);
    __m512 scale = (__m512)((SK_(v_bits)(t) << (SK_MANTISSA - 4)) + entry);
    VEC p = SK_(v_fma)(r2, SK_(v_fma)(r, SK_(v_set)(0.16666862f), SK_(v_set)(0.50000978f)), r);
    return (VEC)_mm512_maskz_fmadd_ps(keep, (__m512)p, scale, scale);
#endif
}
#else
/* exp(x) = 2^n (1 + r + r^2 p(r)), |r| <= ln(2)/2; p interpolates (exp(r) - 1 - r) / r^2 at
 * Chebyshev nodes, relative error 1.7e-17 (double) and 1e-8 (float). */
SK_INLINE VEC SK_(v_exp)(VEC x) {
    IVEC keep = ~SK_(v_gt)(SK_(v_set)(SK_EXP_MIN), x);
    x = SK_(v_max)(SK_(v_set)(SK_EXP_MIN), x);
    VEC t = SK_(v_fma)(x, SK_(v_set)((SK_REAL)1.44269504088896341), SK_(v_set)(SK_MAGIC));
    VEC n = t - SK_(v_set)(SK_MAGIC);
    VEC r = SK_(v_fma)(n, SK_(v_set)(-SK_LN2_LO), SK_(v_fma)(n, SK_(v_set)(-SK_LN2_HI), x));
#if SK_IS_DOUBLE
    VEC r2 = r * r, r4 = r2 * r2; /* Estrin's scheme: short chains */
    VEC a0 = SK_(v_fma)(r, SK_(v_set)(1.6666666666666667453e-1), SK_(v_set)(0.5));
    VEC a1 = SK_(v_fma)(r, SK_(v_set)(8.3333333333000618325e-3), SK_(v_set)(4.1666666666624127873e-2));
    VEC a2 = SK_(v_fma)(r, SK_(v_set)(1.9841269863053616878e-4), SK_(v_set)(1.3888888917213716901e-3));
    VEC a3 = SK_(v_fma)(r, SK_(v_set)(2.7557268459997064772e-6), SK_(v_set)(2.4801521295954375131e-5));
    VEC a4 = SK_(v_fma)(r, SK_(v_set)(2.5100385495510319078e-8), SK_(v_set)(2.7620088445409748161e-7));
    VEC p = SK_(v_fma)(r4, SK_(v_fma)(r4, a4, SK_(v_fma)(r2, a3, a2)), SK_(v_fma)(r2, a1, a0));
#else
    VEC p = SK_(v_set)(1.3926183587713491e-3f);
    SK_STEP(8.3631790527225774e-3);
    SK_STEP(4.1666554617204574e-2);
    SK_STEP(1.6666576986989876e-1);
    SK_STEP(0.5);
#endif
    p = SK_(v_set)(1) + SK_(v_fma)(r * r, p, r);
    IVEC scale = (SK_(v_bits)(t) << SK_MANTISSA) + ((IVEC){0} + ((SK_INT)SK_BIAS << SK_MANTISSA));
    return SK_(v_real)(keep & SK_(v_bits)(p * SK_(v_real)(scale)));
}
#endif

#if SK_VBYTES == 64 && SK_IS_DOUBLE
/* log(x) for normal x > 0: x = 2^n m, m in [0.703, 1.406], log(m) = log(1 + r) - log(c), r = m c - 1; 1 / c is the
 * middle of one of 16 intervals, and c and -log(c) come from tables in two registers each. log(1 + r) =
 * r + r^2 p(r), |r| <= 1 / 32, relative error 2e-17. In the interval around 1 it is c = 1, so that nothing
 * cancels. Without the division of the other way below it takes half as long. */
static const double SK_(log_table)[2][16] = {
    {1 / 0.71875, 1 / 0.75, 1 / 0.78125, 1 / 0.8125, 1 / 0.84375, 1 / 0.875, 1 / 0.90625, 1 / 0.9375,
     1 / 0.96875, 1, 1 / 1.0625, 1 / 1.125, 1 / 1.1875, 1 / 1.25, 1 / 1.3125, 1 / 1.375},
    {-0.3302416868705768, -0.28768207245178085, -0.2468600779315258, -0.20763936477824455,
     -0.16989903679539742, -0.13353139262452257, -0.09844007281325251, -0.06453852113757116,
     -0.03174869831458027, 0, 0.060624621816434854, 0.11778303565638351,
     0.17185025692665928, 0.2231435513142097, 0.2719337154836418, 0.3184537311185346}};
SK_INLINE VEC SK_(v_log)(VEC x) {
    VEC table[4];
    memcpy(table, SK_(log_table), sizeof table);
    IVEC t = SK_(v_bits)(x) - 0x3fe6800000000000, i = t >> (SK_MANTISSA - 4);
    VEC n = (VEC)_mm512_cvtepi64_pd((__m512i)(t >> SK_MANTISSA));
    VEC m = SK_(v_real)(SK_(v_bits)(x) - (t & -((SK_INT)1 << SK_MANTISSA)));
    VEC c = (VEC)_mm512_permutex2var_pd((__m512d)table[0], (__m512i)i, (__m512d)table[1]);
    VEC log_c = (VEC)_mm512_permutex2var_pd((__m512d)table[2], (__m512i)i, (__m512d)table[3]);
    VEC r = SK_(v_fma)(m, c, SK_(v_set)(-1)), r2 = r * r;
    VEC a0 = SK_(v_fma)(r, SK_(v_set)(0.33333333333336813727), SK_(v_set)(-0.49999999999999945914));
    VEC a1 = SK_(v_fma)(r, SK_(v_set)(0.19999999963286610159), SK_(v_set)(-0.25000000001887624207));
    VEC a2 = SK_(v_fma)(r, SK_(v_set)(0.14285805436855651992), SK_(v_set)(-0.16666656335856886038));
    VEC a3 = SK_(v_fma)(r, SK_(v_set)(0.11054457466702990506), SK_(v_set)(-0.12518155802622927983));
    VEC p = SK_(v_fma)(r2 * r2, SK_(v_fma)(r2, a3, a2), SK_(v_fma)(r2, a1, a0));
    r = SK_(v_fma)(r2, p, SK_(v_fma)(n, SK_(v_set)(SK_LN2_LO), r));
    return r + SK_(v_fma)(n, SK_(v_set)(SK_LN2_HI), log_c);
}
#else
/* log(x) for normal x > 0: x = 2^n m, m in [sqrt(1/2), sqrt(2)], s = (m - 1) / (m + 1),
 * log(m) = 2 s + s^3 p(s^2); p interpolates at Chebyshev nodes, relative error 5e-18 and 3e-9. */
SK_INLINE VEC SK_(v_log)(VEC x) {
    const SK_INT one = (SK_INT)SK_BIAS << SK_MANTISSA, mantissa = ((SK_INT)1 << SK_MANTISSA) - 1;
    IVEC n = (SK_(v_bits)(x) >> SK_MANTISSA) - SK_BIAS;
    VEC m = SK_(v_real)((SK_(v_bits)(x) & mantissa) | one);
    IVEC big = SK_(v_gt)(m, SK_(v_set)((SK_REAL)1.41421356237309505));
    m = SK_(v_blend)(big, m * SK_(v_set)((SK_REAL)0.5), m);
    n = n - big; /* a set mask is -1 */
    VEC k = SK_(v_real)(n + SK_(v_bits)(SK_(v_set)(SK_MAGIC))) - SK_(v_set)(SK_MAGIC);
    VEC s = (m - SK_(v_set)(1)) / (m + SK_(v_set)(1)), r = s * s;
#if SK_IS_DOUBLE
    VEC r2 = r * r;
    VEC a0 = SK_(v_fma)(r, SK_(v_set)(0.39999999999898890514), SK_(v_set)(0.66666666666666697077));
    VEC a1 = SK_(v_fma)(r, SK_(v_set)(0.22222211089379496214), SK_(v_set)(0.28571428626253837606));
    VEC a2 = SK_(v_fma)(r, SK_(v_set)(0.15331611722055007885), SK_(v_set)(0.18182892432536871201));
    VEC p = SK_(v_fma)(r2 * r2, SK_(v_fma)(r2, SK_(v_set)(0.14617807153417324964), a2), SK_(v_fma)(r2, a1, a0));
#else
    VEC p = SK_(v_set)(0.29580985929974422f);
    SK_STEP(0.39988757716604847);
    SK_STEP(0.66666685095429069);
#endif
    return SK_(v_fma)(k, SK_(v_set)(SK_LN2_HI), SK_(v_fma)(k, SK_(v_set)(SK_LN2_LO), SK_(v_fma)(s * r, p, s + s)));
}
#endif
#undef SK_MAGIC
#undef SK_MANTISSA
#undef SK_BIAS
#undef SK_EXP_MIN
#undef SK_LN2_HI
#undef SK_LN2_LO
#undef SK_STEP
#undef SK_LANES
