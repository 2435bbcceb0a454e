"""The contract between a model with discrete latent components and what they emit.

A new emission is one file: a NamedTuple of parameters, a NamedTuple of statistics, and one
subclass of :class:`Emission` with the six abstract methods. Everything else (mixtures, sampling,
missing values, weights, information criteria) follows from them.

    rows --initialize(rows, resp)--> params --log_likelihood(params, rows)--> (n_rows, K)
      ^                                ^                                         |
      |                                +--maximize(stats)<--statistics(...)<-- resp
      +--adapt(rows): the same emission with its data-dependent defaults made numbers
"""

from abc import abstractmethod
from collections import namedtuple
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

# Rows taken together by the plain E-step: n x K arrays of this many rows stay in the cache.
BLOCK_ROWS = 4096


class Expectation(NamedTuple):
    """What an E-step gives to the M-step."""

    log_lik: float  # weighted sum over rows
    weight: np.ndarray | None  # (K,) responsibilities, summed over rows that observe anything
    statistics: Any


class Emission(BaseEstimator):
    """A family of K distributions p(x | k), fitted with soft assignments of rows to k.

    An emission object holds hyperparameters only, so it clones and takes part in a parameter
    grid (``emission__covariance_type``). Fitted parameters travel as a NamedTuple ``params``
    whose arrays have k as first axis. Every method is a pure function of its arguments.
    Responsibilities ``resp`` of shape (n_rows, K) already contain the weights of the rows.
    """

    params_type: type
    shared: tuple = ()  # fields of the parameters that all components have in common, without k

    def resolve(self, names):
        """The same emission with columns given by name turned into indices; names may be None."""
        return self

    def restricted(self, features):
        """The same emission over some of its features, by index: that of :meth:`marginal`."""
        return self

    def recoded(self, rows):
        """Rows in which what this emission reads as missing besides NaN is NaN."""
        return rows

    def adapt(self, rows, n_components=1):
        """A copy of this emission in which defaults that depend on the data are numbers.

        Raises ``ValueError`` where ``rows`` holds values that the distribution cannot emit.
        """
        return self

    @abstractmethod
    def initialize(self, rows, resp):
        """Parameters for responsibilities known in advance, e.g. from k-means."""

    @abstractmethod
    def log_likelihood(self, params, rows):
        """Log p(observed entries of row i | k), of shape (n_rows, K)."""

    @abstractmethod
    def statistics(self, params, rows, resp):
        """Expected sufficient statistics: a NamedTuple whose fields add over rows."""

    @abstractmethod
    def maximize(self, statistics):
        """Parameters which maximise the expected log-likelihood plus log prior: the M-step."""

    def maximize_held(self, statistics, last, held):
        """The M-step in which the fields ``held`` of the parameters stay as they are in ``last``.

        Right as it is here where the maximum over the other fields does not depend on them.
        """
        kept = {name: getattr(last, name) for name in last._fields if name in held}
        return self.maximize(statistics)._replace(**kept)

    @abstractmethod
    def sample(self, params, components, rng):
        """One row drawn from each of ``components``, of shape (len(components), n_features)."""

    @abstractmethod
    def n_parameters(self, params):
        """Number of free scalars, for AIC and BIC."""

    @abstractmethod
    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with missing entries replaced, given the ``component`` of all or of each row.

        Parameters
        ----------
        params : the parameters of the components
        rows : Rows
        component : int or ndarray of shape (n_rows,)
        how : {"mean", "mode", "draw"}
            The conditional mean, the most probable value, or a draw made with ``rng``.

        Returns
        -------
        ndarray of shape (n_rows, n_features)
        """

    def variance(self, params, rows, component):
        """Variances of the missing entries given the observed ones and the component.

        Of shape (n_rows, n_features), zero where observed; None where they are not known.
        """

    @abstractmethod
    def marginal(self, params, features):
        """Parameters of the distribution of some features, by index."""

    def expectation(self, log_weights, params, rows, *, statistics=True, **outputs):
        """The E-step of a mixture: log densities, responsibilities and statistics in one pass.

        This is the plain form, which any emission has; one on the hot road may override it by a
        compiled pass with the same result.

        Parameters
        ----------
        log_weights : ndarray of shape (K,)
        params : the parameters of the components
        rows : Rows
        statistics : bool
        **outputs : arrays to fill
            ``log_prob`` (n_rows,), ``resp`` (n_rows, K) times weights, ``log_joint``
            (n_rows, K), ``labels`` (n_rows,) intp.

        Returns
        -------
        Expectation
        """
        log_lik, weight, total = 0.0, np.zeros(len(log_weights)), None
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows.block(start, start + BLOCK_ROWS)
            log_joint = self.log_likelihood(params, block) + log_weights
            log_prob = log_sum(log_joint)
            empty = block.missing.all(axis=1) if block.has_missing else None
            if empty is not None:
                log_prob[empty] = 0.0
            log_lik += log_prob.sum() if block.weights is None else log_prob @ block.weights
            resp = responsibilities(log_joint, log_prob, log_weights)
            if block.weights is not None:
                resp *= block.weights[:, None]
            part = slice(start, start + len(block))
            fill(outputs, part, log_prob, log_joint, resp)
            if statistics:
                if empty is not None:
                    resp[empty] = 0.0
                weight += resp.sum(axis=0)
                found = self.statistics(params, block, resp)
                total = found if total is None else add(total, found)
        return Expectation(float(log_lik), weight if statistics else None, total)

    def conditional(self, params, row, free):
        """Parameters of the features `free` given the observed entries of one row.

        Independent features: the marginal.
        """
        return self.marginal(params, free)

    def source(self, params, rows):
        """What the recursions along a sequence read, as keyword arguments of their kernels.

        The table of log densities; one on the hot road may name what a kernel computes them from,
        and then makes statistics of that kernel's moments by :meth:`from_moments`.
        """
        return {"log_lik": self.log_likelihood(params, rows)}

    def from_moments(self, params, moments):
        """Statistics from the moments that a kernel took in passing; see :meth:`source`."""
        raise NotImplementedError

    def cdf(self, params, values):
        """P(X_j <= value_ij | k) of each feature by itself, of shape (n, d, K); NaN for NaN."""
        raise NotImplementedError(
            f"{type(self).__name__} emissions have no distribution function, which intervals and "
            "pseudo-residuals need."
        )

    def embed(self, rows):
        """Rows as points (n_rows, p) for k-means: without NaN, and of comparable columns."""
        return standardized(rows)

    def regularizer(self, params):
        """Term added to the log-likelihood in the objective: log prior, or minus KL; 0 for ML."""
        return 0.0

    def pack(self, params):
        """Parameters as an unconstrained vector for accelerated EM, or None: not accelerated."""

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`; ``like`` gives the shapes."""
        raise NotImplementedError

    def degenerate(self, params):
        """Components that collapsed, as a dict: what to tell the user of component k."""
        return {}


@cache
def record(*fields):
    """A NamedTuple with these fields, where they depend on hyperparameters."""
    return namedtuple("Params", fields)


def add(a, b):
    """The sum of two statistics, field by field; moments about an origin share it."""
    return type(a)(*map(_sum, a._fields, a, b))


def _sum(name, x, y):
    if isinstance(x, tuple):
        return add(x, y)
    return x if name == "origin" or x is None else x + y


def complete_mixture(emission, params, rows, resp, first, how, rng):
    """``rows`` with gaps filled by a mixture of the components ``first + m``.

    Parameters
    ----------
    resp : ndarray of shape (n_rows, M)
        Their probabilities given what is observed.
    first : int or ndarray of shape (n_rows,)
    how : {"mean", "mode", "draw"}
        The mode is that of the most probable component.
    """
    if how == "mean":
        out = np.zeros(rows.values.shape)
        for m in range(resp.shape[1]):
            out += resp[:, [m]] * emission.complete(params, rows, first + m)
        return np.where(rows.missing, out, rows.values)
    if how == "mode":
        labels = resp.argmax(axis=1)
    else:
        cumulated = resp.cumsum(axis=1)
        labels = (cumulated < rng.random((len(resp), 1)) * cumulated[:, -1:]).sum(axis=1)
    return emission.complete(params, rows, first + labels, how, rng)


def mixture_variance(emission, params, rows, resp, first=0):
    """Variances of the missing entries under a mixture of the components ``first + m``.

    Within the components and among their means; None where the emission does not know them. The
    parameters are those of :func:`complete_mixture`.
    """
    means, within = [], []
    for m in range(resp.shape[1]):
        variance = emission.variance(params, rows, first + m)
        if variance is None:
            return None
        within.append(variance)
        means.append(emission.complete(params, rows, first + m))
    mean = np.einsum("im,mij->ij", resp, means)
    variance = np.einsum("im,mij->ij", resp, within + (means - mean) ** 2)
    return np.where(rows.missing, variance, 0.0)


def log_sum(log_joint):
    """Log of the sum of exponentials along the last axis; several times quicker than scipy's."""
    if log_joint.shape[-1] == 1:
        return log_joint[..., 0]
    top = log_joint.max(axis=-1)
    shift = np.where(top > -np.inf, top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_joint - shift[..., None]).sum(axis=-1)) + shift


def responsibilities(log_joint, log_prob, log_weights):
    """p(k | row) from log p(row, k); the weights for rows that no component can emit."""
    possible = log_prob > -np.inf
    resp = np.exp(log_joint - np.where(possible, log_prob, 0.0)[:, None])
    resp[~possible] = np.exp(log_weights)
    return resp


def fill(outputs, part, log_prob, log_joint, resp):
    """Write one block of rows into the arrays that the caller wants."""
    for name, out in outputs.items():
        if name == "labels":
            out[part] = log_joint.argmax(axis=1)
        else:
            out[part] = {"log_prob": log_prob, "log_joint": log_joint, "resp": resp}[name]


def standardized(rows):
    """Columns with mean zero and variance one; missing entries are zero, the mean."""
    X = rows.values.astype(np.float64)
    weights = None if rows.weights is None else rows.weights
    if rows.has_missing:
        weights = ~rows.missing * (1.0 if weights is None else weights[:, None])
        X = np.where(rows.missing, 0.0, X)
    elif weights is not None:
        weights = np.broadcast_to(weights[:, None], X.shape)
    X = X - np.average(X, axis=0, weights=weights)
    scale = np.sqrt(np.average(X**2, axis=0, weights=weights))
    X /= np.where(scale > 0, scale, 1.0)
    return np.where(rows.missing, 0.0, X) if rows.has_missing else X
