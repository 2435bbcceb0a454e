/* Whether all entries of a matrix are finite, as fast as they can be read. */
#ifndef SKGEN_ROWS_H
#define SKGEN_ROWS_H
#include "isa.h"

#define SK_BODY "rows_body.h"
#include "foreach_isa.h"
#undef SK_BODY

#if defined(SKGEN_HAVE_X86_TARGETS)
#define SK_ALL_FINITE(type, x, n)                              \
    (sk_isa() == SK_AVX512 ? sk_all_finite_avx512_##type(x, n) \
     : sk_isa() == SK_AVX2 ? sk_all_finite_avx2_##type(x, n)   \
                           : sk_all_finite_baseline_##type(x, n))
#else
#define SK_ALL_FINITE(type, x, n) sk_all_finite_baseline_##type(x, n)
#endif

static int sk_all_finite_f64(const double *x, ptrdiff_t n) { return SK_ALL_FINITE(f64, x, n); }
static int sk_all_finite_f32(const float *x, ptrdiff_t n) { return SK_ALL_FINITE(f32, x, n); }
#endif
