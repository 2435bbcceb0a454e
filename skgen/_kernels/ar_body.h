/* The two loops over time of autoregressive models; see ar.h and isa.h. No include guard on purpose. */
#include "vec.h"
#if SK_IS_DOUBLE

SK_INLINE VEC SK_(ar_load)(const double *x) {
    VEC v;
    memcpy(&v, x, sizeof v);
    return v;
}

SK_INLINE double SK_(ar_total)(VEC v) {
    double lanes[SK_(lanes)], total = 0;
    memcpy(lanes, &v, sizeof v);
    for (int i = 0; i < SK_(lanes); i++) total += lanes[i];
    return total;
}

/* out[j] += sum of x[i] z[i - j] over i < n, for M lags: one load of x serves all of them. */
SK_INLINE void SK_(ar_dots)(const int M, const double *x, const double *z, ptrdiff_t n, double *out) {
    VEC sum[8];
    ptrdiff_t i = 0;
    for (int j = 0; j < M; j++) sum[j] = SK_(v_set)(0);
    for (; i + SK_(lanes) <= n; i += SK_(lanes)) {
        VEC v = SK_(ar_load)(x + i);
        SK_UNROLL
        for (int j = 0; j < M; j++) sum[j] = SK_(v_fma)(v, SK_(ar_load)(z + i - j), sum[j]);
    }
    for (int j = 0; j < M; j++) {
        double total = SK_(ar_total)(sum[j]);
        for (ptrdiff_t r = i; r < n; r++) total += x[r] * z[r - j];
        out[j] += total;
    }
}

static void SK_(sk_ar_products)(const double *x, const double *z, ptrdiff_t n, ptrdiff_t p, double *out) {
    for (ptrdiff_t start = 0; start < n; start += SK_AR_BLOCK) {
        ptrdiff_t m = n - start < SK_AR_BLOCK ? n - start : SK_AR_BLOCK, j = 0;
        const double *a = x + start, *b = z + start;
        for (; j + 8 <= p + 1; j += 8) SK_(ar_dots)(8, a, b - j, m, out + j);
        for (; j + 4 <= p + 1; j += 4) SK_(ar_dots)(4, a, b - j, m, out + j);
        for (; j <= p; j++) SK_(ar_dots)(1, a, b - j, m, out + j);
    }
}

static void SK_(sk_ar_filter)(const double *x, ptrdiff_t n, const double *b, ptrdiff_t p, double *out) {
    ptrdiff_t t = 0;
    for (; t + 2 * SK_(lanes) <= n; t += 2 * SK_(lanes)) {
        VEC s0 = SK_(v_set)(0), s1 = s0;
        for (ptrdiff_t j = 0; j <= p; j++) {
            VEC c = SK_(v_set)(b[j]);
            s0 = SK_(v_fma)(c, SK_(ar_load)(x + t - j), s0);
            s1 = SK_(v_fma)(c, SK_(ar_load)(x + t - j + SK_(lanes)), s1);
        }
        memcpy(out + t, &s0, sizeof s0);
        memcpy(out + t + SK_(lanes), &s1, sizeof s1);
    }
    for (; t < n; t++) {
        double s = 0;
        for (ptrdiff_t j = 0; j <= p; j++) s += b[j] * x[t - j];
        out[t] = s;
    }
}
#endif
#undef VEC
#undef IVEC
