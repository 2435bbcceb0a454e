"""Hidden Markov models with a fixed emission, whose parameters are their own."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from .. import emissions
from ._hmm import HMM

OF_CHAIN = {name: rule for name, rule in HMM._parameter_constraints.items() if name != "emission"}


def keep(estimator, arguments):
    """Store the arguments of ``__init__`` under their own names."""
    arguments.pop("self")
    arguments.pop("__class__", None)
    vars(estimator).update(arguments)


class GaussianHMM(HMM):
    r"""Hidden Markov model with Gaussian emissions.

    .. math:: p(x_t | z_t = k) = \mathcal{N}(x_t; \mu_k, \Sigma_k)

    Parameters and attributes that are not listed here are those of :class:`HMM`.

    Parameters
    ----------
    n_components : int, default=1
        Number of states, K.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="diag"
    reg_covar, mean_prior, mean_precision_prior, covariance_prior, degrees_of_freedom_prior
        As for :class:`skgen.emissions.Gaussian`.

    Attributes
    ----------
    means_ : ndarray of shape (n_components, n_features)
    covariances_ : ndarray
        Of shape (K, d, d), (d, d), (K, d) or (K,) by ``covariance_type``.

    See Also
    --------
    HMM : Any emission; describes the model, its input and all methods.
    GMMHMM : A mixture of Gaussians in each state.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import GaussianHMM
    >>> rng = np.random.default_rng(0)
    >>> level = np.repeat([0.0, 3.0, 0.0], 50)
    >>> X = (level + 0.5 * rng.standard_normal(150))[:, None]
    >>> X[40:45] = np.nan
    >>> model = GaussianHMM(n_components=2, random_state=0).fit(X)
    >>> path = model.predict(X)
    >>> int((path != path[0]).sum())
    50
    """

    _parameter_constraints: dict = {**OF_CHAIN, **emissions.Gaussian._parameter_constraints}

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="diag",
        reg_covar="auto",
        mean_prior=None,
        mean_precision_prior=0.0,
        covariance_prior=None,
        degrees_of_freedom_prior=None,
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        emission_init=None,
        fixed=(),
        transmat_shared=None,
        transmat_held=None,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        keep(self, locals())

    def _emission(self):
        return emissions.Gaussian(
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            mean_prior=self.mean_prior,
            mean_precision_prior=self.mean_precision_prior,
            covariance_prior=self.covariance_prior,
            degrees_of_freedom_prior=self.degrees_of_freedom_prior,
        )


class PoissonHMM(HMM):
    r"""Hidden Markov model of counts, independent given the state.

    .. math:: p(x_t | z_t = k) = \prod_j \mathrm{Poisson}(x_{tj}; \lambda_{kj})

    Parameters and attributes that are not listed here are those of :class:`HMM`.

    Parameters
    ----------
    n_components : int, default=1
        Number of states, K.
    shape, rate
        As for :class:`skgen.emissions.Poisson`.

    Attributes
    ----------
    rates_ : ndarray of shape (n_components, n_features)

    See Also
    --------
    HMM : Any emission; describes the model, its input and all methods.
    MultinomialHMM : Counts with a given total.

    Examples
    --------
    >>> from skgen import PoissonHMM, datasets
    >>> X = datasets.load_earthquakes().data[:, 1:]
    >>> model = PoissonHMM(n_components=2, random_state=0, tol=1e-9).fit(X)
    >>> [round(float(rate), 2) for rate in sorted(model.rates_[:, 0])]
    [15.42, 26.02]
    """

    _parameter_constraints: dict = {**OF_CHAIN, **emissions.Poisson._parameter_constraints}

    def __init__(
        self,
        n_components=1,
        *,
        shape=1.0,
        rate=0.0,
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        emission_init=None,
        fixed=(),
        transmat_shared=None,
        transmat_held=None,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        keep(self, locals())

    def _emission(self):
        return emissions.Poisson(shape=self.shape, rate=self.rate)


class CategoricalHMM(HMM):
    r"""Hidden Markov model of symbols: codes 0, 1, 2, ... in one column or several.

    .. math:: p(x_t | z_t = k) = \prod_j \theta_{k j x_{tj}}

    Parameters and attributes that are not listed here are those of :class:`HMM`.

    Parameters
    ----------
    n_components : int, default=1
        Number of states, K.
    n_categories, concentration, unknown, missing_code
        As for :class:`skgen.emissions.Categorical`.
        ``unknown="ignore"`` treats symbols that fit has not seen as not observed.

    Attributes
    ----------
    probs_ : ndarray of shape (n_components, n_features, n_categories)

    See Also
    --------
    HMM : Any emission; describes the model, its input and all methods.
    MultinomialHMM : Counts of several symbols at each step.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import CategoricalHMM
    >>> X = [np.array([0, 0, 1, 0, 2, 2, 3, 2]), np.array([1, 0, 0, 2, 3])]
    >>> model = CategoricalHMM(n_components=2, topology="linear", random_state=0).fit(X)
    >>> model.predict(X)[1]
    array([0, 0, 0, 1, 1])
    """

    _parameter_constraints: dict = {**OF_CHAIN, **emissions.Categorical._parameter_constraints}

    def __init__(
        self,
        n_components=1,
        *,
        n_categories=None,
        concentration=1.0,
        unknown="error",
        missing_code=None,
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        emission_init=None,
        fixed=(),
        transmat_shared=None,
        transmat_held=None,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        keep(self, locals())

    def _emission(self):
        return emissions.Categorical(
            n_categories=self.n_categories,
            concentration=self.concentration,
            unknown=self.unknown,
            missing_code=self.missing_code,
        )


class MultinomialHMM(HMM):
    r"""Hidden Markov model of counts whose total at each step is given.

    .. math:: p(x_t | z_t = k) = \mathrm{Multinomial}(x_t; \sum_j x_{tj}, \theta_k)

    Parameters and attributes that are not listed here are those of :class:`HMM`.

    Parameters
    ----------
    n_components : int, default=1
        Number of states, K.
    n_trials, concentration
        As for :class:`skgen.emissions.Multinomial`.

    Attributes
    ----------
    probs_ : ndarray of shape (n_components, n_features)
    totals_ : ndarray of shape (n_components,)

    See Also
    --------
    HMM : Any emission; describes the model, its input and all methods.
    PoissonHMM : Counts without a given total.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import MultinomialHMM
    >>> X = np.array([[5, 1, 0], [4, 1, 1], [0, 1, 6], [1, 0, 5], [5, 0, 0]])
    >>> model = MultinomialHMM(n_components=2, random_state=0).fit(X)
    >>> path = model.predict(X)
    >>> (path == path[0]).tolist()
    [True, True, False, False, True]
    """

    _parameter_constraints: dict = {**OF_CHAIN, **emissions.Multinomial._parameter_constraints}

    def __init__(
        self,
        n_components=1,
        *,
        n_trials=None,
        concentration=1.0,
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        emission_init=None,
        fixed=(),
        transmat_shared=None,
        transmat_held=None,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        keep(self, locals())

    def _emission(self):
        return emissions.Multinomial(n_trials=self.n_trials, concentration=self.concentration)


class GMMHMM(HMM):
    r"""Hidden Markov model with a mixture of Gaussians in each state.

    .. math:: p(x_t | z_t = k) = \sum_m w_{km} \mathcal{N}(x_t; \mu_{km}, \Sigma_{km})

    Parameters and attributes that are not listed here are those of :class:`HMM`.

    Parameters
    ----------
    n_components : int, default=1
        Number of states, K.
    n_mix : int, default=1
        Number of Gaussians in each state, M.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="diag"
    weight_concentration_prior
        As for :class:`skgen.emissions.Mixture`.
    reg_covar, mean_prior, mean_precision_prior, covariance_prior, degrees_of_freedom_prior
        As for :class:`skgen.emissions.Gaussian`.

    Attributes
    ----------
    inner_weights_ : ndarray of shape (n_components, n_mix)
    means_ : ndarray of shape (n_components, n_mix, n_features)
    covariances_ : ndarray
        Of shape (K, M, d, d), (d, d), (K, M, d) or (K, M) by ``covariance_type``.

    See Also
    --------
    HMM : Any emission; describes the model, its input and all methods.
    GaussianHMM : One Gaussian in each state.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import GMMHMM
    >>> rng = np.random.default_rng(0)
    >>> quiet = rng.normal(rng.choice([-2.0, 2.0], (60, 1)), 0.5)
    >>> X = [np.concatenate([quiet[:30], rng.normal(8.0, 0.5, (20, 1)), quiet[30:]])]
    >>> model = GMMHMM(n_components=2, n_mix=2, random_state=0).fit(X)
    >>> path = model.predict(X)[0]
    >>> int((path != path[0]).sum())
    20
    """

    _parameter_constraints: dict = {
        **OF_CHAIN,
        **emissions.Gaussian._parameter_constraints,
        "n_mix": [Interval(Integral, 1, None, closed="left")],
        "weight_concentration_prior": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components=1,
        *,
        n_mix=1,
        covariance_type="diag",
        reg_covar="auto",
        weight_concentration_prior=1.0,
        mean_prior=None,
        mean_precision_prior=0.0,
        covariance_prior=None,
        degrees_of_freedom_prior=None,
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        emission_init=None,
        fixed=(),
        transmat_shared=None,
        transmat_held=None,
        tol=1e-6,
        max_iter=500,
        n_init=1,
        init_params="auto",
        acceleration=True,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
    ) -> None:
        keep(self, locals())

    def _emission(self):
        part = emissions.Gaussian(
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            mean_prior=self.mean_prior,
            mean_precision_prior=self.mean_precision_prior,
            covariance_prior=self.covariance_prior,
            degrees_of_freedom_prior=self.degrees_of_freedom_prior,
        )
        return emissions.Mixture(
            part, self.n_mix, weight_concentration_prior=self.weight_concentration_prior
        )
