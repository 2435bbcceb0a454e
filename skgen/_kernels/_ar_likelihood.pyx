"""Exact likelihood of autoregressions of one series, with regressors and missing values.

The likelihood of a stationary autoregression u = z[0] - beta' z[1:] needs no filter. With b = (1,
-phi), the precision matrix of a series is Q = A'A - B'B over the innovation variance, A and B
triangular Toeplitz matrices of b (Siddiqui 1958). Missing values are filled by their conditional
mean, the solution of a system in the rows and columns m of Q that are missing, and

    log p(observed) = log p(filled) + (n_missing log(2 pi sigma2) - log|Q_mm|) / 2.

Q_mm is banded: a gap costs no more than its length times the square of the missing values within
p steps. The quadratic form is the sum of squared errors: of order t for the first p values, over
their larger variances, of order p for the rest. For complete series the latter comes from the
Cholesky factor of the lagged Gram matrix: an evaluation costs O(p^2) whatever the length.

Of an integrated series z has the steps w[t] = x[t + 1] - x[t], and m counts missing levels x. With
D the matrix that takes steps, levels have the precision matrix D'QD, of which no more than a band
is looked at either; whatever stood in the place of missing levels, w += D (their correction) fills
them, and p(filled) is that of w: the density of the observed levels given one of them.

Coordinates: inverse hyperbolic tangents of partial autocorrelations, which keep the model
stationary; or, for a subset of lags, the coefficients, with steps cut where they leave the region.
"""

from libc.math cimport INFINITY, exp, fabs, log, log1p, sqrt, tanh
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

cdef extern from "ar.h" nogil:
    void sk_ar_products(
        const double *x, const double *z, Py_ssize_t n, Py_ssize_t p, double *out
    )
    void sk_ar_filter(
        const double *x, Py_ssize_t n, const double *b, Py_ssize_t p, double *out
    )

cdef double LOG_2PI = 1.8378770664093453
cdef double LOG_2 = 0.6931471805599453

# ---- coordinates -------------------------------------------------------------------------------

cdef bint from_coordinates(Problem* q, const double* theta) noexcept nogil:
    """The coefficients; False where they are not stationary."""
    cdef Py_ssize_t i, j, p = q.p, w = q.p + 1
    cdef double k, r
    cdef double* a
    cdef double* above
    memset(q.phi, 0, p * sizeof(double))
    memset(q.partial, 0, p * sizeof(double))
    if q.lags == NULL:  # up: level i has the coefficients of order i
        for i in range(q.size):
            k = q.partial[i] = tanh(theta[i])
            r = exp(-2 * fabs(theta[i]))
            q.rest[i] = 4 * r / ((1 + r) * (1 + r))
            a = q.levels + i * w
            above = a + w
            for j in range(i):
                above[j] = a[j] - k * a[i - 1 - j]
            above[i] = k
        memcpy(q.phi, q.levels + q.size * w, q.size * sizeof(double))
        return True
    for i in range(q.size):
        q.phi[q.lags[i] - 1] = theta[i]
    memcpy(q.levels + p * w, q.phi, p * sizeof(double))
    for i in range(p - 1, -1, -1):  # down
        above = q.levels + (i + 1) * w
        a = above - w
        k = q.partial[i] = above[i]
        if not fabs(k) < 1.0:
            return False
        q.rest[i] = 1.0 - k * k
        for j in range(i):
            a[j] = (above[j] + k * above[i - 1 - j]) / q.rest[i]
    return True


cdef inline Py_ssize_t top(Problem* q) noexcept nogil:
    """The highest order that is not that of the order below."""
    return q.size if q.lags == NULL else q.p


cdef void spread_of_start(Problem* q) noexcept nogil:
    cdef Py_ssize_t t
    for t in range(q.p):
        q.spread[t] = 1.0
    for t in range(top(q) - 1, -1, -1):
        q.spread[t] = q.rest[t] * (q.spread[t + 1] if t + 1 < q.p else 1.0)


cdef double log_determinant(Problem* q, const double* theta) noexcept nogil:
    """Of the correlation matrix that the innovations blow up: - sum of i log(1 - k_i^2)."""
    cdef Py_ssize_t i
    cdef double total = 0.0
    for i in range(top(q)):
        if q.lags == NULL:  # 1 - tanh^2 = 1 / cosh^2
            total += 2 * (i + 1) * (fabs(theta[i]) + log1p(exp(-2 * fabs(theta[i]))) - LOG_2)
        else:
            total -= (i + 1) * log1p(-q.partial[i] * q.partial[i])
    return total


cdef void to_coordinates(
    Problem* q, double half, double scale, double* slope, double* grad
) noexcept nogil:
    """The slope by coordinate.

    Given that by the coefficients, `half` log determinants, and `scale` times the slopes by the
    coefficients of lower orders and by the variances of the first values.
    """
    cdef Py_ssize_t i, j, p = q.p, w = q.p + 1
    cdef double k, r, s, energy = 0.0
    cdef double* a
    cdef double* above
    cdef double* new = q.head
    for i in range(top(q)):
        slope[i] += scale * q.slopes[top(q) * w + i]
        energy += q.energy[i]
        grad[i] = q.partial[i] * (2 * half * (i + 1) - scale * energy)  # times 1 / rest
    if q.lags == NULL:
        for i in range(q.size - 1, -1, -1):
            a = q.levels + i * w
            k = q.partial[i]
            s = slope[i]
            for j in range(i):
                s -= slope[j] * a[i - 1 - j]
                new[j] = slope[j] - k * slope[i - 1 - j] + scale * q.slopes[i * w + j]
            memcpy(slope, new, i * sizeof(double))
            grad[i] += s * q.rest[i]
        return
    memset(new, 0, p * sizeof(double))  # the slope by the coefficients of order 1, 2, ..., p
    for i in range(p):
        a = q.levels + i * w
        above = a + w
        k = q.partial[i]
        r = 1.0 / q.rest[i]
        s = grad[i] * r
        for j in range(i):
            new[j] += scale * q.slopes[i * w + j]
            s += new[j] * r * (above[i - 1 - j] + 2 * k * a[j])
        for j in range((i + 1) // 2):
            new[j], new[i - 1 - j] = (
                (new[j] + k * new[i - 1 - j]) * r, (new[i - 1 - j] + k * new[j]) * r
            )
        new[i] = s
    for i in range(q.size):
        grad[i] = slope[q.lags[i] - 1] + new[q.lags[i] - 1]


# ---- missing values ----------------------------------------------------------------------------

cdef inline double of_series(Problem* q, Py_ssize_t T, Py_ssize_t s, Py_ssize_t t) noexcept nogil:
    """Entry s <= t of the precision matrix of T values, times the innovation variance."""
    cdef Py_ssize_t h = t - s, top = q.p - h
    cdef const double* c = q.sums + h * (q.p + 1)
    return c[min(T - 1 - t, top)] - c[top] + c[min(s, top)]


cdef double precision(Problem* q, Py_ssize_t T, Py_ssize_t s, Py_ssize_t t) noexcept nogil:
    """The same for s <= t in units of the missing: values, or levels of which the T are steps."""
    cdef Py_ssize_t i, j
    cdef double own, value = 0.0
    if not q.diff:
        return of_series(q, T, s, t)
    for i in range(max(s - 1, 0), min(s + 1, T)):  # step i goes from level i to level i + 1
        for j in range(max(t - 1, 0), min(t + 1, T)):
            if j - i <= q.p and i - j <= q.p:
                own = of_series(q, T, min(i, j), max(i, j))
                value += own if (i == s) == (j == t) else -own
    return value


cdef double pull(Problem* q, Py_ssize_t T, const double* x, Py_ssize_t r) noexcept nogil:
    """Row r of the precision matrix of the series times x; 0 outside."""
    cdef Py_ssize_t t
    cdef double value = 0.0
    if r < 0 or r >= T:
        return 0.0
    for t in range(max(0, r - q.p), r):
        value += x[t] * of_series(q, T, t, r)
    for t in range(r, min(T - 1, r + q.p) + 1):
        value += x[t] * of_series(q, T, r, t)
    return value


cdef void prefix_sums(Problem* q) noexcept nogil:
    cdef Py_ssize_t h, j, p = q.p
    cdef double s
    for h in range(p + 1):
        s = 0.0
        for j in range(p - h + 1):
            s += q.b[j] * q.b[j + h]
            q.sums[h * (p + 1) + j] = s


cdef double fill(Problem* q, Py_ssize_t s) noexcept nogil:
    """Put conditional means in the place of missing values; log|Q_mm|, its shares being added."""
    cdef Py_ssize_t begin = q.offsets[s], T = q.offsets[s + 1] - begin, m, i, j, k, a, r
    cdef const Py_ssize_t* rows = q.missing + q.gaps[s]
    cdef Py_ssize_t* first = q.first
    cdef Py_ssize_t* place = q.place
    cdef double* d = q.pivots
    cdef double* x
    cdef double* row
    cdef double value, log_det = 0.0
    m = q.gaps[s + 1] - q.gaps[s]
    j = r = 0
    for i in range(m):
        while rows[i] - rows[j] > q.p + q.diff:
            j += 1
        first[i] = j
        place[i] = r - j  # entry (i, j) is at place[i] + j
        r += i - j + 1
    for i in range(m):
        row = q.L + place[i]
        for j in range(first[i], i + 1):
            value = precision(q, T, rows[j] - begin, rows[i] - begin)
            if j < i:
                for k in range(max(first[i], first[j]), j):
                    value -= row[k] * q.L[place[j] + k]
            row[j] = value  # times the pivot of j, for now
        for j in range(first[i], i):
            value = row[j] / d[j]
            row[i] -= value * row[j]
            row[j] = value
        d[i] = max(row[i], 1e-300)
        log_det += log(d[i])
    for a in range(q.k + 1):
        x = q.z + a * q.n + begin
        for i in range(0 if q.diff else m):
            x[rows[i] - begin] = 0.0
        for i in range(m):
            r = rows[i] - begin
            value = pull(q, T, x, r) - pull(q, T, x, r - 1) if q.diff else -pull(q, T, x, r)
            for j in range(first[i], i):
                value -= q.L[place[i] + j] * q.rhs[j]
            q.rhs[i] = value
        for i in range(m):
            q.rhs[i] /= d[i]
        for i in range(m - 1, -1, -1):
            for j in range(first[i], i):
                q.rhs[j] -= q.L[place[i] + j] * q.rhs[i]
        for i in range(m):
            r = rows[i] - begin
            if q.diff and r > 0:
                x[r - 1] += q.rhs[i]
            if r < T:
                x[r] += -q.rhs[i] if q.diff else q.rhs[i]
    return log_det


cdef void invert(Problem* q, Py_ssize_t m) noexcept nogil:
    """The entries of the inverse of Q_mm that lie in its envelope (Takahashi)."""
    cdef Py_ssize_t i, j, k, last = m - 1
    cdef double value
    for j in range(m - 1, -1, -1):
        while q.first[last] > j:
            last -= 1
        for i in range(last, j, -1):
            value = 0.0
            for k in range(j + 1, last + 1):
                value -= q.L[q.place[k] + j] * q.Z[q.place[max(i, k)] + min(i, k)]
            q.Z[q.place[i] + j] = value
        value = 1.0 / q.pivots[j]
        for k in range(j + 1, last + 1):
            value -= q.L[q.place[k] + j] * q.Z[q.place[k] + j]
        q.Z[q.place[j] + j] = value


cdef inline void add_share(
    Problem* q, Py_ssize_t T, Py_ssize_t s, Py_ssize_t t, double value
) noexcept nogil:
    cdef Py_ssize_t top = q.p - (t - s)
    cdef double* share = q.shares + (t - s) * (q.p + 1)
    share[min(T - 1 - t, top)] += value
    share[top] -= value
    share[min(s, top)] += value


cdef void add_shares(Problem* q, Py_ssize_t s, double weight) noexcept nogil:
    """What log|Q_mm| changes by with each prefix sum."""
    cdef Py_ssize_t begin = q.offsets[s], T = q.offsets[s + 1] - begin, m, i, j, g, h, low, high
    cdef const Py_ssize_t* rows = q.missing + q.gaps[s]
    cdef double value
    m = q.gaps[s + 1] - q.gaps[s]
    invert(q, m)
    for i in range(m):
        for j in range(q.first[i], i + 1):
            low, high = rows[j] - begin, rows[i] - begin
            value = weight * q.Z[q.place[i] + j] * (1.0 if i == j else 2.0)
            if not q.diff:
                add_share(q, T, low, high, value)
                continue
            for g in range(max(low - 1, 0), min(low + 1, T)):  # as in `precision`
                for h in range(max(high - 1, 0), min(high + 1, T)):
                    if h - g <= q.p and g - h <= q.p:
                        add_share(
                            q, T, min(g, h), max(g, h),
                            value if (g == low) == (h == high) else -value,
                        )


cdef void add_slope_of_shares(Problem* q, double half, double* slope) noexcept nogil:
    """Add `half` times the slope of log|Q_mm| by b."""
    cdef Py_ssize_t h, j, p = q.p
    cdef double total
    for h in range(p + 1):
        total = 0.0
        for j in range(p - h, -1, -1):
            total += q.shares[h * (p + 1) + j]
            slope[j] += half * total * q.b[j + h]
            slope[j + h] += half * total * q.b[j]


# ---- the quadratic form ------------------------------------------------------------------------

cdef inline double* column(Problem* q, Py_ssize_t a, Py_ssize_t s) noexcept nogil:
    """Column a of sequence s. With a factor the only regressor is the constant."""
    if q.factor != NULL and a > 0:
        return q.ones
    return q.z + a * q.n + q.offsets[s]


cdef void errors_of_start(Problem* q, const double* x, double* ends) noexcept nogil:
    """Of the first p values, each predicted by those before it."""
    cdef Py_ssize_t t, j, order
    cdef const double* a
    for t in range(q.p):
        order = min(t, top(q))
        a = q.levels + order * (q.p + 1)
        ends[t] = x[t]
        for j in range(order):
            ends[t] -= a[j] * x[t - 1 - j]


cdef void add_slope_of_start(
    Problem* q, const double* x, const double* ends, double weight
) noexcept nogil:
    """Add half the slope of the sum of squares by the coefficients of every order."""
    cdef Py_ssize_t t, j, order
    cdef double share
    for t in range(q.p):
        order = min(t, top(q))
        share = weight * ends[t] * q.spread[t]
        q.energy[t] += share * ends[t]
        for j in range(order):
            q.slopes[order * (q.p + 1) + j] -= share * x[t - 1 - j]


cdef void cross_products(Problem* q) noexcept nogil:
    """x' Q z for all pairs of columns, weighted, summed over sequences; the series comes last."""
    cdef Py_ssize_t a, c, s, t, T, p = q.p, k = q.k, w = q.k + 1, m = q.longest
    cdef double weight, value
    cdef double* x
    memset(q.cross, 0, w * w * sizeof(double))
    if q.factor != NULL:
        products_from_factor(q)
    for s in range(q.n_seq):
        T = q.offsets[s + 1] - q.offsets[s]
        weight = 1.0 if q.weights == NULL else q.weights[s]
        for a in range(w):
            x = column(q, a, s)
            errors_of_start(q, x, q.ends + a * p)
            if q.factor == NULL:
                sk_ar_filter(x + p, T - p, q.b, p, q.errors + a * m)
        for a in range(w):
            for c in range(a + 1):
                value = 0.0
                for t in range(p):
                    value += q.ends[a * p + t] * q.ends[c * p + t] * q.spread[t]
                if q.factor == NULL:
                    sk_ar_products(q.errors + a * m, q.errors + c * m, T - p, 0, &value)
                q.cross[place_of(a, k) * w + place_of(c, k)] += weight * value
                if a != c:
                    q.cross[place_of(c, k) * w + place_of(a, k)] += weight * value


cdef inline Py_ssize_t place_of(Py_ssize_t a, Py_ssize_t k) noexcept nogil:
    """Regressors first, the series last."""
    return a - 1 if a > 0 else k


cdef void products_from_factor(Problem* q) noexcept nogil:
    """The part of the cross products with t >= p, from the factor of the Gram matrix."""
    cdef Py_ssize_t i, j, p = q.p, w = q.p + 2
    cdef double gain = 0.0, value, total = 0.0
    cdef double* v = q.moments  # coefficients of 1, lags, series in the error
    v[0] = 0.0
    for j in range(p):
        v[1 + j] = q.b[j + 1]
    v[p + 1] = 1.0
    for j in range(p + 1):
        gain += q.b[j]
    for i in range(w):
        value = 0.0
        for j in range(i, w):
            value += q.factor[j * w + i] * v[j]
        q.moments[w + i] = value
        total += value * value
    q.cross[(q.k + 1) * (q.k + 1) - 1] = total
    if q.k == 1:
        value = q.factor[0] * gain
        q.cross[0] = value * value
        q.cross[1] = q.cross[2] = value * q.moments[w]


cdef void slope_from_factor(Problem* q, double* slope) noexcept nogil:
    """Sum of e_t u[t-j] over t >= p, for j = 0 .. p."""
    cdef Py_ssize_t i, j, p = q.p, w = q.p + 2
    cdef double gain = 0.0, value, mean = 0.0 if q.k == 0 else q.beta[0]
    cdef double* r = q.moments + w  # L'v, to be corrected for the mean
    for j in range(p + 1):
        gain += q.b[j]
    r[0] -= mean * gain * q.factor[0]
    for i in range(w - 1, -1, -1):  # L r
        value = 0.0
        for j in range(i + 1):
            value += q.factor[i * w + j] * r[j]
        q.moments[i] = value
    slope[0] = q.moments[p + 1] - mean * q.moments[0]
    for j in range(1, p + 1):
        slope[j] = q.moments[j] - mean * q.moments[0]


cdef double solve_regressors(Problem* q) noexcept nogil:
    """Generalised least squares; the sum of squares that is left."""
    cdef Py_ssize_t i, j, r, k = q.k, w = q.k + 1
    cdef double* A = q.cross
    cdef double value, diagonal = 0.0
    for j in range(k):
        diagonal = A[j * w + j]
        value = diagonal
        for r in range(j):
            value -= A[j * w + r] * A[j * w + r]
        # A regressor that the others explain gets no coefficient.
        value = sqrt(value) if value > 1e-13 * diagonal else INFINITY
        A[j * w + j] = value
        for i in range(j + 1, w):
            value = A[i * w + j]
            for r in range(j):
                value -= A[i * w + r] * A[j * w + r]
            A[i * w + j] = value / A[j * w + j]
    value = diagonal = A[k * w + k]
    for j in range(k):
        value -= A[k * w + j] * A[k * w + j]
    q.amplified = diagonal / value if value > 0 else INFINITY
    for i in range(k - 1, -1, -1):
        q.beta[i] = A[k * w + i]
        for j in range(i + 1, k):
            q.beta[i] -= A[j * w + i] * q.beta[j]
        q.beta[i] /= A[i * w + i]
    return value


cdef double evaluate(Problem* q, const double* theta, double* grad) noexcept nogil:
    """Minus the profile log-likelihood and log prior up to a constant, and its gradient."""
    cdef Py_ssize_t s, j, p = q.p
    cdef double log_det, filled = 0.0, rest, value, scale, weight, size = 0.0
    if not from_coordinates(q, theta):
        return INFINITY
    q.b[0] = 1.0
    for j in range(p):
        q.b[j + 1] = -q.phi[j]
        size += q.phi[j] * q.phi[j] * (j + 1) * (j + 1)
    log_det = log_determinant(q, theta)
    spread_of_start(q)
    if q.gaps != NULL:
        prefix_sums(q)
        memset(q.shares, 0, (p + 1) * (p + 1) * sizeof(double))
        for s in range(q.n_seq):
            if q.gaps[s + 1] > q.gaps[s]:
                weight = 1.0 if q.weights == NULL else q.weights[s]
                filled += weight * fill(q, s)
                add_shares(q, s, weight)
    cross_products(q)
    rest = max(solve_regressors(q), q.n_obs * q.floor)
    q.sigma2 = rest / q.n_obs
    value = 0.5 * (q.n_obs * log(q.sigma2) + q.n_stat * log_det + filled)
    q.log_lik = -value - 0.5 * q.n_obs * (LOG_2PI + 1)
    memset(q.slope, 0, (p + 1) * sizeof(double))
    memset(q.slopes, 0, (p + 1) * (p + 1) * sizeof(double))
    memset(q.energy, 0, p * sizeof(double))
    add_slope_of_squares(q)
    scale = -1.0 / q.sigma2
    for j in range(p + 1):
        q.slope[j] *= scale
    if q.gaps != NULL:
        add_slope_of_shares(q, -0.5, q.slope)
    for j in range(p):  # by phi = -b from here on
        q.slope[j] = q.slope[j + 1] + q.prior * q.phi[j] * (j + 1) * (j + 1)
    to_coordinates(q, 0.5 * q.n_stat, 1.0 / q.sigma2, q.slope, grad)
    return value + 0.5 * q.prior * size


cdef void add_slope_of_squares(Problem* q) noexcept nogil:
    """Half the slope of the sum of squares by b, the regressors' coefficients being given."""
    cdef Py_ssize_t s, a, t, j, T, p = q.p, length
    cdef double weight
    cdef double* x
    cdef double* sums = q.moments
    if q.factor != NULL:
        slope_from_factor(q, q.slope)
    for s in range(q.n_seq):
        T = q.offsets[s + 1] - q.offsets[s]
        weight = 1.0 if q.weights == NULL else q.weights[s]
        length = p if q.factor != NULL else T
        memcpy(q.u, column(q, 0, s), length * sizeof(double))
        for a in range(q.k):
            x = column(q, a + 1, s)
            for t in range(length):
                q.u[t] -= q.beta[a] * x[t]
        errors_of_start(q, q.u, q.ends)
        add_slope_of_start(q, q.u, q.ends, weight)
        if q.factor == NULL:
            sk_ar_filter(q.u + p, T - p, q.b, p, q.errors)
            memset(sums, 0, (p + 1) * sizeof(double))
            sk_ar_products(q.errors, q.u + p, T - p, p, sums)
            for j in range(p + 1):
                q.slope[j] += weight * sums[j]


# ---- memory ------------------------------------------------------------------------------------

cdef void* arrange(Problem* q) noexcept nogil:
    """Allocate scratch; a pointer to be freed, NULL where there is no memory."""
    cdef Py_ssize_t p = q.p, w = q.p + 1, k = q.k, s, i, j, most = 0, envelope = 0, size, own
    cdef double* arena
    q.longest = 0
    q.n_stat = 0.0
    for s in range(q.n_seq):
        q.n_stat += 1.0 if q.weights == NULL else q.weights[s]
        q.longest = max(q.longest, q.offsets[s + 1] - q.offsets[s])
        if q.gaps != NULL:
            most = max(most, q.gaps[s + 1] - q.gaps[s])
            j = q.gaps[s]
            own = 0
            for i in range(q.gaps[s], q.gaps[s + 1]):
                while q.missing[i] - q.missing[j] > p + q.diff:
                    j += 1
                own += i - j + 1
            envelope = max(envelope, own)
    if q.factor != NULL:
        q.longest = p
    size = 7 * p + 2 * w + 4 * w * w + (k + 1) * p + k + (k + 1) * (k + 1)
    size += 2 * (p + 2) + (k + 2) * q.longest + 2 * envelope + 4 * most + 8
    arena = <double*>calloc(size, sizeof(double))
    if arena == NULL:
        return NULL
    q.phi = arena
    q.partial = q.phi + p
    q.head = q.partial + p
    q.ones = q.head + p
    q.rest = q.ones + p
    q.spread = q.rest + p
    q.energy = q.spread + p
    q.b = q.energy + p
    q.slope = q.b + w
    q.levels = q.slope + w
    q.slopes = q.levels + w * w
    q.sums = q.slopes + w * w
    q.shares = q.sums + w * w
    q.beta = q.shares + w * w
    q.cross = q.beta + k
    q.ends = q.cross + (k + 1) * (k + 1)
    q.moments = q.ends + (k + 1) * p
    q.errors = q.moments + 2 * (p + 2)
    q.u = q.errors + (k + 1) * q.longest
    q.L = q.u + q.longest
    q.Z = q.L + envelope
    q.pivots = q.Z + envelope
    q.rhs = q.pivots + most
    q.first = <Py_ssize_t*>(q.rhs + most)
    q.place = q.first + most + 1
    for i in range(p):
        q.ones[i] = 1.0
    return arena
