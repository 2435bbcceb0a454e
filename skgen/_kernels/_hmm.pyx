"""Hidden Markov chains over many sequences: likelihood, posteriors, statistics, paths, draws.

Emission densities come from a source, a dict with one entry:

    log_lik=(N, K) array                       log p(row | state) of any emission
    gaussian=(values, means, covariances)      as _gaussian.mixture_pass takes them
    symbols=(codes, log_probs)                 codes (N,) intp, -1 missing; log_probs (K, M)

Sequence s is rows offsets[s] to offsets[s + 1] - 1. Zeros in startprob and transmat are exact.
"""

import math

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals

from . import _gaussian, _hmm_log

cnp.import_array()

KINDS = ("log_lik", "gaussian", "symbols")
IMPOSSIBLE = -1e299  # the Gaussian kernel's density of zero is below


def forward_backward(
    dict source not None, cnp.ndarray offsets, cnp.ndarray startprob, cnp.ndarray transmat, *,
    cnp.ndarray weights=None, cnp.ndarray log_prob=None, cnp.ndarray step_log_prob=None,
    cnp.ndarray filtered=None, cnp.ndarray resp=None, bint statistics=False,
):
    """Log-likelihood of sequences, posteriors of their states, expected statistics.

    Parameters
    ----------
    source : dict
        Emission densities, see the module. A row with nothing observed has log density 0.
    offsets : ndarray of shape (S + 1,), intp  # IN
    startprob, transmat : ndarray of shape (K,), (K, K)  # IN
    weights : ndarray of shape (S,)  # IN
        Weights of the sequences.
    log_prob : ndarray of shape (S,)  # OUT
        Log-likelihood of each sequence; -inf for an impossible one, which adds nothing to the
        statistics.
    step_log_prob : ndarray of shape (N,)  # OUT
        log p(x_t | x_1..x_{t-1}); -inf at the first impossible step of a sequence, then NaN.
    filtered : ndarray of shape (N, K)  # OUT
        p(z_t | x_1..x_t); NaN from the first impossible step of a sequence on.
    resp : ndarray of shape (N, K)  # OUT
        p(z_t | all rows of its sequence) times the weight; NaN for an impossible sequence.
    statistics : bool
        Whether to return expected counts and moments.

    Returns
    -------
    log_lik : float
        Weighted sum of the log-likelihoods.
    start_counts, transition_counts : ndarray of shape (K,), (K, K), or None
    moments : tuple, ndarray or None
        gaussian: as _gaussian.mixture_pass gives them; symbols: expected counts (K, M).
    """
    kind, data = _checked(source, len(startprob), transmat, offsets)
    cdef Py_ssize_t S = len(offsets) - 1, K = len(startprob), s, a, b
    log_probs = np.empty(S) if log_prob is None else log_prob
    starts, pairs, moments = None, None, None
    if statistics:
        starts, pairs = np.zeros(K), np.zeros((K, K))
        if resp is None and kind != "log_lik":
            resp = np.empty((offsets[S], K))
    for s in range(S):
        a, b = offsets[s], offsets[s + 1]
        if a == b:
            log_probs[s] = 0.0
            continue
        log_probs[s] = _hmm_log.forward_backward(
            _log_densities(kind, data, a, b), startprob, transmat,
            1.0 if weights is None else weights[s],
            step_log_prob=None if step_log_prob is None else step_log_prob[a:b],
            filtered=None if filtered is None else filtered[a:b],
            resp=None if resp is None else resp[a:b],
            start_counts=starts, transition_counts=pairs)
        PyErr_CheckSignals()
    if statistics and kind != "log_lik":
        moments = _moments(kind, data, K, np.nan_to_num(resp))
    return _total(log_probs, weights), starts, pairs, moments


def viterbi(
    dict source not None, cnp.ndarray offsets, cnp.ndarray startprob, cnp.ndarray transmat,
    cnp.ndarray path, cnp.ndarray log_prob,
):
    """The most probable path of each sequence.

    Parameters
    ----------
    source, offsets, startprob, transmat : as for :func:`forward_backward`  # IN
    path : ndarray of shape (N,), intp  # OUT
        -1 for an impossible sequence.
    log_prob : ndarray of shape (S,)  # OUT
        log p(path, rows) of each sequence.
    """
    kind, data = _checked(source, len(startprob), transmat, offsets)
    cdef Py_ssize_t s, a, b
    for s in range(len(offsets) - 1):
        a, b = offsets[s], offsets[s + 1]
        log_prob[s] = 0.0
        if a == b:
            continue
        log_lik = _log_densities(kind, data, a, b)
        paths, values = _hmm_log.best_paths(log_lik, startprob, transmat, 1)
        log_prob[s] = values[0] if len(values) else -np.inf
        path[a:b] = paths[0] if len(values) else -1
        PyErr_CheckSignals()


best_paths = _hmm_log.best_paths


def _checked(source, K, transmat, offsets):
    """Kind and arrays of the source; inconsistent shapes would read foreign memory."""
    (kind, data), = source.items()
    if kind not in KINDS:
        raise ValueError(f"source={kind!r} is none of {KINDS}")
    n = len(data if kind == "log_lik" else data[0])
    if not (transmat.shape == (K, K) and offsets[0] == 0 and offsets[len(offsets) - 1] == n):
        raise ValueError("arrays of inconsistent shape")
    return kind, data


def _log_densities(kind, data, first, last):
    """log p(row | state) of some rows, of shape (last - first, K)."""
    if kind == "log_lik":
        return data[first:last]
    if kind == "symbols":
        codes, log_probs = data
        out = np.ascontiguousarray(log_probs.T[codes[first:last]])
        out[codes[first:last] < 0] = 0.0
        return out
    values, means, covariances = data
    out = np.empty((last - first, len(means)))
    _gaussian.mixture_pass(
        values[first:last], np.zeros(len(means)), means, covariances,
        masked=covariances.ndim == 2, log_joint=out)
    out[out < IMPOSSIBLE] = -np.inf
    return out


def _moments(kind, data, K, resp):
    """Statistics of the emissions under given posteriors."""
    if kind == "symbols":
        codes, log_probs = data
        counts = np.zeros(log_probs.shape)
        np.add.at(counts.T, codes[codes >= 0], resp[codes >= 0])
        return counts
    values, means, covariances = data
    return _gaussian.mixture_pass(
        values, np.zeros(K), means, covariances, masked=covariances.ndim == 2, given=resp,
        moments=True)[2]


def _total(log_probs, weights):
    """Weighted sum, in which a weight of zero leaves out a sequence whatever it holds."""
    if weights is None:
        return math.fsum(log_probs)
    return math.fsum(w * x for w, x in zip(weights, log_probs) if w != 0)


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
    cdef Py_ssize_t K = startprob.shape[0], S = offsets.shape[0] - 1, s, t, state = -1
    cdef double one = 1.0
    if not (uniforms.shape[0] == offsets[S] and offsets[0] == 0
            and transmat.shape[0] == transmat.shape[1] == K):
        raise ValueError("arrays of inconsistent shape")
    cdef Py_ssize_t[::1] out = np.empty(uniforms.shape[0], dtype=np.intp)  # OUT
    with nogil:
        for s in range(S):
            for t in range(offsets[s], offsets[s + 1]):
                if t == offsets[s]:
                    state = draw(K, &startprob[0], &one, 0, uniforms[t])
                elif state >= 0:
                    state = draw(K, &transmat[state, 0], &one, 0, uniforms[t])
                out[t] = state
    return np.asarray(out)
