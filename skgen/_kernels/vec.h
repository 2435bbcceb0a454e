/* Vector arithmetic for one instruction set and real type; see isa.h. No include guard on purpose.
 *
 * v_fma is fused where the machine can, so results have the same bits on AVX2 and AVX-512 and may
 * differ in the last place on the baseline. (An exp without it has the same bits everywhere, and
 * an E-step of d = 4, K = 8 that takes 17 % longer.)
 */
#define VEC SK_(vec)
#define IVEC SK_(ivec)
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

/* a where the mask is set, b elsewhere */
SK_INLINE VEC SK_(v_blend)(IVEC mask, VEC a, VEC b) {
    return SK_(v_real)((mask & SK_(v_bits)(a)) | (~mask & SK_(v_bits)(b)));
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
#define SK_STEP(c) p = p * r + SK_(v_set)((SK_REAL)(c))

/* exp(x) for x <= 0, to about one unit in the last place; 0 below SK_EXP_MIN, NaN for NaN.
 * exp(x) = 2^n (1 + r + r^2 p(r)), |r| <= ln(2)/2; p interpolates (exp(r) - 1 - r) / r^2 at
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
    VEC p = SK_(v_set)(0.14617807153417324964);
    SK_STEP(0.15331611722055007885);
    SK_STEP(0.18182892432536871201);
    SK_STEP(0.22222211089379496214);
    SK_STEP(0.28571428626253837606);
    SK_STEP(0.39999999999898890514);
    SK_STEP(0.66666666666666697077);
#else
    VEC p = SK_(v_set)(0.29580985929974422f);
    SK_STEP(0.39988757716604847);
    SK_STEP(0.66666685095429069);
#endif
    return k * SK_(v_set)(SK_LN2_HI) + ((k * SK_(v_set)(SK_LN2_LO) + s * r * p) + (s + s));
}
#undef SK_MAGIC
#undef SK_MANTISSA
#undef SK_BIAS
#undef SK_EXP_MIN
#undef SK_LN2_HI
#undef SK_LN2_LO
#undef SK_STEP
