"""Filter and simulation of vector autoregressions, with missing entries anywhere.

    u[t] = Phi[0] u[t-1] + ... + Phi[p-1] u[t-p] + e[t],   e[t] ~ N(0, Sigma)

The filter's state is (u[t], ..., u[t-p+1]) given what was observed before t. Once p complete rows
have been seen it is known exactly and a step costs no more than the sum above.

A column of an integrated process has a level of which nothing is known until its first observed
entry. Until then its state is relative to an arbitrary level; that entry, which says nothing else,
puts its own value in the place of it.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport log, sqrt
from libc.string cimport memcpy, memset

cnp.import_array()

cdef extern from "ar.h" nogil:
    void sk_ar_filter(
        const double *x, Py_ssize_t n, const double *b, Py_ssize_t p, double *out
    )

cdef double LOG_2PI = 1.8378770664093453


# ---- forwards ----------------------------------------------------------------------------------

cdef struct Filter:
    Py_ssize_t p, d
    const double* phi  # (p, d, d)
    const double* sigma  # (d, d)
    const double* chol  # (d, d) of sigma, lower
    const double* start  # (p d, p d) covariance of the state before the first row
    const double* level  # (d,) deviations of the level, or NULL where it is 0
    double* afloat  # (d,) what is left of them: 0 where the level is known
    double* a  # (p d,)
    double* P  # (p d, p d)
    double* new  # (p d,)
    double* work  # (d, p d)
    double* copy  # (p d + 1, p d), where rows are generated


cdef void anchor(Filter* f, Py_ssize_t j, double x) noexcept nogil:
    """Give column j the level at which its latest entry is x."""
    cdef Py_ssize_t i, r, lag, d = f.d, m = f.p * f.d
    cdef double v = x - f.a[j]
    for lag in range(f.p - 1, -1, -1):  # the latest last, as it is subtracted from the others
        i = lag * d + j
        f.a[i] += v
        for r in range(m):
            f.P[i * m + r] -= f.P[j * m + r]
        for r in range(m):
            f.P[r * m + i] -= f.P[r * m + j]
    f.afloat[j] = 0.0


cdef double update(Filter* f, const double* x, double* scaled) noexcept nogil:
    """Condition the state on a row, an entry at a time; its log density."""
    cdef Py_ssize_t i, j, r, m = f.p * f.d
    cdef double v, variance, gain, total = 0.0
    for j in range(f.d):
        if x[j] != x[j]:
            if scaled != NULL:
                scaled[j] = x[j]
            continue
        if f.afloat[j] > 0:
            if scaled != NULL:
                scaled[j] = (x[j] - f.a[j]) / f.afloat[j]
            anchor(f, j, x[j])
            continue
        variance = max(f.P[j * m + j], 1e-300)
        v = x[j] - f.a[j]
        total -= 0.5 * (LOG_2PI + log(variance) + v * v / variance)
        if scaled != NULL:
            scaled[j] = v / sqrt(variance)
        for i in range(m):
            f.new[i] = f.P[j * m + i] / variance
        for i in range(m):
            f.a[i] += f.new[i] * v
            gain = f.new[i] * variance
            for r in range(m):
                f.P[i * m + r] -= gain * f.new[r]
        for i in range(m):
            f.P[i * m + j] = f.P[j * m + i] = 0.0
        f.a[j] = x[j]
    return total


cdef void predict_state(Filter* f) noexcept nogil:
    """The state of the next row."""
    cdef Py_ssize_t i, j, r, lag, d = f.d, m = f.p * f.d
    cdef double s
    for i in range(d):
        s = 0.0
        for lag in range(f.p):
            for j in range(d):
                s += f.phi[(lag * d + i) * d + j] * f.a[lag * d + j]
        f.new[i] = s
        for r in range(m):  # work: covariance of the next row with the state
            s = 0.0
            for lag in range(f.p):
                for j in range(d):
                    s += f.phi[(lag * d + i) * d + j] * f.P[(lag * d + j) * m + r]
            f.work[i * m + r] = s
    for i in range(m - 1, d - 1, -1):
        f.a[i] = f.a[i - d]
        for r in range(m - 1, d - 1, -1):
            f.P[i * m + r] = f.P[(i - d) * m + r - d]
    for i in range(d):
        f.a[i] = f.new[i]
        for j in range(d):
            s = f.sigma[i * d + j]
            for lag in range(f.p):
                for r in range(d):
                    s += f.phi[(lag * d + j) * d + r] * f.work[i * m + lag * d + r]
            f.P[i * m + j] = s
        for r in range(m - d):
            f.P[i * m + d + r] = f.P[(d + r) * m + i] = f.work[i * m + r]


cdef void known_state(Filter* f, const double* x) noexcept nogil:
    """The state of row x, the rows before it being observed."""
    cdef Py_ssize_t i, j, lag, d = f.d, m = f.p * f.d
    memset(f.P, 0, m * m * sizeof(double))
    memset(f.a, 0, d * sizeof(double))
    for i in range(d):
        for j in range(d):
            f.P[i * m + j] = f.sigma[i * d + j]
        for lag in range(f.p):
            for j in range(d):
                f.a[i] += f.phi[(lag * d + i) * d + j] * (x - (lag + 1) * d)[j]
    for lag in range(1, f.p):
        memcpy(f.a + lag * d, x - lag * d, d * sizeof(double))


cdef void begin(Filter* f) noexcept nogil:
    """The state before a sequence."""
    cdef Py_ssize_t m = f.p * f.d
    memset(f.a, 0, m * sizeof(double))
    memcpy(f.P, f.start, m * m * sizeof(double))
    memset(f.afloat, 0, f.d * sizeof(double))
    if f.level != NULL:
        memcpy(f.afloat, f.level, f.d * sizeof(double))


cdef inline bint complete(const double* x, Py_ssize_t d) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(d):
        if x[j] != x[j]:
            return False
    return True


cdef double known_step(
    Filter* f, const double* x, double* mean, double* scaled, double constant
) noexcept nogil:
    """Log density of a complete row, the p before it being observed."""
    cdef Py_ssize_t i, j, lag, d = f.d
    cdef double s, total = constant
    for i in range(d):
        s = 0.0
        for lag in range(f.p):
            for j in range(d):
                s += f.phi[(lag * d + i) * d + j] * (x - (lag + 1) * d)[j]
        mean[i] = s
    for i in range(d):
        s = x[i] - mean[i]
        for j in range(i):
            s -= f.chol[i * d + j] * f.new[j]
        f.new[i] = s / f.chol[i * d + i]
        total -= 0.5 * f.new[i] * f.new[i]
        if scaled != NULL:
            scaled[i] = f.new[i]
    return total


def run_filter(
    const double[:, ::1] u, const Py_ssize_t[::1] offsets, const double[:, :, ::1] phi,
    const double[:, ::1] sigma, const double[:, ::1] start, *, double[:, ::1] mean=None,
    double[:, :, ::1] covariance=None, double[::1] log_prob=None, double[:, ::1] scaled=None,
    double[:, ::1] state=None, double[:, :, ::1] state_covariance=None,
    const double[::1] level=None,
):
    """What is known of each row from the rows before it.

    O(n p d^2), and O(n p^2 d^3) for the rows within p of a missing entry.

    Parameters
    ----------
    u : ndarray of shape (n, d)  # IN
        Deviations from the mean, sequences end to end; NaN where missing.
    offsets : ndarray of shape (n_sequences + 1,), intp  # IN
    phi : ndarray of shape (p, d, d), p >= 1  # IN
    sigma : ndarray of shape (d, d)  # IN
    start : ndarray of shape (p d, p d)  # IN
        Covariance of the first row and those before it, which are not observed.
    mean : ndarray of shape (n, d)  # OUT
        Expected values.
    covariance : ndarray of shape (n, d, d)  # OUT
    log_prob : ndarray of shape (n,)  # OUT
        Log density of what is observed of each row.
    scaled : ndarray of shape (n, d)  # OUT
        Innovations, each entry given the rows before and the entries before it in its row, over
        their standard deviation.
    state, state_covariance : ndarray of shape (n_sequences, p d), (n_sequences, p d, p d)  # OUT
        Of the row after the last.
    level : ndarray of shape (d,)  # IN
        For an integrated process, whose `start` is relative to its level: the deviations of the
        levels, as they enter `covariance` and `scaled`. Log densities are given the first observed
        entry of each column.
    """
    cdef Filter f
    cdef Py_ssize_t p = phi.shape[0], d = phi.shape[1], m = p * d, s, t, seen, i, j, stop
    cdef double value, constant
    chol_ = np.linalg.cholesky(np.asarray(sigma))
    constant = -0.5 * d * LOG_2PI - np.log(np.diag(chol_)).sum()
    cdef double[:, ::1] chol = np.ascontiguousarray(chol_)
    cdef double[::1] arena = np.empty(2 * m + m * m + m * d + 2 * d)
    cdef double* own
    cdef const double* x
    cdef double* z
    f.p, f.d, f.phi, f.sigma, f.chol = p, d, &phi[0, 0, 0], &sigma[0, 0], &chol[0, 0]
    f.start = &start[0, 0]
    f.a = &arena[0]
    f.new = f.a + m
    f.P = f.new + m
    f.work = f.P + m * m
    own = f.work + m * d
    f.afloat = own + d
    f.level = NULL if level is None else &level[0]
    with nogil:
        for s in range(offsets.shape[0] - 1):
            begin(&f)
            seen = 0  # complete rows in a stretch
            t = offsets[s]
            while t < offsets[s + 1]:
                x = &u[t, 0]
                z = NULL if scaled is None else &scaled[t, 0]
                if seen >= p and d == 1 and complete(x, 1) and covariance is None:
                    stop = t  # a stretch at once
                    while stop < offsets[s + 1] and u[stop, 0] == u[stop, 0]:
                        stop += 1
                    stretch(
                        &f, x, stop - t, constant,
                        NULL if mean is None else &mean[t, 0],
                        NULL if log_prob is None else &log_prob[t], z,
                    )
                    seen += stop - t
                    t = stop
                    continue
                if seen >= p and complete(x, d):
                    value = known_step(&f, x, own, z, constant)
                    if mean is not None:
                        memcpy(&mean[t, 0], own, d * sizeof(double))
                    if covariance is not None:
                        memcpy(&covariance[t, 0, 0], f.sigma, d * d * sizeof(double))
                    seen += 1
                else:
                    if seen >= p:
                        known_state(&f, x)
                    if mean is not None:
                        memcpy(&mean[t, 0], f.a, d * sizeof(double))
                    if covariance is not None:
                        for i in range(d):
                            for j in range(d):
                                covariance[t, i, j] = f.P[i * m + j]
                            covariance[t, i, i] += f.afloat[i] * f.afloat[i]
                    value = update(&f, x, z)
                    seen = seen + 1 if complete(x, d) else 0
                    if seen < p:
                        predict_state(&f)
                if log_prob is not None:
                    log_prob[t] = value
                t += 1
            if state is not None:
                if seen >= p:
                    known_state(&f, &u[0, 0] + offsets[s + 1] * d)
                memcpy(&state[s, 0], f.a, m * sizeof(double))
                memcpy(&state_covariance[s, 0, 0], f.P, m * m * sizeof(double))


cdef void generate(Filter* f, const double* scaled, double* x) noexcept nogil:
    """The row that has these innovations, by which the state is not yet conditioned."""
    cdef Py_ssize_t i, j, r, m = f.p * f.d
    cdef double variance, v, gain
    cdef double* P = f.copy
    cdef double* a = P + m * m
    memcpy(P, f.P, m * m * sizeof(double))
    memcpy(a, f.a, f.d * sizeof(double))
    for j in range(f.d):
        x[j] = scaled[j]
        if x[j] != x[j]:
            continue
        if f.afloat[j] > 0:
            x[j] = a[j] + f.afloat[j] * scaled[j]
            continue
        variance = max(P[j * m + j], 0.0)
        v = scaled[j] * sqrt(variance)
        x[j] = a[j] + v
        if variance == 0.0:
            continue
        for i in range(j + 1, f.d):
            a[i] += P[j * m + i] / variance * v
        for i in range(f.d - 1, j, -1):
            gain = P[j * m + i] / variance
            for r in range(j + 1, f.d):
                P[i * m + r] -= gain * P[j * m + r]


def run_inverse(
    const double[:, ::1] scaled, const Py_ssize_t[::1] offsets, const double[:, :, ::1] phi,
    const double[:, ::1] sigma, const double[:, ::1] start, double[:, ::1] u, *,
    const double[::1] level=None,
):
    """The rows that have these innovations: the inverse of :func:`run_filter`.

    Parameters
    ----------
    scaled : ndarray of shape (n, d)  # IN
        NaN where a row is to be missing. Standard normal ones give a draw.
    u : ndarray of shape (n, d)  # OUT
    others : as in :func:`run_filter`
    """
    cdef Filter f
    cdef Py_ssize_t p = phi.shape[0], d = phi.shape[1], m = p * d, s, t, seen, i, j, lag
    cdef double value
    cdef double[:, ::1] chol = np.ascontiguousarray(np.linalg.cholesky(np.asarray(sigma)))
    cdef double[::1] arena = np.empty(2 * m + 2 * m * m + m * d + 2 * d)
    f.p, f.d, f.phi, f.sigma, f.chol = p, d, &phi[0, 0, 0], &sigma[0, 0], &chol[0, 0]
    f.start = &start[0, 0]
    f.a = &arena[0]
    f.new = f.a + m
    f.P = f.new + m
    f.work = f.P + m * m
    f.copy = f.work + m * d
    f.afloat = f.copy + m * m + d
    f.level = NULL if level is None else &level[0]
    with nogil:
        for s in range(offsets.shape[0] - 1):
            begin(&f)
            seen = 0
            for t in range(offsets[s], offsets[s + 1]):
                if seen >= p and complete(&scaled[t, 0], d):
                    for i in range(d):
                        value = 0.0
                        for j in range(i + 1):
                            value += f.chol[i * d + j] * scaled[t, j]
                        for lag in range(p):
                            for j in range(d):
                                value += phi[lag, i, j] * u[t - 1 - lag, j]
                        u[t, i] = value
                    seen += 1
                    continue
                if seen >= p:
                    known_state(&f, &u[0, 0] + t * d)
                generate(&f, &scaled[t, 0], &u[t, 0])
                update(&f, &u[t, 0], NULL)
                seen = seen + 1 if complete(&u[t, 0], d) else 0
                if seen < p:
                    predict_state(&f)


cdef void stretch(
    Filter* f, const double* x, Py_ssize_t n, double constant, double* mean, double* log_prob,
    double* scaled,
) noexcept nogil:
    """Complete values of one series, the p before them being observed."""
    cdef double ahead[256]
    cdef Py_ssize_t first, t, m
    cdef double r = 1.0 / f.chol[0], e
    for first in range(0, n, 256):
        m = min(256, n - first)
        sk_ar_filter(x + first - 1, m, f.phi, f.p - 1, ahead)
        if mean != NULL:
            memcpy(mean + first, ahead, m * sizeof(double))
        for t in range(m):
            e = (x[first + t] - ahead[t]) * r
            if scaled != NULL:
                scaled[first + t] = e
            if log_prob != NULL:
                log_prob[first + t] = constant - 0.5 * e * e


def simulate(
    const double[:, :, ::1] phi, double[:, :, ::1] paths, const double[:, :, ::1] noise
):
    """Continue paths. O(n_paths h p d^2).

    Parameters
    ----------
    phi : ndarray of shape (p, d, d)  # IN
    paths : ndarray of shape (n_paths, p + h, d)  # IN and OUT
        The first p rows of each are given.
    noise : ndarray of shape (n_paths, h, d)  # IN
    """
    cdef Py_ssize_t p = phi.shape[0], d = phi.shape[1], s, t, lag, i, j
    cdef double value
    with nogil:
        for s in range(noise.shape[0]):
            for t in range(noise.shape[1]):
                for i in range(d):
                    value = noise[s, t, i]
                    for lag in range(p):
                        for j in range(d):
                            value += phi[lag, i, j] * paths[s, p + t - 1 - lag, j]
                    paths[s, p + t, i] = value
