"""Smoothing the counts of n-grams, which have a byte each: see _byte_counts.pxd."""

import numpy as np

from libc.stdint cimport uint32_t

from ._byte_counts cimport CARRY, Counts, carry, count_from, count_one, counts_in
from ._slots cimport sk_bits

from ._scratch import scratch

cdef enum:
    TOGETHER = 1 << 20  # contexts, at least, whose sums are taken in one pass


def adjusted_counts(const unsigned char[::1] low, const int[::1] carried,
                    const int[::1] suffixes):
    """In how many different words' company each n-gram was seen on its left.

    Parameters
    ----------
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
        How often each was seen, which stays for those that begin a sentence: nothing stands on
        their left, and they are no suffixes.
    suffixes : ndarray of shape (n_longer,), int32
        Suffixes of the n-grams of the next order.

    Returns
    -------
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
    """
    cdef Py_ssize_t t
    low_array = np.zeros(low.shape[0], dtype=np.uint8)  # OUT
    room = suffixes.shape[0] // CARRY + carried.shape[0] + 1
    carried_array = np.empty(room, dtype=np.int32)  # OUT
    cdef Counts out = counts_in((low_array, carried_array))
    out.n_carried = 0
    with nogil:
        for t in range(suffixes.shape[0]):
            count_one(&out, suffixes[t])
        for t in range(carried.shape[0]):
            if out.low[carried[t]] == 0:
                carry(&out, carried[t])
        for t in range(low.shape[0]):
            if out.low[t] == 0:
                out.low[t] = low[t]
    carried_array.resize(out.n_carried, refcheck=False)
    carried_array.sort()
    return low_array, carried_array


def counts_of_counts(const unsigned char[::1] low):
    """How many counts are 0, 1, 2, 3, 4, and more.

    Returns
    -------
    ndarray of shape (6,), int64
    """
    cdef Py_ssize_t t, n = low.shape[0], zeros = 0, ones = 0, twos = 0, threes = 0, fours = 0
    with nogil:
        for t in range(n):  # comparisons of many at a time, as no sum waits for the one before
            zeros += low[t] == 0
            ones += low[t] == 1
            twos += low[t] == 2
            threes += low[t] == 3
            fours += low[t] == 4
    more = n - zeros - ones - twos - threes - fours
    return np.array([zeros, ones, twos, threes, fours, more], dtype=np.int64)


def interpolate(
    const unsigned char[::1] low, const int[::1] carried, const int[::1] contexts,
    int[::1] suffixes, const float[::1] lower, const double[::1] minus, const double[::1] plus,
    double prior, const unsigned char[::1] kept
):
    r"""Probabilities of n-grams, and what each context leaves to the lower order.

    .. math:: p(w | c) = \\frac{a_{cw} - m(a_{cw})}{d_c} + g_c\\, p(w | c'),
        \\quad d_c = b + \\sum_w a_{cw} - m(a_{cw}) + q(a_{cw}),
        \\quad g_c d_c = b + \\sum_w q(a_{cw})

    Parameters
    ----------
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
        Counts :math:`a`.
    contexts : ndarray of shape (n_ngrams,), int32
        The entries of :math:`c` in the lower order.
    suffixes : ndarray of shape (n_ngrams,), int32
        IN and OUT. The entries of :math:`c' w` in the lower order, which the results replace.
    lower : ndarray of shape (n_lower,), float32
        :math:`p(w | c')`.
    minus, plus : ndarray of shape (4,)
        :math:`m` and :math:`q` of counts 0, 1, 2 and 3 or more; their differences are whole.
    prior : float
        :math:`b`.
    kept : ndarray of shape (n_ngrams,), uint8, or of shape (0,)
        Which n-grams stay; the others leave all that they have to the lower order.

    Returns
    -------
    proba : ndarray of shape (n_ngrams,), float32
        In the memory of the suffixes.
    left : ndarray of shape (n_lower,), float32
        :math:`g`, one for what is no context.
    """
    cdef Counts counts = counts_in((low, carried))
    cdef Rule rule = Rule(&minus[0], &plus[0], prior)
    cdef Py_ssize_t m = lower.shape[0], part = min(m, max(TOGETHER, m // 4 + 1)), first
    cdef uint32_t[::1] total = scratch(m, np.uint32)  # whole, and OUT: last, what is left
    cdef double[::1] left = scratch(part, np.float64)  # by a part of the contexts after the other
    for first in range(0, m, part):
        with nogil:
            sum_children(counts, contexts, first, &rule, kept, total, left)
            share_out(counts, contexts, first, &rule, suffixes, lower, total, left)
    return np.asarray(suffixes.base).view(np.float32), np.asarray(total.base).view(np.float32)


cdef struct Rule:
    const double* minus
    const double* plus
    double prior


cdef void sum_children(
    Counts counts, const int[::1] contexts, Py_ssize_t first, const Rule* rule,
    const unsigned char[::1] kept, uint32_t[::1] total, double[::1] left
) noexcept nogil:
    """The denominators of the contexts from `first` on, and what they leave to others."""
    cdef Py_ssize_t t, c
    cdef int count, kind
    for c in range(min(left.shape[0], total.shape[0] - first)):
        total[first + c], left[c] = 0, rule.prior
    for t in range(contexts.shape[0]):
        c = contexts[t] - first
        if not 0 <= c < left.shape[0]:
            continue
        count = count_from(&counts, t)
        kind = min(count, 3)
        total[first + c] += count + <int>(rule.plus[kind] - rule.minus[kind])
        left[c] += rule.plus[kind]
        if kept.shape[0] and not kept[t]:
            left[c] += count - rule.minus[kind]


cdef void share_out(
    Counts counts, const int[::1] contexts, Py_ssize_t first, const Rule* rule, int[::1] suffixes,
    const float[::1] lower, uint32_t[::1] total, double[::1] left
) noexcept nogil:
    """Probabilities after the contexts from `first` on; totals become what these leave."""
    cdef Py_ssize_t t, c, stop = min(left.shape[0], total.shape[0] - first)
    cdef double own
    cdef int count
    for c in range(stop):
        left[c] = left[c] / (rule.prior + total[first + c]) if total[first + c] else 1.0
    for t in range(contexts.shape[0]):
        c = contexts[t] - first
        if not 0 <= c < stop:
            continue
        count = count_from(&counts, t)
        own = (count - rule.minus[min(count, 3)]) / (rule.prior + total[first + c])
        suffixes[t] = sk_bits(<float>(own + left[c] * lower[suffixes[t]]))
    for c in range(stop):
        total[first + c] = sk_bits(<float>left[c])
