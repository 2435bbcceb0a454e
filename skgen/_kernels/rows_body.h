/* A scan for entries that are not finite; see rows.h and isa.h. No include guard on purpose. */
#include "vec.h"

/* Whether all entries are finite: zero times the others is NaN, which stays in a sum. */
static int SK_(sk_all_finite)(const SK_REAL *x, ptrdiff_t n) {
    enum { W = SK_(lanes) };
    VEC sum[4];
    SK_REAL rest[W], total = 0;
    ptrdiff_t i = 0;
    for (int k = 0; k < 4; k++) sum[k] = SK_(v_set)(0);
    for (; i + 4 * W <= n; i += 4 * W) {
        SK_UNROLL
        for (int k = 0; k < 4; k++) {
            VEC v;
            memcpy(&v, x + i + k * W, sizeof v);
            sum[k] = SK_(v_fma)(v, SK_(v_set)(0), sum[k]);
        }
    }
    sum[0] += sum[1] + (sum[2] + sum[3]);
    memcpy(rest, &sum[0], sizeof rest);
    for (int k = 0; k < W; k++) total += rest[k];
    for (; i < n; i++) total += 0 * x[i];
    return total == 0;
}
#undef VEC
#undef IVEC
