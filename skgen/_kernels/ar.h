/* Sums of products with lagged values, and a filter with a few coefficients.
 *
 * Everything else of autoregressive models costs nothing in the length of the series. Values are
 * taken in blocks that stay in the first-level cache while all lags pass over them.
 */
#ifndef SKGEN_AR_H
#define SKGEN_AR_H
#include "isa.h"

#define SK_AR_BLOCK 1024

#define SK_BODY "ar_body.h"
#include "foreach_isa.h"
#undef SK_BODY

#if defined(SKGEN_HAVE_X86_TARGETS)
#define SK_AR_DISPATCH(name, ...)                                \
    (sk_isa() == SK_AVX512 ? name##_avx512_f64(__VA_ARGS__)      \
     : sk_isa() == SK_AVX2 ? name##_avx2_f64(__VA_ARGS__)        \
                           : name##_baseline_f64(__VA_ARGS__))
#else
#define SK_AR_DISPATCH(name, ...) name##_baseline_f64(__VA_ARGS__)
#endif

/* out[j] += sum of x[t] z[t - j] over 0 <= t < n, j = 0 .. p; z has p values before its first. */
static void sk_ar_products(const double *x, const double *z, ptrdiff_t n, ptrdiff_t p, double *out) {
    SK_AR_DISPATCH(sk_ar_products, x, z, n, p, out);
}
/* The sum of x[t] - shift. */
static double sk_ar_sum(const double *x, ptrdiff_t n, double shift) {
    return SK_AR_DISPATCH(sk_ar_sum, x, n, shift);
}
/* out[t] = (x[t] - shift) - rest; the sum of their squares. */
static double sk_ar_centre(const double *x, ptrdiff_t n, double shift, double rest, double *out) {
    return SK_AR_DISPATCH(sk_ar_centre, x, n, shift, rest, out);
}
/* out[t] = sum of b[j] x[t - j] over j = 0 .. p; x has p values before its first. */
static void sk_ar_filter(const double *x, ptrdiff_t n, const double *b, ptrdiff_t p, double *out) {
    SK_AR_DISPATCH(sk_ar_filter, x, n, b, p, out);
}

/* Levinson's recursion: coefficients of all orders from autocovariances c[0 .. p].
 * phi (p) of the last order, partial[i] of order i + 1, error[i] of order i (p + 1); w (p) is scratch.
 * A partial autocorrelation beyond `most` is cut, as autocovariances of gappy series may ask for. */
static void sk_ar_levinson(const double *c, ptrdiff_t p, double most, double *phi, double *partial,
                           double *error, double *w) {
    error[0] = c[0];
    for (ptrdiff_t i = 0; i < p; i++) {
        double s = c[i + 1], k;
        for (ptrdiff_t j = 0; j < i; j++) s -= phi[j] * c[i - j];
        k = error[i] > 0 ? s / error[i] : 0;
        k = k > most ? most : k < -most ? -most : k;
        for (ptrdiff_t j = 0; j < i; j++) w[j] = phi[j] - k * phi[i - 1 - j];
        for (ptrdiff_t j = 0; j < i; j++) phi[j] = w[j];
        phi[i] = partial[i] = k;
        error[i + 1] = error[i] * (1 - k * k);
    }
}
#endif
