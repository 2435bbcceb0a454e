/* The forward and backward recursions of a group of segments, and their sums; see hmm.h. */

/* ---- products with the matrix ------------------------------------------------------------- */

/* out[r] = sum_i in[i] a[i * width + r] for r < width <= 4, which is a constant to the compiler. */
SK_INLINE void SK_(hm_product_tile)(const int width, const ptrdiff_t K, const double *SK_RESTRICT a,
                                    const V *SK_RESTRICT in, V *SK_RESTRICT out) {
    V sum[4 * U];
    SK_UNROLL
    for (int e = 0; e < width * U; e++) sum[e] = SK_(v_set)(0);
    for (ptrdiff_t i = 0; i < K; i++, a += width) {
        SK_UNROLL
        for (int r = 0; r < width; r++) {
            V c = SK_(v_set)(a[r]);
            SK_UNROLL
            for (int u = 0; u < U; u++) sum[r * U + u] = SK_(v_fma)(c, in[i * U + u], sum[r * U + u]);
        }
    }
    SK_UNROLL
    for (int e = 0; e < width * U; e++) out[e] = sum[e];
}

/* out = in A, where `a` holds columns of A in tiles of four, the last of what is left. */
SK_INLINE void SK_(hm_product)(const ptrdiff_t K, const double *a, const V *in, V *out) {
    ptrdiff_t j = 0;
    for (; j + 4 <= K; j += 4) SK_(hm_product_tile)(4, K, a + j * K, in, out + j * U);
    if (K - j == 3) SK_(hm_product_tile)(3, K, a + j * K, in, out + j * U);
    else if (K - j == 2) SK_(hm_product_tile)(2, K, a + j * K, in, out + j * U);
    else if (K - j == 1) SK_(hm_product_tile)(1, K, a + j * K, in, out + j * U);
}

/* ---- forward ------------------------------------------------------------------------------ */

/* n steps from the filtered probabilities in `state`, and back into it. Leaves c_t in s->sum, u_t
 * in s->u if `keep`. Returns the least prediction in `low` where the matrix is sparse. */
SK_INLINE void SK_(hm_forward_steps)(const ptrdiff_t K, const sk_hm_job *job, SK_(hm_scratch) *s, V *SK_RESTRICT state,
                                     V *SK_RESTRICT ahead, ptrdiff_t n, const int keep, const int sparse, V *low) {
    V r[U], sum[U];
    for (int u = 0; u < U; u++) r[u] = SK_(v_set)(1);
    for (ptrdiff_t t = 0; t < n; t++) {
        const V *b = s->b + t * K * U;
        SK_(hm_product)(K, job->ahead, state, ahead);
        if (s->flags[t]) {
            const IVEC *reset = s->reset + t * U;
            for (ptrdiff_t k = 0; k < K; k++)
                for (int u = 0; u < U; u++)
                    ahead[k * U + u] = SK_(v_blend)(reset[u], SK_(v_set)(job->start[k]), ahead[k * U + u]);
            for (int u = 0; u < U; u++) r[u] = SK_(v_blend)(reset[u], SK_(v_set)(1), r[u]);
        }
        SK_UNROLL
        for (int u = 0; u < U; u++) sum[u] = SK_(v_set)(0);
        for (ptrdiff_t k = 0; k < K; k++) {
            SK_UNROLL
            for (int u = 0; u < U; u++) {
                V p = ahead[k * U + u], x = p * (b[k * U + u] * r[u]);
                if (sparse) {
                    V rp = p * r[u];
                    low[u] = SK_(v_blend)(SK_(v_gt)(low[u], rp), rp, low[u]);
                    x = SK_(v_blend)(SK_(v_gt)(SK_(v_set)(SK_HM_TINY), x), SK_(v_set)(0), x);
                }
                state[k * U + u] = x;
                sum[u] += x;
            }
        }
        SK_UNROLL
        for (int u = 0; u < U; u++) {
            s->sum[t * U + u] = sum[u];
            r[u] = SK_(v_set)(1) / sum[u];
        }
        if (keep) memcpy(s->u + t * K * U, state, sizeof(V) * K * U);
    }
    for (ptrdiff_t k = 0; k < K; k++)
        for (int u = 0; u < U; u++) state[k * U + u] *= r[u];
}

static void SK_(hm_forward)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t n, int keep, V *low) {
    if (job->sparse) SK_(hm_forward_steps)(job->K, job, s, s->state, s->work, n, keep, 1, low);
    else if (keep) SK_HM_FOR_STATES(job->K, SK_(hm_forward_steps), job, s, s->state, s->work, n, 1, 0, low)
    else SK_HM_FOR_STATES(job->K, SK_(hm_forward_steps), job, s, s->state, s->work, n, 0, 0, low)
}

/* ---- what the forward pass tells of each sequence ------------------------------------------- */

/* Sums of the lanes since the last start in each. */
typedef struct {
    V run[U], high[U], low[U]; /* log-likelihood: of this block; before, in two parts */
    V fall[U];                 /* -log c_t of this block */
    IVEC bad[U];
    double risk[L];
    ptrdiff_t next[L];         /* the sequence that starts next */
} SK_(hm_tally);

static void SK_(hm_tally_start)(const sk_hm_job *job, SK_(hm_tally) *y, ptrdiff_t group) {
    memset(y, 0, sizeof *y);
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        memset(job->segments + group * L + lane, 0, sizeof *job->segments);
        y->next[lane] = sk_hm_next_start(job, SK_(hm_row)(job, group, lane, 0));
    }
}

/* Take what a lane has summed up, and begin anew. */
static double SK_(hm_tally_take)(SK_(hm_tally) *y, ptrdiff_t lane, char *bad) {
    double *run = (double *)y->run + lane, *high = (double *)y->high + lane, *low = (double *)y->low + lane;
    double *fall = (double *)y->fall + lane, sum = *high + (*low + *run);
    SK_INT *is_bad = (SK_INT *)y->bad + lane;
    *bad = *is_bad != 0 || y->risk[lane] + *fall > SK_HM_MOST_RISK;
    *run = *high = *low = *fall = y->risk[lane] = 0;
    *is_bad = 0;
    return sum;
}

/* A sequence starts in a lane: the one before it is complete, or was the head of the segment. */
static void SK_(hm_tally_end)(sk_hm_job *job, SK_(hm_tally) *y, ptrdiff_t group, ptrdiff_t lane) {
    sk_hm_segment *segment = job->segments + group * L + lane;
    double risk = y->risk[lane] + ((double *)y->fall)[lane];
    char bad;
    double sum = SK_(hm_tally_take)(y, lane, &bad);
    if (!segment->ended) {
        if (!segment->cleared) segment->risk_head = risk;
        segment->head = sum;
        segment->bad_head = bad;
        segment->ended = 1;
    } else {
        job->log_prob[y->next[lane] - 1] = sum;
        job->bad[y->next[lane] - 1] = bad;
    }
    y->next[lane]++;
}

/* The same in the lanes of vector u where any starts at step t. */
static void SK_(hm_tally_starts)(sk_hm_job *job, const SK_(hm_scratch) *s, SK_(hm_tally) *y, ptrdiff_t group,
                                 ptrdiff_t t0, ptrdiff_t t, int u) {
#if SK_VBYTES == 64 /* from one to the next: few start, and where is hard to predict */
    for (unsigned left = _mm512_movepi64_mask((__m512i)s->reset[t * U + u]); left; left &= left - 1) {
        ptrdiff_t lane = u * W + __builtin_ctz(left);
#else
    for (ptrdiff_t lane = u * W; lane < u * W + W; lane++) {
        if (!((const SK_INT *)s->reset)[t * L + lane]) continue;
#endif
        ptrdiff_t row = SK_(hm_row)(job, group, lane, t0 + t);
        while (y->next[lane] < job->S && job->offsets[y->next[lane]] == row) SK_(hm_tally_end)(job, y, group, lane);
    }
}

/* Where all predictions were large against what may have been lost, nothing was. */
static void SK_(hm_tally_risk)(const sk_hm_job *job, SK_(hm_tally) *y, ptrdiff_t group, const V *low) {
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        sk_hm_segment *segment = job->segments + group * L + lane;
        double least = ((const double *)low)[lane], *fall = (double *)y->fall + lane;
        double risk = y->risk[lane] + *fall, slack = least > 0 ? log(least) + SK_HM_MOST_RISK - risk : -1;
        *fall = 0;
        if (risk > SK_HM_MOST_RISK) ((SK_INT *)y->bad)[lane] = -1;
        if (slack > 0) {
            if (!segment->cleared && !segment->ended) {
                segment->risk_head = risk;
                segment->slack = slack;
                segment->cleared = 1;
            }
            risk = 0;
        }
        y->risk[lane] = risk;
    }
}

/* log p(x_t | x_1..x_{t-1}) of a block, added up by sequence. */
static void SK_(hm_tally_block)(sk_hm_job *job, SK_(hm_scratch) *s, SK_(hm_tally) *y, ptrdiff_t group, ptrdiff_t t0,
                                ptrdiff_t n, const V *low) {
    for (ptrdiff_t t = 0; t < n; t++) {
        for (int u = 0; u < U; u++) {
            if (s->flags[t] & SK_(has_start) << u) SK_(hm_tally_starts)(job, s, y, group, t0, t, u);
            V sum = s->sum[t * U + u], shift = s->shift[t * U + u];
            IVEC good = SK_(v_gt)(sum, SK_(v_set)(SK_HM_LEAST)) & SK_(v_gt)(shift, SK_(v_set)(SK_HM_LEAST_LOG));
            V log_sum = SK_(v_log)(SK_(v_blend)(good, sum, SK_(v_set)(1))), step = log_sum + shift;
            if (s->flags[t] & SK_(has_blank)) step *= s->weight[t * U + u];
            y->bad[u] |= ~good;
            y->run[u] += step;
            if (job->sparse) y->fall[u] -= log_sum;
            s->step[t * U + u] = step;
        }
    }
    for (int u = 0; u < U; u++) { /* the rounding error of the sum is kept */
        V a = y->high[u], b = y->run[u], sum = a + b, part = sum - a;
        y->low[u] += (a - (sum - part)) + (b - part);
        y->high[u] = sum;
        y->run[u] = SK_(v_set)(0);
    }
    if (job->sparse) SK_(hm_tally_risk)(job, y, group, low);
}

static void SK_(hm_tally_finish)(sk_hm_job *job, SK_(hm_tally) *y, ptrdiff_t group) {
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        sk_hm_segment *segment = job->segments + group * L + lane;
        double risk = y->risk[lane], sum;
        char bad;
        sum = SK_(hm_tally_take)(y, lane, &bad);
        if (segment->ended) { segment->tail = sum; segment->bad_tail = bad; }
        else { segment->head = sum; segment->bad_head = bad; }
        if (segment->ended || segment->cleared) segment->risk_tail = risk;
        else segment->risk_head = risk;
    }
}

/* What the caller wants of each row. */
static void SK_(hm_forward_rows)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n) {
    const ptrdiff_t K = job->K;
    if (job->step)
        for (ptrdiff_t lane = 0; lane < L; lane++) {
            ptrdiff_t lo, hi, row = SK_(hm_clip)(job, SK_(hm_row)(job, group, lane, t0), n, &lo, &hi);
            for (ptrdiff_t t = lo; t < hi; t++) job->step[row++] = ((const double *)s->step)[t * L + lane];
        }
    if (!job->filtered) return;
    for (ptrdiff_t t = 0; t < n; t++)
        for (int u = 0; u < U; u++) {
            V r = SK_(v_set)(1) / s->sum[t * U + u];
            ptrdiff_t v = t * U + u;
            for (ptrdiff_t k = 0; k < K; k++)
                s->joint[(v / NB * K + k) * NB + v % NB] = s->u[(t * K + k) * U + u] * r;
        }
    SK_(hm_write)(job, K, s->joint, group, t0, n, n, job->filtered);
}

/* Filtered probabilities in s->state before the first row of each segment, by the rows before. */
static void SK_(hm_forward_warm)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group) {
    V low[U];
    for (ptrdiff_t e = 0; e < job->K * U; e++) s->state[e] = SK_(v_set)(1.0 / (double)job->K);
    for (int u = 0; u < U; u++) low[u] = SK_(v_set)(1);
    for (ptrdiff_t t0 = -job->warm; t0 < 0; t0 += job->block) {
        SK_(hm_emit)(job, s, group, t0, job->block, 0);
        SK_(hm_forward)(job, s, job->block, 0, low);
    }
    SK_(hm_put)(job, job->first, group, s->state);
}

static void SK_(hm_forward_group)(sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, int warm) {
    SK_(hm_tally) y;
    SK_(hm_tally_start)(job, &y, group);
    if (warm) SK_(hm_forward_warm)(job, s, group);
    SK_(hm_get)(job, job->first, group, s->state);
    for (ptrdiff_t t0 = 0, i = 0; t0 < job->rows; t0 += job->block, i++) {
        ptrdiff_t n = job->rows - t0 < job->block ? job->rows - t0 : job->block;
        V low[U];
        for (int u = 0; u < U; u++) low[u] = SK_(v_set)(1);
        if (job->marks) SK_(hm_put)(job, job->marks, group * job->n_blocks + i, s->state);
        SK_(hm_emit)(job, s, group, t0, n, 0);
        SK_(hm_forward)(job, s, n, job->filtered != NULL, low);
        SK_(hm_tally_block)(job, s, &y, group, t0, n, low);
        SK_(hm_forward_rows)(job, s, group, t0, n);
    }
    SK_(hm_put)(job, job->last, group, s->state);
    SK_(hm_tally_finish)(job, &y, group);
}

/* ---- backward ----------------------------------------------------------------------------- */

/* From b_{t+1} v_{t+1} of the row behind the block, at its end in s->b, down to its first row.
 * s->joint becomes the posteriors times weight, s->u what the pairs need. q is that of the row
 * behind, then that of the first row. */
SK_INLINE void SK_(hm_backward_steps)(const ptrdiff_t K, const sk_hm_job *job, SK_(hm_scratch) *s, V *SK_RESTRICT v,
                                      ptrdiff_t n, V *q) {
    for (ptrdiff_t t = n - 1; t >= 0; t--) {
        V *SK_RESTRICT u_t = s->u + t * K * U, *SK_RESTRICT b = s->b + t * K * U;
        V *SK_RESTRICT joint = s->joint + t / STEPS * K * NB + t % STEPS * U, z[U], f[U], pair[U];
        const IVEC *ends = s->reset + (t + 1) * U;
        SK_(hm_product)(K, job->back, b + K * U, v);
        SK_UNROLL
        for (int u = 0; u < U; u++) z[u] = SK_(v_set)(0);
        for (ptrdiff_t k = 0; k < K; k++) {
            SK_UNROLL
            for (int u = 0; u < U; u++) {
                V x = v[k * U + u] * q[u];
                if (s->flags[t + 1]) x = SK_(v_blend)(ends[u], SK_(v_set)(1), x);
                v[k * U + u] = x;
                z[u] = SK_(v_fma)(u_t[k * U + u], x, z[u]);
            }
        }
        SK_UNROLL
        for (int u = 0; u < U; u++) {
            pair[u] = q[u];
            q[u] = SK_(v_set)(1) / z[u];
            f[u] = q[u] * s->weight[t * U + u];
            pair[u] = SK_(v_blend)(ends[u], SK_(v_set)(0), f[u] * pair[u]);
        }
        for (ptrdiff_t k = 0; k < K; k++) {
            SK_UNROLL
            for (int u = 0; u < U; u++) {
                V *now = u_t + k * U + u, x = b[k * U + u] * v[k * U + u];
                joint[k * NB + u] = *now * v[k * U + u] * f[u];
                /* A state that cannot be reached must not outgrow those that can. */
                b[k * U + u] = SK_(v_blend)(SK_(v_gt)(*now, SK_(v_set)(0)), x, SK_(v_set)(0));
                *now *= pair[u];
            }
        }
        if (s->flags[t])
            for (ptrdiff_t k = 0; k < K; k++)
                for (int u = 0; u < U; u++)
                    s->starts[k] += SK_(v_blend)(s->reset[t * U + u], joint[k * NB + u], SK_(v_set)(0));
    }
}

/* b_t v_t behind the last row of each segment, from the rows behind, into s->state. */
static void SK_(hm_backward_warm)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group) {
    const ptrdiff_t K = job->K;
    for (ptrdiff_t e = 0; e < K * U; e++) s->state[e] = SK_(v_set)(1);
    for (ptrdiff_t t0 = job->rows + job->warm - job->block; t0 >= job->rows; t0 -= job->block) {
        SK_(hm_emit)(job, s, group, t0, job->block, 1);
        for (ptrdiff_t t = job->block - 1; t >= 0; t--) {
            V sum[U];
            for (int u = 0; u < U; u++) sum[u] = SK_(v_set)(0);
            SK_(hm_product)(K, job->back, s->state, s->work);
            for (ptrdiff_t k = 0; k < K; k++)
                for (int u = 0; u < U; u++) {
                    V x = SK_(v_blend)(s->reset[(t + 1) * U + u], SK_(v_set)(1), s->work[k * U + u]);
                    s->state[k * U + u] = x *= s->b[(t * K + k) * U + u];
                    sum[u] += x;
                }
            for (ptrdiff_t k = 0; k < K; k++)
                for (int u = 0; u < U; u++) s->state[k * U + u] /= sum[u];
        }
    }
    SK_(hm_put)(job, job->ahead_of, group, s->state);
}

/* ---- statistics --------------------------------------------------------------------------- */

/* pairs[rows x columns] += sum over steps of u_t (rows) and b_{t+1} v_{t+1} (columns). */
SK_INLINE void SK_(hm_pairs_tile)(const int rows, const int columns, ptrdiff_t K, const V *SK_RESTRICT now,
                                  const V *SK_RESTRICT next, V *SK_RESTRICT pairs, ptrdiff_t n) {
    V sum[4 * SK_(tile_vectors)];
    SK_UNROLL
    for (int e = 0; e < rows * columns; e++) sum[e] = pairs[e / columns * K + e % columns];
    for (ptrdiff_t t = 0; t < n; t++, now += K * U, next += K * U) {
        SK_UNROLL
        for (int u = 0; u < U; u++) {
            SK_UNROLL
            for (int e = 0; e < rows * columns; e++)
                sum[e] = SK_(v_fma)(now[e / columns * U + u], next[e % columns * U + u], sum[e]);
        }
    }
    SK_UNROLL
    for (int e = 0; e < rows * columns; e++) pairs[e / columns * K + e % columns] = sum[e];
}

SK_INLINE void SK_(hm_pairs_row)(const int rows, ptrdiff_t K, const V *now, const V *next, V *pairs, ptrdiff_t n) {
    enum { T = SK_(tile_vectors) };
    ptrdiff_t j = 0;
    for (; j + T <= K; j += T) SK_(hm_pairs_tile)(rows, T, K, now, next + j * U, pairs + j, n);
    if (K - j == 3) SK_(hm_pairs_tile)(rows, T == 4 ? 3 : 1, K, now, next + j * U, pairs + j, n);
    else if (K - j == 2) SK_(hm_pairs_tile)(rows, 2, K, now, next + j * U, pairs + j, n);
    else if (K - j == 1) SK_(hm_pairs_tile)(rows, 1, K, now, next + j * U, pairs + j, n);
}

static void SK_(hm_pairs)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t n) {
    const ptrdiff_t K = job->K;
    const V *next = s->b + K * U;
    ptrdiff_t i = 0;
    for (; i + 4 <= K; i += 4) SK_(hm_pairs_row)(4, K, s->u + i * U, next, s->pairs + i * K, n);
    if (K - i == 3) SK_(hm_pairs_row)(3, K, s->u + i * U, next, s->pairs + i * K, n);
    else if (K - i == 2) SK_(hm_pairs_row)(2, K, s->u + i * U, next, s->pairs + i * K, n);
    else if (K - i == 1) SK_(hm_pairs_row)(1, K, s->u + i * U, next, s->pairs + i * K, n);
}

/* Posteriors added to the counts of the symbols, laid out as their table: W states at a time. */
static void SK_(hm_count)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t n, double *counts) {
    const ptrdiff_t K = job->K, width = job->table_width;
    const unsigned M = (unsigned)job->M;
    for (ptrdiff_t t = 0; t < n; t++)
        for (int u = 0; u < U; u++)
            for (ptrdiff_t k = 0; k < K; k += W) {
                const V *resp = s->joint + (t / STEPS * K + k) * NB + t % STEPS * U + u;
                V r[W], sum;
                SK_UNROLL
                for (ptrdiff_t i = 0; i < W; i++) r[i] = k + i < K ? resp[i * NB] : SK_(v_set)(0);
                SK_(hm_transpose)(r);
                SK_UNROLL
                for (int i = 0; i < W; i++) {
                    double *out = counts + SK_(hm_table_row)(M, s->codes[u * W + i][t]) * width + k;
                    memcpy(&sum, out, sizeof sum);
                    sum += r[i];
                    memcpy(out, &sum, sizeof sum);
                }
            }
}

/* Sums of one block: pairs, moments, counts. */
static void SK_(hm_block_sums)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t n, double *slot) {
    const ptrdiff_t K = job->K;
    SK_(hm_pairs)(job, s, n);
    if (job->kind == SK_HM_SYMBOLS) SK_(hm_count)(job, s, n, slot + K + K * K);
    if (job->kind != SK_HM_GAUSSIAN) return;
    const SK_(gm_params) *p = SK_(hm_params)(job);
    for (ptrdiff_t v = n * U; v < sk_round_up(n * U, NB); v++) /* the rest of the last tile */
        for (ptrdiff_t k = 0; k < K; k++) s->joint[(v / NB * K + k) * NB + v % NB] = SK_(v_set)(0);
    for (ptrdiff_t tile = 0; tile * STEPS < n; tile++) {
        s->gm.x = s->x + tile * p->padded * NB;
        s->gm.mask = s->mask + tile * p->padded * NB;
        s->gm.joint = s->joint + tile * K * NB;
        SK_(gm_moments)(&job->gm, p, &s->gm, SK_(gm_used)(&job->gm, p), NB);
    }
}

/* Sums of a group, lanes added, into its slot. */
static void SK_(hm_reduce)(const sk_hm_job *job, SK_(hm_scratch) *s, double *slot) {
    const ptrdiff_t K = job->K;
    for (ptrdiff_t k = 0; k < K; k++) slot[k] = SK_(gm_lane_sum)(s->starts[k]);
    for (ptrdiff_t e = 0; e < K * K; e++) slot[K + e] = SK_(gm_lane_sum)(s->pairs[e]) * job->transmat[e];
    if (job->kind != SK_HM_GAUSSIAN) return;
    const SK_(gm_params) *p = SK_(hm_params)(job);
    SK_(gm_reduce)(&job->gm, p->m, p->padded, s->acc, SK_(gm_used)(&job->gm, p), slot + K + K * K);
}

static void SK_(hm_backward_group)(sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, int warm) {
    const ptrdiff_t K = job->K;
    double *slot = job->slots ? job->slots + group * job->slot_size : NULL;
    V q[U], low[U];
    if (slot) {
        memset(slot, 0, sizeof(double) * job->slot_size);
        memset(s->pairs, 0, sizeof(V) * K * K);
        memset(s->starts, 0, sizeof(V) * K);
        if (job->kind == SK_HM_GAUSSIAN) memset(s->acc, 0, sizeof(V) * K * SK_(gm_acc_size)(&job->gm));
    }
    if (warm) SK_(hm_backward_warm)(job, s, group);
    V *carry = s->carry; /* b_t v_t of the row behind the block */
    SK_(hm_get)(job, job->ahead_of, group, carry);
    for (int u = 0; u < U; u++) q[u] = low[u] = SK_(v_set)(1);
    for (ptrdiff_t i = job->n_blocks - 1; i >= 0; i--) {
        ptrdiff_t t0 = i * job->block, n = job->rows - t0 < job->block ? job->rows - t0 : job->block;
        SK_(hm_emit)(job, s, group, t0, n, 1);
        memcpy(s->b + n * K * U, carry, sizeof(V) * K * U);
        SK_(hm_get)(job, job->marks, group * job->n_blocks + i, s->state);
        SK_(hm_forward)(job, s, n, 1, low);
        SK_HM_FOR_STATES(K, SK_(hm_backward_steps), job, s, s->state, n, q)
        memcpy(carry, s->b, sizeof(V) * K * U);
        if (job->resp) SK_(hm_write)(job, K, s->joint, group, t0, n, -job->block, job->resp);
        if (slot) SK_(hm_block_sums)(job, s, n, slot);
    }
    for (ptrdiff_t e = 0; e < K * U; e++) carry[e] *= q[e % U];
    SK_(hm_put)(job, job->behind, group, carry);
    if (slot) SK_(hm_reduce)(job, s, slot);
}
