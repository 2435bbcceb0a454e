"""What holds for every wrapper: scikit-learn's interface, containers, routing, callbacks."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgen import (
    AR,
    DensityImputer,
    DensityOutlierDetector,
    DensityRegressor,
    Gaussian,
    GaussianMixture,
    GenerativeClassifier,
    SequenceTransformer,
    TransformedSequence,
)

WRAPPERS = {
    "imputer": DensityImputer(),
    "detector": DensityOutlierDetector(Gaussian()),
    "regressor": DensityRegressor(),
    "classifier": GenerativeClassifier(),
    "transformer": SequenceTransformer(StandardScaler()),
}
TWO = GaussianMixture(2, random_state=0)
# Check -> why it does not apply, by wrapper.
TAILS = "the check wants rows to be flagged among blobs, whose tails are lighter than a normal's"
LISTS = "a list is a list of sequences"
IN_ORDER = "rows of one sequence depend on those before"
WEIGHTS = "rows of one sequence cannot be weighted"
SMALL = "the check leaves a class with fewer rows than the density has components"
EXPECTED = {
    "DensityOutlierDetector(density=Gaussian())": {
        "check_outliers_train": TAILS,
        "check_outliers_fit_predict": TAILS,
    },
    "SequenceTransformer(transformer=StandardScaler())": {
        "check_transformer_data_not_an_array": LISTS,
    },
    "TransformedSequence(estimator=AR(), transformer=StandardScaler())": {
        "check_methods_sample_order_invariance": IN_ORDER,
        "check_methods_subset_invariance": IN_ORDER,
        "check_transformer_data_not_an_array": LISTS,
        "check_sample_weights_not_overwritten": WEIGHTS,
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    },
    f"GenerativeClassifier(density={TWO!r})": {
        "check_sample_weight_equivalence_on_dense_data": SMALL,
    },
}

each_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)


@parametrize_with_checks(
    [
        *WRAPPERS.values(),
        DensityImputer(TWO),
        DensityImputer(n_imputations=2),
        DensityOutlierDetector(),
        DensityRegressor(TWO),
        GenerativeClassifier(TWO),
        GenerativeClassifier(KernelDensity()),
        TransformedSequence(StandardScaler(), AR()),
    ],
    expected_failed_checks=lambda estimator: EXPECTED.get(repr(estimator), {}),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_wrapper_satisfies_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def X():
    X = np.random.default_rng(0).normal(size=(60, 3)) @ np.array(
        [[1, 0.8, 0], [0, 2, 0.5], [0, 0, 3]]
    )
    X[::7, 0] = X[3::9, 2] = np.nan
    return X


@pytest.fixture
def y():
    return np.arange(60) % 2


def output(fitted, X):
    """What the main method of the wrapper gives, as an array."""
    for name in ("predict_log_proba", "decision_function", "predict", "transform"):
        if hasattr(fitted, name):
            return np.asarray(getattr(fitted, name)(X))
    raise AssertionError(fitted)


@each_wrapper
def test_missing_entries_are_allowed_where_the_wrapped_estimator_allows_them(wrapper):
    assert get_tags(wrapper).input_tags.allow_nan
    other = PCA() if wrapper._wrapped == "transformer" else KernelDensity()
    assert not get_tags(clone(wrapper).set_params(**{wrapper._wrapped: other})).input_tags.allow_nan


@each_wrapper
def test_an_unfitted_wrapper_says_so(wrapper, X):
    with pytest.raises(NotFittedError):
        output(clone(wrapper), X)


@each_wrapper
@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_frame_gives_what_an_array_gives(wrapper, container, X, y):
    names = ["a", "b", "c"]
    frame = container(dict(zip(names, X.T, strict=True)))
    fitted = clone(wrapper).fit(frame, y)
    assert_array_equal(fitted.feature_names_in_, names)
    assert_allclose(output(fitted, frame), output(clone(wrapper).fit(X, y), X), rtol=1e-12)
    with pytest.raises(ValueError, match="feature names should match"):
        output(fitted, frame[["b", "a", "c"]])


@each_wrapper
def test_a_refit_on_an_array_forgets_the_names(wrapper, X, y):
    fitted = clone(wrapper).fit(pd.DataFrame(X, columns=["a", "b", "c"]), y).fit(X[:, :2], y)
    assert fitted.n_features_in_ == 2
    assert not hasattr(fitted, "feature_names_in_")


@each_wrapper
def test_a_pickled_copy_gives_the_same(wrapper, X, y):
    fitted = clone(wrapper).fit(X, y)
    assert_array_equal(output(pickle.loads(pickle.dumps(fitted)), X), output(fitted, X))


@each_wrapper
def test_parameters_of_the_wrapped_estimator_are_set_through_the_wrapper(wrapper):
    wrapped = wrapper._wrapped
    nested = clone(wrapper).set_params(**{wrapped: GaussianMixture()})
    nested.set_params(**{f"{wrapped}__n_components": 3})
    assert clone(nested).get_params()[f"{wrapped}__n_components"] == 3


@each_wrapper
def test_fit_leaves_the_wrapped_estimator_alone(wrapper, X, y):
    density = StandardScaler() if wrapper._wrapped == "transformer" else Gaussian()
    clone(wrapper).set_params(**{wrapper._wrapped: density}).fit(X, y)
    assert not any(name.endswith("_") for name in vars(density))


@each_wrapper
def test_the_html_representation_links_to_the_documentation(wrapper):
    name = type(wrapper).__name__
    assert f"stable/generated/skgen.{name}.html" in wrapper._repr_html_()


@each_wrapper
def test_a_weight_of_zero_is_absence_and_a_weight_of_two_is_repetition(wrapper, X, y):
    weights = np.arange(60) // 2 % 3
    weighted = clone(wrapper).fit(X, y, sample_weight=weights)
    repeated = clone(wrapper).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert_allclose(output(weighted, X), output(repeated, X), rtol=1e-9, atol=1e-9)
    assert not np.allclose(output(weighted, X), output(clone(wrapper).fit(X, y), X), rtol=1e-3)


@pytest.mark.parametrize(
    "wrapper",
    [
        GenerativeClassifier(make_pipeline(StandardScaler(), Gaussian())),
        DensityOutlierDetector(make_pipeline(StandardScaler(), Gaussian())),
        SequenceTransformer(make_pipeline(StandardScaler())),
    ],
)
def test_weights_need_an_estimator_that_takes_them(wrapper, X, y):
    with pytest.raises(TypeError, match=r"Pipeline\.fit does not take it"):
        wrapper.fit(X, y, sample_weight=np.arange(60))


@each_wrapper
def test_routed_weights_reach_the_wrapped_estimator_if_it_asks_for_them(wrapper, X, y):
    inner = StandardScaler() if wrapper._wrapped == "transformer" else Gaussian()
    weights = 1.0 + np.arange(60) % 3
    expected = output(clone(wrapper).fit(X, y, sample_weight=weights), X)
    with sklearn.config_context(enable_metadata_routing=True):
        model = clone(wrapper).set_params(**{wrapper._wrapped: inner})
        with pytest.raises(UnsetMetadataPassedError):
            model.fit(X, y, sample_weight=weights)
        asking = clone(inner).set_fit_request(sample_weight=True)
        model.set_params(**{wrapper._wrapped: asking}).set_fit_request(sample_weight=True)
        found = make_pipeline(model).fit(X, y, sample_weight=weights)[-1]
    assert_allclose(output(found, X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "wrapper", [GenerativeClassifier(), DensityOutlierDetector(random_state=0)], ids=repr
)
def test_routed_weights_reach_the_default_density(wrapper, X, y):
    weights = 1.0 + np.arange(60) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(wrapper).fit(X, y, sample_weight=weights)
    plain = clone(wrapper).fit(X, y, sample_weight=weights)
    assert_array_equal(output(routed, X), output(plain, X))


class Recorder:
    """A callback that follows into sub-estimators and notes which tasks begin."""

    max_propagation_depth = None

    def __init__(self):
        self.tasks = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.tasks.append((type(estimator).__name__, context.task_name))

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass


@each_wrapper
def test_callbacks_of_the_wrapper_see_the_fits_inside(wrapper, X, y):
    recorder = Recorder()
    clone(wrapper).set_callbacks(recorder).fit(X, y)
    assert recorder.tasks[0] == (type(wrapper).__name__, "fit")
    inner = "StandardScaler" if wrapper._wrapped == "transformer" else "Gaussian"
    assert inner in {name for name, _ in recorder.tasks[1:]}


@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_the_number_of_draws_is_a_positive_integer(X, y, n):
    for draw in (
        GenerativeClassifier().fit(X, y).sample,
        lambda n: DensityRegressor().fit(X, y).sample_y(X, n),
        lambda n: DensityImputer().fit(X).multiple(X, n),
    ):
        with pytest.raises(ValueError, match=f"={n} must be a positive integer"):
            draw(n)


@each_wrapper
def test_a_failed_fit_leaves_a_fitted_wrapper_as_it_was(wrapper, X, y):
    fitted = clone(wrapper).fit(X, y)
    before = output(fitted, X)
    with pytest.raises(ValueError, match="sample_weight"):
        fitted.fit(X[:, :2], y, sample_weight=-np.ones(60))
    assert fitted.n_features_in_ == 3
    assert_array_equal(output(fitted, X), before)
