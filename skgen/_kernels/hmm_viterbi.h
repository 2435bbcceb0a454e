/* The most probable paths of a group of segments; see hmm.h.
 *
 * best_t(j) = max_i (best_{t-1}(i) + log A(i, j)) + log p(x_t | j), and a link to the i that won,
 * one byte for each row and state. Densities of zero are FLOOR, whose sums stay finite. Where a
 * sequence starts the link is to the state in which the one before it ends, so that a path is
 * traced through all rows of a segment in one go.
 */

/* (best, link) = (x, i) in the lanes where x is larger. */
SK_INLINE void SK_(hm_take)(V *best, V *link, V x, V i) {
#if SK_VBYTES == 64
    __mmask8 larger = _mm512_cmp_pd_mask((__m512d)x, (__m512d)*best, _CMP_GT_OQ);
    *best = (V)_mm512_mask_mov_pd((__m512d)*best, larger, (__m512d)x);
    *link = (V)_mm512_mask_mov_pd((__m512d)*link, larger, (__m512d)i);
#else
    IVEC larger = SK_(v_gt)(x, *best);
    *best = SK_(v_blend)(larger, x, *best);
    *link = SK_(v_blend)(larger, i, *link);
#endif
}

/* Links are counted up as integers in the bits of reals, and stored as bytes. */
SK_INLINE void SK_(hm_store_links)(unsigned char *out, const V *links) {
    for (int u = 0; u < U; u++, out += W) {
        IVEC bits = SK_(v_bits)(links[u]);
#if SK_VBYTES == 64
        _mm_storel_epi64((__m128i *)out, _mm512_cvtepi64_epi8((__m512i)bits));
#else
        for (int i = 0; i < W; i++) out[i] = (unsigned char)((const SK_INT *)&bits)[i];
#endif
    }
}

/* States whose ways in are compared at the same time: what the registers hold. */
enum { SK_(hm_ways) = SK_LEVEL == SK_AVX512 ? 4 : 2, SK_(hm_most_ways) = SK_LEVEL == SK_AVX512 ? 5 : 2 };

/* The best way into `width` states from j on; width is a constant to the compiler. */
SK_INLINE void SK_(hm_best_into)(const int width, const ptrdiff_t K, const double *SK_RESTRICT a,
                                 const V *SK_RESTRICT before, V *SK_RESTRICT now, V *SK_RESTRICT links) {
    V best[SK_(hm_most_ways) * U], link[SK_(hm_most_ways) * U];
    SK_UNROLL
    for (int e = 0; e < width * U; e++) {
        best[e] = before[e % U] + SK_(v_set)(a[e / U]);
        link[e] = SK_(v_set)(0);
    }
    for (ptrdiff_t i = 1; i < K; i++) {
        V index = SK_(v_real)((IVEC){0} + (SK_INT)i);
        SK_UNROLL
        for (int e = 0; e < width * U; e++)
            SK_(hm_take)(best + e, link + e, before[i * U + e % U] + SK_(v_set)(a[i * K + e / U]), index);
    }
    SK_UNROLL
    for (int e = 0; e < width * U; e++) {
        now[e] = best[e];
        links[e] = link[e];
    }
}

/* The best way into each state. */
SK_INLINE void SK_(hm_best)(const ptrdiff_t K, const double *a, const V *before, V *now, V *links) {
    ptrdiff_t j = 0;
    if (K == SK_(hm_most_ways)) { SK_(hm_best_into)(SK_(hm_most_ways), K, a, before, now, links); return; }
    for (; j + SK_(hm_ways) <= K; j += SK_(hm_ways))
        SK_(hm_best_into)(SK_(hm_ways), K, a + j, before, now + j * U, links + j * U);
    if (K - j == 3) SK_(hm_best_into)(SK_(hm_ways) == 4 ? 3 : 1, K, a + j, before, now + j * U, links + j * U);
    else if (K - j == 2) SK_(hm_best_into)(2, K, a + j, before, now + j * U, links + j * U);
    else if (K - j == 1) SK_(hm_best_into)(1, K, a + j, before, now + j * U, links + j * U);
}

/* Subtract the largest entry of vector u, which is added up, and tell which state has it. */
SK_INLINE void SK_(hm_normalise)(const ptrdiff_t K, V *best, SK_(hm_tally) *y, V *last, int u) {
    V top = best[u], link = SK_(v_set)(0);
    for (ptrdiff_t k = 1; k < K; k++)
        SK_(hm_take)(&top, &link, best[k * U + u], SK_(v_real)((IVEC){0} + (SK_INT)k));
    for (ptrdiff_t k = 0; k < K; k++) best[k * U + u] -= top;
    V sum = y->high[u] + top, part = sum - y->high[u]; /* the rounding error is kept */
    y->low[u] += (y->high[u] - (sum - part)) + (top - part);
    y->high[u] = sum;
    last[u] = link;
}

/* Where sequences start in vector u: the one before is complete, and the start probabilities are
 * all there is. `last` is the state in which it ends. */
SK_INLINE void SK_(hm_viterbi_start)(const ptrdiff_t K, sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t t, int u, V last,
                                     V *links) {
    IVEC reset = s->reset[t * U + u], there = SK_(v_gt)(s->weight[t * U + u], SK_(v_set)(0));
    V *joint = s->joint + t / STEPS * K * NB + t % STEPS * U + u;
    for (ptrdiff_t k = 0; k < K; k++) {
        V start = SK_(v_blend)(there, SK_(v_set)(job->start[k]), SK_(v_set)(0));
        joint[k * NB] = SK_(v_blend)(there, joint[k * NB], SK_(v_set)(0));
        s->work[k * U + u] = SK_(v_blend)(reset, start, s->work[k * U + u]);
        links[k * U + u] = SK_(v_blend)(reset, last, links[k * U + u]);
    }
}

/* n steps of s->state. Links go to `out` unless it is NULL. */
SK_INLINE void SK_(hm_viterbi_steps)(const ptrdiff_t K, sk_hm_job *job, SK_(hm_scratch) *s, SK_(hm_tally) *y,
                                     ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n, unsigned char *out) {
    V *SK_RESTRICT links = s->b, *SK_RESTRICT state = s->state, *SK_RESTRICT next = s->work, last[U] = {0};
    for (ptrdiff_t t = 0; t < n; t++) {
        const V *joint = s->joint + t / STEPS * K * NB + t % STEPS * U;
        for (int u = 0; u < U; u++)
            if (t % 16 == 15 || s->flags[t] & SK_(has_start) << u) SK_(hm_normalise)(K, state, y, last, u);
        SK_(hm_best)(K, job->transmat, state, next, links);
        for (int u = 0; u < U; u++) {
            if (!(s->flags[t] & SK_(has_start) << u)) continue;
            if (t0 >= 0) SK_(hm_tally_starts)(job, s, y, group, t0, t, u);
            SK_(hm_viterbi_start)(K, job, s, t, u, last[u], links);
        }
        for (ptrdiff_t k = 0; k < K; k++)
            for (int u = 0; u < U; u++) state[k * U + u] = next[k * U + u] + joint[k * NB + u];
        for (ptrdiff_t k = 0; out && k < K; k++) SK_(hm_store_links)(out + (t * K + k) * L, links + k * U);
    }
}

static void SK_(hm_viterbi_block)(sk_hm_job *job, SK_(hm_scratch) *s, SK_(hm_tally) *y, ptrdiff_t group, ptrdiff_t t0,
                                  ptrdiff_t n, unsigned char *out) {
    SK_(hm_mark)(job, s, group, t0, n);
    SK_(hm_densities)(job, s, group, t0, n, 0);
    SK_HM_FOR_STATES(job->K, SK_(hm_viterbi_steps), job, s, y, group, t0, n, out);
}

static void SK_(hm_viterbi_group)(sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, int warm) {
    const ptrdiff_t K = job->K, n = job->rows;
    SK_(hm_tally) y;
    V last[U];
    SK_(hm_tally_start)(job, &y, group);
    if (warm) {
        for (ptrdiff_t e = 0; e < K * U; e++) s->state[e] = SK_(v_set)(0);
        for (ptrdiff_t t0 = -job->warm; t0 < 0; t0 += job->block)
            SK_(hm_viterbi_block)(job, s, &y, group, t0, job->block, NULL);
        for (int u = 0; u < U; u++) SK_(hm_normalise)(K, s->state, &y, last, u);
        SK_(hm_put)(job, job->first, group, s->state);
        SK_(hm_tally_start)(job, &y, group);
    }
    SK_(hm_get)(job, job->first, group, s->state);
    for (ptrdiff_t t0 = 0; t0 < n; t0 += job->block)
        SK_(hm_viterbi_block)(job, s, &y, group, t0, n - t0 < job->block ? n - t0 : job->block,
                              job->links + (group * n + t0) * K * L);
    for (int u = 0; u < U; u++) SK_(hm_normalise)(K, s->state, &y, last, u);
    SK_(hm_put)(job, job->last, group, s->state);
    SK_(hm_tally_finish)(job, &y, group);
}

/* The states before those of L lanes, by their links: one of few is selected, one of many looked up. */
SK_INLINE void SK_(hm_back)(const ptrdiff_t K, const unsigned char *links, unsigned char *state) {
#if SK_VBYTES
    typedef unsigned char bytes __attribute__((vector_size(L)));
    if (K <= 8) {
        bytes now, before, link;
        memcpy(&now, state, L);
        memcpy(&before, links, L);
        SK_UNROLL
        for (int k = 1; k < K; k++) {
            bytes here = (bytes)(now == (unsigned char)k);
            memcpy(&link, links + k * L, L);
            before = (link & here) | (before & ~here);
        }
        memcpy(state, &before, L);
        return;
    }
#endif
    for (int lane = 0; lane < L; lane++) state[lane] = links[state[lane] * L + lane];
}

/* Steps last .. first of the paths of a group; lanes beyond the data write nothing. */
SK_INLINE void SK_(hm_trace)(const ptrdiff_t K, sk_hm_job *job, ptrdiff_t group, unsigned char *state) {
    const ptrdiff_t n = job->rows, first = SK_(hm_row)(job, group, 0, 0), whole = first + L * n <= job->N;
    const unsigned char *SK_RESTRICT links = job->links + (group + 1) * n * K * L;
    ptrdiff_t *SK_RESTRICT path = job->path;
    for (ptrdiff_t row = first + n - 1; row >= first; row--) {
        links -= K * L;
        SK_UNROLL
        for (ptrdiff_t lane = 0; lane < L; lane++)
            if (whole || row + lane * n < job->N) path[row + lane * n] = state[lane];
        SK_(hm_back)(K, links, state);
    }
}

/* Paths of a group, each from the state that looks best where its segment ends. */
static void SK_(hm_trace_group)(sk_hm_job *job, ptrdiff_t group) {
    const ptrdiff_t K = job->K;
    unsigned char state[L];
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        const double *last = job->last + group * K * L + lane;
        state[lane] = 0;
        for (ptrdiff_t k = 1; k < K; k++) if (last[k * L] > last[state[lane] * L]) state[lane] = (unsigned char)k;
    }
    SK_HM_FOR_STATES(K, SK_(hm_trace), job, group, state);
}
