"""Exact maximum likelihood of autoregressions of one series, or of each series of a panel.

Quasi-Newton iterations from Yule-Walker's coefficients and the information matrix there; see
_ar_likelihood.pyx for the function that is maximised.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange
from libc.math cimport INFINITY, fabs, log, sqrt
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from ._ar cimport add_gram, factorize
from ._ar_likelihood cimport Problem, arrange, evaluate, to_coordinates
from ._threads cimport sk_enter_parallel, sk_leave_parallel

cnp.import_array()

cdef extern from "ar.h" nogil:
    void sk_ar_products(
        const double *x, const double *z, Py_ssize_t n, Py_ssize_t p, double *out
    )
    void sk_ar_levinson(
        const double *c, Py_ssize_t p, double most, double *phi, double *partial,
        double *error, double *w,
    )

cdef double MOST_START = 0.98  # partial autocorrelation at the start
cdef double FAR = 19.0  # coordinate beyond which tanh is 1 to the last bit
cdef double FLAT = 1e-13  # gain in nats that is left, to first order, at the end
cdef double ROUNDING = 1e-15  # of a log-likelihood, by its size and the number of values
cdef int STALLED = 4  # iterations within rounding, after which there is nothing left to gain
cdef int MAX_ITER = 200
cdef int REFRESH = 20  # iterations after which curvature is taken from the model again
cdef int NONE = 0, BIC = 2, HQIC = 3  # Akaike's is 1


cdef void start(Problem* q, double* theta, double* c, double* work) noexcept nogil:
    """Yule-Walker's coefficients from pairs of observed values, as coordinates.

    c (p + 1,) becomes the sums of products, made up for those that are missing.
    """
    cdef Py_ssize_t i, j, s, t, p = q.p, w = q.p + 2
    cdef double pairs, total
    cdef const double* x
    memset(c, 0, (p + 1) * sizeof(double))
    if q.factor != NULL:
        for j in range(p + 1):  # the last row times row j of the factor, but for the mean
            for i in range(1, w):
                c[j] += q.factor[(w - 1) * w + i] * q.factor[(w - 1 if j == 0 else j) * w + i]
    else:
        for j in range(p + 1):
            pairs = total = 0.0
            for s in range(q.n_seq):
                x = q.z + q.offsets[s]
                for t in range(j, q.offsets[s + 1] - q.offsets[s]):
                    c[j] += x[t] * x[t - j]
                    pairs += x[t] != 0.0 and x[t - j] != 0.0  # what is missing is zero now
                    total += 1
            c[j] *= total / max(pairs, 1.0)
    # phi, partial, error and scratch, of which only partial is of use
    sk_ar_levinson(c, p, MOST_START, q.phi, q.partial, work, work + p + 1)
    if q.lags == NULL:
        for i in range(q.size):
            theta[i] = 0.5 * log((1 + q.partial[i]) / (1 - q.partial[i]))
        return
    for i in range(q.size):  # small enough to be stationary
        theta[i] = c[q.lags[i]] / c[0] * 0.9 / q.size if c[0] > 0 else 0.0


cdef void model_moments(Problem* q, double* c) noexcept nogil:
    """The autocovariances c (p + 1,) of the point that was evaluated last, times the values."""
    cdef Py_ssize_t h, j, order, n = q.size if q.lags == NULL else q.p
    cdef double error = q.sigma2 * q.n_obs
    cdef const double* a
    for j in range(n):
        error /= max(q.rest[j], 1e-15)
    c[0] = error
    for h in range(1, q.p + 1):
        order = min(h - 1, n)
        a = q.levels + order * (q.p + 1)
        c[h] = 0.0
        for j in range(order):
            c[h] += a[j] * c[h - 1 - j]
        if h <= n:
            c[h] += q.partial[h - 1] * error
            error *= q.rest[h - 1]


cdef bint information(
    Problem* q, const double* c, double* H, double* J, double* work
) noexcept nogil:
    """The inverse of Fisher's information in H (m, m); False where it is not definite."""
    cdef Py_ssize_t i, j, r, m = q.size, p = q.p
    cdef double value
    for j in range(p):  # J[j, i]: coefficient j by coordinate i
        memset(work, 0, (p + 1) * sizeof(double))
        work[j] = 1.0
        to_coordinates(q, 0.0, 0.0, work, J + j * m)
    for i in range(m):
        for r in range(p):
            value = 0.0
            for j in range(p):
                value += c[max(r - j, j - r)] * J[j * m + i]
            work[r] = value / q.sigma2
        for j in range(m):
            value = 0.0
            for r in range(p):
                value += J[r * m + j] * work[r]
            H[j * m + i] = value
        H[i * m + i] += q.n_stat * (i + 1)
    if factorize(H, m):
        return False
    for i in range(m):  # the inverse, a column at a time, in J
        for j in range(m):
            value = 1.0 if i == j else 0.0
            for r in range(j):
                value -= H[j * m + r] * work[r]
            work[j] = value / H[j * m + j]
        for j in range(m - 1, -1, -1):
            value = work[j]
            for r in range(j + 1, m):
                value -= H[r * m + j] * work[r]
            work[j] = value / H[j * m + j]
        memcpy(J + i * m, work, m * sizeof(double))
    memcpy(H, J, m * m * sizeof(double))
    return True


cdef void scaled_identity(double* H, Py_ssize_t m, double scale) noexcept nogil:
    cdef Py_ssize_t i
    memset(H, 0, m * m * sizeof(double))
    for i in range(m):
        H[i * m + i] = scale


cdef void update_inverse(
    double* H, const double* s, const double* y, double* Hy, Py_ssize_t m
) noexcept nogil:
    """The BFGS update of an inverse Hessian."""
    cdef Py_ssize_t i, j
    cdef double sy = 0.0, yHy = 0.0
    for i in range(m):
        sy += s[i] * y[i]
        Hy[i] = 0.0
        for j in range(m):
            Hy[i] += H[i * m + j] * y[j]
        yHy += y[i] * Hy[i]
    if not sy > 1e-12 * sqrt(fabs(yHy)) * sqrt(fabs(sy)) or sy <= 0:
        return
    for i in range(m):
        for j in range(m):
            H[i * m + j] += ((1 + yHy / sy) * s[i] * s[j] - Hy[i] * s[j] - s[i] * Hy[j]) / sy


cdef int minimize(Problem* q, double* theta, bint warm) noexcept nogil:
    """Quasi-Newton iterations from `theta`, or from Yule-Walker's; how many, < 0 in vain.

    Leaves the optimum in the problem.
    """
    cdef Py_ssize_t m = q.size, w = max(q.size, q.p) + 2, i, j
    cdef double* arena = <double*>calloc(2 * w * w + 8 * w + 2 * w, sizeof(double))
    cdef double* H = arena
    cdef double* J = H + w * w
    cdef double* g = J + w * w
    cdef double* d = g + w
    cdef double* c = d + w
    cdef double* gn = c + w
    cdef double* new = gn + w
    cdef double* work = new + w
    cdef double value, trial, slope, t, longest, rounding = 0.0, amplified
    cdef int iteration = 0, stalled = 0, _trial
    cdef bint found = False, settled = False
    if arena == NULL:
        return -1000
    start(q, d if warm else theta, c, work)
    value = evaluate(q, theta, g)
    if value == INFINITY:  # the given start, or that of a subset of lags
        memset(theta, 0, m * sizeof(double))
        value = evaluate(q, theta, g)
    amplified = q.amplified
    while m > 0 and iteration < MAX_ITER:
        if iteration % REFRESH == 0:  # the last evaluation was at theta
            model_moments(q, c)
            if not information(q, c, H, J, work):
                scaled_identity(H, m, 1.0 / q.n_obs)
        slope = longest = 0.0
        for i in range(m):
            d[i] = 0.0
            for j in range(m):
                d[i] -= H[i * m + j] * g[j]
            slope += d[i] * g[i]
            longest = max(longest, fabs(d[i]))
        if not slope < 0:
            scaled_identity(H, m, 1.0 / q.n_obs)
            if settled:
                break
            settled = True  # if the next slope is none either
            iteration += 1
            continue
        rounding = ROUNDING * (fabs(value) + q.n_obs * min(amplified, 1e6))
        if -slope < max(FLAT, rounding):
            settled = True
            break
        settled = False
        t = 1.0 if longest < 2 else 2 / longest
        found = False
        for _trial in range(40):
            for i in range(m):
                new[i] = theta[i] + t * d[i]
                if q.lags == NULL:
                    new[i] = max(-FAR, min(FAR, new[i]))
            trial = evaluate(q, new, gn)
            if trial <= value + 1e-4 * t * slope + rounding:
                found = True
                break
            t *= 0.3 if trial == INFINITY else max(
                0.1, min(0.5, -0.5 * slope * t / (trial - value - slope * t))
            )
        if not found:
            settled = -slope < 1e6 * rounding
            break
        for i in range(m):
            d[i] = new[i] - theta[i]
            work[i] = gn[i] - g[i]
            theta[i] = new[i]
            g[i] = gn[i]
        stalled = stalled + 1 if value - trial <= rounding else 0
        value, amplified = trial, q.amplified
        update_inverse(H, d, work, work + w, m)
        iteration += 1
        if stalled == STALLED:
            settled = True
            break
    settled = settled or m == 0
    evaluate(q, theta, g)  # the last trial may have been another point
    free(arena)
    return iteration if settled else -iteration - 1


def fit(
    double[:, ::1] z, const Py_ssize_t[::1] offsets, Py_ssize_t order, *,
    const double[:, ::1] factor=None, bint constant=False, const Py_ssize_t[::1] missing=None,
    const Py_ssize_t[::1] gaps=None, const double[::1] weights=None,
    const Py_ssize_t[::1] lags=None, size=None, double n_obs, double prior=0.0,
    double floor=1e-300, start=None, bint diff=False,
):
    """Maximise the exact likelihood, or the posterior, over all sequences together.

    Every sequence has `order` rows at least: pad shorter ones with missing values. An iteration
    takes O(p^2) with a factor, and O(n p) plus the missing values' system without.

    Parameters
    ----------
    z : ndarray of shape (1 + n_regressors, n)  # IN and OUT
        The series and its regressors; missing values of both are zero, and are filled.
    offsets : ndarray of shape (n_sequences + 1,), intp  # IN
    order : int
        The longest lag, p.
    factor : ndarray of shape (p + 2, p + 2)  # IN
        Cholesky factor of the Gram matrix of 1, lags and series, of complete series without
        regressors but for, maybe, a constant.
    constant : bool
        With a factor: whether there is a constant.
    missing, gaps : ndarray, intp  # IN
        Missing rows in ascending order, and where those of each sequence begin.
    diff : bool
        Whether the series and regressors are steps, one row fewer than levels; `missing` counts
        levels, from the offset of the sequence on, and z is complete with any of their values.
    weights : ndarray of shape (n_sequences,)  # IN
    lags : ndarray of intp  # IN
        The lags with a coefficient, None for 1 .. size.
    size : int
        Number of coefficients, `order` by default: those beyond are zero.
    n_obs : float
        Observed values, weighted.
    prior : float
        Precision of the normal prior of the first coefficient; that of lag j has j^2 times it.
    floor : float
        Least innovation variance.
    start : ndarray of shape (size,)
        Coordinates to start from.

    Returns
    -------
    dict
        coef (p,), beta (n_regressors,), sigma2, log_lik, n_iter, converged, coordinates.
    """
    cdef Problem q
    cdef int n_iter
    memset(&q, 0, sizeof(Problem))
    q.p, q.n_seq, q.n = order, offsets.shape[0] - 1, z.shape[1]
    q.k = z.shape[0] - 1 if factor is None else constant
    q.offsets, q.z = &offsets[0], &z[0, 0]
    q.n_obs, q.prior, q.floor, q.diff = n_obs, prior, floor, diff
    if weights is not None:
        q.weights = &weights[0]
    if missing is not None and missing.shape[0]:
        q.missing, q.gaps = &missing[0], &gaps[0]
    if factor is not None:
        q.factor = &factor[0, 0]
    q.size = order if size is None else size
    if lags is not None:
        q.size = lags.shape[0]
        if q.size:
            q.lags = &lags[0]
    cdef void* arena = arrange(&q)
    if arena == NULL:
        raise MemoryError
    coordinates = np.zeros(q.size + 1)
    if start is not None:
        coordinates[:q.size] = start
    cdef double[::1] theta = coordinates
    cdef bint warm = start is not None
    with nogil:
        n_iter = minimize(&q, &theta[0], warm)
    coef = np.array([q.phi[i] for i in range(q.p)])
    beta = np.array([q.beta[i] for i in range(q.k)])
    found = {
        "coef": coef, "beta": beta, "sigma2": q.sigma2, "log_lik": q.log_lik,
        "n_iter": n_iter if n_iter >= 0 else -n_iter - 1, "converged": n_iter >= 0,
        "coordinates": coordinates[:q.size],
    }
    free(arena)
    return found


cdef struct Panel:
    # What the series of a panel have in common, and where their exogenous columns are.
    Py_ssize_t p, n_lags, n_terms, n_exog, longest, n
    const Py_ssize_t* lags  # NULL: 1 .. p
    const double* terms  # (n_terms, longest)
    const double* exog  # (n_exog, n)
    bint plain, diff  # plain: the terms are a constant or nothing
    int criterion
    double prior


cdef bint explain(
    double* z, Py_ssize_t n, Py_ssize_t k, double* known, double* gram
) noexcept nogil:
    """Take out of z[0] what plain least squares by z[1 .. k] explains of it, known (k,).

    Squares of it would drown the rest. Whether the regressors can be told apart.
    """
    cdef Py_ssize_t i, j, t, _again
    cdef double* right = gram + k * k
    memset(known, 0, k * sizeof(double))
    memset(gram, 0, k * k * sizeof(double))
    for i in range(k):
        for j in range(i + 1):
            sk_ar_products(z + (i + 1) * n, z + (j + 1) * n, n, 0, gram + i * k + j)
    if factorize(gram, k):
        return False
    for _again in range(2):  # the second time for the digits that the products have lost
        for i in range(k):
            right[i] = 0.0
            sk_ar_products(z, z + (i + 1) * n, n, 0, right + i)
            for j in range(i):
                right[i] -= gram[i * k + j] * right[j]
            right[i] /= gram[i * k + i]
        for i in range(k - 1, -1, -1):
            for j in range(i + 1, k):
                right[i] -= gram[j * k + i] * right[j]
            right[i] /= gram[i * k + i]
            known[i] += right[i]
            for t in range(n):
                z[t] -= right[i] * z[(i + 1) * n + t]
    return True


cdef void lay_out(
    const Panel* panel, const double* x, Py_ssize_t n, Py_ssize_t begin, double* z
) noexcept nogil:
    """The series and its regressors one after the other, with zeros where it is missing."""
    cdef Py_ssize_t a, t
    cdef const double* source
    for t in range(n):
        z[t] = x[t] if x[t] == x[t] else 0.0
    for a in range(panel.n_terms + panel.n_exog):
        if a < panel.n_terms:
            source = panel.terms + a * panel.longest
        else:
            source = panel.exog + (a - panel.n_terms) * panel.n + begin
        z += n
        for t in range(n):
            z[t] = source[t] if x[t] == x[t] else 0.0


cdef int fit_one(
    const Panel* panel, const double* x, Py_ssize_t n, Py_ssize_t begin,
    const Py_ssize_t* missing, Py_ssize_t n_missing, double floor,
    double* coef, double* beta, double* out,
) noexcept nogil:
    """Fit one series of a panel; out: sigma2, log_lik, order. As :func:`minimize`."""
    cdef Problem q
    cdef Py_ssize_t i, size, p = panel.p, w = p + 2, k = panel.n_terms + panel.n_exog
    cdef Py_ssize_t largest = panel.n_lags if panel.lags != NULL else p
    cdef double price, value, best = INFINITY
    cdef Py_ssize_t ends[2]
    cdef Py_ssize_t gaps[2]
    cdef int n_iter = -1000, iterations
    cdef double* arena = <double*>calloc(
        (k + 1) * n + w * w + (p + 1) * (p + 1) + p + 1 + k * (k + 2), sizeof(double)
    )
    cdef double* gram = arena + (k + 1) * n
    cdef double* theta = gram + w * w + (p + 1) * (p + 1)
    cdef double* known = theta + p + 1
    cdef Py_ssize_t* rows = NULL
    cdef void* scratch = NULL
    if arena == NULL:
        return -1000
    memset(&q, 0, sizeof(Problem))
    ends[0], ends[1], gaps[0], gaps[1] = 0, n, 0, n_missing
    q.p, q.k, q.n_seq, q.n, q.size, q.lags = p, k, 1, n, largest, panel.lags
    q.offsets, q.z, q.n_obs, q.prior, q.diff = ends, arena, n - n_missing, panel.prior, panel.diff
    q.floor = floor
    lay_out(panel, x, n, begin, arena)
    out[2] = -1
    if not explain(arena, n, k, known, known + k):
        free(arena)
        return -1
    if n_missing:
        rows = <Py_ssize_t*>calloc(n_missing, sizeof(Py_ssize_t))
        for i in range(n_missing):
            rows[i] = missing[i]
        q.missing, q.gaps = rows, gaps
    elif panel.plain:
        add_gram(arena, n, p, 1.0, gram + w * w, gram)
        if not factorize(gram, w):
            q.factor = gram
    scratch = arrange(&q)
    price = 2.0
    if panel.criterion == BIC:
        price = log(q.n_obs)
    elif panel.criterion == HQIC:
        price = 2 * log(log(max(q.n_obs, 3.0)))
    for size in range(
        largest if panel.criterion == NONE else 0, largest + 1 if scratch != NULL else 0
    ):
        q.size = size
        iterations = minimize(&q, theta, size > 0 and panel.criterion != NONE)
        value = price * size - 2 * q.log_lik
        if value < best or size == largest and best == INFINITY:
            best = value
            n_iter = iterations
            memcpy(coef, q.phi, p * sizeof(double))
            for i in range(k):
                beta[i] = known[i] + q.beta[i]
            out[0], out[1], out[2] = q.sigma2, q.log_lik, size
    free(scratch)
    free(rows)
    free(arena)
    return n_iter


def fit_panel(
    const double[::1] x, const Py_ssize_t[::1] offsets, Py_ssize_t p,
    const double[:, ::1] terms not None, const double[::1] floor not None, *,
    const double[:, ::1] exog=None, bint plain=False, const Py_ssize_t[::1] lags=None,
    const Py_ssize_t[::1] missing=None, const Py_ssize_t[::1] gaps=None, bint diff=False,
    int criterion=0, double prior=0.0, n_threads=None,
):
    """Maximise the exact likelihood of each sequence by itself, the sequences in parallel.

    Parameters
    ----------
    x : ndarray of shape (n,)  # IN
        NaN where missing.
    terms : ndarray of shape (n_terms, length of the longest sequence)  # IN
        Regressors by the time in a sequence, which all sequences share.
    floor : ndarray of shape (n_sequences,)  # IN
        Least innovation variances.
    exog : ndarray of shape (n_exog, n)  # IN
        Regressors of their own.
    plain : bool
        Whether the only regressor, if any, is a constant.
    missing : ndarray, intp  # IN
        Missing rows, counted from the beginning of their sequence; of levels with `diff`.
    criterion : int
        0 for order p; 1, 2, 3 for that of the least AIC, BIC, HQIC up to p.
    others : as in :func:`fit`

    Returns
    -------
    coef : ndarray of shape (n_sequences, p)
    beta : ndarray of shape (n_sequences, n_terms + n_exog)
    found : ndarray of shape (n_sequences, 3)
        Innovation variance, log-likelihood and number of coefficients: -1, and nothing else is
        told, where products do not tell the regressors apart.
    n_iter : ndarray of shape (n_sequences,)
        Negative where the optimum was not reached.
    """
    cdef Py_ssize_t n_seq = offsets.shape[0] - 1, s
    cdef Panel panel
    memset(&panel, 0, sizeof(Panel))
    panel.p, panel.n_terms, panel.longest = p, terms.shape[0], terms.shape[1]
    panel.plain, panel.diff, panel.criterion, panel.prior = plain, diff, criterion, prior
    if panel.n_terms:
        panel.terms = &terms[0, 0]
    if exog is not None and exog.shape[0]:
        panel.n_exog, panel.n, panel.exog = exog.shape[0], exog.shape[1], &exog[0, 0]
    if lags is not None:
        panel.n_lags, panel.lags = lags.shape[0], &lags[0]
    k = panel.n_terms + panel.n_exog
    coef_, beta_, found_ = np.empty((n_seq, p + 1)), np.zeros((n_seq, k + 1)), np.empty((n_seq, 3))
    n_iter_ = np.empty(n_seq, dtype=np.intc)
    cdef double[:, ::1] coef = coef_, beta = beta_, found = found_
    cdef int[::1] n_iter = n_iter_
    cdef const Py_ssize_t* rows = NULL
    cdef const Py_ssize_t* g = NULL
    if missing is not None and missing.shape[0]:
        rows, g = &missing[0], &gaps[0]
    cdef int threads = sk_enter_parallel(1 if n_seq < 8 else n_threads or 0)
    for s in prange(n_seq, nogil=True, schedule="dynamic", chunksize=8, num_threads=threads):
        n_iter[s] = fit_one(
            &panel, &x[offsets[s]], offsets[s + 1] - offsets[s], offsets[s],
            rows + g[s] if g != NULL else NULL, g[s + 1] - g[s] if g != NULL else 0,
            floor[s], &coef[s, 0], &beta[s, 0], &found[s, 0],
        )
    sk_leave_parallel()
    return np.ascontiguousarray(coef_[:, :p]), beta_[:, :k], found_, n_iter_
