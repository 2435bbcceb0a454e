/* The loops over time of autoregressive models; see ar.h and isa.h. No include guard on purpose. */
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

/* out[j] += sum of x[i] z[i - j] over i < n, for the lags j = r + a W below `kept`, of R lags r and M
 * multiples a of the W lanes of a vector. What is loaded for a = 0 serves a = 1 in the next step, and so on: one load for M
 * products, as loads across the ends of cache lines would take longer than the products. */
SK_INLINE void SK_(ar_tile)(const int M, const int R, const double *x, const double *z, ptrdiff_t n,
                            ptrdiff_t kept, double *out) {
    enum { W = SK_(lanes) };
    VEC sum[8], late[8];
    ptrdiff_t i = 0;
    for (int k = 0; k < M * R; k++) sum[k] = SK_(v_set)(0);
    for (int r = 0; r < R; r++)
        for (int a = 1; a < M; a++) late[r * M + a] = SK_(ar_load)(z - r - a * W);
    for (; i + W <= n; i += W) {
        VEC v = SK_(ar_load)(x + i);
        SK_UNROLL
        for (int r = 0; r < R; r++) {
            late[r * M] = SK_(ar_load)(z + i - r);
            SK_UNROLL
            for (int a = M - 1; a >= 0; a--) {
                sum[r * M + a] = SK_(v_fma)(v, late[r * M + a], sum[r * M + a]);
                if (a + 1 < M) late[r * M + a + 1] = late[r * M + a];
            }
        }
    }
    for (int r = 0; r < R; r++)
        for (int a = 0; a < M && r + a * W < kept; a++) {
            double total = SK_(ar_total)(sum[r * M + a]);
            for (ptrdiff_t t = i; t < n; t++) total += x[t] * z[t - r - a * W];
            out[r + a * W] += total;
        }
}

/* The sum of (x[i] - shift) z[i] over i < n, z being ones if NULL, by several sums at a time, as each
 * waits for its last addition. */
SK_INLINE double SK_(ar_total_of)(const double *x, double shift, const double *z, ptrdiff_t n) {
    enum { W = SK_(lanes) };
    VEC sum[4];
    ptrdiff_t i = 0;
    for (int k = 0; k < 4; k++) sum[k] = SK_(v_set)(0);
    for (; i + 4 * W <= n; i += 4 * W) {
        SK_UNROLL
        for (int k = 0; k < 4; k++) {
            VEC factor = z ? SK_(ar_load)(z + i + k * W) : SK_(v_set)(1);
            sum[k] = SK_(v_fma)(SK_(ar_load)(x + i + k * W) - SK_(v_set)(shift), factor, sum[k]);
        }
    }
    double total = SK_(ar_total)((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; i < n; i++) total += (x[i] - shift) * (z ? z[i] : 1);
    return total;
}

static double SK_(sk_ar_sum)(const double *x, ptrdiff_t n, double shift) {
    return SK_(ar_total_of)(x, shift, NULL, n);
}

static double SK_(sk_ar_centre)(const double *x, ptrdiff_t n, double shift, double rest, double *out) {
    double total = 0;
    for (ptrdiff_t start = 0; start < n; start += SK_AR_BLOCK) {
        ptrdiff_t stop = n - start < SK_AR_BLOCK ? n : start + SK_AR_BLOCK;
        for (ptrdiff_t i = start; i < stop; i++) out[i] = (x[i] - shift) - rest;
        total += SK_(ar_total_of)(out + start, 0, out + start, stop - start);
    }
    return total;
}

static void SK_(sk_ar_products)(const double *x, const double *z, ptrdiff_t n, ptrdiff_t p, double *out) {
    enum { W = SK_(lanes) };
    /* Some more lags, which are not kept, take less time than lags one by one; z begins p before x. */
    ptrdiff_t lags = p + 1, more = lags > W && lags % W >= 4 ? W - lags % W : 0;
    more = more < n ? more : n;
    for (ptrdiff_t t = 0; t < more; t++)
        for (ptrdiff_t j = 0; j <= p; j++) out[j] += x[t] * z[t - j];
    lags += more;
    for (ptrdiff_t start = more; start < n; start += SK_AR_BLOCK) {
        ptrdiff_t m = n - start < SK_AR_BLOCK ? n - start : SK_AR_BLOCK, j = 0;
        const double *a = x + start, *b = z + start;
        for (; W >= 2 && j + 4 * W <= lags; j += 4 * W)
            for (int r = 0; r + 2 <= W; r += 2)
                SK_(ar_tile)(4, 2, a, b - j - r, m, p + 1 - j - r, out + j + r);
        for (; W >= 4 && j + 2 * W <= lags; j += 2 * W)
            for (int r = 0; r + 4 <= W; r += 4)
                SK_(ar_tile)(2, 4, a, b - j - r, m, p + 1 - j - r, out + j + r);
        for (; j + 8 <= lags; j += 8) SK_(ar_tile)(1, 8, a, b - j, m, p + 1 - j, out + j);
        for (; j + 4 <= lags; j += 4) SK_(ar_tile)(1, 4, a, b - j, m, p + 1 - j, out + j);
        for (; j < lags; j++) out[j] += SK_(ar_total_of)(a, 0, b - j, m);
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
