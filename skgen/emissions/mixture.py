"""A mixture as an emission: each component of a model is itself a mixture of the same family."""

import copy
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval

from .._kernels import _random
from .._random import uniforms
from .._simplex import Simplex
from .._starts import lloyd, nearest
from . import _columns
from ._argument import EmissionArgument
from ._base import (
    Emission,
    Expectation,
    complete_mixture,
    log_sum,
    mixture_variance,
    record,
    responsibilities,
)

SOFT = 0.1  # of a row's weight goes to all parts alike, so that none is without any
POWER_STEPS = 15


class MixtureStatistics(NamedTuple):
    """Responsibilities of the parts, and the statistics of the inner emission for all of them."""

    counts: np.ndarray  # (K, M)
    inner: Any


class Mixture(EmissionArgument, Emission):
    r"""A mixture within each component, as the states of a hidden Markov model have it.

    .. math:: p(x \mid k) = \sum_{m=1}^{M} w_{km} \, p(x \mid k, m)

    This is the distribution of one component; the model of rows is :class:`skgen.Mixture`, or a
    hidden Markov model. A model of K components then has K times M distributions of the family
    ``emission``, and its parameters ``inner_weights_`` of shape (K, M) and those of ``emission``
    with (K, M) in place of the first axis: means of shape (K, M, n_features).

    Parameters
    ----------
    emission : Emission, default=None
        The family of the parts; None for ``Gaussian()``.
    n_components : int, default=2
        The number of parts M.
    weight_concentration_prior : float, default=1.0
        Of the Dirichlet prior of the weights within each component; 1 is maximum likelihood.

    Notes
    -----
    The parts are found along with the components: each iteration takes the posterior of the part
    given the component and the row. They start from clusters of the rows of a component, made by
    k-means from quantiles along the direction of greatest variance, without randomness. What all
    parts share (the covariance where it is tied) all parts of all components share.

    References
    ----------
    Rabiner (1989). A tutorial on hidden Markov models and selected applications in speech
    recognition. Proceedings of the IEEE 77(2), section IV.A.

    Examples
    --------
    >>> import numpy as np
    >>> import skgen
    >>> from skgen.emissions import Gaussian, Mixture
    >>> X = np.random.default_rng(0).normal([[-5.0], [-3], [3], [5]], 0.1, (4, 50)).reshape(-1, 1)
    >>> two_in_each = Mixture(Gaussian("diag"), n_components=2)
    >>> model = skgen.Mixture(two_in_each, n_components=2, random_state=0).fit(X)
    >>> model.means_.shape, model.inner_weights_.shape
    ((2, 2, 1), (2, 2))
    """

    _parameter_constraints: ClassVar = {
        "emission": [Emission, None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "weight_concentration_prior": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(self, emission=None, n_components=2, *, weight_concentration_prior=1.0):
        self.emission = emission
        self.n_components = n_components
        self.weight_concentration_prior = weight_concentration_prior

    # ---- the inner emission -----------------------------------------------------------------

    @property
    def params_type(self):
        """The weights of the parts, then the fields of the inner emission."""
        return record("inner_weights", *self._inner.params_type._fields)

    @property
    def shared(self):
        """What all parts of all components share."""
        return self._inner.shared

    def _with(self, inner):
        """A copy with this inner emission, which need not be a hyperparameter any more."""
        other = copy.copy(self)
        other.emission = inner
        return other

    def _flat(self, params):
        """The parameters of the K * M parts, as the inner emission has them."""
        kind = self._inner.params_type
        fields = zip(kind._fields, params[1:], strict=True)
        return kind(
            *(x if name in self.shared else x.reshape(-1, *x.shape[2:]) for name, x in fields)
        )

    def _folded(self, weights, inner):
        """Parameters of weights (K, M) and those of the K * M parts."""
        fields = zip(inner._fields, inner, strict=True)
        folded = (
            x if name in self.shared else x.reshape(*weights.shape, *x.shape[1:])
            for name, x in fields
        )
        return self.params_type(weights, *folded)

    def _parts(self, params, rows):
        """Log p(row, part | component) and log p(row | component), as (n, K, M) and (n, K)."""
        K, M = params.inner_weights.shape
        log_lik = self._inner.log_likelihood(self._flat(params), rows)
        joint = log_lik.reshape(-1, K, M) + _columns.log(params.inner_weights)
        total = log_sum(joint.reshape(-1, M)).reshape(-1, K)
        if rows.has_missing:
            total[rows.missing.all(axis=1)] = 0.0
        return joint, total

    def _shares(self, params, rows, k):
        """p(part | row, component k of all or of each row), of shape (n_rows, M)."""
        joint, total = self._parts(params, rows)
        i, k = np.arange(len(rows)), np.broadcast_to(k, len(rows))
        weights = params.inner_weights[k]
        joint, total = joint[i, k], total[i, k]
        shares = responsibilities(joint, total, np.zeros(joint.shape[1]))
        return np.where(total[:, None] > -np.inf, shares, weights)

    # ---- the contract -----------------------------------------------------------------------

    def adapt(self, rows, n_components=1):
        """A copy whose inner emission is adapted to ``rows``."""
        self._validate_params()
        if isinstance(self._inner, Mixture):
            raise ValueError(
                "emission is a Mixture itself, which is no other model than one mixture of more "
                "parts; raise n_components instead."
            )
        return self._with(self._inner.adapt(rows, n_components * self.n_components))

    def resolve(self, names):
        """A copy whose inner emission knows the names of the columns."""
        return self._with(self._inner.resolve(names))

    def recoded(self, rows):
        """What the inner emission reads."""
        return self._inner.recoded(rows)

    def restricted(self, features):
        """A copy whose inner emission is that of some features."""
        return self._with(self._inner.restricted(features))

    def initialize(self, rows, resp):
        """Parts that begin as clusters of the rows of each component."""
        M, points = self.n_components, self._inner.embed(rows)
        parts = np.empty((len(rows), resp.shape[1], M))
        for k, weights in enumerate(resp.T):
            part = split(points, weights, M)
            parts[:, k] = weights[:, None] * (SOFT / M + (1 - SOFT) * np.eye(M)[part])
        inner = self._inner.initialize(rows, parts.reshape(len(rows), -1))
        return self._folded(self._weights(parts.sum(axis=0)), inner)

    def _weights(self, counts):
        return Simplex(self.weight_concentration_prior).maximize(counts)

    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""
        return self._parts(params, rows)[1]

    def statistics(self, params, rows, resp):
        """Expected counts of the parts, and statistics of the inner emission."""
        joint, total = self._parts(params, rows)
        possible = total > -np.inf
        shares = np.exp(joint - np.where(possible, total, 0.0)[:, :, None])
        shares = np.where(possible[:, :, None], shares, params.inner_weights)
        if rows.has_missing:
            resp = resp * ~rows.missing.all(axis=1, keepdims=True)
        parts = resp[:, :, None] * shares
        inner = self._inner.statistics(
            self._flat(params), rows, parts.reshape(len(parts), parts[0].size)
        )
        return MixtureStatistics(parts.sum(axis=0), inner)

    def expectation(self, log_weights, params, rows, *, statistics=True, **outputs):
        """The E-step; what is asked by component takes the plain form, all else that of the parts.

        A mixture of mixtures is a mixture, so EM uses the compiled pass that an emission may have.
        """
        if not set(outputs) <= {"log_prob"}:
            return super().expectation(log_weights, params, rows, statistics=statistics, **outputs)
        weights = log_weights[:, None] + _columns.log(params.inner_weights)
        found = self._inner.expectation(
            weights.ravel(), self._flat(params), rows, statistics=statistics, **outputs
        )
        if not statistics:
            return found
        counts = found.weight.reshape(weights.shape)
        return Expectation(
            found.log_lik, counts.sum(axis=1), MixtureStatistics(counts, found.statistics)
        )

    def maximize(self, statistics):
        """The weights of the parts, and the M-step of the inner emission."""
        inner = self._inner.maximize(statistics.inner)
        return self._folded(self._weights(statistics.counts), inner)

    def maximize_held(self, statistics, last, held):
        """The M-step of the weights and that of the inner emission."""
        inner = self._inner.maximize_held(statistics.inner, self._flat(last), held)
        weights = self._weights(statistics.counts)
        return self._folded(last.inner_weights if "inner_weights" in held else weights, inner)

    def regularizer(self, params):
        """The log priors of the weights and of the parts."""
        own = Simplex(self.weight_concentration_prior).regularizer(params.inner_weights)
        return own + self._inner.regularizer(self._flat(params))

    def sample(self, params, components, rng):
        """One row drawn from each of ``components``."""
        M = params.inner_weights.shape[1]
        u = uniforms(rng, (len(components), 1))
        which = np.ascontiguousarray(components, dtype=np.intp)
        weights = np.ascontiguousarray(params.inner_weights[:, None])
        part = _random.draw(weights, which, u)[:, 0].astype(np.intp)
        return self._inner.sample(self._flat(params), components * M + part, rng)

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with gaps filled; the mode is that within the most probable part."""
        shares = self._shares(params, rows, component)
        first = np.asarray(component) * shares.shape[1]
        return complete_mixture(self._inner, self._flat(params), rows, shares, first, how, rng)

    def variance(self, params, rows, component):
        """Variances of the missing entries, within the parts and among them."""
        shares = self._shares(params, rows, component)
        first = component * shares.shape[1]
        return mixture_variance(self._inner, self._flat(params), rows, shares, first)

    def marginal(self, params, features):
        """The same mixtures of some features."""
        inner = self._inner.marginal(self._flat(params), features)
        return self.restricted(features)._folded(params.inner_weights, inner)

    def conditional(self, params, row, free):
        """Mixtures of the features ``free``, weighted by the posterior of each part."""
        K = len(params.inner_weights)
        weights = np.stack([self._shares(params, row, k)[0] for k in range(K)])
        inner = self._inner.conditional(self._flat(params), row, free)
        return self.restricted(free)._folded(weights, inner)

    def n_parameters(self, params):
        """Weights, of which one follows from the others, and the parameters of the parts."""
        K, M = params.inner_weights.shape
        return K * (M - 1) + self._inner.n_parameters(self._flat(params))

    def embed(self, rows):
        """The points of the inner emission."""
        return self._inner.embed(rows)

    def pack(self, params):
        """Logarithms of the weights, and the parameters of the parts."""
        inner = self._inner.pack(self._flat(params))
        weights = _columns.log(params.inner_weights)
        return None if inner is None else np.concatenate([weights.ravel(), inner])

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`."""
        size = like.inner_weights.size
        inner = self._inner.unpack(vector[size:], self._flat(like))
        if inner is None:
            return None
        logs = vector[:size].reshape(like.inner_weights.shape)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return self._folded(weights / weights.sum(axis=1, keepdims=True), inner)

    def degenerate(self, params):
        """Components with a part that collapsed."""
        found, M = {}, params.inner_weights.shape[1]
        for part, sentence in self._inner.degenerate(self._flat(params)).items():
            k, m = divmod(part, M)
            found[k] = sentence.replace(f"component {part}", f"part {m} of component {k}", 1)
        return found


def split(points, weights, n_parts):
    """Which of the parts each point (n, p) belongs to, the same however weights are written.

    k-means from quantiles along the direction of greatest variance.
    """
    labels = np.zeros(len(points), dtype=np.intp)
    chosen = np.flatnonzero(weights > 0)
    if n_parts == 1 or len(chosen) == 0:
        return labels
    x, w = points[chosen], weights[chosen]
    line = _projection(x, w)
    found = nearest(line[:, None], _quantiles(line, w, n_parts)[:, None])
    labels[chosen] = lloyd(x, w, found)
    return labels


def _projection(x, w):
    """Points about their mean along the direction of greatest variance, by power iteration."""
    x = x - w @ x / w.sum()
    direction = np.sqrt(w @ x**2)
    for _ in range(POWER_STEPS):
        ahead = (w * (x @ direction)) @ x
        length = np.linalg.norm(ahead)
        if length == 0:
            break
        direction = ahead / length
    return x @ direction


def _quantiles(values, w, n_parts):
    """The medians of n equal shares of the values."""
    order = np.argsort(values)
    cumulated = w[order].cumsum() / w.sum()
    middle = (np.arange(n_parts) + 0.5) / n_parts
    return values[order[np.searchsorted(cumulated, middle - 1e-9)]]
