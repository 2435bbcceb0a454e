/* Log densities of rows under dense covariances, of which most need not be finished.
 *
 * The Mahalanobis distance of a row from component k is no less than its square along any direction of
 * unit length, in the units of k. The direction towards the mean of all components is the one in which
 * most rows of the others stand out. It costs 2 / d of the whole distance and bounds each log density
 * from above. A strip of blocks goes through four steps:
 *
 *   bounds of all pairs -> the highest of each row, finished -> those within reach of it, finished
 *                       -> all others keep their bound, which is as good as nothing
 *
 * Out of reach is what lies FAR + log K below: all of them together are less than exp(-FAR) = 4e-18 of
 * the sum of the row, a fiftieth of the rounding of that sum, and none can be the largest. Pairs to be
 * finished are gathered by component, rows of many blocks into one; where most pairs are within reach,
 * strips are taken as a whole for a while.
 */
#define FAR 40.0
enum { SK_(strip_blocks) = 16, SK_(whole_strips) = 15 };

/* Blocks in a strip, whose log densities are to stay in the second-level cache. */
static ptrdiff_t SK_(gm_strip_blocks)(const sk_gm_job *job) {
    ptrdiff_t fit = ((ptrdiff_t)1 << 20) / (job->K * BLOCK * (ptrdiff_t)sizeof(R));
    if (!SK_(gm_bounded)(job, job->d)) return 1;
    return fit < 1 ? 1 : fit < SK_(strip_blocks) ? fit : SK_(strip_blocks);
}

/* Bounds of the log densities of a block: tiles of four components by TILE vectors, held in registers. */
static void SK_(gm_bounds)(const sk_gm_job *job, const SK_(gm_params) *p, SK_(gm_scratch) *s, int nv) {
    enum { T = SK_(tile_vectors) };
    const V half = SK_(v_set)((R)-0.5);
    for (ptrdiff_t k = 0; k < job->K; k += 4) {
        SK_(gm_prefetch)(s->ahead, BLOCK * job->d, k / 4, (job->K + 3) / 4);
        for (ptrdiff_t b = 0; b < nv; b += T) {
            const R *f = p->toward + k * p->m;
            V y[4 * T];
            SK_UNROLL
            for (int e = 0; e < 4 * T; e++) y[e] = -SK_(v_set)(p->start[k + e / T]);
            for (ptrdiff_t j = 0; j < p->m; j++, f += 4) {
                SK_UNROLL
                for (int e = 0; e < 4 * T; e++)
                    y[e] = SK_(v_fma)(SK_(v_set)(f[e / T]), s->x[j * NB + b + e % T], y[e]);
            }
            for (ptrdiff_t t = 0; t < 4 && k + t < job->K; t++)
                for (int e = 0; e < T; e++) {
                    V bound = SK_(v_fma)(half * y[t * T + e], y[t * T + e], SK_(v_set)(p->log_const[k + t]));
                    s->joint[(k + t) * NB + b + e] = SK_(v_max)(bound, SK_(v_set)(FLOOR));
                }
        }
    }
}

/* Log densities (blocks, K, NB) of rows one after the other, or their bounds. */
static void SK_(gm_strip_densities)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                                    ptrdiff_t rows, int bounds, SK_(gm_scratch) *s) {
    V *joint = s->joint;
    for (ptrdiff_t i = 0; i < rows; i += BLOCK, X += BLOCK * job->d, s->joint += job->K * NB) {
        ptrdiff_t n = rows - i < BLOCK ? rows - i : BLOCK;
        int nv = (int)sk_round_up((n + W - 1) / W, SK_(tile_vectors));
        SK_(gm_load)(job, p, columns, X, NULL, n, s);
        s->ahead = i + 2 * BLOCK <= rows ? X + BLOCK * job->d : NULL;
        if (bounds) SK_(gm_bounds)(job, p, s, nv);
        else SK_(gm_densities)(job, p, s, nv);
    }
    s->joint = joint;
}

/* The component with the highest log density of each row. */
static void SK_(gm_strip_best)(const sk_gm_job *job, ptrdiff_t rows, SK_(gm_scratch) *s) {
    for (ptrdiff_t i = 0; i < rows; i += BLOCK) {
        const R *SK_RESTRICT value = (const R *)(s->joint + i / BLOCK * job->K * NB);
        R *SK_RESTRICT top = s->strip.reach + i;
        int32_t *SK_RESTRICT best = s->strip.best + i;
        for (ptrdiff_t e = 0; e < BLOCK; e++) { top[e] = value[e]; best[e] = 0; }
        for (ptrdiff_t k = 1; k < job->K; k++)
            for (ptrdiff_t e = 0; e < BLOCK; e++) {
                int higher = value[k * BLOCK + e] > top[e];
                top[e] = higher ? value[k * BLOCK + e] : top[e];
                best[e] = higher ? (int32_t)k : best[e];
            }
    }
}

/* The log densities of component k for the listed rows. */
static void SK_(gm_finish)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                           ptrdiff_t k, ptrdiff_t count, SK_(gm_scratch) *s) {
    V value[SK_(block_vectors)];
    const int32_t *row = s->strip.row;
    for (ptrdiff_t i = 0; i < count; i += BLOCK, row += BLOCK) {
        ptrdiff_t n = count - i < BLOCK ? count - i : BLOCK;
        SK_(gm_load)(job, p, columns, X, row, n, s);
        SK_(gm_density_tiled)(s->x, p->factor + k * p->factor_size, p->offset + k * p->padded, p->padded,
                              p->log_const[k], value, (int)sk_round_up((n + W - 1) / W, SK_(tile_vectors)));
        for (ptrdiff_t e = 0; e < n; e++)
            ((R *)(s->joint + (row[e] / BLOCK * job->K + k) * NB))[row[e] % BLOCK] = ((const R *)value)[e];
    }
}

/* Rows of the strip whose best component is k. */
static ptrdiff_t SK_(gm_list_best)(ptrdiff_t k, ptrdiff_t rows, SK_(gm_scratch) *s) {
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < rows; i++) {
        s->strip.row[n] = (int32_t)i;
        n += s->strip.best[i] == k;
    }
    return n;
}

/* Rows of the strip that have component k within reach, but another one as the best. */
static ptrdiff_t SK_(gm_list_near)(const sk_gm_job *job, ptrdiff_t k, ptrdiff_t rows, SK_(gm_scratch) *s) {
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < rows; i += BLOCK) {
        const R *SK_RESTRICT value = (const R *)(s->joint + (i / BLOCK * job->K + k) * NB);
        const R *SK_RESTRICT reach = s->strip.reach + i;
        const int32_t *SK_RESTRICT best = s->strip.best + i;
        for (ptrdiff_t e = 0; e < BLOCK && i + e < rows; e++) { /* without a branch */
            s->strip.row[n] = (int32_t)(i + e);
            n += (value[e] >= reach[e]) & (best[e] != k);
        }
    }
    return n;
}

/* Whether few pairs are going to be finished, by a first block: of m columns the distance of a row from
 * its own component is m. */
static int SK_(gm_few_near)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                            ptrdiff_t rows, R far, SK_(gm_scratch) *s) {
    const R *value = (const R *)s->joint, *top = s->strip.reach;
    ptrdiff_t near = 0;
    if (rows > BLOCK) rows = BLOCK;
    SK_(gm_strip_densities)(job, p, columns, X, rows, 1, s);
    SK_(gm_strip_best)(job, rows, s);
    for (ptrdiff_t k = 0; k < job->K; k++, value += BLOCK)
        for (ptrdiff_t e = 0; e < rows; e++) near += value[e] >= top[e] - (far + (R)p->m / 2);
    return 4 * near <= rows * job->K;
}

/* Log densities of the rows of a strip into s->joint. Returns 0 where few of them can be left out. */
static int SK_(gm_strip_bounded)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                                 ptrdiff_t rows, SK_(gm_scratch) *s) {
    R far = (R)(FAR + log((double)job->K));
    if (!SK_(gm_few_near)(job, p, columns, X, rows, far, s)) return 0;
    SK_(gm_strip_densities)(job, p, columns, X, rows, 1, s);
    SK_(gm_strip_best)(job, rows, s);
    for (ptrdiff_t k = 0; k < job->K; k++)
        SK_(gm_finish)(job, p, columns, X, k, SK_(gm_list_best)(k, rows, s), s);
    for (ptrdiff_t i = 0; i < rows; i++) {
        const V *joint = s->joint + (i / BLOCK * job->K + s->strip.best[i]) * NB;
        s->strip.reach[i] = ((const R *)joint)[i % BLOCK] - far;
    }
    for (ptrdiff_t k = 0; k < job->K; k++)
        SK_(gm_finish)(job, p, columns, X, k, SK_(gm_list_near)(job, k, rows, s), s);
    return 1;
}

/* What is asked of rows first .. last - 1, which observe the same columns. */
static double SK_(gm_rows_bounded)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns,
                                   ptrdiff_t first, ptrdiff_t last, SK_(gm_scratch) *s) {
    ptrdiff_t strip = SK_(gm_strip_blocks)(job) * BLOCK, wait = 0;
    double log_lik = 0;
    V *joint = s->joint;
    for (ptrdiff_t i = first; i < last; i += strip) {
        const R *X = (const R *)job->X + i * job->d;
        ptrdiff_t rows = last - i < strip ? last - i : strip;
        if (wait > 0 || !SK_(gm_strip_bounded)(job, p, columns, X, rows, s)) {
            wait = wait > 0 ? wait - 1 : SK_(whole_strips);
            SK_(gm_strip_densities)(job, p, columns, X, rows, 0, s);
        }
        for (ptrdiff_t b = 0; b < rows; b += BLOCK, s->joint += job->K * NB)
            log_lik += SK_(gm_tell)(job, i + b, rows - b < BLOCK ? rows - b : BLOCK, s);
        s->joint = joint;
    }
    return log_lik;
}
#undef FAR
