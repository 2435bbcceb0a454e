"""Missing entries filled in by what a density says of them given the observed ones."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._density import RandomState
from .._random import make_rng
from .._validation import check_weights
from ._base import Wrapper, check_count


class DensityImputer(OneToOneFeatureMixin, TransformerMixin, Wrapper):
    r"""Fills missing entries by :math:`p(x_\text{missing} | x_\text{observed})` of a density.

    Parameters
    ----------
    density : estimator, default=None
        Fitted to the incomplete rows; needs a method ``impute``. None for ``Gaussian()``.
    method : {"mean", "mode", "draw"}, default="mean"
        What ``transform`` fills in: the conditional mean, the conditional mean within the most
        probable component, or a draw from the conditional distribution. The mean is the best
        guess of a single entry; draws keep the spread of a column and its relations to others.
    n_imputations : int, default=1
        Completed tables that ``multiple`` gives. From 2 on, ``fit`` also fits as many further
        densities, each to the rows with other random weights, so that the tables differ by what
        the data leave open about the density, too.
    random_state : int, RandomState or None, default=None
    n_jobs : int, default=None
        Further densities fitted at the same time, in threads.

    Attributes
    ----------
    density_ : fitted estimator
    densities_ : list of fitted estimators
        One for each completed table; ``[density_]`` for ``n_imputations=1``.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where X had names.

    See Also
    --------
    sklearn.impute.IterativeImputer : One regression for each feature.

    Notes
    -----
    The weights of the further densities are those of the Bayesian bootstrap [1]_, whose fits are
    close to draws from the posterior distribution of the parameters: the tables of ``multiple``
    are proper multiple imputations in the sense of [2]_. Analyse each table by itself; the mean of
    the m estimates is the estimate, and its variance the mean of their variances plus (1 + 1/m)
    times the variance among them.

    References
    ----------
    .. [1] Rubin (1981). The Bayesian bootstrap. Annals of Statistics 9(1).
    .. [2] Rubin (1987). Multiple Imputation for Nonresponse in Surveys. Wiley.

    Examples
    --------
    >>> from skgen import DensityImputer
    >>> from skgen.datasets import load_apple
    >>> apple = load_apple().data  # the last 6 of 18 trees miss the second column
    >>> DensityImputer().fit_transform(apple)[-3:].round(1)
    array([[ 6. , 58.2],
           [ 8. , 56.1],
           [10. , 54.1]])
    >>> tables = DensityImputer(n_imputations=20, random_state=0).fit(apple).multiple(apple)
    >>> len(tables)
    20
    """

    _parameter_constraints: dict = {
        "density": [HasMethods(["fit", "impute"]), None],
        "method": [StrOptions({"mean", "mode", "draw"})],
        "n_imputations": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self, density=None, *, method="mean", n_imputations=1, random_state=None, n_jobs=None
    ) -> None:
        self.density = density
        self.method = method
        self.n_imputations = n_imputations
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the density to the rows as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN marks a missing entry.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        weights = self._passed_on(check_weights(sample_weight, _num_samples(X)))
        more = list(self._random_weights(X, weights)) if self.n_imputations > 1 else []
        context = self._init_callback_context(max_subtasks=1 + len(more), sequential_subtasks=False)
        context.call_on_fit_task_begin(estimator=self, X=X)
        self.density_ = self._fit_inner(context.subcontext("fit-density", 0), X, weights)
        fitted = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._fit_inner)(context.subcontext("fit-weighted", i), X, w)
            for i, w in enumerate(more, start=1)
        )
        self.densities_ = fitted or [self.density_]
        context.call_on_fit_task_end(estimator=self, X=X)
        self._adopt_features(self.density_)
        return self

    def _random_weights(self, X, weights):
        """The weights of a Bayesian bootstrap, for each of the further densities."""
        if not self._inner_takes_weights():
            raise TypeError(
                f"n_imputations={self.n_imputations} fits the density with random weights, but "
                f"{type(self._inner()).__name__}.fit takes no sample_weight; use n_imputations=1."
            )
        rng = make_rng(self.random_state)
        shape = np.ones(_num_samples(X)) if weights is None else weights
        for _ in range(self.n_imputations):
            yield rng.gamma(shape)  # a row of weight w counts as w rows of weight one do

    def transform(self, X: ArrayLike) -> Any:
        """Fill the missing entries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        return np.asarray(self.density_.impute(X, self.method, self.random_state))

    def multiple(self, X: ArrayLike, n_imputations=None, random_state: RandomState = None) -> Any:
        """Several completed tables, with missing entries drawn anew in each.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        n_imputations : int, default=None
            None for the number given to the constructor. Where it is larger than that, several
            tables are drawn from each of the ``densities_``.
        random_state : int, RandomState or None, default=None
            None for the ``random_state`` given to the constructor.

        Returns
        -------
        list of arrays or frames of shape (n_samples, n_features)
            Frames where fit was given one.
        """
        check_is_fitted(self)
        m = self.n_imputations if n_imputations is None else n_imputations
        check_count("n_imputations", m)
        rng = make_rng(self.random_state if random_state is None else random_state)
        seeds = rng.integers(2**31 - 1, size=m).tolist()
        return [
            self.densities_[i % len(self.densities_)].impute(X, "draw", seed)
            for i, seed in enumerate(seeds)
        ]
