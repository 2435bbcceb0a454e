"""Autoregressions of one series by least squares, Yule-Walker and Burg, all orders from one pass.

The lagged Gram matrix is nearly Toeplitz: only its first row is summed over the data, all else
follows from the ends of the series, as moving a window of n values by one step adds one product
and drops another. With the columns in the order 1, x[t-1], ..., x[t-p], x[t] one Cholesky factor
has the residual sums of squares of every order in its last row.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport prange
from libc.math cimport INFINITY, log, sqrt
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from ._threads cimport sk_enter_parallel, sk_leave_parallel

cnp.import_array()

cdef extern from "ar.h" nogil:
    void sk_ar_products(
        const double *x, const double *z, Py_ssize_t n, Py_ssize_t p, double *out
    )
    double sk_ar_sum(const double *x, Py_ssize_t n, double shift)
    double sk_ar_centre(
        const double *x, Py_ssize_t n, double shift, double rest, double *out
    )
    void sk_ar_levinson(
        const double *c, Py_ssize_t p, double most, double *phi, double *partial,
        double *error, double *w,
    )

# Below this many products a second thread costs more than it brings.
cdef double ONE_THREAD_PRODUCTS = 1e6
# Of a pivot to its diagonal entry: below, the Gram matrix has lost half of its digits.
cdef double SMALL_PIVOT = 1e-8
# Of Burg's innovation variance to that of the series: below, products have lost half their digits.
cdef double SMALL_ERROR = 1e-8


# ---- the Gram matrix ---------------------------------------------------------------------------

cdef void add_gram(
    const double* x, Py_ssize_t n, Py_ssize_t p, double weight, double* c, double* G
) noexcept nogil:
    """Add the products of 1, x[t-1], ..., x[t-p], x[t] over t = p .. n - 1 to G (p + 2, p + 2)."""
    cdef Py_ssize_t q = p + 2, i, j
    cdef double total
    if n <= p:
        return
    memset(c, 0, (p + 1) * (p + 1) * sizeof(double))
    sk_ar_products(x + p, x + p, n - p, p, c)
    for i in range(1, p + 1):  # c[i, j]: x[t-i] x[t-j], j >= i
        for j in range(i, p + 1):
            c[i * (p + 1) + j] = (
                c[(i - 1) * (p + 1) + j - 1] + x[p - i] * x[p - j] - x[n - i] * x[n - j]
            )
    total = sk_ar_sum(x + p, n - p, 0.0)
    G[0] += weight * (n - p)
    G[(q - 1) * q] += weight * total
    G[(q - 1) * q + q - 1] += weight * c[0]
    for i in range(1, p + 1):
        total += x[p - i] - x[n - i]
        G[i * q] += weight * total
        G[(q - 1) * q + i] += weight * c[i]
        for j in range(i, p + 1):
            G[j * q + i] += weight * c[i * (p + 1) + j]


cdef bint factorize(double* A, Py_ssize_t q) noexcept nogil:
    """The Cholesky factor in the lower triangle; whether some pivot was small."""
    cdef Py_ssize_t i, j, k
    cdef double s, r
    cdef bint small = False
    for j in range(q):
        s = A[j * q + j]
        for k in range(j):
            s -= A[j * q + k] * A[j * q + k]
        if not s > SMALL_PIVOT * A[j * q + j]:
            small = True
            s = max(s, 1e-300)
        A[j * q + j] = sqrt(s)
        r = 1.0 / A[j * q + j]
        for i in range(j + 1, q):
            s = A[i * q + j]
            for k in range(j):
                s -= A[i * q + k] * A[j * q + k]
            A[i * q + j] = s * r
    return small


def lagged_gram(
    const double[::1] x, const Py_ssize_t[::1] offsets, Py_ssize_t p,
    const double[::1] weights=None,
):
    """Products of 1, x[t-1], ..., x[t-p], x[t], summed over t >= p of all sequences.

    Time O(n p), memory O(p^2).

    Parameters
    ----------
    x : ndarray of shape (n,)  # IN
        Sequences end to end, without missing entries.
    offsets : ndarray of shape (n_sequences + 1,), intp  # IN
    p : int
        The longest lag.
    weights : ndarray of shape (n_sequences,)  # IN

    Returns
    -------
    ndarray of shape (p + 2, p + 2)
    """
    cdef Py_ssize_t s, i, j, q = p + 2
    cdef double w
    gram = np.zeros((q, q))
    cdef double[:, ::1] G = gram  # OUT
    cdef double[::1] scratch = np.empty((p + 1) * (p + 1))
    with nogil:
        for s in range(offsets.shape[0] - 1):
            w = 1.0 if weights is None else weights[s]
            add_gram(
                &x[offsets[s]], offsets[s + 1] - offsets[s], p, w, &scratch[0], &G[0, 0]
            )
        for i in range(q):
            for j in range(i):
                G[j, i] = G[i, j]
    return gram


def centred(const double[::1] x):
    """A complete series without its mean, to the last digit at any offset.

    Returns
    -------
    centred : ndarray of shape (n,)
    mean, variance : float
    """
    cdef Py_ssize_t n = x.shape[0]
    cdef double mean, rest, squares
    values = np.empty(n)
    cdef double[::1] out = values
    with nogil:
        mean = sk_ar_sum(&x[0], n, 0.0) / n
        rest = sk_ar_sum(&x[0], n, mean) / n  # what rounding left
        squares = sk_ar_centre(&x[0], n, mean, rest, &out[0])
    return values, mean + rest, squares / n


# ---- least squares -----------------------------------------------------------------------------

cdef Py_ssize_t best_order(
    const double* scatter, Py_ssize_t p, double n, double price, double floor
) noexcept nogil:
    """The order of least deviance and price of its coefficients."""
    cdef Py_ssize_t k, best = 0
    cdef double value, least = INFINITY
    for k in range(p + 1):
        value = price * k + n * log(max(scatter[k] / n, floor))
        if value < least:
            least, best = value, k
    return best


cdef Py_ssize_t least_squares_one(
    const double* x, const Py_ssize_t* offsets, Py_ssize_t n_seq, const double* weights,
    Py_ssize_t p, bint constant, double price, double floor,
    double* coef, double* scatter, double* last, double* found,
) noexcept nogil:
    """Every order up to p given the first p rows, and the best one given as few as it needs.

    ``coef`` (p + 1,) begins with the constant; ``found`` are weighted rows, and the scatter, of the
    best order. Returns this order; -1 where products have lost half of their digits.
    """
    cdef Py_ssize_t q = p + 2, k, i, j, s, a
    cdef double* L = <double*>calloc(3 * q * q, sizeof(double))
    cdef double* gram = L + q * q
    cdef double* c = gram + q * q
    cdef double* R = L + (q - 1) * q  # of the series itself
    cdef double w
    for s in range(n_seq):
        w = 1.0 if weights == NULL else weights[s]
        add_gram(x + offsets[s], offsets[s + 1] - offsets[s], p, w, c, L)
    found[0] = L[0]
    if not constant:
        for i in range(1, q):
            L[i * q] = 0.0
    memcpy(gram, L, q * q * sizeof(double))
    k = -1 if factorize(L, q) else p
    if k >= 0:
        scatter[p] = R[p + 1] * R[p + 1]
        for i in range(p, 0, -1):
            scatter[i - 1] = scatter[i] + R[i] * R[i]
            last[i - 1] = R[i] / L[i * q + i]
        if price >= 0:
            k = best_order(scatter, p, found[0], price, floor)
    if 0 <= k < p:
        q = k + 2
        R = L + (q - 1) * q
        memset(L, 0, q * q * sizeof(double))
        for s in range(n_seq):  # the rows t of a sequence, k <= t < p
            w = 1.0 if weights == NULL else weights[s]
            add_gram(x + offsets[s], min(p, offsets[s + 1] - offsets[s]), k, w, c, L)
        for i in range(q):
            a = i if i <= k else p + 1
            for j in range(i + 1):
                L[i * q + j] += gram[a * (p + 2) + (j if j <= k else p + 1)]
        if not constant:
            for i in range(1, q):
                L[i * q] = 0.0
        found[0] = L[0]
        if factorize(L, q):
            k = -1
    if k >= 0:
        found[1] = R[k + 1] * R[k + 1]
        memset(coef, 0, (p + 1) * sizeof(double))
        for j in range(k, -1, -1):
            w = R[j]
            for i in range(j + 1, k + 1):
                w -= L[i * q + j] * coef[i]
            coef[j] = w / L[j * q + j]
    free(L)
    return k


def least_squares(
    const double[::1] x, const Py_ssize_t[::1] offsets, Py_ssize_t p,
    const double[::1] floor not None, *, const double[::1] weights=None, bint constant=True,
    const double[::1] price=None, bint each=False, n_threads=None,
):
    """Least squares given the first rows, of all sequences together or of each by itself.

    O(n p + p^3): one pass over the data, whatever the number of orders.

    Parameters
    ----------
    x : ndarray of shape (n,)  # IN
        Sequences end to end, without missing entries, with about mean zero.
    offsets : ndarray of shape (n_sequences + 1,), intp  # IN
    p : int
        The order, or the highest one.
    floor : ndarray of shape (n_models,)  # IN
        Least innovation variances.
    weights : ndarray of shape (n_sequences,)  # IN
        Not with `each`.
    constant : bool
        Whether there is one.
    price : ndarray of shape (n_models,)  # IN
        Of a coefficient, in units of twice the log-likelihood, where the order is to be chosen.
    each : bool
        Whether each sequence has its own model.
    n_threads : int

    Returns
    -------
    coef : ndarray of shape (n_models, p + 1)
        The constant, which is 0 where there is none, and the coefficients, with zeros for lags
        beyond the order.
    order : ndarray of shape (n_models,), intp
        -1 where products have lost half of their digits, and nothing is told.
    found : ndarray of shape (n_models, 2)
        Rows, weighted, and residual sum of squares.
    scatter : ndarray of shape (n_models, p + 1)
        Residual sum of squares of order 0, 1, ..., p, of the same rows.
    last : ndarray of shape (n_models, p)
        The last coefficient of each order.
    """
    cdef Py_ssize_t n_seq = offsets.shape[0] - 1, m, size = 1 if each else n_seq
    cdef Py_ssize_t n_models = n_seq if each else 1
    cdef int threads = 1
    if floor.shape[0] != n_models or (price is not None and price.shape[0] != n_models):
        raise ValueError("expected floor and price of each model")
    cdef const double* w = NULL
    if weights is not None:
        w = &weights[0]
    coef, scatter = np.empty((n_models, p + 1)), np.empty((n_models, p + 1))
    last, found = np.empty((n_models, max(p, 1))), np.empty((n_models, 2))
    order = np.empty(n_models, dtype=np.intp)
    cdef double[:, ::1] a = coef, r = scatter, z = last, f = found
    cdef Py_ssize_t[::1] k = order
    threads = sk_enter_parallel(
        1 if not each or <double>x.shape[0] * p < ONE_THREAD_PRODUCTS else n_threads or 0
    )
    for m in prange(n_models, nogil=True, schedule="dynamic", chunksize=16, num_threads=threads):
        k[m] = least_squares_one(
            &x[0], &offsets[m], size, w, p, constant, -1.0 if price is None else price[m],
            floor[m], &a[m, 0], &r[m, 0], &z[m, 0], &f[m, 0],
        )
    sk_leave_parallel()
    return coef, order, found, scatter, last[:, :p]


# ---- Yule-Walker and Burg ----------------------------------------------------------------------

def autocovariances(
    const double[::1] x, const Py_ssize_t[::1] offsets, Py_ssize_t p,
    const double[::1] weights=None,
):
    """Sums of x[t] x[t-j] over t >= j, j = 0 .. p, of all sequences. O(n p)."""
    cdef Py_ssize_t s
    out = np.zeros(p + 1)
    cdef double[::1] c = out, own = np.empty(p + 1)
    cdef Py_ssize_t j
    cdef double w
    with nogil:
        for s in range(offsets.shape[0] - 1):
            memset(&own[0], 0, (p + 1) * sizeof(double))
            products(&x[offsets[s]], offsets[s + 1] - offsets[s], p, &own[0])
            w = 1.0 if weights is None else weights[s]
            for j in range(p + 1):
                c[j] += w * own[j]
    return out


cdef void products(const double* x, Py_ssize_t n, Py_ssize_t p, double* c) noexcept nogil:
    """Add x[t] x[t-j] over t = j .. n - 1 to c[j], j = 0 .. p."""
    cdef Py_ssize_t t, j, head = min(p, n)
    for t in range(head):
        for j in range(t + 1):
            c[j] += x[t] * x[t - j]
    if n > head:
        sk_ar_products(x + head, x + head, n - head, p, c)


def levinson(const double[::1] c, double most=1.0):
    """Levinson's recursion on autocovariances c (p + 1,).

    Returns
    -------
    coef : ndarray of shape (p,)
    partial : ndarray of shape (p,)
        Partial autocorrelations, none beyond `most` in size.
    error : ndarray of shape (p + 1,)
        Innovation variance of each order.
    """
    cdef Py_ssize_t p = c.shape[0] - 1
    coef, partial, error = np.empty(p + 1), np.empty(p + 1), np.empty(p + 1)
    cdef double[::1] a = coef, k = partial, e = error, w = np.empty(p + 1)
    sk_ar_levinson(&c[0], p, most, &a[0], &k[0], &e[0], &w[0])
    return coef[:p], partial[:p], error


cdef bint burg_fast(
    const double* x, const Py_ssize_t* offsets, Py_ssize_t n_seq, const double* weights,
    Py_ssize_t p, double* coef, double* partial, double* error, double* work,
) noexcept nogil:
    """Burg's recursion on sums of products; whether these have lost half their digits.

    With a the error filter of order m, g[i] = sum over t of f_m[t] x[t-i] and its mirror image
    are kept in place of the errors themselves: O(p^2) after the O(n p) products.
    """
    cdef double* c = work
    cdef double* a = c + p + 2
    cdef double* g = a + p + 2
    cdef double* r = g + p + 2
    cdef double* an = r + p + 2
    cdef double* gn = an + p + 2
    cdef double* rn = gn + p + 2
    cdef Py_ssize_t m, i, s, n
    cdef const double* y
    cdef double w, num, den, k, total = 0.0, sequences = 0.0, forth, back
    memset(work, 0, 7 * (p + 2) * sizeof(double))
    for s in range(n_seq):
        y = x + offsets[s]
        n = offsets[s + 1] - offsets[s]
        w = 1.0 if weights == NULL else weights[s]
        total += w * n
        sequences += w
        memset(an, 0, (p + 1) * sizeof(double))
        products(y, n, p, an)
        for i in range(p + 1):
            c[i] += w * an[i]
        g[0] -= w * (y[0] * y[0] + y[n - 1] * y[n - 1])
    a[0] = 1.0
    g[0] += 2 * c[0]
    error[0] = c[0] / total
    if p > 0:
        g[1] = r[0] = 2 * c[1]
    for m in range(p):
        num = den = 0.0
        for i in range(m + 1):
            num += a[i] * g[m + 1 - i]
            den += a[i] * g[i]
        k = -num / den if den > 0 else 0.0
        partial[m] = -k
        for i in range(m + 2):
            an[i] = a[i] + k * a[m + 1 - i]
        for i in range(m + 2):
            a[i] = an[i]
        error[m + 1] = den * (1 - k * k) / (2 * (total - (m + 1) * sequences))
        if m == p - 1:
            break
        rn[0] = 2 * c[m + 2]
        for i in range(m + 2):
            rn[i + 1] = r[i]
            gn[i] = g[i] + k * g[m + 1 - i]
        for s in range(n_seq):  # the ends drop out of the sums
            y = x + offsets[s]
            n = offsets[s + 1] - offsets[s]
            w = 1.0 if weights == NULL else weights[s]
            forth = back = 0.0
            for i in range(m + 2):
                forth += y[m + 1 - i] * a[i]
                back += y[n - 2 - m + i] * a[i]
            for i in range(m + 2):
                rn[i + 1] -= w * (y[i] * y[m + 1] + y[n - 1 - i] * y[n - 2 - m])
                gn[i] -= w * (y[m + 1 - i] * forth + y[n - 2 - m + i] * back)
        gn[m + 2] = 0.0
        for i in range(m + 2):
            gn[m + 2] += rn[i] * a[i]
        for i in range(m + 3):
            g[i] = gn[i]
            r[i] = rn[i]
    for i in range(p):
        coef[i] = -a[i + 1]
    return not error[p] > SMALL_ERROR * error[0]


cdef void burg_lattice(
    const double* x, const Py_ssize_t* offsets, Py_ssize_t n_seq, const double* weights,
    Py_ssize_t p, double* coef, double* partial, double* error, double* f, double* b, double* work,
) noexcept nogil:
    """Burg's recursion on the forward and backward errors themselves, O(n p) with two copies."""
    cdef Py_ssize_t m, i, s, t, first, n
    cdef double w, num, den, k, terms, total = 0.0, forth
    error[0] = 0.0
    for s in range(n_seq):
        w = 1.0 if weights == NULL else weights[s]
        for t in range(offsets[s], offsets[s + 1]):
            f[t - offsets[0]] = b[t - offsets[0]] = x[t]
            error[0] += w * x[t] * x[t]
            total += w
    error[0] /= total
    for m in range(p):
        num = den = terms = 0.0
        for s in range(n_seq):
            w = 1.0 if weights == NULL else weights[s]
            first = offsets[s] - offsets[0]
            for t in range(first + m + 1, offsets[s + 1] - offsets[0]):
                num += w * f[t] * b[t - 1]
                den += w * (f[t] * f[t] + b[t - 1] * b[t - 1])
                terms += 2 * w
        k = 2 * num / den if den > 0 else 0.0
        partial[m] = k
        error[m + 1] = den * (1 - k * k) / terms if terms > 0 else error[m]
        for i in range(m):
            work[i] = coef[i] - k * coef[m - 1 - i]
        for i in range(m):
            coef[i] = work[i]
        coef[m] = k
        for s in range(n_seq):
            first = offsets[s] - offsets[0]
            n = offsets[s + 1] - offsets[s]
            for t in range(first + n - 1, first + m, -1):  # backwards: b[t-1] is of order m yet
                forth = f[t]
                f[t] = forth - k * b[t - 1]
                b[t] = b[t - 1] - k * forth


cdef void burg_one(
    const double* x, const Py_ssize_t* offsets, Py_ssize_t n_seq, const double* weights,
    Py_ssize_t p, double* coef, double* partial, double* error,
) noexcept nogil:
    """Burg's recursion by the fast way where it keeps enough digits."""
    cdef Py_ssize_t n = offsets[n_seq] - offsets[0]
    cdef double* work = <double*>malloc(7 * (p + 2) * sizeof(double))
    cdef double* both
    cdef Py_ssize_t s
    cdef bint lost = False
    for s in range(n_seq):
        lost = lost or offsets[s + 1] - offsets[s] <= p + 1
    if not lost:
        lost = burg_fast(x, offsets, n_seq, weights, p, coef, partial, error, work)
    if lost:
        both = <double*>malloc(2 * n * sizeof(double))
        burg_lattice(
            x, offsets, n_seq, weights, p, coef, partial, error, both, both + n, work
        )
        free(both)
    free(work)


def burg(
    const double[::1] x, const Py_ssize_t[::1] offsets, Py_ssize_t p,
    const double[::1] weights=None,
):
    """Burg's method over all sequences together; the results are those of :func:`levinson`.

    O(n p + p^2) on products of lagged values; where they lose too many digits, on the errors.

    The innovation variance of order m is the mean square of the forward and backward errors.

    References
    ----------
    Brockwell, Davis (2016). Introduction to Time Series and Forecasting, section 5.1.2. Springer.
    Vos (2013). A fast implementation of Burg's method.
    """
    coef, partial, error = np.empty(p + 1), np.empty(p + 1), np.empty(p + 1)
    cdef double[::1] a = coef, k = partial, e = error
    cdef const double* w = NULL
    if weights is not None:
        w = &weights[0]
    with nogil:
        burg_one(&x[0], &offsets[0], offsets.shape[0] - 1, w, p, &a[0], &k[0], &e[0])
    return coef[:p], partial[:p], error


def each_recursion(
    const double[::1] x, const Py_ssize_t[::1] offsets, Py_ssize_t p, bint by_burg, n_threads=None
):
    """Burg's method, or Levinson's recursion on autocovariances, of each sequence by itself.

    Returns
    -------
    coef, partial : ndarray of shape (n_sequences, p)
    error : ndarray of shape (n_sequences, p + 1)
    """
    cdef Py_ssize_t n_seq = offsets.shape[0] - 1, s
    cdef int threads = 1
    coef, partial = np.empty((n_seq, max(p, 1))), np.empty((n_seq, max(p, 1)))
    error = np.empty((n_seq, p + 1))
    cdef double[:, ::1] a = coef, k = partial, e = error
    threads = sk_enter_parallel(
        1 if <double>x.shape[0] * p < ONE_THREAD_PRODUCTS else n_threads or 0
    )
    for s in prange(n_seq, nogil=True, schedule="dynamic", chunksize=16, num_threads=threads):
        if by_burg:
            burg_one(&x[0], &offsets[s], 1, NULL, p, &a[s, 0], &k[s, 0], &e[s, 0])
        else:
            yule_walker_one(
                &x[offsets[s]], offsets[s + 1] - offsets[s], p, &a[s, 0], &k[s, 0], &e[s, 0]
            )
    sk_leave_parallel()
    return coef[:, :p], partial[:, :p], error


cdef void yule_walker_one(
    const double* x, Py_ssize_t n, Py_ssize_t p, double* coef, double* partial, double* error
) noexcept nogil:
    cdef Py_ssize_t j
    cdef double* c = <double*>malloc(2 * (p + 1) * sizeof(double))
    memset(c, 0, (p + 1) * sizeof(double))
    products(x, n, p, c)
    for j in range(p + 1):
        c[j] /= n
    sk_ar_levinson(c, p, 1.0, coef, partial, error, c + p + 1)
    free(c)
