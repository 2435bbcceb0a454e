"""Linear prediction of frames of a signal, and what innovations tell of a model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from .._kernels import _ar, _rows


def lpc(frames: ArrayLike, order: int) -> np.ndarray:
    r"""Linear prediction coefficients of frames by Burg's method.

    Parameters
    ----------
    frames : array-like of shape (n_frames, n_samples) or (n_samples,)
        Taken as they are: with mean zero.
    order : int

    Returns
    -------
    ndarray of shape (n_frames, order + 1) or (order + 1,)
        The error filter :math:`1, a_1, ..., a_p`: the error of predicting a sample is
        :math:`x_t + a_1 x_{t-1} + ... + a_p x_{t-p}`. All zeros but the first for silence.

    Raises
    ------
    ValueError
        For frames that are not longer than the order, and values that are not finite.

    See Also
    --------
    AR : The model, of which these are the negative coefficients.

    Notes
    -----
    O(n p + p^2) a frame, the frames in parallel. The filters are stable.

    References
    ----------
    Vos (2013). A fast implementation of Burg's method.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import lpc
    >>> tone = np.sin(0.3 * np.arange(400))
    >>> lpc(tone, 2).round(3)  # a tone follows from two samples
    array([ 1.  , -1.91,  1.  ])
    """
    x = np.ascontiguousarray(frames, dtype=np.float64)
    if x.ndim not in (1, 2):
        raise ValueError(f"frames has shape {x.shape}; pass (n_frames, n_samples) or (n_samples,).")
    if not (isinstance(order, int | np.integer) and order >= 1):
        raise ValueError(f"order={order!r} must be a positive integer.")
    if x.shape[-1] <= order:
        raise ValueError(
            f"frames has shape {x.shape}: {x.shape[-1]} samples cannot tell order={order}. Pass "
            "longer frames or a lower order; a frame is a row, so turn a column by frames.ravel()."
        )
    frames = np.atleast_2d(x)
    if _rows.scan(frames) != (0, -1, -1):
        i, t = np.argwhere(~np.isfinite(frames))[0]
        raise ValueError(
            f"frames has {frames[i, t]} in frame {i} at sample {t}; lpc takes no gaps, AR does."
        )
    offsets = np.arange(len(frames) + 1) * frames.shape[1]
    coef, _, _ = _ar.each_recursion(frames.ravel(), offsets, int(order), True)
    out = np.concatenate([np.ones((len(coef), 1)), -coef], axis=1)
    return out[0] if x.ndim == 1 else out


class Diagnostics(NamedTuple):
    """What the innovations of a model tell against it, for each column.

    Attributes
    ----------
    autocorrelation : ndarray of shape (n_lags, n_features)
        Of innovations 1, 2, ... steps apart.
    ljung_box, ljung_box_pvalue : ndarray of shape (n_features,)
        Whether there is any: chi-square with n_lags less the model's lags degrees of freedom.
    arch, arch_pvalue : ndarray of shape (n_features,)
        The same of squared innovations (McLeod and Li): whether their variance changes.
    jarque_bera, jarque_bera_pvalue : ndarray of shape (n_features,)
        Whether skewness or kurtosis is not that of a normal distribution.
    """

    autocorrelation: np.ndarray
    ljung_box: np.ndarray
    ljung_box_pvalue: np.ndarray
    arch: np.ndarray
    arch_pvalue: np.ndarray
    jarque_bera: np.ndarray
    jarque_bera_pvalue: np.ndarray


def diagnose(scaled, n_lags, n_fitted):
    """Of standardised innovations, a list of arrays (n_steps, d), NaN where missing."""
    own = _autocorrelation(scaled, n_lags)
    squared = _autocorrelation([z**2 for z in scaled], n_lags)
    box, box_p = _ljung_box(*own, n_lags - n_fitted)
    arch, arch_p = _ljung_box(*squared, n_lags)
    return Diagnostics(own[0], box, box_p, arch, arch_p, *_jarque_bera(np.concatenate(scaled)))


def _autocorrelation(pieces, n_lags):
    """Autocorrelations (n_lags, d), and how many pairs of values tell of them."""
    mean = np.nanmean(np.concatenate(pieces), axis=0)
    centred = [piece - mean for piece in pieces]
    variance = np.nanmean(np.concatenate(centred) ** 2, axis=0)
    values, pairs = [], []
    for h in range(1, n_lags + 1):
        products = np.concatenate([u[h:] * u[:-h] for u in centred])
        pairs.append((~np.isnan(products)).sum(axis=0))
        values.append(np.nansum(products, axis=0) / np.maximum(pairs[-1], 1) / variance)
    return np.array(values), np.array(pairs)


def _ljung_box(correlation, pairs, freedom):
    """The statistic, in which each correlation counts with its pairs, and its p-value."""
    n = pairs[0] + 1
    statistic = (n + 2) / n * np.sum(pairs * correlation**2, axis=0)
    return statistic, chdtrc(max(freedom, 1), statistic)


def _jarque_bera(z):
    """The statistic and its p-value."""
    n = (~np.isnan(z)).sum(axis=0)
    z = z - np.nanmean(z, axis=0)
    scale = np.sqrt(np.nanmean(z**2, axis=0))
    skewness = np.nanmean(z**3, axis=0) / scale**3
    excess = np.nanmean(z**4, axis=0) / scale**4 - 3
    statistic = n / 6 * (skewness**2 + excess**2 / 4)
    return statistic, chdtrc(2, statistic)
