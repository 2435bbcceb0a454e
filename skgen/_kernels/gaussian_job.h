/* A Gaussian model and what is asked of a pass over rows; the method is in gaussian.h. */
#ifndef SKGEN_GAUSSIAN_JOB_H
#define SKGEN_GAUSSIAN_JOB_H
#include "isa.h"

typedef struct {
    const void *X;               /* (n, d) double or float */
    ptrdiff_t n, d, K;
    const double *weights;       /* (n,) in the caller's order, or NULL */
    const ptrdiff_t *order;      /* caller's index of each row of X, or NULL: the same */
    const ptrdiff_t *starts;     /* (n_patterns + 1,) runs of rows, or NULL: complete */
    const unsigned char *masks;  /* (n_patterns, d) 1 where observed */
    ptrdiff_t n_patterns;
    int diagonal, masked;
    int unseen;                  /* whether to end at a density of zero: X may hold NaN or inf */
    const double *shift, *unit;  /* (d,) */
    const double *log_weights;   /* (K,) */
    const double *means;         /* (K, d), shifted and scaled */
    const double *covariances;   /* (K, d, d) or (K, d), scaled */
    const double *given;         /* (n, K) responsibilities to use, or NULL: compute them */
    double *log_prob;            /* (n,) or NULL */
    double *resp;                /* (n, K) or NULL */
    double *log_joint;           /* (n, K) log weight + log density, or NULL */
    ptrdiff_t *labels;           /* (n,) or NULL */
    double *slots;               /* (n_chunks, slot_size), or NULL: no moments */
    double *slot_log_lik;        /* (n_chunks,) */
    ptrdiff_t slot_size, chunk_rows, n_chunks;
    void *model;                 /* parameters as the kernel wants them, by sk_gm_prepare */
    ptrdiff_t failed;            /* 1 + a component that is not positive definite; -1: no memory;
                                    -2: unseen, and a row of density zero */
} sk_gm_job;

#define SK_TRI(i, j) ((i) * ((i) + 1) / 2 + (j))
#define SK_LOG_2PI_HALF 0.91893853320467274178

static ptrdiff_t sk_round_up(ptrdiff_t n, ptrdiff_t m) { return (n + m - 1) / m * m; }
#endif
