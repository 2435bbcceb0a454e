/* The Gaussian pass for one instruction set and real type; see gaussian.h. */
#include "gaussian_block.h"
#include "gaussian_by_row.h"
#if SK_IS_DOUBLE
#include "gaussian_patterns.h"
#endif

static ptrdiff_t SK_(sk_gm_lanes)(void) { return W; }

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

/* Where row i of a block stands: at its place in the list, if there is one. */
SK_INLINE ptrdiff_t SK_(gm_row)(const int32_t *list, ptrdiff_t i) { return list ? (ptrdiff_t)list[i] : i; }

/* Complete rows of m >= W columns, by tiles of W x W of which the last one in a row may overlap the
 * one before. Returns how many rows were taken, whole tiles: one by one they take four times as long. */
SK_INLINE ptrdiff_t SK_(gm_load_tiles)(const R *SK_RESTRICT X, const int32_t *list, ptrdiff_t m,
                                       const SK_(gm_params) *p, ptrdiff_t rows, R *SK_RESTRICT x) {
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
                memcpy(tile + e, X + SK_(gm_row)(list, i + e) * m + column, sizeof(V));
                tile[e] = (tile[e] - shift) * unit;
            }
            SK_(v_transpose)(tile);
            SK_UNROLL
            for (int e = 0; e < W; e++) memcpy(x + (column + e) * BLOCK + i, tile + e, sizeof(V));
        }
#endif
    return i;
}

/* Rows of X into s->x, feature-major, shifted and scaled; padding is 0. They are the first ones, or listed. */
static void SK_(gm_load)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                         const int32_t *list, ptrdiff_t rows, SK_(gm_scratch) *s) {
    R *SK_RESTRICT x = (R *)s->x, *SK_RESTRICT mask = (R *)s->mask;
    const R *SK_RESTRICT shift = p->shift, *SK_RESTRICT unit = p->unit;
    ptrdiff_t m = p->m, d = job->d, i;
    if (rows < BLOCK) memset(x, 0, sizeof(V) * NB * p->padded);
    if (job->masked)
        for (ptrdiff_t i = 0; i < rows; i++, X += d)
            for (ptrdiff_t j = 0; j < m; j++) {
                int seen = X[j] == X[j];
                mask[j * BLOCK + i] = (R)seen;
                x[j * BLOCK + i] = seen ? (X[j] - shift[j]) * unit[j] : 0;
            }
    else if (columns)
        for (ptrdiff_t i = 0; i < rows; i++) {
            const R *row = X + SK_(gm_row)(list, i) * d;
            for (ptrdiff_t j = 0; j < m; j++) x[j * BLOCK + i] = (row[columns[j]] - shift[j]) * unit[j];
        }
    else if (m == 1) SK_(gm_load_small)(1, X, p, rows, x);
    else if (m == 2) SK_(gm_load_small)(2, X, p, rows, x);
    else if (m == 3) SK_(gm_load_small)(3, X, p, rows, x);
    else if (m == 4) SK_(gm_load_small)(4, X, p, rows, x);
    else {
        i = list ? SK_(gm_load_tiles)(X, list, m, p, rows, x) : SK_(gm_load_tiles)(X, NULL, m, p, rows, x);
        for (; i < rows; i++)
            for (ptrdiff_t j = 0; j < m; j++)
                x[j * BLOCK + i] = (X[SK_(gm_row)(list, i) * d + j] - shift[j]) * unit[j];
    }
}

/* Weights of rows first .. first + rows - 1 into s->weight, 0 behind them. */
static void SK_(gm_load_weights)(const sk_gm_job *job, ptrdiff_t first, ptrdiff_t rows, SK_(gm_scratch) *s) {
    R *weight = (R *)s->weight;
    for (ptrdiff_t i = 0; i < BLOCK; i++) weight[i] = i < rows;
    if (job->weights)
        for (ptrdiff_t i = 0; i < rows; i++) weight[i] = (R)job->weights[sk_at(job, first + i)];
}
#include "gaussian_picked.h"

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

/* log_joint of a tile of rows -> its exp from the largest on; that and the sum are returned. */
SK_INLINE void SK_(gm_exp)(V *SK_RESTRICT joint, ptrdiff_t K, V *largest, V *total, int kept) {
    enum { T = SK_(tile_vectors) };
    V top[T], sum[T];
    SK_UNROLL
    for (int e = 0; e < T; e++) {
        top[e] = joint[e];
        sum[e] = SK_(v_set)(0);
    }
    for (ptrdiff_t k = 1; k < K; k++) {
        SK_UNROLL
        for (int e = 0; e < T; e++) top[e] = SK_(v_max)(top[e], joint[k * NB + e]);
    }
    for (ptrdiff_t k = 0; k < K; k++) {
        SK_UNROLL
        for (int e = 0; e < T; e++) {
            V value = SK_(v_exp)(joint[k * NB + e] - top[e]);
            if (kept) joint[k * NB + e] = value;
            sum[e] += value;
        }
    }
    SK_UNROLL
    for (int e = 0; e < T; e++) {
        largest[e] = top[e];
        total[e] = sum[e];
    }
}

/* The largest and the sum alone, of a few: the larger of two has an exp of 1, so there is one less to find. */
SK_INLINE void SK_(gm_exp_sum)(const V *SK_RESTRICT joint, ptrdiff_t K, V *largest, V *total) {
    enum { T = SK_(tile_vectors) };
    const V one = SK_(v_set)(1);
    V top[T], sum[T];
    SK_UNROLL
    for (int e = 0; e < T; e++) {
        top[e] = joint[e];
        sum[e] = one;
    }
    for (ptrdiff_t k = 1; k < K; k++) {
        SK_UNROLL
        for (int e = 0; e < T; e++) {
            V value = joint[k * NB + e], higher = SK_(v_max)(top[e], value);
            V share = SK_(v_exp)(SK_(v_pick)(value, top[e], top[e], value) - higher);
            sum[e] = SK_(v_fma)(SK_(v_pick)(value, top[e], sum[e], one), share, SK_(v_pick)(value, top[e], one, sum[e]));
            top[e] = higher;
        }
    }
    SK_UNROLL
    for (int e = 0; e < T; e++) {
        largest[e] = top[e];
        total[e] = sum[e];
    }
}

/* log_joint -> responsibilities times weights, in place. Returns the weighted log-likelihood. */
static double SK_(gm_softmax)(const sk_gm_job *job, SK_(gm_scratch) *s, ptrdiff_t first, ptrdiff_t rows, int nv) {
    enum { T = SK_(tile_vectors) };
    V *value = s->log_prob, sum[SK_(block_vectors)];
    if (job->resp || job->slots)
        for (ptrdiff_t b = 0; b < nv; b += T) {
            V scale[T];
            SK_(gm_exp)(s->joint + b, job->K, value + b, sum + b, 1);
            SK_UNROLL
            for (int e = 0; e < T; e++) scale[e] = s->weight[b + e] / sum[b + e];
            for (ptrdiff_t k = 0; k < job->K; k++) {
                SK_UNROLL
                for (int e = 0; e < T; e++) s->joint[k * NB + b + e] *= scale[e];
            }
        }
    else
        for (ptrdiff_t b = 0; b < nv; b += T)
            if (job->K <= 4) SK_(gm_exp_sum)(s->joint + b, job->K, value + b, sum + b);
            else SK_(gm_exp)(s->joint + b, job->K, value + b, sum + b, 0);
    /* On their own: the long chains of several logarithms fill each other's gaps. */
    for (ptrdiff_t b = 0; b < nv; b++) value[b] += SK_(v_log)(sum[b]);
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

/* What the caller wants of the block in s->joint. Returns its log-likelihood. */
static double SK_(gm_tell)(const sk_gm_job *job, ptrdiff_t first, ptrdiff_t rows, SK_(gm_scratch) *s) {
    int nv = (int)sk_round_up((rows + W - 1) / W, SK_(tile_vectors));
    SK_(gm_load_weights)(job, first, rows, s);
    if (job->log_joint || job->labels) SK_(gm_write_joint)(job, s->joint, first, rows);
    double log_lik = SK_(gm_softmax)(job, s, first, rows, nv);
    if (job->resp) SK_(gm_write_resp)(job, s->joint, first, rows);
    return log_lik;
}
#include "gaussian_bounded.h"

/* ---- runs, chunks, threads ---------------------------------------------------------------- */

/* Rows first .. last - 1, which observe the same columns; moments are added to `out`. */
static double SK_(gm_rows)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns,
                           ptrdiff_t first, ptrdiff_t last, SK_(gm_scratch) *s, double *out) {
    int by_row = SK_(gm_by_row)(job), picks = out && SK_(gm_picks)(job, p->m);
    ptrdiff_t acc_size = by_row ? SK_(gm_by_row_size)(p->m) : SK_(gm_used)(job, p);
    const R *run = (const R *)job->X + first * job->d;
    double log_lik = 0;
    if (SK_(gm_bounded)(job, p->m)) return SK_(gm_rows_bounded)(job, p, columns, first, last, s);
    if (out) memset(s->acc, 0, sizeof(V) * job->K * acc_size);
    if (picks) SK_(gm_lists_clear)(&s->lists, job->K);
    if (p->padded > p->m) memset(s->x + p->m * NB, 0, sizeof(V) * NB * (p->padded - p->m));
    for (ptrdiff_t i = first; i < last; i += BLOCK) {
        const R *X = run + (i - first) * job->d;
        ptrdiff_t rows = last - i < BLOCK ? last - i : BLOCK;
        int nv = (int)sk_round_up((rows + W - 1) / W, SK_(tile_vectors));
        SK_(gm_load)(job, p, columns, X, NULL, rows, s);
        s->ahead = i + 2 * BLOCK <= last ? X + BLOCK * job->d : NULL;
        if (job->given) SK_(gm_read_given)(job, s->joint, i, rows);
        else {
            SK_(gm_densities)(job, p, s, nv);
            log_lik += SK_(gm_tell)(job, i, rows, s);
        }
        if (picks && SK_(gm_moments_picked)(job, p, columns, run, i - first, rows, s, acc_size, nv)) continue;
        if (out && by_row) SK_(gm_moments_by_row)(p, s, X, job->K, rows, nv);
        else if (out) SK_(gm_moments)(job, p, s, acc_size, nv);
    }
    for (ptrdiff_t k = 0; picks && k < job->K; k++)
        if (s->lists.length[k]) SK_(gm_unlist)(job, p, columns, run, k, s->lists.length[k], s, acc_size);
    if (out && by_row) SK_(gm_reduce_by_row)(job, p, s->acc, out);
    else if (out) SK_(gm_reduce)(job, p->m, p->padded, s->acc, acc_size, out);
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
    if (job->unseen && !(log_lik > FLOOR / 2)) job->failed = -2;
}

static int SK_(gm_scratch_alloc)(SK_(gm_scratch) *s, const sk_gm_job *job, char **memory) {
    ptrdiff_t block = sk_round_up(job->d, 4) * NB, K = job->K, tiled = job->diagonal || job->d <= 4;
    ptrdiff_t Kp = sk_round_up(K, SKD_(lanes));
    size_t params = job->starts ? SK_(gm_params_layout)(&s->params, job, NULL) : 0;
    size_t observed = job->starts ? sizeof(double) * Kp * (1 + job->d + job->d * (job->d + 1) / 2) : 0;
    ptrdiff_t strip = SK_(gm_strip_blocks)(job), rows = SK_(gm_bounded)(job, job->d) ? strip * BLOCK : 0;
    size_t vectors = block + (job->masked ? block : 0) + (tiled ? 0 : 2 * block) + strip * K * NB +
                     (job->slots ? K * SK_(gm_acc_size)(job) : 0);
    size_t lists = SK_(gm_lists_layout)(&s->lists, job, NULL);
    size_t of_strip = rows * (sizeof(R) + 2 * sizeof(int32_t));
    char *p = *memory = sk_alloc(sizeof(V) * vectors + lists + of_strip + params + observed);
    if (!p || (job->starts && !SKD_(gm_factors_alloc)(&s->factors, job))) return 0;
    s->x = (V *)p;
    s->mask = s->x + block;
    s->z = job->masked ? s->mask + block : s->mask;
    s->wz = s->z + (tiled ? 0 : block);
    s->joint = s->wz + (tiled ? 0 : block);
    s->acc = s->joint + strip * K * NB;
    p += sizeof(V) * vectors;
    s->strip.reach = (R *)p;
    s->strip.best = (int32_t *)(s->strip.reach + rows);
    s->strip.row = s->strip.best + rows;
    p += of_strip;
    p += SK_(gm_lists_layout)(&s->lists, job, p);
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
