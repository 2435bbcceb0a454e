"""Bernoulli emissions: independent columns of zeros and ones."""

from numbers import Real
from typing import ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval

from .._simplex import Simplex
from . import _columns
from ._base import Emission


class BernoulliParams(NamedTuple):
    """Probabilities of a one."""

    probs: np.ndarray  # (K, d)


class BernoulliStatistics(NamedTuple):
    """Responsibilities summed over the zeros and over the ones of each column."""

    counts: np.ndarray  # (K, d, 2)


class Bernoulli(Emission):
    r"""Independent columns of zeros and ones.

    .. math:: p(x \mid k) = \prod_j p_{kj}^{x_j} (1 - p_{kj})^{1 - x_j}

    The prior of each probability is a beta distribution, :math:`p(p) \propto p^{a - 1}
    (1 - p)^{b - 1}`; the default is flat and gives maximum likelihood.

    Parameters
    ----------
    alpha : float, default=1.0
        The :math:`a` of the prior, 1 or more. Counts as ``alpha - 1`` additional ones.
    beta : float, default=1.0
        The :math:`b` of the prior, 1 or more. Counts as ``beta - 1`` additional zeros.

    Notes
    -----
    A component that has only zeros in a column gets the probability 0 there without a prior, and 1
    if it has only ones. The probability of the other value counts as 1e-300 in log densities, which
    are thus very low but finite. A component without any weight gets the frequencies of all rows
    together. Values other than 0 and 1 are refused in fit and have log density -inf afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Bernoulli
    >>> X = np.array([[0.0, 1], [1, 1], [1, 0], [np.nan, 1], [1, 0]])
    >>> round(float(Mixture(Bernoulli(), n_components=1).fit(X).probs_[0, 0]), 6)
    0.75
    """

    params_type = BernoulliParams
    _parameter_constraints: ClassVar = {
        "alpha": [Interval(Real, 1, None, closed="left")],
        "beta": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(self, alpha=1.0, beta=1.0):
        self.alpha = alpha
        self.beta = beta

    def adapt(self, rows, n_components=1):
        """Itself, if ``rows`` are zeros and ones."""
        self._validate_params()
        _columns.check_counts(rows, 1.0, "Bernoulli emissions take 0, 1 or NaN")
        return self

    def initialize(self, rows, resp):
        """Probabilities near those of the responsibilities, but inside (0, 1), as EM stays at 0."""
        counts = self.statistics(None, rows, resp).counts
        return self.maximize(BernoulliStatistics(_columns.start_counts(counts)))

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        log_one, log_zero = _columns.log(params.probs), _columns.log(1.0 - params.probs)
        out = _columns.linear(rows, log_one - log_zero, log_zero)
        out[_columns.outside_support(rows, 1.0)] = -np.inf
        return out

    def statistics(self, params, rows, resp):
        """The weighted numbers of zeros and of ones in each column."""
        # Zeros are not taken as weight minus ones: the difference of no zeros may not be zero.
        zeros = resp.T @ (rows.values == 0)
        return BernoulliStatistics(np.stack([zeros, resp.T @ _columns.zero_filled(rows)], axis=-1))

    def maximize(self, statistics):
        """The modes of the beta posteriors of the probabilities."""
        counts = statistics.counts
        probs = self._prior().maximize(counts, otherwise=_columns.pooled_frequencies(counts))
        return BernoulliParams(probs[..., 1].copy())

    def regularizer(self, params):
        """The log prior without its constant."""
        return self._prior().regularizer(np.stack([1.0 - params.probs, params.probs], axis=-1))

    def _prior(self):
        return Simplex([self.beta, self.alpha])

    def cdf(self, params, values):
        """P(X_j <= value_ij | k), of shape (n, d, K)."""
        x, zero = values[:, :, None], 1.0 - params.probs.T
        found = np.where(x < 0, 0.0, np.where(x < 1, zero, 1.0))
        return np.where(np.isnan(x), np.nan, found)

    def sample(self, params, components, rng):
        """One row of zeros and ones from each of ``components``."""
        p = params.probs[components]
        return (rng.random(p.shape) < p).astype(np.float64)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing entries replaced by the probability of a one, or by a 0 or 1."""
        p = np.broadcast_to(params.probs[component], rows.values.shape)[rows.missing]
        if how == "mean":
            return _columns.filled(rows, p)
        return _columns.filled(rows, (rng.random(p.shape) if how == "draw" else 0.5) < p)

    def variance(self, params, rows, component):
        """Variances of the missing entries: p (1 - p)."""
        probs = params.probs[component]
        return np.where(rows.missing, probs * (1.0 - probs), 0.0)

    def marginal(self, params, features):
        """The probabilities of some features."""
        return BernoulliParams(params.probs[:, features])

    def n_parameters(self, params):
        """One probability for each component and feature."""
        return params.probs.size

    def embed(self, rows):
        """Zeros and ones about their means: distances count the entries that differ."""
        return _columns.centred(rows.values.astype(np.float64), rows)

    def pack(self, params):
        """Arc sines of square roots, which are smooth and finite for probabilities 0 and 1."""
        return np.arcsin(np.sqrt(params.probs)).ravel()

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`."""
        return BernoulliParams(np.square(np.sin(vector)).reshape(like.probs.shape))
