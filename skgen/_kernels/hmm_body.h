/* The passes over groups of segments for one instruction set; see hmm.h. Float64 only. */
#if SK_IS_DOUBLE
#include "gaussian_block.h"
#include "hmm_lanes.h"
#include "hmm_steps.h"
#include "hmm_viterbi.h"

static ptrdiff_t SK_(hm_moments_size)(const sk_hm_job *job) {
    if (job->kind == SK_HM_SYMBOLS) return (job->M + 1) * job->table_width;
    if (job->kind == SK_HM_LOG_LIK) return 0;
    ptrdiff_t d = job->gm.d, entries = job->gm.diagonal ? 1 + (job->gm.masked ? 3 : 2) * d : 1 + d + d * (d + 1) / 2;
    return entries * sk_round_up(job->K, W);
}

/* One thread's share: groups as they become free, until none is left. */
static void SK_(hm_work)(sk_hm_job *job, int pass, int warm, const ptrdiff_t *groups, ptrdiff_t n, ptrdiff_t *next) {
    SK_(hm_scratch) s;
    if (!SK_(hm_scratch_alloc)(&s, job, pass)) job->failed = 1;
    while (!job->failed) {
        ptrdiff_t i;
#ifdef _OPENMP
#pragma omp atomic capture
#endif
        i = (*next)++;
        if (i >= n) break;
        if (pass == SK_HM_FORWARD) SK_(hm_forward_group)(job, &s, groups[i], warm);
        else if (pass == SK_HM_BACKWARD) SK_(hm_backward_group)(job, &s, groups[i], warm);
        else SK_(hm_viterbi_group)(job, &s, groups[i], warm);
    }
    sk_free(s.memory);
}

static void SK_(hm_run)(sk_hm_job *job, int pass, int warm, const ptrdiff_t *groups, ptrdiff_t n, int threads) {
    ptrdiff_t next = 0;
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        SK_(hm_work)(job, pass, warm, groups, n, &next);
        return;
    }
#endif
    (void)threads;
    SK_(hm_work)(job, pass, warm, groups, n, &next);
}
#undef R
#undef V
#undef W
#undef U
#undef L
#undef NB
#undef BLOCK
#undef FLOOR
#undef SKD_
#undef VEC
#undef IVEC
#endif
