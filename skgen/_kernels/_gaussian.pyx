"""One pass of a Gaussian mixture over rows; the method and the layouts are in gaussian.h."""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport frexp, ldexp, sqrt
from libc.string cimport memset

from ._threads cimport sk_enter_parallel, sk_leave_parallel

cnp.import_array()

cdef extern from "gaussian.h" nogil:
    int sk_isa()
    Py_ssize_t sk_gm_padded(Py_ssize_t K)
    void sk_gm_prepare(sk_gm_job *job, int is_float)
    void sk_gm_run(sk_gm_job *job, int is_float, Py_ssize_t first, Py_ssize_t last, int threads)
    void sk_gm_release(sk_gm_job *job)
    void sk_gm_combine(sk_gm_job *job)

# Below this many operations a second thread costs more than it brings.
cdef double ONE_THREAD_FLOPS = 2e6
# Between two looks at pending signals (Ctrl-C), about 50 ms of one thread's work.
cdef double SIGNAL_FLOPS = 5e8
cdef Py_ssize_t MIN_CHUNK_ROWS = 2048
cdef Py_ssize_t MIN_CHUNKS = 32
cdef Py_ssize_t SLOT_BYTES = 8 << 20
# In place of a component: a row has no density, perhaps because an entry is NaN or infinite.
NOT_FINITE = -2


def instruction_set():
    """The instruction set in use: "avx512", "avx2" or "baseline"."""
    return ("baseline", "avx2", "avx512")[sk_isa()]


def mixture_pass(
    cnp.ndarray X, cnp.ndarray log_weights, cnp.ndarray means, cnp.ndarray covariances, *,
    cnp.ndarray weights=None, patterns=None, bint masked=False, cnp.ndarray given=None,
    cnp.ndarray log_prob=None, cnp.ndarray resp=None, cnp.ndarray log_joint=None,
    cnp.ndarray labels=None, bint moments=False, bint unseen=False,
):
    """Log densities, responsibilities and moments of rows under K Gaussians, in one pass.

    Time O(n K d^2) (dense) or O(n K d) (diagonal); memory beyond the outputs at most about 8 MB
    and independent of n. The same bits for any number of threads.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64 or float32, C-contiguous  # IN
        With `patterns`, the rows in the order of the patterns.
    log_weights : ndarray of shape (K,)  # IN
    means : ndarray of shape (K, d)  # IN
    covariances : ndarray of shape (K, d, d), or (K, d) for diagonal ones  # IN
    weights : ndarray of shape (n,)  # IN
        Weights of the rows, in the caller's order.
    patterns : (order, starts, masks)  # IN
        Missingness patterns of dense models: caller's index of each row of X, first row of each
        pattern and one more, observed columns (n_patterns, d) as uint8.
    masked : bool
        Whether NaN may occur; diagonal models.
    unseen : bool
        Whether to end at a row of density zero, as a NaN or infinite entry makes it; only without
        weights, patterns and mask.
    given : ndarray of shape (n, K)  # IN
        Responsibilities to use instead of the model's; weights are not applied to them.
    log_prob, resp, log_joint, labels : ndarray of shape (n,), (n, K), (n, K), (n,)  # OUT
        Log densities; responsibilities times weights; log weight plus log density by component;
        component with the largest of these (dtype intp).
    moments : bool
        Whether to return moments.

    Returns
    -------
    log_lik : float
        Weighted sum of the log densities.
    failed : int
        -1, or a component whose covariance is not positive definite, or NOT_FINITE; all else is
        void then.
    statistics : tuple or None
        (weight (K,), first (K, d), second (K, d, d)) about `means`, completed in expectation;
        diagonal: (weight (K,), first (K, d), second (K, d), seen (K, d)) of observed entries,
        where seen is the responsibility by column.
    """
    cdef sk_gm_job job
    cdef Py_ssize_t K = means.shape[0], d = means.shape[1], n = X.shape[0], i, step
    cdef int is_float = cnp.PyArray_TYPE(X) == cnp.NPY_FLOAT32, threads
    cdef double flops
    cdef cnp.ndarray scratch, slots = None, order, starts, masks, log_lik
    job.diagonal = covariances.ndim == 2
    job.masked = masked and job.diagonal
    job.unseen = unseen
    _check(X, means, covariances, log_weights)
    job.X = cnp.PyArray_DATA(X)
    job.n, job.d, job.K = n, d, K
    job.weights = <const double *>_data(weights, n)
    job.given = <const double *>_data(given, n * K)
    job.log_prob = <double *>_data(log_prob, n)
    job.resp = <double *>_data(resp, n * K)
    job.log_joint = <double *>_data(log_joint, n * K)
    job.labels = <Py_ssize_t *>_data(labels, n)
    job.log_weights = <const double *>_data(log_weights, K)
    job.order = NULL
    job.starts = NULL
    if patterns is not None:
        order, starts, masks = patterns
        job.order = <const Py_ssize_t *>_data(order, n)
        job.n_patterns = masks.shape[0]
        job.starts = <const Py_ssize_t *>_data(starts, job.n_patterns + 1)
        job.masks = <const unsigned char *>cnp.PyArray_DATA(masks)
    scratch = _empty(2 * d + K * d + cnp.PyArray_SIZE(covariances))
    gm_scale(
        &job, is_float, <double *>cnp.PyArray_DATA(means),
        <double *>cnp.PyArray_DATA(covariances), <double *>cnp.PyArray_DATA(scratch))
    _cut(&job, moments)
    log_lik = _empty(job.n_chunks)
    job.slot_log_lik = <double *>cnp.PyArray_DATA(log_lik)
    job.slots = NULL
    if moments:
        slots = _empty(job.n_chunks * job.slot_size + 8)
        job.slots = _aligned(slots)
        memset(job.slots, 0, job.n_chunks * job.slot_size * sizeof(double))
    sk_gm_prepare(&job, is_float)
    flops = _flops(&job)
    step = max(1, min(job.n_chunks, <Py_ssize_t>(SIGNAL_FLOPS / (flops / job.n_chunks + 1))))
    threads = 1
    if flops >= ONE_THREAD_FLOPS and job.n_chunks > 1:
        threads = sk_enter_parallel(0)
    try:
        step = min(step * threads, job.n_chunks)
        i = 0
        while i < job.n_chunks and job.failed == 0:
            with nogil:
                sk_gm_run(&job, is_float, i, min(i + step, job.n_chunks), threads)
            i += step
            PyErr_CheckSignals()
    finally:
        if flops >= ONE_THREAD_FLOPS and job.n_chunks > 1:
            sk_leave_parallel()
        sk_gm_release(&job)
    if job.failed == NOT_FINITE:
        return 0.0, NOT_FINITE, None
    if job.failed < 0:
        raise MemoryError(f"no memory for the scratch of {threads} threads at K={K}, d={d}.")
    if job.failed > 0:
        return 0.0, job.failed - 1, None
    sk_gm_combine(&job)
    return job.slot_log_lik[0], -1, gm_statistics(&job) if moments else None


cdef _check(cnp.ndarray X, cnp.ndarray means, cnp.ndarray covariances, cnp.ndarray log_weights):
    """Inconsistent shapes would read foreign memory."""
    cdef Py_ssize_t K = means.shape[0], d = means.shape[1]
    if not (
        X.ndim == 2 and X.shape[1] == d and X.shape[0] > 0 and cnp.PyArray_IS_C_CONTIGUOUS(X)
        and cnp.PyArray_TYPE(X) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64) and K > 0 and d > 0
        and covariances.shape[0] == K and covariances.shape[1] == d
        and (covariances.ndim == 2 or covariances.ndim == 3 and covariances.shape[2] == d)
        and cnp.PyArray_TYPE(means) == cnp.NPY_FLOAT64 and cnp.PyArray_IS_C_CONTIGUOUS(means)
        and cnp.PyArray_TYPE(covariances) == cnp.NPY_FLOAT64
        and cnp.PyArray_IS_C_CONTIGUOUS(covariances)
    ):
        raise ValueError("arrays of inconsistent shape or type")


cdef double *_aligned(cnp.ndarray array):
    """The first item on a boundary of 64 bytes, for vector loads."""
    cdef size_t start = <size_t>cnp.PyArray_DATA(array)
    return <double *>((start + 63) // 64 * 64)


cdef void *_data(cnp.ndarray array, Py_ssize_t size) except? NULL:
    """The data of an array of 8-byte items, or NULL for None."""
    if array is None:
        return NULL
    if not (cnp.PyArray_SIZE(array) == size and cnp.PyArray_ITEMSIZE(array) == 8
            and cnp.PyArray_IS_C_CONTIGUOUS(array)):
        raise ValueError(f"expected a contiguous array of {size} items of 8 bytes")
    return cnp.PyArray_DATA(array)


cdef cnp.ndarray _empty(Py_ssize_t a, Py_ssize_t b=0, Py_ssize_t c=0):
    """An array of float64 of shape (a,), (a, b) or (a, b, c).

    A mixture of a hundred rows takes as long as ten calls of np.empty.
    """
    cdef cnp.npy_intp[3] shape = [a, b, c]
    return cnp.PyArray_EMPTY(3 if c else 2 if b else 1, shape, cnp.NPY_FLOAT64, 0)


cdef void gm_scale(
    sk_gm_job *job, int is_float, const double *means, const double *cov, double *out,
) noexcept:
    """Parameters in the kernel's coordinates: (x - shift) * unit, unit a power of two."""
    cdef Py_ssize_t d = job.d, K = job.K, i, j, k, stride = d if job.diagonal else d * d
    cdef double *shift = out
    cdef double *unit = out + d
    cdef double *mu = out + 2 * d
    cdef double *sigma = mu + K * d
    cdef double center, spread
    cdef int exponent
    for j in range(d):
        center = spread = 0.0
        for k in range(K):
            center += means[k * d + j] / K
            spread = max(spread, cov[k * stride + (j if job.diagonal else j * d + j)])
        frexp(sqrt(spread), &exponent)
        unit[j] = ldexp(1.0, max(-1000, min(1000, -exponent)))
        shift[j] = <float>center if is_float else center
        for k in range(K):
            mu[k * d + j] = (means[k * d + j] - shift[j]) * unit[j]
    for k in range(K):
        for i in range(d):
            if job.diagonal:
                sigma[k * d + i] = cov[k * d + i] * unit[i] * unit[i]
            else:
                for j in range(d):
                    sigma[(k * d + i) * d + j] = cov[(k * d + i) * d + j] * unit[i] * unit[j]
    job.shift, job.unit, job.means, job.covariances = shift, unit, mu, sigma


cdef void _cut(sk_gm_job *job, bint moments) noexcept:
    """Rows into chunks, by shapes alone: neither threads nor memory at hand may change the sums."""
    cdef Py_ssize_t d = job.d, entries, most
    if job.diagonal:
        entries = 1 + (3 if job.masked else 2) * d
    else:
        entries = 1 + d + d * (d + 1) // 2
    job.slot_size = (entries * sk_gm_padded(job.K) + 7) // 8 * 8
    most = max(MIN_CHUNKS, SLOT_BYTES // (8 * job.slot_size)) if moments else job.n
    job.chunk_rows = max(MIN_CHUNK_ROWS, ((job.n + most - 1) // most + 511) // 512 * 512)
    job.n_chunks = (job.n + job.chunk_rows - 1) // job.chunk_rows


cdef double _flops(sk_gm_job *job) noexcept:
    """Roughly, the operations of the whole pass."""
    cdef double n = job.n, K = job.K, d = job.d
    if job.diagonal:
        return n * K * (7 * d + 40)
    if job.starts == NULL:
        return n * K * (2 * d * d + 5 * d + 40)
    return n * K * (2 * d * d + 5 * d + 40) + job.n_patterns * K * d * d * d


cdef gm_statistics(sk_gm_job *job):
    """The first slot as arrays with k first, in the units of the data."""
    cdef Py_ssize_t d = job.d, K = job.K, Kp = sk_gm_padded(K), i, j, k, e
    cdef const double *slot = job.slots
    cdef const double *unit = job.unit
    weight_, first_ = _empty(K), _empty(K, d)
    cdef double *weight = <double *>cnp.PyArray_DATA(weight_)
    cdef double *first = <double *>cnp.PyArray_DATA(first_)
    cdef double *second
    cdef double *seen
    for k in range(K):
        weight[k] = slot[k]
        for j in range(d):
            first[k * d + j] = slot[(1 + j) * Kp + k] / unit[j]
    if job.diagonal:
        second_, seen_ = _empty(K, d), _empty(K, d)
        second = <double *>cnp.PyArray_DATA(second_)
        seen = <double *>cnp.PyArray_DATA(seen_)
        for k in range(K):
            for j in range(d):
                second[k * d + j] = slot[(1 + d + j) * Kp + k] / unit[j] / unit[j]
                seen[k * d + j] = slot[(1 + 2 * d + j) * Kp + k] if job.masked else weight[k]
        return weight_, first_, second_, seen_
    second_ = _empty(K, d, d)
    second = <double *>cnp.PyArray_DATA(second_)
    for k in range(K):
        e = 1 + d
        for i in range(d):
            for j in range(i + 1):
                second[(k * d + i) * d + j] = slot[e * Kp + k] / unit[i] / unit[j]
                second[(k * d + j) * d + i] = second[(k * d + i) * d + j]
                e += 1
    return weight_, first_, second_


def maximize(
    cnp.ndarray weight, cnp.ndarray first, cnp.ndarray second, cnp.ndarray origin, *,
    cnp.ndarray seen=None, double ridge=0.0, cnp.ndarray floor=None,
    cnp.ndarray prior_mean=None, double prior_precision=0.0, cnp.ndarray prior_scatter=None,
    double prior_weight=0.0,
):
    """Means and covariances from moments: maximum likelihood or posterior mode. O(K d^3).

    A component without weight keeps its mean; its covariance is for the caller to choose.

    With n_k = weight, b = prior_mean - origin_k and the prior's c = prior_precision,
    mean_k = origin_k + (first_k + c b) / (n_k + c) = origin_k + e, and covariance_k =
    (second_k + prior_scatter + c b b' - (n_k + c) e e') / (n_k + prior_weight) + ridge I.

    Parameters
    ----------
    weight, first, second, origin, seen : as :func:`mixture_pass` returns them  # IN
    ridge : float
        Added to the variances.
    floor : ndarray of shape (d,)  # IN
        Least variances; diagonal covariances are raised to it, dense ones only compared.
    prior_mean, prior_scatter : ndarray of shape (d,), and (d, d) or (d,)  # IN

    Returns
    -------
    means : ndarray of shape (K, d)
    covariances : ndarray like `second`
    low : list of int
        Dense components with covariance - diag(floor) not positive definite.
    empty : list of int
        Components whose weight is next to nothing.
    """
    cdef Py_ssize_t K = first.shape[0], d = first.shape[1], k
    cdef bint diagonal = second.ndim == 2
    means = _empty(K, d)
    covariances = _empty(K, d) if diagonal else _empty(K, d, d)
    # e, b of one component, and the matrix that is tested against the floor
    scratch = _empty(2 * d + (0 if diagonal else d * d))
    cdef const double *n = <const double *>_data(weight, K)
    cdef const double *s1 = <const double *>_data(first, K * d)
    cdef const double *s2 = <const double *>_data(second, cnp.PyArray_SIZE(second))
    cdef const double *mu = <const double *>_data(origin, K * d)
    cdef const double *by_column = <const double *>_data(seen, K * d)
    cdef const double *least = <const double *>_data(floor, d)
    cdef const double *m0 = <const double *>_data(prior_mean, d)
    cdef const double *extra = <const double *>_data(prior_scatter, d if diagonal else d * d)
    cdef double *mean = <double *>cnp.PyArray_DATA(means)
    cdef double *cov = <double *>cnp.PyArray_DATA(covariances)
    cdef double *work = <double *>cnp.PyArray_DATA(scratch)
    cdef list low = [], empty = []
    for k in range(K):
        if n[k] < EMPTY:
            empty.append(k)
        if diagonal:
            _maximize_diagonal(
                d, n[k], by_column + k * d if by_column else NULL, s1 + k * d, s2 + k * d,
                mu + k * d, m0, prior_precision, extra, prior_weight, ridge, least,
                mean + k * d, cov + k * d)
            continue
        _maximize_dense(
            d, n[k], s1 + k * d, s2 + k * d * d, mu + k * d, m0, prior_precision, extra,
            prior_weight, ridge, work, mean + k * d, cov + k * d * d)
        if least and not _above(d, cov + k * d * d, least, work + 2 * d):
            low.append(k)
    return means, covariances, low, empty


cdef double EMPTY = 1e-10
# Keeps a component without any weight at its mean, with no variance but its prior's.
cdef double NO_WEIGHT = 1e-14


cdef void _maximize_dense(
    Py_ssize_t d, double weight, const double *s1, const double *s2, const double *mu,
    const double *m0, double c, const double *extra, double prior_weight, double ridge,
    double *work, double *mean, double *cov,
) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double n = weight + NO_WEIGHT, total = n + c, value
    cdef double *e = work
    cdef double *b = work + d
    for j in range(d):
        b[j] = m0[j] - mu[j] if m0 else 0.0
        e[j] = (s1[j] + c * b[j]) / total
        mean[j] = mu[j] + e[j]
    for i in range(d):
        for j in range(i + 1):
            value = s2[i * d + j] - total * e[i] * e[j] + c * b[i] * b[j]
            if extra:
                value = value + extra[i * d + j]
            value = value / (n + prior_weight)
            cov[i * d + j] = cov[j * d + i] = value
        cov[i * d + i] += ridge


cdef void _maximize_diagonal(
    Py_ssize_t d, double weight, const double *seen, const double *s1, const double *s2,
    const double *mu, const double *m0, double c, const double *extra, double prior_weight,
    double ridge, const double *least, double *mean, double *cov,
) noexcept nogil:
    cdef Py_ssize_t j
    cdef double n, total, b, e, value
    for j in range(d):
        n = (seen[j] if seen else weight) + NO_WEIGHT
        total = n + c
        b = m0[j] - mu[j] if m0 else 0.0
        e = (s1[j] + c * b) / total
        value = s2[j] - total * e * e + c * b * b + (extra[j] if extra else 0.0)
        value = max(value, 0.0) / (n + prior_weight) + ridge
        mean[j] = mu[j] + e
        cov[j] = max(value, least[j]) if least else value


cdef bint _above(Py_ssize_t d, const double *cov, const double *least, double *a) noexcept nogil:
    """Whether cov - diag(least) is positive definite: a Cholesky factorisation in its units."""
    cdef Py_ssize_t i, j, p
    cdef double s
    for i in range(d):
        for j in range(i + 1):
            s = cov[i * d + j] / sqrt(least[i]) / sqrt(least[j])
            if i == j:
                s = s - 1.0
            for p in range(j):
                s = s - a[i * d + p] * a[j * d + p]
            if i > j:
                a[i * d + j] = s / a[j * d + j]
            elif s > 0.0:
                a[i * d + i] = sqrt(s)
            else:
                return False
    return True
