/* One pass of a Gaussian mixture over rows: log densities, responsibilities and moments, fused.
 *
 * Rows are taken in blocks that stay in the first-level cache, stored feature-major (one vector
 * holds one feature of several rows):
 *
 *   block  x[feature][vector]  --density-->  log_joint[component][vector]  --softmax--> resp
 *                                                                           |
 *   slot   N[K], S1[d][K], S2[d(d+1)/2][K]  <--lanes summed--  accumulators <+
 *
 * Blocks make chunks, each chunk has a slot of its own, slots are added in a fixed tree: the
 * result has the same bits for any number of threads. Within the kernel, columns are shifted by
 * `shift` and multiplied by `unit` (a power of two), so that no square over- or underflows.
 *
 * Missing entries. Diagonal covariances: a mask per entry. Dense covariances: rows come sorted by
 * missingness pattern; the inverse Cholesky factor of the observed block is found for all
 * components at once (one component per lane), long runs of a pattern then use the block code on
 * the observed columns, short runs take one row at a time with one component per lane, and the
 * moments of a run are completed in expectation by the regression of missing on observed.
 */
#ifndef SKGEN_GAUSSIAN_H
#define SKGEN_GAUSSIAN_H
#include "gaussian_job.h"

static ptrdiff_t sk_at(const sk_gm_job *job, ptrdiff_t i) { return job->order ? job->order[i] : i; }

#define SK_BODY "gaussian_body.h"
#include "foreach_isa.h"
#undef SK_BODY

#if defined(SKGEN_HAVE_X86_TARGETS)
#define SK_DISPATCH(name, is_float, ...)                                                     \
    (sk_isa() == SK_AVX512 ? ((is_float) ? name##_avx512_f32(__VA_ARGS__) : name##_avx512_f64(__VA_ARGS__)) \
     : sk_isa() == SK_AVX2 ? ((is_float) ? name##_avx2_f32(__VA_ARGS__) : name##_avx2_f64(__VA_ARGS__))     \
     : ((is_float) ? name##_baseline_f32(__VA_ARGS__) : name##_baseline_f64(__VA_ARGS__)))
#else
#define SK_DISPATCH(name, is_float, ...) \
    ((is_float) ? name##_baseline_f32(__VA_ARGS__) : name##_baseline_f64(__VA_ARGS__))
#endif

/* Components in a slot, padded to whole vectors. */
static ptrdiff_t sk_gm_padded(ptrdiff_t K) {
    return sk_round_up(K, SK_DISPATCH(sk_gm_lanes, 0));
}
/* Reads the parameters. Sets job->failed. */
static void sk_gm_prepare(sk_gm_job *job, int is_float) { SK_DISPATCH(sk_gm_prepare, is_float, job); }
/* Takes chunks first .. last - 1. Sets job->failed. */
static void sk_gm_run(sk_gm_job *job, int is_float, ptrdiff_t first, ptrdiff_t last, int threads) {
    SK_DISPATCH(sk_gm_run, is_float, job, first, last, threads);
}
static void sk_gm_release(sk_gm_job *job) { sk_free(job->model); job->model = NULL; }

/* Add all slots into the first, in a tree that depends on their number alone. */
static void sk_gm_combine(sk_gm_job *job) {
    for (ptrdiff_t step = 1; step < job->n_chunks; step *= 2)
        for (ptrdiff_t c = 0; c + step < job->n_chunks; c += 2 * step) {
            job->slot_log_lik[c] += job->slot_log_lik[c + step];
            if (!job->slots) continue;
            double *a = job->slots + c * job->slot_size, *b = a + step * job->slot_size;
            for (ptrdiff_t i = 0; i < job->slot_size; i++) a[i] += b[i];
        }
}
#endif
