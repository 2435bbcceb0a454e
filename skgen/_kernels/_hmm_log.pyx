"""Recursions of one hidden Markov chain in logarithms: no probability is too small for them.

The plain road, taken by the sequences that would underflow on the fast one (_hmm.pyx), and by the
search for several paths.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY, NAN, exp, log

cnp.import_array()

# A sum of terms exp(x - max x) above it has lost nothing to underflow that double can show.
cdef double TRUSTED = 1e-280
# What is less, exp makes zero, at the price of a larger number.
cdef double LEAST_LOG = -746.0
# A factor up to which products of two such terms may be scaled.
cdef double MAX_LOG_FACTOR = 300.0


cdef struct Chain:
    Py_ssize_t K
    const double *P  # (K, K) from row to column
    const double *log_P
    double *scaled  # (K,) scratch


cdef double _log_sum(
    Py_ssize_t K, const double *x, const double *y, Py_ssize_t stride
) noexcept nogil:
    """log sum_i exp(x[i] + y[i * stride]), term by term."""
    cdef double top = -INFINITY, total = 0.0
    cdef Py_ssize_t i
    for i in range(K):
        top = max(top, x[i] + y[i * stride])
    if top == -INFINITY:
        return top
    for i in range(K):
        if x[i] + y[i * stride] - top > LEAST_LOG:
            total += exp(x[i] + y[i * stride] - top)
    return top + log(total)


cdef void _log_step(Chain *chain, const double *x, double *out) noexcept nogil:
    """out[j] = log sum_i exp(x[i]) P[i, j]; K exp and K log where nothing underflows."""
    cdef Py_ssize_t K = chain.K, i, j
    cdef double top = -INFINITY, s
    for i in range(K):
        top = max(top, x[i])
    for j in range(K):
        out[j] = -INFINITY if top == -INFINITY else 0.0
    if top == -INFINITY:
        return
    for i in range(K):
        if x[i] - top > LEAST_LOG:
            s = exp(x[i] - top)
            for j in range(K):
                out[j] += s * chain.P[i * K + j]
    for j in range(K):
        if out[j] > TRUSTED:
            out[j] = log(out[j]) + top
        else:
            out[j] = _log_sum(K, x, chain.log_P + j, K)


cdef double _normalise(Py_ssize_t K, double *x) noexcept nogil:
    """Subtract the log of the sum of exponentials; returns it, and leaves x if it is -inf."""
    cdef double zero = 0.0, total = _log_sum(K, x, &zero, 0)
    cdef Py_ssize_t k
    if total > -INFINITY:
        for k in range(K):
            x[k] -= total
    return total


cdef double _forward(
    Chain *chain, Py_ssize_t T, const double *log_lik, const double *log_start, double *log_filter,
    double *step,
) noexcept nogil:
    """log p(z_t | x_1..x_t) and log p(x_t | x_1..x_{t-1}); returns the sum of the latter."""
    cdef Py_ssize_t K = chain.K, t, k
    cdef double total = 0.0, lost = 0.0, y, s
    cdef double *row
    for t in range(T):
        row = log_filter + t * K
        if t == 0:
            for k in range(K):
                row[k] = log_start[k]
        else:
            _log_step(chain, row - K, row)
        for k in range(K):
            row[k] += log_lik[t * K + k]
        step[t] = _normalise(K, row)
        if step[t] == -INFINITY:
            for k in range(t + 1, T):
                step[k] = NAN
            for k in range(t * K, T * K):
                log_filter[k] = NAN
            return -INFINITY
        y = step[t] - lost  # Kahan's sum
        s = total + y
        lost = (s - total) - y
        total = s
    return total


cdef void _add_pairs(
    Chain *chain, const double *x, const double *y, double factor, double weight, double *total,
) noexcept nogil:
    """total[i, j] += weight exp(factor + x[i] + y[j]) P[i, j]."""
    cdef Py_ssize_t K = chain.K, i, j
    cdef double a = -INFINITY, b = -INFINITY, s, common
    for i in range(K):
        a = max(a, x[i])
        b = max(b, y[i])
    if a + b + factor < MAX_LOG_FACTOR:
        for j in range(K):
            chain.scaled[j] = exp(y[j] - b) if y[j] - b > LEAST_LOG else 0.0
        common = weight * exp(a + b + factor)
        for i in range(K):
            if not x[i] - a > LEAST_LOG:
                continue
            s = common * exp(x[i] - a)
            for j in range(K):
                total[i * K + j] += s * chain.scaled[j] * chain.P[i * K + j]
    else:  # the likely states before and after have no transition between them
        for i in range(K):
            for j in range(K):
                total[i * K + j] += weight * exp(factor + x[i] + y[j] + chain.log_P[i * K + j])


cdef void _backward(
    Chain *chain, Chain *reverse, Py_ssize_t T, const double *log_lik, const double *log_filter,
    const double *step, double weight, double *resp, double *starts, double *pairs, double *beta,
) noexcept nogil:
    """Posteriors times weight, row by row from the last; beta (2, K) is scratch."""
    cdef Py_ssize_t K = chain.K, t, k
    cdef double *ahead = beta + K
    cdef double p
    for k in range(K):
        beta[k] = 0.0
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            for k in range(K):
                ahead[k] = beta[k] + log_lik[(t + 1) * K + k]
            if pairs != NULL:
                _add_pairs(chain, log_filter + t * K, ahead, -step[t + 1], weight, pairs)
            _log_step(reverse, ahead, beta)
            for k in range(K):
                beta[k] -= step[t + 1]
        for k in range(K):
            p = log_filter[t * K + k]
            p = weight * exp(p + beta[k]) if p > -INFINITY and p + beta[k] > LEAST_LOG else 0.0
            if resp != NULL:
                resp[t * K + k] = p
            if t == 0 and starts != NULL:
                starts[k] += p


cdef double *_data(double[:, ::1] array, Py_ssize_t n, Py_ssize_t K) except? NULL:
    """The first entry of an array of n x K, or NULL for None."""
    if array is not None and not (array.shape[0] == n and array.shape[1] == K):
        raise ValueError("arrays of inconsistent shape")
    return NULL if array is None else &array[0, 0]


def forward_backward(
    const double[:, ::1] log_lik not None, const double[::1] startprob not None,
    const double[:, ::1] transmat not None, double weight=1.0, *, double[::1] step_log_prob=None,
    double[:, ::1] filtered=None, double[:, ::1] resp=None, double[::1] start_counts=None,
    double[:, ::1] transition_counts=None,
):
    """Log-likelihood of one sequence, its posteriors and expected counts.

    log a_t(j) = log p(x_t | j) + log sum_i a_{t-1}(i) P(i, j), normalised in each step, and the
    like from the end [1]_. Each sum is taken with its largest term out, and once more term by term
    where others underflow. Time O(T K^2), memory O(T K).

    Parameters
    ----------
    log_lik : ndarray of shape (T, K)  # IN
    startprob, transmat : ndarray of shape (K,), (K, K)  # IN
    weight : float
        Factor of `resp` and of the counts.
    step_log_prob : ndarray of shape (T,)  # OUT
        log p(x_t | x_1..x_{t-1}); -inf at the first impossible step, and NaN after it.
    filtered : ndarray of shape (T, K)  # OUT
        p(z_t | x_1..x_t); NaN from the first impossible step on.
    resp : ndarray of shape (T, K)  # OUT
        p(z_t | x_1..x_T) times weight; NaN if the sequence is impossible.
    start_counts, transition_counts : ndarray of shape (K,), (K, K)  # IN and OUT
        Added to, if the sequence is possible.

    Returns
    -------
    float
        log p(x_1..x_T).

    References
    ----------
    .. [1] Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech
       recognition. Proceedings of the IEEE 77(2), equations 19 to 38.
    """
    cdef Py_ssize_t T = log_lik.shape[0], K = startprob.shape[0]
    cdef Chain chain, reverse
    cdef double log_prob
    if not (log_lik.shape[1] == transmat.shape[0] == transmat.shape[1] == K and T > 0):
        raise ValueError("arrays of inconsistent shape")
    if step_log_prob is not None and step_log_prob.shape[0] != T:
        raise ValueError("arrays of inconsistent shape")
    with np.errstate(divide="ignore"):
        log_start_, log_transmat_ = np.log(startprob), np.log(transmat)
    cdef const double[::1] log_start = log_start_
    cdef const double[:, ::1] P = transmat, log_P = log_transmat_
    cdef const double[:, ::1] P_T = np.asarray(transmat).T.copy(), log_P_T = log_transmat_.T.copy()
    cdef double[:, ::1] log_filter = np.empty((T, K)), scratch = np.empty((3, K))
    cdef double[::1] step = np.empty(T) if step_log_prob is None else step_log_prob
    chain.K = reverse.K = K
    chain.P, chain.log_P, chain.scaled = &P[0, 0], &log_P[0, 0], &scratch[2, 0]
    reverse.P, reverse.log_P, reverse.scaled = &P_T[0, 0], &log_P_T[0, 0], &scratch[2, 0]
    cdef double *starts = NULL if start_counts is None else &start_counts[0]
    cdef double *pairs = _data(transition_counts, K, K)
    cdef double *posteriors = _data(resp, T, K)
    _data(filtered, T, K)
    with nogil:
        log_prob = _forward(&chain, T, &log_lik[0, 0], &log_start[0], &log_filter[0, 0], &step[0])
    if filtered is not None:
        np.exp(log_filter, out=np.asarray(filtered))
    if log_prob == -INFINITY:
        if resp is not None:
            resp[:, :] = NAN
        return log_prob
    if resp is not None or starts != NULL or pairs != NULL:
        _run_backward(
            &chain, &reverse, T, &log_lik[0, 0], &log_filter[0, 0], &step[0], weight, posteriors,
            starts, pairs, &scratch[0, 0])
    return log_prob


cdef _run_backward(
    Chain *chain, Chain *reverse, Py_ssize_t T, const double *log_lik, const double *log_filter,
    const double *step, double weight, double *resp, double *starts, double *pairs, double *beta,
):
    with nogil:
        _backward(
            chain, reverse, T, log_lik, log_filter, step, weight, resp, starts, pairs, beta)


cdef void _keep_best(
    Py_ssize_t k, double value, int link, double *best, int *links
) noexcept nogil:
    """Put a value into a descending list of k, behind its equals."""
    cdef Py_ssize_t r = k - 1
    if not value > best[r]:
        return
    while r > 0 and value > best[r - 1]:
        best[r], links[r] = best[r - 1], links[r - 1]
        r -= 1
    best[r], links[r] = value, link


cdef void _list_viterbi(
    Py_ssize_t T, Py_ssize_t K, Py_ssize_t k, const double *log_lik, const double *log_start,
    const double *log_P, double *best, int *links,
) noexcept nogil:
    """best (2, K, k): the k largest log probabilities of paths into each state; links (T, K, k)."""
    cdef Py_ssize_t t, i, j, r, size = K * k
    cdef double *now
    cdef const double *before
    cdef double value
    for t in range(T):
        now, before = best + (t % 2) * size, best + ((t + 1) % 2) * size
        for j in range(size):
            now[j], links[t * size + j] = -INFINITY, -1
        for j in range(K):
            if t == 0:
                now[j * k] = log_start[j]
            for i in range(K if t > 0 else 0):
                for r in range(k):
                    value = before[i * k + r] + log_P[i * K + j]
                    if not value > now[j * k + k - 1]:
                        break  # the list of i descends
                    _keep_best(k, value, <int>(i * k + r), now + j * k, links + (t * K + j) * k)
            for r in range(k):
                now[j * k + r] += log_lik[t * K + j]


def best_paths(
    const double[:, ::1] log_lik not None, const double[::1] startprob not None,
    const double[:, ::1] transmat not None, int k,
):
    """The k most probable paths of one sequence, by parallel list Viterbi [1]_.

    Time O(T K^2 k) at most, memory O(T K k).

    Parameters
    ----------
    log_lik : ndarray of shape (T, K)  # IN
    startprob, transmat : ndarray of shape (K,), (K, K)  # IN
    k : int

    Returns
    -------
    paths : ndarray of shape (n_paths, T), intp
        Distinct, the most probable one first; fewer than k where no more are possible.
    log_probs : ndarray of shape (n_paths,)
        log p(path, x_1..x_T).

    References
    ----------
    .. [1] Seshadri, Sundberg (1994). List Viterbi decoding algorithms with applications.
       IEEE Transactions on Communications 42(2/3/4).
    """
    cdef Py_ssize_t T = log_lik.shape[0], K = startprob.shape[0], t, r
    if not (log_lik.shape[1] == transmat.shape[0] == transmat.shape[1] == K and T > 0 and k > 0):
        raise ValueError("arrays of inconsistent shape, or k < 1")
    with np.errstate(divide="ignore"):
        log_start_, log_transmat_ = np.log(startprob), np.log(transmat)
    cdef const double[::1] log_start = log_start_
    cdef const double[:, ::1] log_P = log_transmat_
    cdef double[:, :, ::1] best = np.empty((2, K, k))
    cdef int[:, ::1] links = np.empty((T, K * k), dtype=np.intc)
    with nogil:
        _list_viterbi(
            T, K, k, &log_lik[0, 0], &log_start[0], &log_P[0, 0], &best[0, 0, 0], &links[0, 0])
    last = np.asarray(best[(T - 1) % 2]).ravel()
    ends = np.argsort(-last, kind="stable")[:k]
    ends = ends[last[ends] > -np.inf]
    cdef Py_ssize_t[:, ::1] paths = np.empty((len(ends), T), dtype=np.intp)  # OUT
    cdef Py_ssize_t entry
    for r in range(paths.shape[0]):
        entry = ends[r]
        for t in range(T - 1, -1, -1):
            paths[r, t] = entry // k
            entry = links[t, entry]
    return np.asarray(paths), last[ends]
