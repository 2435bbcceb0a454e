/* The most probable paths of a group of segments; see hmm.h.
 *
 * best_t(j) = max_i (best_{t-1}(i) + log A(i, j)) + log p(x_t | j), and a link to the i that won,
 * in a few bits of a word (see sk_hm_link_bits). To find it, the last bits of each sum are given up
 * for i, so that the largest sum tells from where it comes: paths that differ by less than that,
 * about 1e-15 K of the score since it was last set to zero, tie. Densities of zero are FLOOR, whose
 * sums stay finite.
 * Where a sequence starts the link is to the state in which the one before it ends, so that a path
 * is traced through all rows of a segment in one go.
 */
#if SK_VBYTES
typedef uint64_t SK_(hm_words) __attribute__((vector_size(SK_VBYTES)));
#else
typedef uint64_t SK_(hm_words);
#endif
#define WORDS SK_(hm_words)

/* x with its last bits, those of `mask`, given up for i. */
SK_INLINE V SK_(hm_tagged)(V x, WORDS mask, uint64_t i) {
#if SK_VBYTES == 64 /* in one operation */
    return (V)_mm512_ternarylogic_epi64((__m512i)x, (__m512i)mask, _mm512_set1_epi64((int64_t)i), 0xba);
#else
    return SK_(v_real)((IVEC)(((WORDS)SK_(v_bits)(x) & ~mask) | ((WORDS){0} + i)));
#endif
}

/* States whose ways in are compared at the same time: what the registers hold. */
enum { SK_(hm_ways) = SK_LEVEL == SK_AVX512 ? 4 : 2, SK_(hm_most_ways) = SK_LEVEL == SK_AVX512 ? 5 : 2 };

/* The best way into `width` states from j on; width is a constant to the compiler. */
SK_INLINE void SK_(hm_best_into)(const int width, const ptrdiff_t K, const ptrdiff_t j, const double *SK_RESTRICT a,
                                 const V *SK_RESTRICT before, const V *SK_RESTRICT joint, V *SK_RESTRICT now,
                                 WORDS *SK_RESTRICT links, const int odd) {
    const int bits = sk_hm_link_bits(K);
    const uint64_t most = sk_hm_tag_mask(K), middle = most / 2 + odd; /* in turn, so that errors cancel */
    const WORDS mask = (WORDS){0} + most;
    V best[SK_(hm_most_ways) * U];
    SK_UNROLL
    for (int e = 0; e < width * U; e++) best[e] = SK_(hm_tagged)(before[e % U] + SK_(v_set)(a[j + e / U]), mask, 0);
    for (ptrdiff_t i = 1; i < K; i++) {
        SK_UNROLL
        for (int e = 0; e < width * U; e++)
            best[e] = SK_(v_max)(SK_(hm_tagged)(before[i * U + e % U] + SK_(v_set)(a[i * K + j + e / U]), mask, i), best[e]);
    }
    SK_UNROLL
    for (int e = 0; e < width * U; e++) {
        ptrdiff_t at = bits * (j + e / U) + 64 - 64 / sk_hm_link_steps(K);
        now[j * U + e] = SK_(hm_tagged)(best[e], mask, middle) + joint[(j + e / U) * NB + e % U];
        links[(K > 16 ? at / 64 : 0) * U + e % U] |= ((WORDS)SK_(v_bits)(best[e]) & mask) << (int)(at % 64);
    }
}

/* The best way into each state, and the density there. */
SK_INLINE void SK_(hm_best)(const ptrdiff_t K, const double *a, const V *before, const V *joint, V *now, WORDS *links,
                           const int odd) {
    enum { WAYS = SK_(hm_ways), MOST = SK_(hm_most_ways) };
    ptrdiff_t j = 0;
    for (ptrdiff_t w = 0; w < sk_hm_link_words(K) * U; w++) links[w] = (WORDS){0};
    if (K == MOST) { SK_(hm_best_into)(MOST, K, 0, a, before, joint, now, links, odd); return; }
    for (; j + WAYS <= K; j += WAYS) SK_(hm_best_into)(WAYS, K, j, a, before, joint, now, links, odd);
    if (K - j == 3) SK_(hm_best_into)(WAYS == 4 ? 3 : 1, K, j, a, before, joint, now, links, odd);
    else if (K - j == 2) SK_(hm_best_into)(2, K, j, a, before, joint, now, links, odd);
    else if (K - j == 1) SK_(hm_best_into)(1, K, j, a, before, joint, now, links, odd);
}

/* Subtract the largest entry of vector u, which is added up, and tell which state has it: in
 * `last`, a word full of links to it. */
SK_INLINE void SK_(hm_normalise)(const ptrdiff_t K, V *best, SK_(hm_tally) *y, WORDS *last, int u) {
    const WORDS mask = (WORDS){0} + sk_hm_tag_mask(K);
    V top = SK_(hm_tagged)(best[u], mask, 0);
    for (ptrdiff_t k = 1; k < K; k++) top = SK_(v_max)(SK_(hm_tagged)(best[k * U + u], mask, k), top);
    for (ptrdiff_t k = 0; k < K; k++) best[k * U + u] -= top;
    V sum = y->high[u] + top, part = sum - y->high[u]; /* the rounding error is kept */
    y->low[u] += (y->high[u] - (sum - part)) + (top - part);
    y->high[u] = sum;
    last[u] = (WORDS)SK_(v_bits)(top) & mask;
    for (int bits = sk_hm_link_bits(K); bits < 64; bits *= 2) last[u] |= last[u] << bits;
}

/* Where sequences start in vector u: the one before is complete, and the start probabilities are
 * all there is. `last` is the state in which it ends. */
SK_INLINE void SK_(hm_viterbi_start)(const ptrdiff_t K, const sk_hm_job *job, const SK_(hm_scratch) *s, const V *joint,
                                     ptrdiff_t t, int u, WORDS last, V *now, WORDS *links) {
    IVEC reset = s->reset[t * U + u], there = SK_(v_gt)(s->weight[t * U + u], SK_(v_set)(0));
    for (ptrdiff_t k = 0; k < K; k++) {
        V start = SK_(v_set)(job->start[k]) + joint[k * NB + u];
        now[k * U + u] = SK_(v_blend)(reset, SK_(v_blend)(there, start, SK_(v_set)(0)), now[k * U + u]);
    }
    for (ptrdiff_t w = u; w < sk_hm_link_words(K) * U; w += U)
        links[w] = (last << (int)(64 - 64 / sk_hm_link_steps(K)) & (WORDS)reset) | (links[w] & ~(WORDS)reset);
}

/* n steps of s->state. Links go to `out` unless it is NULL. */
SK_INLINE void SK_(hm_viterbi_steps)(const ptrdiff_t K, sk_hm_job *job, SK_(hm_scratch) *s, SK_(hm_tally) *y,
                                     ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n, uint64_t *out) {
    const ptrdiff_t words = sk_hm_link_words(K), size = words * L, steps = sk_hm_link_steps(K);
    WORDS links[SK_HM_MOST_WORDS * U], held[U] = {0}, last[U] = {0};
    V *state = s->state, *next = s->work, *swapped;
    for (ptrdiff_t t = 0; t < n; t++, swapped = state, state = next, next = swapped) {
        const V *joint = s->joint + t / STEPS * K * NB + t % STEPS * U;
        for (int u = 0; u < U; u++)
            if (t % 16 == 15 || s->flags[t] & SK_(has_start) << u) SK_(hm_normalise)(K, state, y, last, u);
        SK_(hm_best)(K, job->transmat, state, joint, next, links, t % 2);
        for (int u = 0; u < U; u++) {
            if (!(s->flags[t] & SK_(has_start) << u)) continue;
            if (t0 >= 0) SK_(hm_tally_starts)(job, s, y, group, t0, t, u);
            SK_(hm_viterbi_start)(K, job, s, joint, t, u, last[u], next, links);
        }
        for (int u = 0; steps > 1 && u < U; u++) links[u] = held[u] = held[u] >> (int)(64 / steps) | links[u];
        if (out && t % steps == steps - 1) memcpy(out + t / steps * size, links, sizeof *links * words * U);
    }
    s->state = state;
    s->work = next;
}

static void SK_(hm_viterbi_block)(sk_hm_job *job, SK_(hm_scratch) *s, SK_(hm_tally) *y, ptrdiff_t group, ptrdiff_t t0,
                                  ptrdiff_t n, uint64_t *out) {
    SK_(hm_mark)(job, s, group, t0, n);
    SK_(hm_densities)(job, s, group, t0, n, 0);
    SK_HM_FOR_STATES(job->K, SK_(hm_viterbi_steps), job, s, y, group, t0, n, out);
}

/* Steps last .. first of the paths of a group, from the states in which its segments end. */
SK_INLINE void SK_(hm_trace)(const int steps, const int bits, const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group,
                             const WORDS *ends) {
    const ptrdiff_t n = job->rows, size = sk_hm_link_words(job->K) * L;
    const uint64_t *links = job->links + (group + 1) * n / steps * size;
    WORDS state[U], word;
    memcpy(state, ends, sizeof state);
    for (ptrdiff_t t0 = (job->n_blocks - 1) * job->block; t0 >= 0; t0 -= job->block) {
        ptrdiff_t m = n - t0 < job->block ? n - t0 : job->block;
        for (ptrdiff_t t = m - steps; t >= 0; t -= steps) {
            links -= size;
            SK_UNROLL
            for (int i = steps - 1; i >= 0; i--) {
                SK_UNROLL
                for (int u = 0; u < U; u++) {
                    s->u[(t + i) * U + u] = SK_(v_real)((IVEC)state[u]);
                    if (bits == 4) {
                        memcpy(&word, links + u * W, sizeof word);
                        state[u] = word >> i * (64 / steps) >> (state[u] << 2) & 15;
                    } else
                        for (int lane = 0; lane < W; lane++) {
                            uint64_t *k = (uint64_t *)(state + u) + lane;
                            *k = links[*k / 8 * L + u * W + lane] >> *k % 8 * 8 & 255;
                        }
                }
            }
        }
        SK_(hm_write)(job, 1, s->u, group, t0, m, -job->block, (double *)job->path);
    }
}

static void SK_(hm_viterbi_group)(sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, int warm) {
    const ptrdiff_t K = job->K, n = job->rows;
    SK_(hm_tally) y;
    WORDS last[U];
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
                              job->links + (group * n + t0) / sk_hm_link_steps(K) * sk_hm_link_words(K) * L);
    for (int u = 0; u < U; u++) SK_(hm_normalise)(K, s->state, &y, last, u);
    SK_(hm_put)(job, job->last, group, s->state);
    SK_(hm_tally_finish)(job, &y, group);
    for (int u = 0; u < U; u++) last[u] &= sk_hm_link_most(K);
    if (K <= 4) SK_(hm_trace)(4, 4, job, s, group, last);
    else if (K <= 8) SK_(hm_trace)(2, 4, job, s, group, last);
    else if (K <= 16) SK_(hm_trace)(1, 4, job, s, group, last);
    else SK_(hm_trace)(1, 8, job, s, group, last);
}
#undef WORDS
