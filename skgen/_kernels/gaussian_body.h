/* The Gaussian pass for one instruction set and real type; see gaussian.h. */
#include "vec.h"
#define R SK_REAL
#define V VEC
#define W SK_(lanes)
#define SKD_(name) SK_CAT4(name, SK_ISA, f64)

/* Vectors in a block (64 rows of float64 with AVX-512) and in the tile of a matrix product. */
enum { SK_(block_vectors) = SK_VBYTES == 64 ? 8 : 16, SK_(tile_vectors) = SK_LEVEL == SK_AVX512 || !SK_VBYTES ? 4 : 2 };
#define NB SK_(block_vectors)
#define BLOCK (NB * W)
#define FLOOR ((R)(SK_IS_DOUBLE ? -1e300 : -1e30)) /* stands for a density of zero */

#if SK_IS_DOUBLE
#include "gaussian_patterns.h"
#endif

/* What a block needs of the parameters, for the m observed columns. */
typedef struct {
    ptrdiff_t m, padded;   /* columns; and rounded up to a tile */
    ptrdiff_t factor_size; /* of one component */
    R *factor;             /* inverse Cholesky factors, in the order of use; diagonal: 1 / sd */
    R *offset;             /* (K, padded) factor times mean */
    R *mean;               /* (K, padded) */
    R *log_const;          /* (K,) */
    R *log_scale;          /* (K, m) log(1 / sd) - log(2 pi) / 2, for the masked diagonal */
    R *shift, *unit;       /* (m,) */
} SK_(gm_params);

/* Scratch memory of one thread. */
typedef struct {
    V *x, *mask, *z, *wz;  /* (padded, NB) each */
    V *joint;              /* (K, NB) */
    V *acc;                /* (K, acc_size) */
    V weight[SK_(block_vectors)];
    double *observed;      /* moments of a run, laid out as a slot */
    SK_(gm_params) params; /* of the run at hand, where patterns differ */
    SKD_(gm_factors) factors;
} SK_(gm_scratch);

static ptrdiff_t SK_(gm_factor_size)(ptrdiff_t m) {
    if (m <= 4) return m * (m + 1) / 2;
    ptrdiff_t tiles = (m + 3) / 4;
    return 8 * tiles * (tiles + 1);
}
static ptrdiff_t SK_(gm_acc_size)(const sk_gm_job *job) {
    if (job->diagonal) return (job->masked ? 3 : 2) * job->d + 1;
    ptrdiff_t tiles = (job->d + 3) / 4;
    return 8 * tiles * (tiles + 1) + 4 * tiles + 1;
}
static ptrdiff_t SK_(sk_gm_lanes)(void) { return W; }

/* ---- parameters --------------------------------------------------------------------------- */

/* Arrays of SK_(gm_params) in one piece of memory: bytes needed, or the pointers set. */
static size_t SK_(gm_params_layout)(SK_(gm_params) *p, const sk_gm_job *job, char *memory) {
    ptrdiff_t K = job->K, d = job->d, padded = sk_round_up(d, 4);
    ptrdiff_t factor = job->diagonal ? d : SK_(gm_factor_size)(d);
    ptrdiff_t sizes[7] = {K * factor, K * padded, K * padded, K, K * d, d, d};
    R **fields[7] = {&p->factor, &p->offset, &p->mean, &p->log_const, &p->log_scale, &p->shift, &p->unit};
    size_t used = 0;
    for (int f = 0; f < 7; f++) {
        if (memory) *fields[f] = (R *)(memory + used);
        used += sk_round_up(sizes[f] * (ptrdiff_t)sizeof(R), 64);
    }
    return used;
}

/* Inverse factor of component k, in the order in which the block code reads it. */
static void SK_(gm_pack)(R *out, const double *inverse, ptrdiff_t m, ptrdiff_t padded_K, ptrdiff_t k) {
    if (m <= 4) {
        for (ptrdiff_t e = 0; e < m * (m + 1) / 2; e++) out[e] = (R)inverse[e * padded_K + k];
        return;
    }
    for (ptrdiff_t i0 = 0; i0 < m; i0 += 4)
        for (ptrdiff_t j = 0; j < i0 + 4; j++)
            for (ptrdiff_t i = i0; i < i0 + 4; i++)
                *out++ = (R)(i < m && j <= i ? inverse[SK_TRI(i, j) * padded_K + k] : 0.0);
}

/* Block parameters of the dense model for the observed columns, from their factors. */
static void SK_(gm_dense_params)(const sk_gm_job *job, const SKD_(gm_factors) *f, SK_(gm_params) *p) {
    ptrdiff_t m = f->m, Kp = sk_round_up(job->K, SKD_(lanes));
    const double *inverse = (const double *)f->inverse, *log_const = (const double *)f->log_const;
    p->m = m;
    p->padded = m <= 4 ? m : sk_round_up(m, 4);
    p->factor_size = SK_(gm_factor_size)(m);
    for (ptrdiff_t j = 0; j < m; j++) {
        p->shift[j] = (R)job->shift[f->columns[j]];
        p->unit[j] = (R)job->unit[f->columns[j]];
    }
    for (ptrdiff_t k = 0; k < job->K; k++) {
        const double *mean = job->means + k * job->d;
        SK_(gm_pack)(p->factor + k * p->factor_size, inverse, m, Kp, k);
        p->log_const[k] = (R)log_const[k];
        for (ptrdiff_t i = 0; i < p->padded; i++) {
            double offset = 0.0;
            for (ptrdiff_t j = 0; i < m && j <= i; j++)
                offset += inverse[SK_TRI(i, j) * Kp + k] * mean[f->columns[j]];
            p->offset[k * p->padded + i] = (R)offset;
            p->mean[k * p->padded + i] = (R)(i < m ? mean[f->columns[i]] : 0.0);
        }
    }
}

/* Block parameters of the diagonal model. Returns a component that has no positive variance. */
static ptrdiff_t SK_(gm_diagonal_params)(const sk_gm_job *job, SK_(gm_params) *p) {
    ptrdiff_t d = job->d;
    p->m = p->padded = p->factor_size = d;
    for (ptrdiff_t j = 0; j < d; j++) {
        p->shift[j] = (R)job->shift[j];
        p->unit[j] = (R)job->unit[j];
    }
    for (ptrdiff_t k = 0; k < job->K; k++) {
        double log_const = job->log_weights[k];
        for (ptrdiff_t j = 0; j < d; j++) {
            double variance = job->covariances[k * d + j];
            if (!(variance > 0.0)) return k + 1;
            double scale = 1.0 / sqrt(variance), log_scale = log(scale * job->unit[j]) - SK_LOG_2PI_HALF;
            p->factor[k * d + j] = (R)scale;
            p->mean[k * d + j] = (R)job->means[k * d + j];
            p->offset[k * d + j] = (R)(scale * job->means[k * d + j]);
            p->log_scale[k * d + j] = (R)log_scale;
            log_const += job->masked ? 0.0 : log_scale;
        }
        p->log_const[k] = (R)log_const;
    }
    return 0;
}

static void SK_(sk_gm_prepare)(sk_gm_job *job) {
    SK_(gm_params) *p, unplaced;
    SKD_(gm_factors) f = {0};
    job->failed = 0;
    if (job->starts) { /* patterns: parameters are made run by run, from covariances by component */
        job->model = SKD_(gm_spread)(job);
        job->failed = job->model ? 0 : -1;
        return;
    }
    size_t header = sk_round_up(sizeof(SK_(gm_params)), 64);
    char *memory = sk_alloc(header + SK_(gm_params_layout)(&unplaced, job, NULL));
    p = (SK_(gm_params) *)memory;
    job->model = memory;
    if (!memory) { job->failed = -1; return; }
    SK_(gm_params_layout)(p, job, memory + header);
    if (job->diagonal) { job->failed = SK_(gm_diagonal_params)(job, p); return; }
    void *spread = SKD_(gm_spread)(job);
    if (spread && SKD_(gm_factors_alloc)(&f, job)) {
        job->failed = SKD_(gm_factor_pattern)(job, spread, NULL, &f);
        if (!job->failed) SK_(gm_dense_params)(job, &f, p);
    } else job->failed = -1;
    SKD_(gm_factors_free)(&f);
    sk_free(spread);
}

/* ---- a block of rows ---------------------------------------------------------------------- */

/* Complete rows of m <= 4 columns; m is a constant to the compiler. */
SK_INLINE void SK_(gm_load_small)(const int m, const R *SK_RESTRICT X, const SK_(gm_params) *p, ptrdiff_t rows,
                                  R *SK_RESTRICT x) {
    R shift[4], unit[4];
    for (int j = 0; j < m; j++) {
        shift[j] = p->shift[j];
        unit[j] = p->unit[j];
    }
    for (ptrdiff_t i = 0; i < rows; i++, X += m) {
        SK_UNROLL
        for (int j = 0; j < m; j++) x[j * BLOCK + i] = (X[j] - shift[j]) * unit[j];
    }
}
/* Complete rows of m >= W columns, by tiles of W x W of which the last one in a row may overlap the
 * one before. Returns how many rows were taken, whole tiles: one by one they take four times as long. */
static ptrdiff_t SK_(gm_load_tiles)(const R *SK_RESTRICT X, ptrdiff_t m, const SK_(gm_params) *p, ptrdiff_t rows,
                                    R *SK_RESTRICT x) {
    ptrdiff_t i = 0;
#if SK_HAVE_TRANSPOSE && SK_VBYTES
    for (; m >= W && i + W <= rows; i += W)
        for (ptrdiff_t j = 0; j < m; j += W) {
            ptrdiff_t column = j + W <= m ? j : m - W;
            V tile[W], shift, unit;
            memcpy(&shift, p->shift + column, sizeof(V));
            memcpy(&unit, p->unit + column, sizeof(V));
            SK_UNROLL
            for (int e = 0; e < W; e++) {
                memcpy(tile + e, X + (i + e) * m + column, sizeof(V));
                tile[e] = (tile[e] - shift) * unit;
            }
            SK_(v_transpose)(tile);
            SK_UNROLL
            for (int e = 0; e < W; e++) memcpy(x + (column + e) * BLOCK + i, tile + e, sizeof(V));
        }
#endif
    return i;
}

/* Rows first .. first + rows - 1 of X into s->x, feature-major, shifted and scaled; padding is 0. */
static void SK_(gm_load)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns,
                         ptrdiff_t first, ptrdiff_t rows, SK_(gm_scratch) *s) {
    R *SK_RESTRICT x = (R *)s->x, *SK_RESTRICT mask = (R *)s->mask, *weight = (R *)s->weight;
    const R *X = (const R *)job->X + first * job->d;
    const R *SK_RESTRICT shift = p->shift, *SK_RESTRICT unit = p->unit;
    ptrdiff_t m = p->m, d = job->d;
    if (rows < BLOCK) memset(x, 0, sizeof(V) * NB * p->padded);
    if (job->masked)
        for (ptrdiff_t i = 0; i < rows; i++, X += d)
            for (ptrdiff_t j = 0; j < m; j++) {
                int seen = X[j] == X[j];
                mask[j * BLOCK + i] = (R)seen;
                x[j * BLOCK + i] = seen ? (X[j] - shift[j]) * unit[j] : 0;
            }
    else if (columns)
        for (ptrdiff_t i = 0; i < rows; i++, X += d)
            for (ptrdiff_t j = 0; j < m; j++) x[j * BLOCK + i] = (X[columns[j]] - shift[j]) * unit[j];
    else if (m == 1) SK_(gm_load_small)(1, X, p, rows, x);
    else if (m == 2) SK_(gm_load_small)(2, X, p, rows, x);
    else if (m == 3) SK_(gm_load_small)(3, X, p, rows, x);
    else if (m == 4) SK_(gm_load_small)(4, X, p, rows, x);
    else
        for (ptrdiff_t i = SK_(gm_load_tiles)(X, m, p, rows, x); i < rows; i++)
            for (ptrdiff_t j = 0; j < m; j++) x[j * BLOCK + i] = (X[i * d + j] - shift[j]) * unit[j];
    for (ptrdiff_t i = 0; i < BLOCK; i++) weight[i] = i < rows;
    if (job->weights)
        for (ptrdiff_t i = 0; i < rows; i++) weight[i] = (R)job->weights[sk_at(job, first + i)];
}

/* log_const - |factor x - offset|^2 / 2 for m <= 4 columns; m is a constant to the compiler. */
SK_INLINE void SK_(gm_density_small)(const int m, const V *SK_RESTRICT x, const R *factor, const R *offset,
                                     R log_const, V *SK_RESTRICT out, int nv) {
    const V half = SK_(v_set)((R)-0.5), c = SK_(v_set)(log_const);
    for (int b = 0; b < nv; b++) {
        V q = SK_(v_set)(0);
        SK_UNROLL
        for (int i = 0; i < m; i++) {
            V y = -SK_(v_set)(offset[i]);
            SK_UNROLL
            for (int j = 0; j <= i; j++) y = SK_(v_fma)(SK_(v_set)(factor[SK_TRI(i, j)]), x[j * NB + b], y);
            q = SK_(v_fma)(y, y, q);
        }
        out[b] = SK_(v_max)(SK_(v_fma)(half, q, c), SK_(v_set)(FLOOR));
    }
}

/* The same for any m: tiles of four factor rows by TILE vectors, held in registers. */
static void SK_(gm_density_tiled)(const V *SK_RESTRICT x, const R *SK_RESTRICT factor, const R *SK_RESTRICT offset,
                                  ptrdiff_t padded, R log_const, V *SK_RESTRICT out, int nv) {
    const V half = SK_(v_set)((R)-0.5), c = SK_(v_set)(log_const);
    for (int b = 0; b < nv; b += SK_(tile_vectors)) {
        V q[SK_(tile_vectors)];
        const R *f = factor;
        SK_UNROLL
        for (int s = 0; s < SK_(tile_vectors); s++) q[s] = SK_(v_set)(0);
        for (ptrdiff_t i = 0; i < padded; i += 4) {
            V y0[SK_(tile_vectors)], y1[SK_(tile_vectors)], y2[SK_(tile_vectors)], y3[SK_(tile_vectors)];
            const V *xj = x + b;
            SK_UNROLL
            for (int s = 0; s < SK_(tile_vectors); s++) {
                y0[s] = -SK_(v_set)(offset[i]);
                y1[s] = -SK_(v_set)(offset[i + 1]);
                y2[s] = -SK_(v_set)(offset[i + 2]);
                y3[s] = -SK_(v_set)(offset[i + 3]);
            }
            for (ptrdiff_t j = 0; j < i; j++, f += 4, xj += NB) {
                V f0 = SK_(v_set)(f[0]), f1 = SK_(v_set)(f[1]), f2 = SK_(v_set)(f[2]), f3 = SK_(v_set)(f[3]);
                SK_UNROLL
                for (int s = 0; s < SK_(tile_vectors); s++) {
                    y0[s] = SK_(v_fma)(f0, xj[s], y0[s]);
                    y1[s] = SK_(v_fma)(f1, xj[s], y1[s]);
                    y2[s] = SK_(v_fma)(f2, xj[s], y2[s]);
                    y3[s] = SK_(v_fma)(f3, xj[s], y3[s]);
                }
            }
            SK_UNROLL
            for (int t = 0; t < 4; t++, f += 4, xj += NB) { /* the triangle at the end of the rows */
                SK_UNROLL
                for (int s = 0; s < SK_(tile_vectors); s++) {
                    V u = xj[s];
                    if (t == 0) y0[s] = SK_(v_fma)(SK_(v_set)(f[0]), u, y0[s]);
                    if (t <= 1) y1[s] = SK_(v_fma)(SK_(v_set)(f[1]), u, y1[s]);
                    if (t <= 2) y2[s] = SK_(v_fma)(SK_(v_set)(f[2]), u, y2[s]);
                    y3[s] = SK_(v_fma)(SK_(v_set)(f[3]), u, y3[s]);
                }
            }
            SK_UNROLL
            for (int s = 0; s < SK_(tile_vectors); s++) {
                q[s] = SK_(v_fma)(y0[s], y0[s], q[s]);
                q[s] = SK_(v_fma)(y1[s], y1[s], q[s]);
                q[s] = SK_(v_fma)(y2[s], y2[s], q[s]);
                q[s] = SK_(v_fma)(y3[s], y3[s], q[s]);
            }
        }
        SK_UNROLL
        for (int s = 0; s < SK_(tile_vectors); s++)
            out[b + s] = SK_(v_max)(SK_(v_fma)(half, q[s], c), SK_(v_set)(FLOOR));
    }
}

static void SK_(gm_density_diagonal)(const V *SK_RESTRICT x, const V *SK_RESTRICT mask, const R *scale,
                                     const R *offset, const R *log_scale, ptrdiff_t m, R log_const,
                                     V *SK_RESTRICT out, int nv) {
    const V half = SK_(v_set)((R)-0.5);
    for (int b = 0; b < nv; b += SK_(tile_vectors)) {
        V q[SK_(tile_vectors)], c[SK_(tile_vectors)];
        SK_UNROLL
        for (int s = 0; s < SK_(tile_vectors); s++) { q[s] = SK_(v_set)(0); c[s] = SK_(v_set)(log_const); }
        if (mask)
            for (ptrdiff_t j = 0; j < m; j++) {
                V f = SK_(v_set)(scale[j]), o = SK_(v_set)(offset[j]), l = SK_(v_set)(log_scale[j]);
                SK_UNROLL
                for (int s = 0; s < SK_(tile_vectors); s++) {
                    V seen = mask[j * NB + b + s], y = SK_(v_fma)(f, x[j * NB + b + s], -o) * seen;
                    q[s] = SK_(v_fma)(y, y, q[s]);
                    c[s] = SK_(v_fma)(seen, l, c[s]);
                }
            }
        else
            for (ptrdiff_t j = 0; j < m; j++) {
                V f = SK_(v_set)(scale[j]), o = SK_(v_set)(-offset[j]);
                SK_UNROLL
                for (int s = 0; s < SK_(tile_vectors); s++) {
                    V y = SK_(v_fma)(f, x[j * NB + b + s], o);
                    q[s] = SK_(v_fma)(y, y, q[s]);
                }
            }
        SK_UNROLL
        for (int s = 0; s < SK_(tile_vectors); s++)
            out[b + s] = SK_(v_max)(SK_(v_fma)(half, q[s], c[s]), SK_(v_set)(FLOOR));
    }
}

static void SK_(gm_densities)(const sk_gm_job *job, const SK_(gm_params) *p, SK_(gm_scratch) *s, int nv) {
    for (ptrdiff_t k = 0; k < job->K; k++) {
        const R *f = p->factor + k * p->factor_size, *o = p->offset + k * p->padded;
        V *out = s->joint + k * NB;
        R c = p->log_const[k];
        if (job->diagonal)
            SK_(gm_density_diagonal)(s->x, job->masked ? s->mask : NULL, f, o, p->log_scale + k * p->m, p->m, c, out, nv);
        else if (p->m == 1) SK_(gm_density_small)(1, s->x, f, o, c, out, nv);
        else if (p->m == 2) SK_(gm_density_small)(2, s->x, f, o, c, out, nv);
        else if (p->m == 3) SK_(gm_density_small)(3, s->x, f, o, c, out, nv);
        else if (p->m == 4) SK_(gm_density_small)(4, s->x, f, o, c, out, nv);
        else SK_(gm_density_tiled)(s->x, f, o, p->padded, c, out, nv);
    }
}

/* What the caller wants of each row, before the softmax. */
static void SK_(gm_write_joint)(const sk_gm_job *job, const V *joint, ptrdiff_t first, ptrdiff_t rows) {
    for (ptrdiff_t i = 0; i < rows; i++) {
        ptrdiff_t row = sk_at(job, first + i), best = 0;
        R top = ((const R *)joint)[i];
        for (ptrdiff_t k = 0; k < job->K; k++) {
            R value = ((const R *)(joint + k * NB))[i];
            if (job->log_joint) job->log_joint[row * job->K + k] = value <= FLOOR ? -INFINITY : (double)value;
            if (value > top) { top = value; best = k; }
        }
        if (job->labels) job->labels[row] = best;
    }
}

static double SK_(gm_lane_sum)(V a) {
    double sum = 0;
    for (int i = 0; i < W; i++) sum += (double)((R *)&a)[i];
    return sum;
}

/* Sum of the products of all items of a and b, taken in double precision. */
static double SK_(gm_weighted_sum)(const V *a, const V *b, int nv) {
#if SK_IS_DOUBLE
    V sum = SK_(v_set)(0);
    for (int i = 0; i < nv; i++) sum = SK_(v_fma)(a[i], b[i], sum);
    return SK_(gm_lane_sum)(sum);
#else
    const R *x = (const R *)a, *y = (const R *)b;
    double sum[4] = {0}; /* to be added at the same time */
    for (ptrdiff_t i = 0; i < nv * W; i += 4)
        for (int e = 0; e < 4; e++) sum[e] += (double)x[i + e] * (double)y[i + e];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
#endif
}

/* log_joint of a vector of rows -> its exp from the largest on; that and the sum are returned. */
SK_INLINE V SK_(gm_exp)(V *SK_RESTRICT joint, ptrdiff_t K, V *largest, int kept) {
    V top = joint[0], sum = SK_(v_set)(0);
    for (ptrdiff_t k = 1; k < K; k++) top = SK_(v_max)(top, joint[k * NB]);
    for (ptrdiff_t k = 0; k < K; k++) {
        V e = SK_(v_exp)(joint[k * NB] - top);
        if (kept) joint[k * NB] = e;
        sum += e;
    }
    *largest = top;
    return sum;
}

/* log_joint -> responsibilities times weights, in place. Returns the weighted log-likelihood. */
static double SK_(gm_softmax)(const sk_gm_job *job, SK_(gm_scratch) *s, ptrdiff_t first, ptrdiff_t rows, int nv) {
    V value[SK_(block_vectors)], sum[SK_(block_vectors)];
    if (job->resp || job->slots)
        for (int b = 0; b < nv; b++) {
            sum[b] = SK_(gm_exp)(s->joint + b, job->K, value + b, 1);
            V scale = s->weight[b] / sum[b];
            for (ptrdiff_t k = 0; k < job->K; k++) s->joint[k * NB + b] *= scale;
        }
    else
        for (int b = 0; b < nv; b++) sum[b] = SK_(gm_exp)(s->joint + b, job->K, value + b, 0);
    /* On their own: the long chains of several logarithms fill each other's gaps. */
    for (int b = 0; b < nv; b++) value[b] += SK_(v_log)(sum[b]);
    const R *log_prob = (const R *)value;
    if (job->log_prob)
        for (ptrdiff_t i = 0; i < rows; i++)
            job->log_prob[sk_at(job, first + i)] = log_prob[i] <= FLOOR / 2 ? -INFINITY : (double)log_prob[i];
    return SK_(gm_weighted_sum)(s->weight, value, nv);
}

static void SK_(gm_write_resp)(const sk_gm_job *job, const V *resp, ptrdiff_t first, ptrdiff_t rows) {
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t k = 0; k < job->K; k++)
            job->resp[sk_at(job, first + i) * job->K + k] = ((const R *)(resp + k * NB))[i];
}

static void SK_(gm_read_given)(const sk_gm_job *job, V *resp, ptrdiff_t first, ptrdiff_t rows) {
    memset(resp, 0, sizeof(V) * NB * job->K);
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t k = 0; k < job->K; k++)
            ((R *)(resp + k * NB))[i] = (R)job->given[sk_at(job, first + i) * job->K + k];
}

/* ---- moments of a block about the current means ------------------------------------------- */

SK_INLINE void SK_(gm_moments_small)(const int m, const V *SK_RESTRICT x, const V *SK_RESTRICT resp, const R *mean,
                                     V *SK_RESTRICT acc, int nv) {
    V second[10], first[4], weight = acc[m * (m + 1) / 2 + m];
    SK_UNROLL
    for (int e = 0; e < m * (m + 1) / 2; e++) second[e] = acc[e];
    SK_UNROLL
    for (int j = 0; j < m; j++) first[j] = acc[m * (m + 1) / 2 + j];
    for (int b = 0; b < nv; b++) {
        V z[4];
        weight += resp[b];
        SK_UNROLL
        for (int i = 0; i < m; i++) {
            z[i] = x[i * NB + b] - SK_(v_set)(mean[i]);
            V wz = resp[b] * z[i];
            first[i] += wz;
            SK_UNROLL
            for (int j = 0; j <= i; j++) second[SK_TRI(i, j)] = SK_(v_fma)(wz, z[j], second[SK_TRI(i, j)]);
        }
    }
    SK_UNROLL
    for (int e = 0; e < m * (m + 1) / 2; e++) acc[e] = second[e];
    SK_UNROLL
    for (int j = 0; j < m; j++) acc[m * (m + 1) / 2 + j] = first[j];
    acc[m * (m + 1) / 2 + m] = weight;
}

/* acc[4 x TILE] += wz (4 features) times z (TILE features), summed over the vectors of the block.
 * Entry (i, j) of the tile is wanted where i >= j + above: all of them left of the diagonal. */
SK_INLINE void SK_(gm_outer_tile)(const V *SK_RESTRICT wz, const V *SK_RESTRICT z, V *SK_RESTRICT acc, int nv,
                                  const int above) {
    enum { T = SK_(tile_vectors) };
    V a[4 * T];
    SK_UNROLL
    for (int e = 0; e < 4 * T; e++)
        if (e / T >= e % T + above) a[e] = acc[e];
    for (int b = 0; b < nv; b++) {
        V w[4], u[T];
        SK_UNROLL
        for (int e = 0; e < 4; e++) w[e] = wz[e * NB + b];
        SK_UNROLL
        for (int e = 0; e < T; e++) u[e] = z[e * NB + b];
        SK_UNROLL
        for (int e = 0; e < 4 * T; e++)
            if (e / T >= e % T + above) a[e] = SK_(v_fma)(w[e / T], u[e % T], a[e]);
    }
    SK_UNROLL
    for (int e = 0; e < 4 * T; e++)
        if (e / T >= e % T + above) acc[e] = a[e];
}

static void SK_(gm_moments_tiled)(SK_(gm_scratch) *s, const V *SK_RESTRICT resp, const R *mean, ptrdiff_t padded,
                                  V *SK_RESTRICT acc, int nv) {
    V weight = SK_(v_set)(0), *first = acc + 2 * padded * (padded / 4 + 1); /* behind the tiles */
    for (int b = 0; b < nv; b++) weight += resp[b];
    for (ptrdiff_t j = 0; j < padded; j++) {
        V mu = SK_(v_set)(mean[j]), sum = first[j];
        for (int b = 0; b < nv; b++) {
            V z = s->x[j * NB + b] - mu, w = z * resp[b];
            s->z[j * NB + b] = z;
            s->wz[j * NB + b] = w;
            sum += w;
        }
        first[j] = sum;
    }
    first[padded] += weight;
    for (ptrdiff_t i0 = 0; i0 < padded; i0 += 4)
        for (ptrdiff_t j0 = 0; j0 < i0 + 4; j0 += SK_(tile_vectors), acc += 4 * SK_(tile_vectors))
            if (j0 < i0) SK_(gm_outer_tile)(s->wz + i0 * NB, s->z + j0 * NB, acc, nv, -4);
            else if (j0 == i0) SK_(gm_outer_tile)(s->wz + i0 * NB, s->z + j0 * NB, acc, nv, 0);
            else SK_(gm_outer_tile)(s->wz + i0 * NB, s->z + j0 * NB, acc, nv, 2); /* tiles of 4 x 2 */
}

/* Moments of four columns, held in registers; second moments stand m behind the first ones. */
SK_INLINE void SK_(gm_moments_quad)(const V *SK_RESTRICT x, const V *SK_RESTRICT resp, const R *mean,
                                    V *SK_RESTRICT acc, ptrdiff_t m, int nv) {
    V first[4], second[4], mu[4];
    SK_UNROLL
    for (int e = 0; e < 4; e++) {
        first[e] = acc[e];
        second[e] = acc[m + e];
        mu[e] = SK_(v_set)(mean[e]);
    }
    for (int b = 0; b < nv; b++) {
        SK_UNROLL
        for (int e = 0; e < 4; e++) {
            V z = x[e * NB + b] - mu[e], w = resp[b] * z;
            first[e] += w;
            second[e] = SK_(v_fma)(w, z, second[e]);
        }
    }
    SK_UNROLL
    for (int e = 0; e < 4; e++) {
        acc[e] = first[e];
        acc[m + e] = second[e];
    }
}

static void SK_(gm_moments_diagonal)(const SK_(gm_scratch) *s, const V *SK_RESTRICT resp, const R *mean, ptrdiff_t m,
                                     int masked, V *SK_RESTRICT acc, int nv) {
    V weight = acc[0];
    for (int b = 0; b < nv; b++) weight += resp[b];
    acc[0] = weight;
    ptrdiff_t quads = masked ? 0 : m / 4 * 4;
    for (ptrdiff_t j = 0; j < quads; j += 4) SK_(gm_moments_quad)(s->x + j * NB, resp, mean + j, acc + 1 + j, m, nv);
    for (ptrdiff_t j = quads; j < m; j++) {
        V mu = SK_(v_set)(mean[j]), first = acc[1 + j], second = acc[1 + m + j];
        if (masked) {
            V seen = acc[1 + 2 * m + j];
            for (int b = 0; b < nv; b++) {
                V r = resp[b] * s->mask[j * NB + b], z = s->x[j * NB + b] - mu, w = r * z;
                seen += r;
                first += w;
                second = SK_(v_fma)(w, z, second);
            }
            acc[1 + 2 * m + j] = seen;
        } else
            for (int b = 0; b < nv; b++) {
                V z = s->x[j * NB + b] - mu, w = resp[b] * z;
                first += w;
                second = SK_(v_fma)(w, z, second);
            }
        acc[1 + j] = first;
        acc[1 + m + j] = second;
    }
}

static void SK_(gm_moments)(const sk_gm_job *job, const SK_(gm_params) *p, SK_(gm_scratch) *s,
                            ptrdiff_t acc_size, int nv) {
    for (ptrdiff_t k = 0; k < job->K; k++) {
        const V *resp = s->joint + k * NB;
        const R *mean = p->mean + k * p->padded;
        V *acc = s->acc + k * acc_size;
        if (job->diagonal) SK_(gm_moments_diagonal)(s, resp, mean, p->m, job->masked, acc, nv);
        else if (p->m == 1) SK_(gm_moments_small)(1, s->x, resp, mean, acc, nv);
        else if (p->m == 2) SK_(gm_moments_small)(2, s->x, resp, mean, acc, nv);
        else if (p->m == 3) SK_(gm_moments_small)(3, s->x, resp, mean, acc, nv);
        else if (p->m == 4) SK_(gm_moments_small)(4, s->x, resp, mean, acc, nv);
        else SK_(gm_moments_tiled)(s, resp, mean, p->padded, acc, nv);
    }
}

/* Accumulators of all components summed over lanes and added to `out`, laid out as a slot. */
static void SK_(gm_reduce)(const sk_gm_job *job, ptrdiff_t m, ptrdiff_t padded, const V *acc, ptrdiff_t acc_size,
                           double *out) {
    ptrdiff_t Kp = sk_round_up(job->K, SKD_(lanes));
    for (ptrdiff_t k = 0; k < job->K; k++, acc += acc_size) {
        double *o = out + k;
        if (job->diagonal) {
            for (ptrdiff_t e = 0; e < acc_size; e++) o[e * Kp] += SK_(gm_lane_sum)(acc[e]);
            continue;
        }
        const V *a = acc;
        double *second = o + (1 + m) * Kp;
        if (m <= 4)
            for (ptrdiff_t e = 0; e < m * (m + 1) / 2; e++) second[e * Kp] += SK_(gm_lane_sum)(*a++);
        else
            for (ptrdiff_t i0 = 0; i0 < padded; i0 += 4)
                for (ptrdiff_t j0 = 0; j0 < i0 + 4; j0 += SK_(tile_vectors))
                    for (int e = 0; e < 4 * SK_(tile_vectors); e++, a++) {
                        ptrdiff_t i = i0 + e / SK_(tile_vectors), j = j0 + e % SK_(tile_vectors);
                        if (i < m && j <= i) second[SK_TRI(i, j) * Kp] += SK_(gm_lane_sum)(*a);
                    }
        for (ptrdiff_t j = 0; j < m; j++) o[(1 + j) * Kp] += SK_(gm_lane_sum)(a[j]);
        o[0] += SK_(gm_lane_sum)(a[padded]);
    }
}

/* ---- runs, chunks, threads ---------------------------------------------------------------- */

/* The next block on its way while this one is worked on; three quarters of the time of loading a
 * block were spent waiting for its first row. */
static void SK_(gm_prefetch)(const R *X, ptrdiff_t size) {
    for (ptrdiff_t e = 0; e < size; e += 64 / (ptrdiff_t)sizeof(R)) SK_PREFETCH(X + e);
}

/* Rows first .. last - 1, which observe the same columns; moments are added to `out`. */
static double SK_(gm_rows)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns,
                           ptrdiff_t first, ptrdiff_t last, SK_(gm_scratch) *s, double *out) {
    ptrdiff_t acc_size = job->diagonal ? (job->masked ? 3 : 2) * p->m + 1
                                       : (p->m <= 4 ? p->m * (p->m + 1) / 2 : 2 * p->padded * (p->padded / 4 + 1)) + p->padded + 1;
    double log_lik = 0;
    if (out) memset(s->acc, 0, sizeof(V) * job->K * acc_size);
    if (p->padded > p->m) memset(s->x + p->m * NB, 0, sizeof(V) * NB * (p->padded - p->m));
    for (ptrdiff_t i = first; i < last; i += BLOCK) {
        ptrdiff_t rows = last - i < BLOCK ? last - i : BLOCK;
        int nv = (int)sk_round_up((rows + W - 1) / W, SK_(tile_vectors));
        SK_(gm_load)(job, p, columns, i, rows, s);
        if (i + 2 * BLOCK <= last) SK_(gm_prefetch)((const R *)job->X + (i + BLOCK) * job->d, BLOCK * job->d);
        if (job->given) SK_(gm_read_given)(job, s->joint, i, rows);
        else {
            SK_(gm_densities)(job, p, s, nv);
            if (job->log_joint || job->labels) SK_(gm_write_joint)(job, s->joint, i, rows);
            log_lik += SK_(gm_softmax)(job, s, i, rows, nv);
            if (job->resp) SK_(gm_write_resp)(job, s->joint, i, rows);
        }
        if (out) SK_(gm_moments)(job, p, s, acc_size, nv);
    }
    if (out) SK_(gm_reduce)(job, p->m, p->padded, s->acc, acc_size, out);
    return log_lik;
}

/* Rows of one pattern within a chunk: long runs by blocks, short ones by component. */
static double SK_(gm_pattern)(sk_gm_job *job, ptrdiff_t pattern, ptrdiff_t first, ptrdiff_t last,
                              SK_(gm_scratch) *s, double *slot) {
    SKD_(gm_factors) *f = &s->factors;
    ptrdiff_t failed = SKD_(gm_factor_pattern)(job, job->model, job->masks + pattern * job->d, f);
    if (failed) { job->failed = failed; return 0; }
    if (f->m == 0) { SKD_(gm_empty_rows)(job, first, last); return 0; }
    double log_lik, *observed = slot ? s->observed : NULL;
    ptrdiff_t Kp = sk_round_up(job->K, SKD_(lanes));
    if (observed) memset(observed, 0, sizeof(double) * Kp * (1 + f->m + f->m * (f->m + 1) / 2));
    if (last - first >= 64) {
        SK_(gm_dense_params)(job, f, &s->params);
        log_lik = SK_(gm_rows)(job, &s->params, f->columns, first, last, s, observed);
    } else {
        log_lik = 0;
        for (ptrdiff_t i = first; i < last; i++) {
            const R *x = (const R *)job->X + i * job->d;
            for (ptrdiff_t j = 0; j < f->m; j++)
                f->row[j] = ((double)x[f->columns[j]] - job->shift[f->columns[j]]) * job->unit[f->columns[j]];
            log_lik += SKD_(gm_one_row)(job, f, sk_at(job, i), observed);
        }
    }
    if (slot) SKD_(gm_complete)(job, job->model, f, observed, slot);
    return log_lik;
}

static void SK_(gm_chunk)(sk_gm_job *job, ptrdiff_t chunk, SK_(gm_scratch) *s) {
    ptrdiff_t first = chunk * job->chunk_rows, last = first + job->chunk_rows;
    double *slot = job->slots ? job->slots + chunk * job->slot_size : NULL, log_lik = 0;
    if (last > job->n) last = job->n;
    if (!job->starts) {
        log_lik = SK_(gm_rows)(job, (const SK_(gm_params) *)job->model, NULL, first, last, s, slot);
    } else {
        ptrdiff_t low = 0, high = job->n_patterns; /* the pattern of row `first`, by bisection */
        while (high - low > 1) {
            ptrdiff_t mid = (low + high) / 2;
            if (job->starts[mid] <= first) low = mid; else high = mid;
        }
        for (ptrdiff_t p = low; p < job->n_patterns && job->starts[p] < last && !job->failed; p++) {
            ptrdiff_t a = job->starts[p] > first ? job->starts[p] : first;
            ptrdiff_t b = job->starts[p + 1] < last ? job->starts[p + 1] : last;
            log_lik += SK_(gm_pattern)(job, p, a, b, s, slot);
        }
    }
    job->slot_log_lik[chunk] = log_lik;
}

static int SK_(gm_scratch_alloc)(SK_(gm_scratch) *s, const sk_gm_job *job, char **memory) {
    ptrdiff_t block = sk_round_up(job->d, 4) * NB, K = job->K, tiled = job->diagonal || job->d <= 4;
    ptrdiff_t Kp = sk_round_up(K, SKD_(lanes));
    size_t params = job->starts ? SK_(gm_params_layout)(&s->params, job, NULL) : 0;
    size_t observed = job->starts ? sizeof(double) * Kp * (1 + job->d + job->d * (job->d + 1) / 2) : 0;
    size_t vectors = block + (job->masked ? block : 0) + (tiled ? 0 : 2 * block) + K * NB +
                     (job->slots ? K * SK_(gm_acc_size)(job) : 0);
    char *p = *memory = sk_alloc(sizeof(V) * vectors + params + observed);
    if (!p || (job->starts && !SKD_(gm_factors_alloc)(&s->factors, job))) return 0;
    s->x = (V *)p;
    s->mask = s->x + block;
    s->z = job->masked ? s->mask + block : s->mask;
    s->wz = s->z + (tiled ? 0 : block);
    s->joint = s->wz + (tiled ? 0 : block);
    s->acc = s->joint + K * NB;
    p += sizeof(V) * vectors;
    if (job->starts) SK_(gm_params_layout)(&s->params, job, p);
    s->observed = (double *)(p + params);
    return 1;
}

/* One thread's share: chunks as they become free, until none is left. */
static void SK_(gm_work)(sk_gm_job *job, ptrdiff_t *next, ptrdiff_t last) {
    SK_(gm_scratch) s;
    char *memory = NULL;
    memset(&s, 0, sizeof s);
    if (!SK_(gm_scratch_alloc)(&s, job, &memory)) job->failed = -1;
    while (!job->failed) {
        ptrdiff_t chunk;
#ifdef _OPENMP
#pragma omp atomic capture
#endif
        chunk = (*next)++;
        if (chunk >= last) break;
        SK_(gm_chunk)(job, chunk, &s);
    }
    SKD_(gm_factors_free)(&s.factors);
    sk_free(memory);
}

static void SK_(sk_gm_run)(sk_gm_job *job, ptrdiff_t first, ptrdiff_t last, int threads) {
    ptrdiff_t next = first;
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        SK_(gm_work)(job, &next, last);
        return;
    }
#endif
    (void)threads;
    SK_(gm_work)(job, &next, last);
}
#undef R
#undef V
#undef W
#undef NB
#undef BLOCK
#undef FLOOR
#undef SKD_
#undef VEC
#undef IVEC
