/* Moments of those pairs of a row and a component that count, under dense covariances.
 *
 * Most responsibilities are next to nothing. The other pairs of a block wait in a list of their
 * component, until there are enough of them for a block of their own:
 *
 *   resp[component][vector]  --pick-->  list[component]  --BLOCK of them-->  accumulators
 *
 * What is left out. Of a row with Mahalanobis distance q from component k and responsibility r, the
 * moments N and S2, these in units of the covariance, get at most r and r q. A pair is left out where
 * r (1 + q) is below SHARE times the N_k of this run of rows so far, this block included: a sum
 * of one term after the other does not change by such a term, for SHARE is far below half a unit in
 * its last place. So a component that lives on tiny responsibilities keeps them, because they are
 * measured by their own sum, and a far outlier is kept for its q. Of q it is known that, with the
 * density p(x) of the row and the constant c_k of the component,
 *
 *   r = exp(c_k - q / 2) / p(x)   hence   q = 2 (c_k - log p(x) - log r) <= G - 2 log r
 *
 * where G has the largest c_k and the smallest log p(x) of the block. Down to r = exp(-LEAST) this
 * makes one bound on r for a block and a component; where that would have to be lower, all but zeros
 * count.
 */
#define SHARE (SK_IS_DOUBLE ? 0x1p-59 : 0x1p-32)
#define LEAST 60.0
enum { SK_(list_size) = 2 * SK_(block_vectors) * SK_(lanes), SK_(whole_blocks) = 15 };

/* Whether a model is for this way: rows are gathered for a fraction of what their moments cost. */
static int SK_(gm_picks)(const sk_gm_job *job, ptrdiff_t m) {
    return job->slots && !job->diagonal && job->K > 1 && m >= 8;
}

/* Lists in one piece of memory: bytes needed, or the pointers set. */
static size_t SK_(gm_lists_layout)(SK_(gm_lists) *l, const sk_gm_job *job, char *memory) {
    size_t K = job->K, size = K * SK_(list_size);
    if (!SK_(gm_picks)(job, job->d)) return 0;
    if (memory) {
        l->resp = (R *)memory;
        l->row = (int32_t *)(l->resp + size);
        l->mass = (double *)(l->row + size);
        l->length = (ptrdiff_t *)(l->mass + K);
        l->picked = l->length + K;
    }
    return sk_round_up(size * (sizeof(R) + sizeof(int32_t)) + K * (sizeof(double) + 2 * sizeof(ptrdiff_t)), 64);
}

static void SK_(gm_lists_clear)(SK_(gm_lists) *l, ptrdiff_t K) {
    for (ptrdiff_t k = 0; k < K; k++) l->mass[k] = l->length[k] = 0;
    l->wait = 0;
}

/* The bound on a responsibility for each unit of N_k, and below which value there is none. */
static double SK_(gm_bound)(const sk_gm_job *job, const SK_(gm_params) *p, const SK_(gm_scratch) *s, int nv,
                            double *lowest) {
    double constant = -INFINITY, low = INFINITY, weight = 0;
    for (ptrdiff_t k = 0; k < job->K; k++)
        if (p->log_const[k] > constant) constant = p->log_const[k];
    for (ptrdiff_t i = 0; i < nv * W; i++) {
        double log_prob = ((const R *)s->log_prob)[i], w = ((const R *)s->weight)[i];
        if (log_prob < low) low = log_prob;
        if (w > weight) weight = w;
    }
    *lowest = exp(-LEAST) * weight;
    return SHARE / (1 + 2 * LEAST + (constant > low ? 2 * (constant - low) : 0));
}

/* Moments of the first `count` pairs in the list of component k, which they leave. */
static void SK_(gm_unlist)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                           ptrdiff_t k, ptrdiff_t count, SK_(gm_scratch) *s, ptrdiff_t acc_size) {
    R *resp = s->lists.resp + k * SK_(list_size);
    int32_t *row = s->lists.row + k * SK_(list_size);
    ptrdiff_t rest = s->lists.length[k] -= count, filled = sk_round_up(count, W);
    for (ptrdiff_t i = count; i < filled; i++) resp[i] = 0; /* at the end of a list alone */
    SK_(gm_load)(job, p, columns, X, row, count, s);
    SK_(gm_moments_tiled)(s, (const V *)resp, p->mean + k * p->padded, p->padded, s->acc + k * acc_size,
                          (int)(filled / W));
    memcpy(resp, resp + count, sizeof(R) * rest);
    memcpy(row, row + count, sizeof(int32_t) * rest);
}

/* Pairs of the block of rows from `at` on that count, behind the lists. Returns how many. */
static ptrdiff_t SK_(gm_pick)(const sk_gm_job *job, const SK_(gm_params) *p, ptrdiff_t at, ptrdiff_t rows,
                              SK_(gm_scratch) *s, int nv) {
    SK_(gm_lists) *l = &s->lists;
    double lowest = INFINITY, unit = job->given ? 0 : SK_(gm_bound)(job, p, s, nv, &lowest);
    ptrdiff_t kept = 0;
    for (ptrdiff_t k = 0; k < job->K; k++) {
        const R *resp = (const R *)(s->joint + k * NB);
        R *value = l->resp + k * SK_(list_size) + l->length[k];
        int32_t *row = l->row + k * SK_(list_size) + l->length[k];
        V sum = s->joint[k * NB];
        for (int b = 1; b < nv; b++) sum += s->joint[k * NB + b];
        l->mass[k] += SK_(gm_lane_sum)(sum);
        double bound = l->mass[k] * unit;
        R least = (R)(bound < lowest ? 0 : bound);
        ptrdiff_t n = 0;
        for (ptrdiff_t i = 0; i < rows; i++) { /* without a branch; a NaN is kept */
            value[n] = resp[i];
            row[n] = (int32_t)(at + i);
            n += !(resp[i] <= least);
        }
        l->picked[k] = n;
        kept += n;
    }
    return kept;
}

/* Moments of the block of rows that starts with row `at` of X, the run at hand. Returns 0 where most of
 * its pairs count, and it is to be taken as a whole; the blocks behind it are not looked at then. */
static int SK_(gm_moments_picked)(const sk_gm_job *job, const SK_(gm_params) *p, const ptrdiff_t *columns, const R *X,
                                  ptrdiff_t at, ptrdiff_t rows, SK_(gm_scratch) *s, ptrdiff_t acc_size, int nv) {
    SK_(gm_lists) *l = &s->lists;
    if (l->wait > 0) { l->wait--; return 0; }
    if (2 * SK_(gm_pick)(job, p, at, rows, s, nv) > rows * job->K) { l->wait = SK_(whole_blocks); return 0; }
    for (ptrdiff_t k = 0; k < job->K; k++)
        if ((l->length[k] += l->picked[k]) >= BLOCK) SK_(gm_unlist)(job, p, columns, X, k, BLOCK, s, acc_size);
    return 1;
}
#undef SHARE
#undef LEAST
