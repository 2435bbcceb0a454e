"""Hidden Markov chains over many sequences: likelihood, posteriors, statistics, paths, draws.

The method is in hmm.h. Emission densities come from a source, a dict with one entry:

    log_lik=(N, K) array                      log p(row | state) of any emission
    gaussian=(values, means, covariances)     as _gaussian.mixture_pass takes them; NaN may stand in
                                              values where covariances are diagonal. A fourth item
                                              tells whether it does, and saves a look
    symbols=(codes, log_probs)                codes (N,) int32, -1 missing; log_probs (K, M)

Sequence s is rows offsets[s] to offsets[s + 1] - 1. Zeros in startprob and transmat are exact.
"""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from ._gaussian cimport gm_scale, gm_statistics, sk_gm_job
from ._threads cimport sk_enter_parallel, sk_leave_parallel

from . import _gaussian, _hmm_log, _rows

cnp.import_array()

cdef extern from "hmm.h" nogil:
    const int SK_HM_LOG_LIK, SK_HM_GAUSSIAN, SK_HM_SYMBOLS
    const int SK_HM_FORWARD, SK_HM_BACKWARD, SK_HM_VITERBI
    ctypedef struct sk_hm_segment:
        pass
    ctypedef struct sk_hm_job:
        int kind, is_float
        const void *X
        const int *codes
        const double *table
        const double *table_log
        sk_gm_job gm
        Py_ssize_t K, N, S, M, table_width
        const Py_ssize_t *offsets
        const double *start
        const double *transmat
        const double *ahead
        const double *back
        int sparse
        const double *weights
        Py_ssize_t lanes, rows, n_groups, block, n_blocks, warm
        double *first
        double *last
        double *ahead_of
        double *behind
        double *marks
        sk_hm_segment *segments
        double *log_prob
        unsigned char *bad
        double *step
        double *filtered
        double *resp
        double *slots
        Py_ssize_t slot_size
        uint64_t *links
        Py_ssize_t *path
        int failed
    Py_ssize_t sk_hm_lanes()
    Py_ssize_t sk_hm_link_words(Py_ssize_t K)
    Py_ssize_t sk_hm_link_steps(Py_ssize_t K)
    Py_ssize_t sk_hm_moments_size(const sk_hm_job *job)
    void sk_hm_prepare(sk_hm_job *job)
    void sk_hm_release(sk_hm_job *job)
    void sk_hm_run(
        sk_hm_job *job, int which, int warm, const Py_ssize_t *groups, Py_ssize_t n, int threads)
    Py_ssize_t sk_hm_link(const sk_hm_job *job, int which, Py_ssize_t group)
    void sk_hm_collect(sk_hm_job *job)
    void sk_hm_retrace(sk_hm_job *job)

KINDS = {"log_lik": SK_HM_LOG_LIK, "gaussian": SK_HM_GAUSSIAN, "symbols": SK_HM_SYMBOLS}
cdef double FLOOR = -1e300  # stands for the logarithm of zero
cdef double IMPOSSIBLE = -1e290
# Smaller transition probabilities count as zeros: they do not make a chain forget.
cdef double LEAST_TRANSITION = 1e-200
cdef double ONE_THREAD_FLOPS = 2e6
# Between two looks at pending signals (Ctrl-C), about 50 ms of one thread's work.
cdef double SIGNAL_FLOPS = 2e8
# Rows of a segment: enough to make little of the warm-up, few enough to occupy 8 threads.
cdef Py_ssize_t MIN_SEGMENT = 64, FAIR_SEGMENT = 1536, MAX_SEGMENT = 8192, FAIR_GROUPS = 8
cdef Py_ssize_t MIN_WARM = 64
cdef Py_ssize_t SLOT_BYTES = 64 << 20
# Rows between marks, times states: what a thread works on stays in the second-level cache.
cdef Py_ssize_t BLOCK_STATES = 512, MIN_BLOCK = 16, MAX_BLOCK = 64


def forward_backward(
    dict source not None, cnp.ndarray offsets, cnp.ndarray startprob, cnp.ndarray transmat, *,
    cnp.ndarray weights=None, cnp.ndarray log_prob=None, cnp.ndarray step_log_prob=None,
    cnp.ndarray filtered=None, cnp.ndarray resp=None, bint statistics=False,
):
    """Log-likelihood of sequences, posteriors of their states, expected statistics.

    Time O(N K^2), memory beyond the arrays O(N K / 64). Sequences in which probabilities
    underflow are done again by :mod:`_hmm_log`, in O(T K) memory. The same bits for any number of
    threads.

    Parameters
    ----------
    source : dict
        Emission densities, see the module. A row with nothing observed has log density 0.
    offsets : ndarray of shape (S + 1,), intp  # IN
    startprob, transmat : ndarray of shape (K,), (K, K)  # IN
    weights : ndarray of shape (S,)  # IN
        Weights of the sequences, not negative.
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
    cdef Py_ssize_t K = len(startprob), S = len(offsets) - 1, N
    cdef _Chains chains = _Chains(source, offsets, startprob, transmat)
    N = chains.job.N
    if log_prob is None:
        log_prob = np.empty(S)
    log_prob[:] = 0.0
    chains.job.log_prob = <double *>_data(log_prob, S)
    chains.job.step = <double *>_data(step_log_prob, N)
    chains.job.filtered = <double *>_data(filtered, N * K)
    _data(weights, S)
    chains.job.resp = <double *>_data(resp, N * K)
    backward = statistics or resp is not None
    bad = chains.forward(backward)
    found = chains.backward(weights, bad, statistics) if backward else (None, None, None)
    if bad.any():
        _redo(chains, np.flatnonzero(bad), weights, log_prob, step_log_prob, filtered, resp, found)
    return _total(log_prob, weights), *found


def viterbi(
    dict source not None, cnp.ndarray offsets, cnp.ndarray startprob, cnp.ndarray transmat,
    cnp.ndarray path, cnp.ndarray log_prob,
):
    """The most probable path of each sequence; of paths that tie, any.

    Time O(N K^2), memory N K / 2 bytes or somewhat more, N K beyond 16 states.

    Parameters
    ----------
    source, offsets, startprob, transmat : as for :func:`forward_backward`  # IN
    path : ndarray of shape (N,), intp  # OUT
        -1 for an impossible sequence.
    log_prob : ndarray of shape (S,)  # OUT
        log p(path, rows) of each sequence.
    """
    cdef Py_ssize_t S = len(offsets) - 1, s
    cdef _Chains chains = _Chains(source, offsets, startprob, transmat, logs=True)
    log_prob[:] = 0.0
    chains.job.path = <Py_ssize_t *>_data(path, chains.job.N)
    chains.job.log_prob = <double *>_data(log_prob, S)
    if chains.job.K > 256:  # a link is a byte
        for s in range(S):
            path[offsets[s]:offsets[s + 1]] = chains.best_path(s, log_prob)
            PyErr_CheckSignals()
        return
    chains.viterbi()
    for s in np.flatnonzero(log_prob < IMPOSSIBLE):
        log_prob[s] = -np.inf
        path[offsets[s]:offsets[s + 1]] = -1


best_paths = _hmm_log.best_paths


cdef class _Chains:
    """A source and a chain as the kernel sees them, cut into groups of segments."""

    cdef sk_hm_job job
    cdef list kept  # arrays to which the job points
    cdef str kind
    cdef object data, offsets, startprob, transmat

    def __cinit__(self, source, cnp.ndarray offsets, cnp.ndarray startprob, cnp.ndarray transmat,
                  bint logs=False):
        cdef sk_hm_job *job = &self.job
        self.kept = []
        self.kind, self.data, = next(iter(source.items()))
        if self.kind not in KINDS or len(source) != 1:
            raise ValueError(f"source={list(source)} must be one of {list(KINDS)}.")
        self.offsets, self.startprob, self.transmat = offsets, startprob, transmat
        job.kind = KINDS[self.kind]
        job.K, job.S = startprob.shape[0], offsets.shape[0] - 1
        self._read_source(logs)
        self._read_chain(logs)
        self._cut()

    def __dealloc__(self):
        sk_hm_release(&self.job)

    cdef void *_keep(self, array, Py_ssize_t size=-1) except? NULL:
        """The data of an array of 8-byte items that lives as long as this object."""
        self.kept.append(array)
        return _data(array, len(array) if size < 0 else size)

    cdef double *_empty(self, Py_ssize_t size) except NULL:
        return <double *>self._keep(np.empty(max(size, 1)), max(size, 1))

    def _read_source(self, logs):
        if self.kind == "gaussian":
            self._read_gaussian(*self.data)
        elif self.kind == "symbols":
            self._read_symbols(*self.data, logs)
        else:
            self.job.N = len(self.data)
            self.job.X = self._keep(self.data, self.job.N * self.job.K)

    def _read_gaussian(self, cnp.ndarray values, cnp.ndarray means, cnp.ndarray cov, masked=None):
        cdef sk_hm_job *job = &self.job
        cdef Py_ssize_t K = job.K, d = means.shape[1]
        _check_gaussian(values, means, cov, K)
        job.N, job.M, job.gm.K, job.gm.d = values.shape[0], 0, K, d
        job.is_float = values.dtype == np.float32
        job.X = cnp.PyArray_DATA(values)
        job.gm.diagonal = cov.ndim == 2
        if masked is None:
            masked = job.gm.diagonal and _rows.scan(values)[0] > 0
        job.gm.masked = masked and job.gm.diagonal
        job.gm.log_weights = <double *>self._keep(np.zeros(K))
        gm_scale(
            &job.gm, False, <double *>cnp.PyArray_DATA(means), <double *>cnp.PyArray_DATA(cov),
            self._empty(2 * d + means.size + cov.size))
        sk_hm_prepare(job)
        if job.gm.failed > 0:
            raise ValueError(
                f"the covariance of component {job.gm.failed - 1} is not positive definite")
        if job.gm.failed < 0:
            raise MemoryError(f"no memory for {K} Gaussians of {d} features.")

    def _read_symbols(self, cnp.ndarray codes, cnp.ndarray log_probs, logs):
        cdef sk_hm_job *job = &self.job
        job.N, job.M = codes.shape[0], log_probs.shape[1]
        if not (log_probs.shape[0] == job.K and log_probs.dtype == np.float64
                and codes.dtype == np.int32 and codes.ndim == 1 and codes.flags.c_contiguous):
            raise ValueError("arrays of inconsistent shape or type")
        self.kept.append(codes)
        job.codes = <const int *>cnp.PyArray_DATA(codes)
        job.table_width = _ceil(job.K, sk_hm_lanes()) * sk_hm_lanes()
        table = np.full((job.M + 1, job.table_width), FLOOR)
        table[:job.M, :job.K] = np.maximum(log_probs.T, FLOOR)
        table[job.M, :job.K] = 0.0
        top = np.zeros(job.M + 1)
        if not logs:
            top = table.max(axis=1)
            table = np.exp(table - top[:, None])
        job.table_log = <double *>self._keep(top)
        job.table = <double *>self._keep(table, table.size)

    def _read_chain(self, logs):
        cdef sk_hm_job *job = &self.job
        cdef Py_ssize_t K = job.K
        offsets, start, transmat = self.offsets, self.startprob, self.transmat
        job.offsets = <Py_ssize_t *>self._keep(offsets)
        self._keep(start)
        self._keep(transmat, K * K)
        if not (job.S >= 0 and offsets[0] == 0 and offsets[job.S] == job.N):
            raise ValueError(f"offsets must go from 0 to the number of rows, {job.N}")
        if (offsets[1:] < offsets[:job.S]).any():
            raise ValueError("offsets must not descend")
        job.S = offsets.searchsorted(job.N)  # without the empty sequences at the end
        if logs:
            with np.errstate(divide="ignore"):
                start = np.maximum(np.log(start), FLOOR)
                transmat = np.maximum(np.log(transmat), FLOOR)
        job.sparse = not logs and transmat.min() < LEAST_TRANSITION
        job.start = <double *>self._keep(start)
        job.transmat = <double *>self._keep(transmat, K * K)
        job.ahead = <double *>self._keep(_tiles(transmat))
        job.back = <double *>self._keep(_tiles(transmat.T))

    cdef _cut(self):
        """Rows into segments, by shapes alone: threads may not change the sums."""
        cdef sk_hm_job *job = &self.job
        cdef Py_ssize_t K = job.K, L = sk_hm_lanes(), N = max(job.N, 1), rows
        job.lanes = L
        job.slot_size = K + K * K + sk_hm_moments_size(job)
        job.block = max(MIN_BLOCK, min(MAX_BLOCK, BLOCK_STATES // K // 8 * 8))
        rows = max(MIN_SEGMENT, _ceil(N, L * _fair_groups(_ceil(N, L))))
        rows = max(rows, _ceil(N, L * max(1, SLOT_BYTES // (8 * job.slot_size))))
        job.rows = 8 * (_ceil(rows, 8) | 1)  # odd: lanes do not compete for places in the cache
        job.n_blocks = _ceil(job.rows, job.block)
        job.n_groups = _ceil(N, L * job.rows)
        job.warm = _ceil(max(MIN_WARM, job.rows // 64), job.block) * job.block
        segments = np.zeros(job.n_groups * L * sizeof(sk_hm_segment), dtype=np.uint8)
        self.kept.append(segments)
        job.segments = <sk_hm_segment *>cnp.PyArray_DATA(segments)
        job.first = self._empty(job.n_groups * L * K)
        job.last = self._empty(job.n_groups * L * K)

    cdef _bytes(self, Py_ssize_t size):
        array = np.zeros(size, dtype=np.uint8)
        self.kept.append(array)
        return array

    cdef forward(self, bint keep):
        """Fill the outputs of the forward pass; which sequences must be done again."""
        cdef sk_hm_job *job = &self.job
        cdef cnp.ndarray bad = self._bytes(len(self.offsets) - 1)
        job.bad = <unsigned char *>cnp.PyArray_DATA(bad)
        if keep:
            job.marks = self._empty(job.n_groups * job.n_blocks * job.lanes * job.K)
        self._settle(SK_HM_FORWARD)
        sk_hm_collect(job)
        return bad.view(bool)

    cdef backward(self, weights, bad, bint statistics):
        """Posteriors and (start_counts, transition_counts, moments) of the good sequences."""
        cdef sk_hm_job *job = &self.job
        cdef Py_ssize_t K = job.K, size = job.n_groups * job.lanes * K
        cdef cnp.ndarray slots
        if weights is not None or bad.any():
            weights = np.where(bad, 0.0, 1.0 if weights is None else weights)
            job.weights = <double *>self._keep(weights)
        job.ahead_of, job.behind = self._empty(size), self._empty(size)
        if statistics:
            slots = np.empty((job.n_groups, job.slot_size))
            job.slots = <double *>self._keep(slots, slots.size)
        self._settle(SK_HM_BACKWARD)
        if not statistics:
            return None, None, None
        total = slots.sum(axis=0)
        starts, pairs, moments = np.split(total, [K, K + K * K])
        return starts, pairs.reshape(K, K), self._moments(moments)

    def _moments(self, cnp.ndarray total):
        if self.kind == "gaussian":
            self.job.gm.slots = <double *>cnp.PyArray_DATA(total)
            return gm_statistics(&self.job.gm)
        if self.kind == "symbols":
            table = total.reshape(-1, self.job.table_width)  # the last is that of missing ones
            return np.ascontiguousarray(table[:-1, :self.job.K].T)

    cdef viterbi(self):
        cdef sk_hm_job *job = &self.job
        cdef cnp.ndarray bad = self._bytes(len(self.offsets) - 1)
        cdef Py_ssize_t words = job.n_groups * job.rows // sk_hm_link_steps(job.K) * job.lanes
        cdef cnp.ndarray links = np.empty(words * sk_hm_link_words(job.K) + 8, dtype=np.uint64)
        job.bad = <unsigned char *>cnp.PyArray_DATA(bad)
        job.links = <uint64_t *>((<size_t>cnp.PyArray_DATA(links) + 63) // 64 * 64)  # whole lines
        self._settle(SK_HM_VITERBI)
        sk_hm_collect(job)
        sk_hm_retrace(job)

    cdef _settle(self, int which):
        """Run all groups, and again those whose segments do not meet."""
        cdef sk_hm_job *job = &self.job
        cdef Py_ssize_t g
        groups = np.arange(job.n_groups)
        self._run(which, True, groups)
        apart = [g for g in groups if sk_hm_link(job, which, g)]
        if not apart:
            return
        self._run(which, False, np.array(apart))
        # What still disagrees forgets so slowly that one segment must wait for the other.
        for g in groups[::-1] if which == SK_HM_BACKWARD else groups:
            for _ in range(job.lanes):
                if not sk_hm_link(job, which, g):
                    break
                self._run(which, False, np.array([g]))

    cdef _run(self, int which, bint warm, cnp.ndarray groups):
        """Run some groups, and look for Ctrl-C now and then."""
        cdef sk_hm_job *job = &self.job
        cdef Py_ssize_t n = groups.shape[0], i = 0, step
        cdef const Py_ssize_t *list_ = <const Py_ssize_t *>cnp.PyArray_DATA(groups)
        cdef double flops = <double>job.rows * job.lanes * job.K * (6 * job.K + 60)
        cdef int threads = 1
        cdef bint parallel = n > 1 and n * flops > ONE_THREAD_FLOPS
        if parallel:
            threads = sk_enter_parallel(0)
        step = max(1, <Py_ssize_t>(SIGNAL_FLOPS / flops)) * threads
        try:
            while i < n:
                with nogil:
                    sk_hm_run(job, which, warm, list_ + i, min(step, n - i), threads)
                i += step
                PyErr_CheckSignals()
        finally:
            if parallel:
                sk_leave_parallel()
        if job.failed:
            raise MemoryError(f"no memory for the scratch of {threads} threads at K={job.K}.")

    def log_densities(self, Py_ssize_t s):
        """log p(row | state) of one sequence, of shape (T, K)."""
        first, last = self.offsets[s], self.offsets[s + 1]
        if self.kind == "log_lik":
            return self.data[first:last]
        if self.kind == "symbols":
            codes, log_probs = self.data
            table = np.vstack([log_probs.T, np.zeros(len(log_probs))])
            return table[codes[first:last]]  # -1 is the last
        out = np.empty((last - first, self.job.K))
        self._gaussian_pass(first, last, log_joint=out)
        out[out < IMPOSSIBLE] = -np.inf
        return out

    def _gaussian_pass(self, first, last, **options):
        values, means, covariances = self.data[:3]
        return _gaussian.mixture_pass(
            values[first:last], np.zeros(self.job.K), means, covariances,
            masked=self.job.gm.masked, **options)

    def add_moments(self, Py_ssize_t s, resp, moments):
        """Add those of one sequence under given posteriors."""
        first, last = self.offsets[s], self.offsets[s + 1]
        if self.kind == "symbols":
            codes = self.data[0][first:last]
            np.add.at(moments.T, codes[codes >= 0], resp[codes >= 0])
        elif self.kind == "gaussian":
            for total, part in zip(
                moments, self._gaussian_pass(first, last, given=resp, moments=True)[2]
            ):
                total += part

    def best_path(self, Py_ssize_t s, log_prob):
        """The best path of one sequence, for any number of states."""
        if self.offsets[s] == self.offsets[s + 1]:
            return []
        paths, log_probs = _hmm_log.best_paths(
            self.log_densities(s), self.startprob, self.transmat, 1)
        log_prob[s] = log_probs[0] if len(paths) else -np.inf
        return paths[0] if len(paths) else -1


cdef _redo(_Chains chains, which, weights, log_prob, step, filtered, resp, found):
    """Sequences in logarithms, which leave nothing of them out of reach."""
    starts, pairs, moments = found
    cdef Py_ssize_t s
    for s in which:
        part = slice(chains.offsets[s], chains.offsets[s + 1])
        T, weight = part.stop - part.start, 1.0 if weights is None else weights[s]
        mine = resp[part] if resp is not None else None
        if mine is None and moments is not None:
            mine = np.empty((T, chains.job.K))
        log_prob[s] = _hmm_log.forward_backward(
            chains.log_densities(s), chains.startprob, chains.transmat, weight,
            step_log_prob=None if step is None else step[part],
            filtered=None if filtered is None else filtered[part], resp=mine,
            start_counts=starts, transition_counts=pairs)
        if moments is not None and log_prob[s] > -np.inf:
            chains.add_moments(s, mine, moments)
        PyErr_CheckSignals()


def _tiles(matrix):
    """Columns of a matrix in tiles of four, the last of what is left, row by row in each."""
    K = len(matrix)
    return np.concatenate([matrix[:, j:j + 4].ravel() for j in range(0, K, 4)])


cdef Py_ssize_t _fair_groups(Py_ssize_t rows) noexcept:
    """Into how many groups to cut rows / lanes: a number that 2, 4 or 8 threads share evenly."""
    cdef Py_ssize_t least = _ceil(rows, MAX_SEGMENT), groups = FAIR_GROUPS
    if least > groups:
        return _ceil(least, groups) * groups
    while groups > 1 and rows < groups * FAIR_SEGMENT:
        groups //= 2
    return groups


cdef Py_ssize_t _ceil(Py_ssize_t a, Py_ssize_t b) noexcept:
    return (a + b - 1) // b


cdef void *_data(cnp.ndarray array, Py_ssize_t size) except? NULL:
    """The data of an array of 8-byte items, or NULL for None."""
    if array is None:
        return NULL
    if not (cnp.PyArray_SIZE(array) == size and cnp.PyArray_ITEMSIZE(array) == 8
            and cnp.PyArray_IS_C_CONTIGUOUS(array)):
        raise ValueError(f"expected a contiguous array of {size} items of 8 bytes")
    return cnp.PyArray_DATA(array)


def _check_gaussian(X, means, covariances, K):
    """Inconsistent shapes would read foreign memory."""
    d = means.shape[1]
    if not (
        X.ndim == 2 and X.shape[1] == d and X.dtype in (np.float32, np.float64)
        and means.shape == (K, d) and covariances.shape in ((K, d), (K, d, d)) and d > 0
        and means.dtype == covariances.dtype == np.float64
        and X.flags.c_contiguous and means.flags.c_contiguous and covariances.flags.c_contiguous
    ):
        raise ValueError("arrays of inconsistent shape or type")


cdef double _total(const double[::1] x, const double[::1] weights) noexcept:
    """Weighted sum; a weight of zero leaves out a sequence whatever it holds."""
    cdef double total = 0.0, lost = 0.0, y, s
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        if weights is not None and weights[i] == 0:
            continue
        y = x[i] if weights is None else weights[i] * x[i]
        if y == -INFINITY:
            return y
        y = y - lost  # Kahan's sum
        s = total + y
        lost = (s - total) - y
        total = s
    return total
