"""A Gaussian model in the coordinates of the kernels, and its moments back in those of the data."""

cdef extern from "gaussian_job.h" nogil:
    ctypedef struct sk_gm_job:
        const void *X
        Py_ssize_t n, d, K
        const double *weights
        const Py_ssize_t *order
        const Py_ssize_t *starts
        const unsigned char *masks
        Py_ssize_t n_patterns
        int diagonal, masked, unseen
        const double *shift
        const double *unit
        const double *log_weights
        const double *means
        const double *covariances
        const double *given
        double *log_prob
        double *resp
        double *log_joint
        Py_ssize_t *labels
        double *slots
        double *slot_log_lik
        Py_ssize_t slot_size, chunk_rows, n_chunks
        Py_ssize_t failed

cdef void gm_scale(
    sk_gm_job *job, int is_float, const double *means, const double *cov, double *out,
) noexcept
cdef gm_statistics(sk_gm_job *job)
