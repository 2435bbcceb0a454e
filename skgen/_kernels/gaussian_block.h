/* Densities and moments of a block of rows, for one instruction set and real type.
 *
 * A block is NB vectors of rows, stored feature-major: x[feature][vector]. Which row stands where
 * is the caller's business: gaussian.h takes rows one after the other, hmm.h steps of many
 * sequences. Leaves the macros R, V, W, NB, BLOCK, FLOOR and SKD_ defined.
 */
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
#include "gaussian_factors.h"
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
    R *center;             /* (K, m) means in the units of the data, for moments by row */
    R *shift, *unit;       /* (m,) */
    R *toward, *start;     /* (K / 4, m, 4), (K,) for bounds on densities, see gaussian_bounded.h */
} SK_(gm_params);

/* Pairs of a row and a component that wait for their moments; see gaussian_picked.h. */
typedef struct {
    R *resp;                    /* (K, list_size) responsibilities */
    int32_t *row;               /* (K, list_size) rows, from the first one of the run */
    double *mass;               /* (K,) sum of the responsibilities that were looked at */
    ptrdiff_t *length, *picked; /* (K,) of the list, and of what the block at hand would add */
    int wait;                   /* blocks to take as a whole before the next one is looked at */
} SK_(gm_lists);

/* Of the rows of a strip; see gaussian_bounded.h. */
typedef struct {
    R *reach;            /* the highest log density known, later what is within reach of it */
    int32_t *best, *row; /* its component; rows to be finished */
} SK_(gm_strip);

/* Scratch memory of one thread. */
typedef struct {
    V *x, *mask, *z, *wz;  /* (padded, NB) each */
    V *joint;              /* (K, NB), for each block of a strip */
    V *acc;                /* (K, acc_size) */
    V weight[SK_(block_vectors)], log_prob[SK_(block_vectors)];
    SK_(gm_lists) lists;
    SK_(gm_strip) strip;
    const R *ahead;        /* the next block of rows, or NULL */
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
/* The part of an accumulator that m columns need. */
static ptrdiff_t SK_(gm_used)(const sk_gm_job *job, const SK_(gm_params) *p) {
    if (job->diagonal) return (job->masked ? 3 : 2) * p->m + 1;
    return (p->m <= 4 ? p->m * (p->m + 1) / 2 : 2 * p->padded * (p->padded / 4 + 1)) + p->padded + 1;
}

/* ---- parameters --------------------------------------------------------------------------- */

/* Arrays of SK_(gm_params) in one piece of memory: bytes needed, or the pointers set. */
/* Whether nothing is asked that needs all pairs, and a pair costs enough to look for a bound first. */
static int SK_(gm_bounded)(const sk_gm_job *job, ptrdiff_t m) {
    int all = job->slots || job->resp || job->log_joint || job->given;
    return !all && !job->diagonal && job->K > 1 && m >= 32;
}

static size_t SK_(gm_params_layout)(SK_(gm_params) *p, const sk_gm_job *job, char *memory) {
    ptrdiff_t K = job->K, d = job->d, padded = sk_round_up(d, 4);
    ptrdiff_t factor = job->diagonal ? d : SK_(gm_factor_size)(d);
    ptrdiff_t bounds = SK_(gm_bounded)(job, d) ? sk_round_up(K, 4) : 0;
    ptrdiff_t sizes[10] = {K * factor, K * padded, K * padded, K, K * d, K * d, d, d, bounds * d, bounds};
    R **fields[10] = {&p->factor, &p->offset, &p->mean,  &p->log_const, &p->log_scale,
                      &p->center, &p->shift,  &p->unit, &p->toward,    &p->start};
    size_t used = 0;
    for (int f = 0; f < 10; f++) {
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

/* The direction in which component k sees the mean of all of them, at unit length in its own units:
 * entry j of `toward` is that of the inverse factor's transpose times the direction. */
static void SK_(gm_look)(const sk_gm_job *job, const SKD_(gm_factors) *f, const double *middle, ptrdiff_t k,
                         SK_(gm_params) *p) {
    ptrdiff_t Kp = sk_round_up(job->K, SKD_(lanes)), m = f->m;
    const double *inverse = (const double *)f->inverse + k, *mean = job->means + k * job->d;
    R *toward = p->toward + k / 4 * 4 * m + k % 4;
    double *seen = f->row, length = 0, start = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        seen[i] = 0;
        for (ptrdiff_t j = 0; j <= i; j++)
            seen[i] += inverse[SK_TRI(i, j) * Kp] * (middle[f->columns[j]] - mean[f->columns[j]]);
        length += seen[i] * seen[i];
    }
    double unit = length > 0 && length < INFINITY ? 1 / sqrt(length) : 0;
    for (ptrdiff_t j = 0; j < m; j++) {
        double sum = 0;
        for (ptrdiff_t i = j; i < m; i++) sum += inverse[SK_TRI(i, j) * Kp] * (seen[i] * unit);
        toward[4 * j] = (R)sum;
        start += sum * mean[f->columns[j]];
    }
    p->start[k] = (R)start;
}

static void SK_(gm_look_all)(const sk_gm_job *job, const SKD_(gm_factors) *f, SK_(gm_params) *p) {
    ptrdiff_t d = job->d, padded_K = sk_round_up(job->K, 4);
    double *middle = (double *)f->half, weight = 0;
    memset(middle, 0, sizeof(double) * d);
    for (ptrdiff_t k = 0; k < job->K; k++) weight += exp(job->log_weights[k]);
    for (ptrdiff_t k = 0; k < job->K; k++)
        for (ptrdiff_t j = 0; j < d; j++) middle[j] += exp(job->log_weights[k]) / weight * job->means[k * d + j];
    memset(p->toward, 0, sizeof(R) * padded_K * f->m);
    memset(p->start, 0, sizeof(R) * padded_K);
    for (ptrdiff_t k = 0; k < job->K; k++) SK_(gm_look)(job, f, middle, k, p);
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
    if (SK_(gm_bounded)(job, m)) SK_(gm_look_all)(job, f, p);
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
            p->center[k * d + j] = (R)(job->shift[j] + job->means[k * d + j] / job->unit[j]);
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

/* ---- log densities ------------------------------------------------------------------------ */

/* log_const - |factor x - offset|^2 / 2 for m <= 4 columns; m is a constant to the compiler. */
SK_INLINE void SK_(gm_density_small)(const int m, const V *SK_RESTRICT x, const R *factor, const R *offset,
                                     R log_const, V *SK_RESTRICT out, int nv) {
    const V half = SK_(v_set)((R)-0.5), c = SK_(v_set)(log_const);
    for (ptrdiff_t b = 0; b < nv; b++) {
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
    for (ptrdiff_t b = 0; b < nv; b += SK_(tile_vectors)) {
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

/* m is a constant to the compiler where it is small. */
SK_INLINE void SK_(gm_density_diagonal_of)(const ptrdiff_t m, const V *SK_RESTRICT x, const V *SK_RESTRICT mask,
                                           const R *scale, const R *offset, const R *log_scale, R log_const,
                                           V *SK_RESTRICT out, int nv) {
    const V half = SK_(v_set)((R)-0.5);
    for (ptrdiff_t b = 0; b < nv; b += SK_(tile_vectors)) {
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

static void SK_(gm_density_diagonal)(const V *x, const V *mask, const R *scale, const R *offset, const R *log_scale,
                                     ptrdiff_t m, R log_const, V *out, int nv) {
    switch (mask ? 0 : m) {
    case 1: SK_(gm_density_diagonal_of)(1, x, NULL, scale, offset, log_scale, log_const, out, nv); break;
    case 2: SK_(gm_density_diagonal_of)(2, x, NULL, scale, offset, log_scale, log_const, out, nv); break;
    case 3: SK_(gm_density_diagonal_of)(3, x, NULL, scale, offset, log_scale, log_const, out, nv); break;
    case 4: SK_(gm_density_diagonal_of)(4, x, NULL, scale, offset, log_scale, log_const, out, nv); break;
    default: SK_(gm_density_diagonal_of)(m, x, mask, scale, offset, log_scale, log_const, out, nv);
    }
}

/* Component k's share of the next block on its way: three quarters of the time of loading a block
 * were spent waiting, and more than some dozen lines at a time are not waited for but forgotten. */
SK_INLINE void SK_(gm_prefetch)(const R *ahead, ptrdiff_t size, ptrdiff_t k, ptrdiff_t K) {
    enum { LINE = 64 / sizeof(R) };
    ptrdiff_t share = sk_round_up((size + K - 1) / K, LINE), end = (k + 1) * share < size ? (k + 1) * share : size;
    for (ptrdiff_t e = k * share; ahead && e < end; e += LINE) SK_PREFETCH(ahead + e);
}

static void SK_(gm_densities)(const sk_gm_job *job, const SK_(gm_params) *p, SK_(gm_scratch) *s, int nv) {
    for (ptrdiff_t k = 0; k < job->K; k++) {
        SK_(gm_prefetch)(s->ahead, BLOCK * job->d, k, job->K);
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

/* ---- moments of a block about the current means ------------------------------------------- */

SK_INLINE void SK_(gm_moments_small)(const int m, const V *SK_RESTRICT x, const V *SK_RESTRICT resp, const R *mean,
                                     V *SK_RESTRICT acc, int nv) {
    V second[10], first[4], weight = acc[m * (m + 1) / 2 + m];
    SK_UNROLL
    for (int e = 0; e < m * (m + 1) / 2; e++) second[e] = acc[e];
    SK_UNROLL
    for (int j = 0; j < m; j++) first[j] = acc[m * (m + 1) / 2 + j];
    for (ptrdiff_t b = 0; b < nv; b++) {
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
    for (ptrdiff_t b = 0; b < nv; b++) {
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
    for (ptrdiff_t b = 0; b < nv; b++) weight += resp[b];
    for (ptrdiff_t j = 0; j < padded; j++) {
        V mu = SK_(v_set)(mean[j]), sum = first[j];
        for (ptrdiff_t b = 0; b < nv; b++) {
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
    for (ptrdiff_t b = 0; b < nv; b++) {
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
    for (ptrdiff_t b = 0; b < nv; b++) weight += resp[b];
    acc[0] = weight;
    ptrdiff_t quads = masked ? 0 : m / 4 * 4;
    for (ptrdiff_t j = 0; j < quads; j += 4) SK_(gm_moments_quad)(s->x + j * NB, resp, mean + j, acc + 1 + j, m, nv);
    for (ptrdiff_t j = quads; j < m; j++) {
        V mu = SK_(v_set)(mean[j]), first = acc[1 + j], second = acc[1 + m + j];
        if (masked) {
            V seen = acc[1 + 2 * m + j];
            for (ptrdiff_t b = 0; b < nv; b++) {
                V r = resp[b] * s->mask[j * NB + b], z = s->x[j * NB + b] - mu, w = r * z;
                seen += r;
                first += w;
                second = SK_(v_fma)(w, z, second);
            }
            acc[1 + 2 * m + j] = seen;
        } else
            for (ptrdiff_t b = 0; b < nv; b++) {
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

static double SK_(gm_lane_sum)(V a) {
    double sum = 0;
    for (int i = 0; i < W; i++) sum += (double)((R *)&a)[i];
    return sum;
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
