/* Hidden Markov chains over many sequences, many steps of which are taken at the same time.
 *
 * A step of a chain waits for the step before it, and with few states it is too small to fill a
 * processor. So all rows of all sequences, end to end, are cut into segments of equal length, and
 * a group of segments advances together, one segment in each lane of two vectors:
 *
 *   rows      |s0.....|s1.|s2...........................|s3....|s4......|   sequences
 *             |  q=0  |  q=1  |  q=2  |  q=3  |  q=4  |  q=5  |  q=6 ..|   segments = lanes
 *   time t      0..n    0..n    0..n                                        (state, lane) vectors
 *
 * Where a sequence starts in a lane, a mask puts the start probabilities in place of the
 * prediction: one piece of code serves long, short and ragged sequences. Where a segment starts
 * inside a sequence, the state before it is guessed by a run over the `warm` rows before, then
 * compared with what the segment before it ends with. Segments that disagree run again from there
 * (sk_hm_link_*), in the worst case, of a chain that never forgets, one after the other.
 *
 * Forward:   u_t = (u_{t-1} A) b_t / sum(u_{t-1}), c_t = sum(u_t) = p(x_t | x_1..x_{t-1}) / e^shift
 *            with b_t(k) = p(x_t | k) / e^shift, shift = max_k log p(x_t | k)
 * Backward:  v_t = A (b_{t+1} v_{t+1}) q_{t+1}, q_t = 1 / sum(u_t v_t)
 *            posterior u_t v_t q_t; pairs u_t(i) A(i, j) b_{t+1}(j) v_{t+1}(j) q_t q_{t+1}
 *
 * The quotients follow the product with the matrix, not the other way round: they are ready when
 * it is. Backward needs all u_t: forward leaves a mark every `block` rows and u is computed again
 * from there, so that nothing as large as rows x states is held.
 *
 * When probabilities are lost. A chain without zeros forgets: whatever fell below 1e-290 is as
 * nothing beside what other states give to each state in the next step. With zeros in A, what was
 * lost might have become all that is possible. A bound of its share is carried along: `risk`, the
 * sum of -log c_t since all predictions were large enough to be sure. Sequences in which c_t
 * vanishes or the risk grows beyond what double can hold are marked `bad`, and done by the caller
 * in logarithms.
 *
 * Everything is cut by shapes alone and summed in a fixed order: the same bits for any number of
 * threads.
 */
#ifndef SKGEN_HMM_H
#define SKGEN_HMM_H
#include "gaussian_job.h"

enum { SK_HM_LOG_LIK, SK_HM_GAUSSIAN, SK_HM_SYMBOLS };          /* kinds of emissions */
enum { SK_HM_FORWARD, SK_HM_BACKWARD, SK_HM_VITERBI };         /* passes */

#define SK_HM_TINY 1e-290        /* what is less is taken for lost */
#define SK_HM_LEAST 1e-250       /* of a sum c_t */
#define SK_HM_LEAST_LOG -1e290   /* of a log density */
#define SK_HM_MOST_RISK 600.0    /* lost: e^(600 - 668), times rows and states */
#define SK_HM_SAME 1e-13         /* of probabilities where segments meet */
#define SK_HM_SAME_LOG 1e-11

/* What the forward or the Viterbi pass tells of one segment. Head: up to where the first sequence
 * starts inside; tail: from where the last one starts. */
typedef struct {
    double head, tail;           /* log-likelihood */
    double risk_head, risk_tail, slack;
    char ended;                  /* whether a sequence starts inside: else all is head */
    char cleared;                /* whether the risk fell to nothing in the head, with slack */
    char bad_head, bad_tail;
} sk_hm_segment;

typedef struct {
    int kind, is_float;
    const void *X;               /* (N, d) values, or (N, K) log densities */
    const int *codes;            /* (N,) symbols, -1 missing */
    const double *table;         /* (M + 1, table_width) of symbols: p / max p, for Viterbi log p; last: missing */
    const double *table_log;     /* (M + 1,) log max p; for Viterbi 0 */
    sk_gm_job gm;                /* the Gaussian model */
    ptrdiff_t K, N, S, M;
    ptrdiff_t table_width;       /* K, rounded up to whole vectors */
    const ptrdiff_t *offsets;    /* (S + 1,) */
    const double *start;         /* (K,); logarithms for Viterbi, as the matrices */
    const double *transmat;      /* (K, K) */
    const double *ahead, *back;  /* transmat and its transpose in tiles, see hm_product */
    int sparse;                  /* whether transmat holds zeros, or next to it */
    const double *weights;       /* (S,) for the backward pass, 0 to leave out; or NULL: ones */
    ptrdiff_t lanes, rows, n_groups; /* segments in a group, rows in a segment */
    ptrdiff_t block, n_blocks, warm; /* rows between marks, marks in a segment, rows to warm up */
    double *first, *last;        /* (n_groups, K, lanes) state before and behind each segment */
    double *ahead_of, *behind;   /* the same of the backward pass: at the right and left end */
    double *marks;               /* (n_groups, n_blocks, K, lanes), or NULL */
    sk_hm_segment *segments;     /* (n_groups * lanes,) */
    double *log_prob;            /* (S,) */
    unsigned char *bad;          /* (S,) */
    double *step;                /* (N,) or NULL */
    double *filtered, *resp;     /* (N, K) or NULL */
    double *slots;               /* (n_groups, slot_size): starts, pairs, moments; or NULL */
    ptrdiff_t slot_size;
    uint64_t *links;             /* (n_groups, rows / link_steps, link_words, lanes) */
    ptrdiff_t *path;             /* (N,) */
    int failed;                  /* no memory */
} sk_hm_job;

/* ---- sequences ---------------------------------------------------------------------------- */

/* The sequence that holds a row. */
static ptrdiff_t sk_hm_sequence(const sk_hm_job *job, ptrdiff_t row) {
    ptrdiff_t low = 0, high = job->S;
    while (high - low > 1) {
        ptrdiff_t mid = (low + high) / 2;
        if (job->offsets[mid] <= row) low = mid; else high = mid;
    }
    return low;
}
/* The same, where it is probably close to another sequence. */
static ptrdiff_t sk_hm_near(const sk_hm_job *job, ptrdiff_t row, ptrdiff_t sequence) {
    for (int steps = 0; steps < 8; steps++) {
        if (job->offsets[sequence] > row) sequence--;
        else if (job->offsets[sequence + 1] <= row) sequence++;
        else return sequence;
    }
    return sk_hm_sequence(job, row);
}
/* The first sequence that starts at a row or behind it, not counting the very first. */
static ptrdiff_t sk_hm_next_start(const sk_hm_job *job, ptrdiff_t row) {
    ptrdiff_t low = 0, high = job->S;
    while (high - low > 1) {
        ptrdiff_t mid = (low + high) / 2;
        if (job->offsets[mid] < row) low = mid; else high = mid;
    }
    return high;
}
static int sk_hm_inside(const sk_hm_job *job, ptrdiff_t row) { /* a sequence, that is not at its start */
    return row > 0 && row < job->N && job->offsets[sk_hm_sequence(job, row)] != row;
}
/* Entry k of the vector of a segment. */
static double *sk_hm_at(const sk_hm_job *job, double *vectors, ptrdiff_t segment, ptrdiff_t k) {
    ptrdiff_t group = segment / job->lanes;
    return vectors + (group * job->K + k) * job->lanes + segment % job->lanes;
}

/* Links of the paths to the states before: 16 of 4 bits fill a word of 64, those of up to 4 steps
 * from its low end on, or 8 of 8 bits. */
#define SK_HM_MOST_WORDS 32 /* of 256 states */
SK_INLINE int sk_hm_link_bits(ptrdiff_t K) { return K <= 16 ? 4 : 8; }
/* The bits of a score that are given up for the number of one of K states. */
SK_INLINE uint64_t sk_hm_tag_mask(ptrdiff_t K) {
    uint64_t mask = 1;
    while (mask < (uint64_t)K - 1) mask = 2 * mask + 1;
    return mask;
}
SK_INLINE ptrdiff_t sk_hm_link_words(ptrdiff_t K) { return (K * sk_hm_link_bits(K) + 63) / 64; }
SK_INLINE uint64_t sk_hm_link_most(ptrdiff_t K) { return ((uint64_t)1 << sk_hm_link_bits(K)) - 1; }
SK_INLINE ptrdiff_t sk_hm_link_steps(ptrdiff_t K) { return K <= 4 ? 4 : K <= 8 ? 2 : 1; }
/* The state before `state` in row t of a segment. */
static ptrdiff_t sk_hm_before(const sk_hm_job *job, ptrdiff_t segment, ptrdiff_t t, ptrdiff_t state) {
    ptrdiff_t L = job->lanes, steps = sk_hm_link_steps(job->K);
    ptrdiff_t at = state * sk_hm_link_bits(job->K) + t % steps * (64 / steps);
    ptrdiff_t word = (segment / L * job->rows + t) / steps * sk_hm_link_words(job->K) + at / 64;
    return (ptrdiff_t)(job->links[word * L + segment % L] >> at % 64 & sk_hm_link_most(job->K));
}

#define SK_BODY "hmm_body.h"
#include "foreach_isa.h"
#undef SK_BODY

#if defined(SKGEN_HAVE_X86_TARGETS)
#define SK_HM_DISPATCH(name, ...)                                         \
    (sk_isa() == SK_AVX512 ? name##_avx512_f64(__VA_ARGS__)               \
     : sk_isa() == SK_AVX2 ? name##_avx2_f64(__VA_ARGS__) : name##_baseline_f64(__VA_ARGS__))
#else
#define SK_HM_DISPATCH(name, ...) name##_baseline_f64(__VA_ARGS__)
#endif

static ptrdiff_t sk_hm_lanes(void) { return SK_HM_DISPATCH(hm_lanes); }
/* Entries of the moments in a slot. */
static ptrdiff_t sk_hm_moments_size(const sk_hm_job *job) { return SK_HM_DISPATCH(hm_moments_size, job); }
static void sk_hm_prepare(sk_hm_job *job) { SK_HM_DISPATCH(sk_gm_prepare, &job->gm); }
static void sk_hm_release(sk_hm_job *job) { sk_free(job->gm.model); job->gm.model = NULL; }
/* Takes the groups of a list, with a warm-up or from the vectors that are there. */
static void sk_hm_run(sk_hm_job *job, int pass, int warm, const ptrdiff_t *groups, ptrdiff_t n, int threads) {
    SK_HM_DISPATCH(hm_run, job, pass, warm, groups, n, threads);
}

/* ---- where segments meet ------------------------------------------------------------------ */

static int sk_hm_same(double a, double b) {
    return fabs(a - b) <= SK_HM_SAME * fmax(a, b) || fmax(a, b) < 1e-280;
}

/* Give a segment the vector that the one before it ends with, unless its own agrees. */
static int sk_hm_link_forward(const sk_hm_job *job, ptrdiff_t q, int logs) {
    int differ = 0, valid = 1;
    if (!sk_hm_inside(job, q * job->rows)) return 0;
    for (ptrdiff_t k = 0; k < job->K; k++) {
        double mine = *sk_hm_at(job, job->first, q, k), other = *sk_hm_at(job, job->last, q - 1, k);
        int both_gone = logs && mine < SK_HM_LEAST_LOG && other < SK_HM_LEAST_LOG;
        valid &= other == other;
        differ |= logs ? !both_gone && !(fabs(mine - other) <= SK_HM_SAME_LOG * (1 + fabs(other)))
                       : !sk_hm_same(mine, other);
    }
    if (!differ || !valid) return 0;
    for (ptrdiff_t k = 0; k < job->K; k++) *sk_hm_at(job, job->first, q, k) = *sk_hm_at(job, job->last, q - 1, k);
    return 1;
}

/* The same from the right. Vectors are compared under the prediction p: what counts is p(j) w(j). */
static int sk_hm_link_backward(const sk_hm_job *job, ptrdiff_t q) {
    ptrdiff_t row = (q + 1) * job->rows, K = job->K;
    double mine = 0, other = 0, distance = 0;
    if (!sk_hm_inside(job, row) || (job->weights && job->weights[sk_hm_sequence(job, row)] == 0)) return 0;
    for (int sweep = 0; sweep < 2; sweep++)
        for (ptrdiff_t j = 0; j < K; j++) {
            double p = 0;
            for (ptrdiff_t i = 0; i < K; i++) p += *sk_hm_at(job, job->last, q, i) * job->transmat[i * K + j];
            double a = *sk_hm_at(job, job->ahead_of, q, j), b = *sk_hm_at(job, job->behind, q + 1, j);
            if (p <= 0) continue;
            if (sweep == 0) { mine += p * a; other += p * b; }
            else distance += fabs(p * a / mine - p * b / other);
        }
    if (distance <= SK_HM_SAME) return 0;
    for (ptrdiff_t j = 0; j < K; j++) *sk_hm_at(job, job->ahead_of, q, j) = *sk_hm_at(job, job->behind, q + 1, j);
    return 1;
}

/* Segments of a group whose vectors were replaced. */
static ptrdiff_t sk_hm_link(const sk_hm_job *job, int pass, ptrdiff_t group) {
    ptrdiff_t changed = 0;
    for (ptrdiff_t q = group * job->lanes; q < (group + 1) * job->lanes; q++)
        changed += pass == SK_HM_BACKWARD ? sk_hm_link_backward(job, q)
                                          : sk_hm_link_forward(job, q, pass == SK_HM_VITERBI);
    return changed;
}

/* Log-likelihoods of the sequences that lie in several segments, and whether they are bad. */
static void sk_hm_collect(sk_hm_job *job) {
    double sum = 0, lost = 0, risk = 0;
    ptrdiff_t open = 0;
    for (ptrdiff_t q = 0; q < job->n_groups * job->lanes && q * job->rows < job->N; q++) {
        const sk_hm_segment *segment = job->segments + q;
        ptrdiff_t ended = sk_hm_next_start(job, q * job->rows) - 1;
        double head = segment->head - lost, total = sum + head; /* Kahan's sum */
        open = ended;
        lost = (total - sum) - head;
        sum = total;
        risk += segment->risk_head;
        job->bad[open] |= segment->bad_head || risk > SK_HM_MOST_RISK ||
                          (segment->cleared && risk - segment->risk_head >= segment->slack);
        if (segment->cleared || segment->ended) risk = segment->risk_tail;
        if (!segment->ended) continue;
        job->log_prob[open] = sum;
        sum = segment->tail;
        lost = 0;
        ptrdiff_t last = (q + 1) * job->rows < job->N ? (q + 1) * job->rows : job->N;
        open = sk_hm_sequence(job, last - 1);
        job->bad[open] |= segment->bad_tail;
    }
    if (job->N > 0) job->log_prob[open] = sum;
}

/* Correct the paths where they were traced from a wrong state: they soon meet the right ones. */
static void sk_hm_retrace(sk_hm_job *job) {
    const ptrdiff_t n = job->rows;
    for (ptrdiff_t q = (job->N - 1) / n - 1; q >= 0; q--) {
        if (!sk_hm_inside(job, (q + 1) * n)) continue; /* its end is known */
        ptrdiff_t row = (q + 1) * n - 1, state = sk_hm_before(job, q + 1, 0, job->path[row + 1]);
        for (ptrdiff_t t = n - 1; t >= 0 && job->path[row] != state; t--, row--) {
            job->path[row] = state;
            state = sk_hm_before(job, q, t, state);
        }
    }
}
#endif
