"""Paths of hidden Markov chains, drawn from the chain itself or given what was observed."""

import numpy as np

from libc.math cimport INFINITY

from ._random cimport draw_index, draw_onwards

from . import _random

cdef double LEAST_SUM = 1e-290  # below, products with it are rounded too much


cdef inline Py_ssize_t draw(
    Py_ssize_t K, const double *p, const double *q, Py_ssize_t stride, double u
) noexcept nogil:
    """An index with probability in proportion to p[i] q[i * stride]; -1 if the sum is not > 0."""
    cdef double total = 0.0, partial = 0.0, x
    cdef Py_ssize_t i, last = -1
    for i in range(K):
        total += p[i] * q[i * stride]
    for i in range(K):
        x = p[i] * q[i * stride]
        if x > 0.0 and total > 0.0:
            partial += x
            last = i
            if partial > u * total:
                break
    return last


def sample_paths(
    const double[:, ::1] filtered not None, const Py_ssize_t[::1] offsets not None,
    const double[:, ::1] transmat not None, const double[:, ::1] uniforms not None,
):
    """State paths drawn from their posterior, backwards through each sequence [1]_. O(N K) a path.

    Parameters
    ----------
    filtered : ndarray of shape (N, K)  # IN
        p(z_t | x_1..x_t), as :func:`forward_backward` gives it.
    offsets : ndarray of shape (S + 1,), intp  # IN
    transmat : ndarray of shape (K, K)  # IN
    uniforms : ndarray of shape (N, n_paths)  # IN
        Independent draws from [0, 1).

    Returns
    -------
    ndarray of shape (n_paths, N), intp
        -1 for impossible sequences.

    References
    ----------
    .. [1] Fruehwirth-Schnatter (2006). Finite mixture and Markov switching models, algorithm 11.5.
    """
    cdef Py_ssize_t N = filtered.shape[0], K = filtered.shape[1], n_paths = uniforms.shape[1]
    cdef Py_ssize_t S = offsets.shape[0] - 1, s, t, r, state
    cdef double one = 1.0
    if not (uniforms.shape[0] == N == offsets[S] and offsets[0] == 0
            and transmat.shape[0] == transmat.shape[1] == K):
        raise ValueError("arrays of inconsistent shape")
    cdef Py_ssize_t[:, ::1] out = np.empty((n_paths, N), dtype=np.intp)  # OUT
    with nogil:
        for r in range(n_paths):
            for s in range(S):
                state = -1
                for t in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
                    if t == offsets[s + 1] - 1:
                        state = draw(K, &filtered[t, 0], &one, 0, uniforms[t, r])
                    elif state >= 0:
                        state = draw(
                            K, &filtered[t, 0], &transmat[0, 0] + state, K, uniforms[t, r])
                    out[r, t] = state
    return np.asarray(out)


cdef void accumulate(
    const double* weights, Py_ssize_t n, Py_ssize_t K, double* sums
) noexcept nogil:
    """Sums of weights along each of n rows; a row that is none, of zeros say, leads to its end."""
    cdef Py_ssize_t i, k
    cdef double sum
    for i in range(n):
        sum = 0.0
        for k in range(K):
            sum += weights[i * K + k]
            sums[i * K + k] = sum
        if not LEAST_SUM < sum < INFINITY:
            sums[i * K + K - 1] = 1.0


def sample_chain(
    const Py_ssize_t[::1] offsets not None, const double[::1] startprob not None,
    const double[:, ::1] transmat not None, const double[::1] uniforms not None,
):
    """State paths drawn from the chain itself.

    Parameters
    ----------
    offsets : ndarray of shape (S + 1,), intp  # IN
    startprob, transmat : ndarray of shape (K,), (K, K)  # IN
    uniforms : ndarray of shape (N,)  # IN
        Independent draws from [0, 1).

    Returns
    -------
    ndarray of shape (N,), intp
    """
    cdef Py_ssize_t K = startprob.shape[0], S = offsets.shape[0] - 1, s, t, state
    cdef double u
    if not (uniforms.shape[0] == offsets[S] and offsets[0] == 0
            and transmat.shape[0] == transmat.shape[1] == K):
        raise ValueError("arrays of inconsistent shape")
    cdef Py_ssize_t[::1] out = np.empty(uniforms.shape[0], dtype=np.intp)  # OUT
    cdef double[:, ::1] sums = np.empty((K + 1, K))  # of each row of the matrix; last, of the start
    cdef const int[:, ::1] guide  # its place in a row is known before the state
    cdef Py_ssize_t n_guide = 0
    accumulate(&transmat[0, 0], K, K, &sums[0, 0])
    accumulate(&startprob[0], 1, K, &sums[K, 0])
    cdef Py_ssize_t draws = uniforms.shape[0] // (K * K)  # for each entry of the matrix
    if draws:
        guide = _random.make_guide(sums[:K], 16 if draws >= 16 else 4)
        n_guide = guide.shape[0]
    with nogil:
        for s in range(S):
            state = K
            for t in range(offsets[s], offsets[s + 1]):
                u = uniforms[t]
                if n_guide and state < K:
                    state = draw_onwards(
                        &sums[state, 0], guide[<Py_ssize_t>(u * n_guide), state], K, u)
                else:
                    state = draw_index(&sums[state, 0], K, u)
                out[t] = state
    return np.asarray(out)
