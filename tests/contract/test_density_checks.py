"""Every density of the package passes the public density checks. A new one joins by one line."""

from skgen import AR, HMM, Gaussian, GaussianHMM, GaussianMixture, Mixture, emissions
from skgen.testing import DensityCase, parametrize_with_density_checks

# One state makes a density of rows of an HMM, and no lags one of an autoregression, but for these.
SEQUENCES = {
    "check_memory_layout": "a list of lists is a set of sequences with one feature",
    "check_empty_input_is_refused": "an array of three dimensions is a set of sequences",
}
WEIGHTS = dict.fromkeys(
    ("check_weights_equal_repetition", "check_weight_zero_is_absence"),
    "rows of one sequence depend on each other and have no weights of their own",
)
NAN = {"check_nan_is_refused_by_name": "the density takes missing entries, only this fit does not"}


def hmm(emission=None, data="real"):
    return DensityCase(HMM(emission), data=data, expected_failed_checks=SEQUENCES)


MAP = {"mean_precision_prior": 0.5, "covariance_prior": "auto"}
DENSITIES = {
    **{f"Gaussian, {kind}": Gaussian(kind) for kind in ("full", "diag", "spherical")},
    **{
        # It pulls towards equal variances, which depends on the units of the columns.
        f"Gaussian, {rule}": DensityCase(Gaussian(shrinkage=rule), units="common")
        for rule in ("ledoit_wolf", "oas", 0.1)
    },
    "Gaussian, MAP": Gaussian(**MAP),
    **{
        f"GaussianMixture, {kind}": GaussianMixture(2, covariance_type=kind)
        for kind in ("full", "tied", "diag", "spherical")
    },
    "GaussianMixture, one component": GaussianMixture(),
    "GaussianMixture, three components": GaussianMixture(3),
    "GaussianMixture, MAP": GaussianMixture(2, weight_concentration_prior=2.0, **MAP),
    "GaussianMixture, plain EM": GaussianMixture(2, acceleration=False, init_params="k-means++"),
    "Mixture of Gaussians": Mixture(emissions.Gaussian("spherical"), 2),
    "Mixture of mixtures": DensityCase(
        Mixture(emissions.Mixture(emissions.Gaussian("diag")), 2, tol=1e-11),
        tolerance=1e-5,
        expected_failed_checks={
            "check_imputed_mode_is_the_most_probable_value": "it is the mode within a part"
        },
    ),
    **{
        f"Mixture of t, {kind}": DensityCase(
            Mixture(emissions.StudentT(kind), 2, tol=1e-9), tolerance=1e-5
        )
        for kind in ("full", "tied", "diag")
    },
    "Mixture of Poissons": DensityCase(Mixture(emissions.Poisson(), 2), data="counts"),
    "Mixture of gammas": DensityCase(Mixture(emissions.Gamma(), 2), data="positive"),
    "Mixture of exponentials": DensityCase(Mixture(emissions.Exponential(), 2), data="positive"),
    "Mixture of negative binomials": DensityCase(
        Mixture(emissions.NegativeBinomial(), 2), data="counts", tolerance=1e-5
    ),
    "Mixture of multinomials": DensityCase(Mixture(emissions.Multinomial(20), 2), data="trials"),
    "Mixture of Bernoullis": DensityCase(Mixture(emissions.Bernoulli(), 2), data="binary"),
    "Mixture of categoricals": DensityCase(Mixture(emissions.Categorical(), 2), data="categories"),
    "HMM of Gaussians": hmm(),
    "GaussianHMM": DensityCase(GaussianHMM(), expected_failed_checks=SEQUENCES),
    "HMM of Student's": hmm(emissions.StudentT("diag")),
    "HMM of Poissons": hmm(emissions.Poisson(), "counts"),
    "HMM of Bernoullis": hmm(emissions.Bernoulli(), "binary"),
    "HMM of categoricals": hmm(emissions.Categorical(), "categories"),
    "AR": DensityCase(AR(0), expected_failed_checks=SEQUENCES | WEIGHTS),
    **{
        f"AR, {method}": DensityCase(
            AR(0, method=method), expected_failed_checks=SEQUENCES | WEIGHTS | NAN
        )
        for method in ("conditional", "yule-walker")
    },
}


@parametrize_with_density_checks(DENSITIES)
def test_density(density, check):
    check(density)
