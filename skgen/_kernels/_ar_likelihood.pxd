"""The exact likelihood of one series, for its maximisation."""

cdef struct Problem:
    # The data: sequences end to end, z[0] the series, z[1 .. k] the regressors, (k + 1, n).
    Py_ssize_t p, k, n_seq, n, longest
    const Py_ssize_t* offsets
    double* z
    const double* weights  # (n_seq,), or NULL for ones
    Py_ssize_t diff  # 1: the series is the steps of one whose levels are missing, else 0
    const Py_ssize_t* missing  # rows, ascending
    const Py_ssize_t* gaps  # missing[gaps[s]:gaps[s + 1]] are in sequence s
    const double* factor  # (p + 2, p + 2) of 1, lags, series; or NULL: sum over the data
    double n_obs, n_stat, prior, floor
    # The coordinates: `size` of them, for partial autocorrelations or for the coefficients `lags`.
    Py_ssize_t size
    const Py_ssize_t* lags
    # What an evaluation leaves behind.
    double* phi  # (p,)
    double* b  # (p + 1,)
    double* beta  # (k,)
    double sigma2, log_lik
    # Scratch.
    double amplified  # of the rounding of the sum of squares
    double* partial  # (p,)
    double* rest  # (p,) 1 - partial^2
    double* levels  # (p + 1, p + 1) coefficients of order i in row i
    double* slopes  # (p + 1, p + 1) by them
    double* spread  # (p,) innovation variance over that of the first values
    double* energy  # (p,) squared errors of the first values, over their variances
    double* sums  # (p + 1, p + 1) prefix sums of b[j] b[j + h]
    double* shares  # (p + 1, p + 1) what the log determinant owes to each of them
    double* cross  # (k + 1, k + 1)
    double* ends  # (k + 1, p) errors of the first values
    double* slope  # (p + 1,)
    double* head  # (p,)
    double* moments  # (2, p + 2)
    double* ones  # (p,)
    double* errors  # (k + 1, longest)
    double* u  # (longest,)
    Py_ssize_t* first  # (most missing + 1,), and the places of rows in the envelope
    Py_ssize_t* place
    double* L  # envelope
    double* Z
    double* pivots
    double* rhs


cdef void* arrange(Problem* q) noexcept nogil
cdef double evaluate(Problem* q, const double* theta, double* grad) noexcept nogil
cdef void to_coordinates(
    Problem* q, double half, double scale, double* slope, double* grad
) noexcept nogil
