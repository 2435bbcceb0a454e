"""Rows of probabilities: mixture weights, initial and transition probabilities, categories."""

import numpy as np
from scipy.special import xlogy


class Simplex:
    r"""Relative frequencies, and their maximum a posteriori estimate under a Dirichlet prior.

    .. math:: \log p(\pi) = \sum_c (\alpha_c - 1) \log \pi_c + \text{constant}

    Parameters
    ----------
    concentration : float or array-like, default=1.0
        The :math:`\alpha` of the prior, an array if it differs between entries. 1 gives relative
        frequencies (maximum likelihood). Below 1 the prior has no maximum inside the simplex.
    """

    def __init__(self, concentration=1.0):
        self.concentration = np.asarray(concentration, dtype=np.float64)
        if not (self.concentration >= 1.0).all():
            raise ValueError(
                f"concentration={concentration} must be 1 or more; below 1 the most probable "
                "frequencies lie on the boundary whatever the data say. 1 means no prior."
            )
        self.flat = bool((self.concentration == 1.0).all())

    def log_probs(self, probs):
        """Logarithms, -inf for a probability of zero."""
        with np.errstate(divide="ignore"):
            return np.log(probs)

    def maximize(self, counts, otherwise=None):
        """The most probable frequencies for expected counts, along the last axis.

        Parameters
        ----------
        counts : ndarray of shape (..., C)
        otherwise : array-like that broadcasts to ``counts``, default=None
            What a row becomes for which there is neither a count nor a prior, e.g. the row that
            it was; None for the uniform distribution.
        """
        if self.flat and counts.ndim == 1 and (total := counts.sum()) > 0:
            return counts / total  # on the hot road of small mixtures
        counts = counts + (self.concentration - 1.0)
        total = counts.sum(axis=-1, keepdims=True)
        if otherwise is None:
            otherwise = 1.0 / counts.shape[-1]
        probs = np.array(np.broadcast_to(otherwise, counts.shape), dtype=np.float64)
        return np.divide(counts, total, out=probs, where=total > 0)

    def regularizer(self, probs):
        """The log prior, summed over all rows, without its constant; 0 where there is no prior."""
        if self.flat:
            return 0.0
        return float(xlogy(self.concentration - 1.0, probs).sum())
