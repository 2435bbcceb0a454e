import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skgen import Mixture
from skgen._sequences import Rows
from skgen.emissions import Bernoulli, Categorical, Gaussian, Poisson, Product

NAMES = ["length", "visits", "kind", "width"]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 300)
    shape = rng.standard_normal((300, 2)) + 4.0 * group[:, None]
    columns = [shape[:, 0], rng.poisson(2 + 8 * group), group * (rng.random(300) < 0.9)]
    X = np.column_stack([*columns, shape.sum(axis=1)])
    return np.where(rng.random(X.shape) < 0.1, np.nan, X)


def by_index():
    return Product(
        [("size", Gaussian(), [3, 0]), ("visits", Poisson(), 1), ("kind", Categorical(), [2])]
    )


def by_name():
    return Product(
        [
            ("size", Gaussian(), ["width", "length"]),
            ("visits", Poisson(), "visits"),
            ("kind", Categorical(), ["kind"]),
        ]
    )


def fit(emission, X, **options):
    return Mixture(emission, n_components=2, random_state=0, **options).fit(X)


def test_the_density_is_the_product_over_blocks(X):
    model = fit(by_index(), X)
    params, rows = model._params().emission, Rows(X)
    blocks = zip([Gaussian(), Poisson(), Categorical()], [[3, 0], [1], [2]], strict=True)
    parts = [
        (model.size__means_, model.size__covariances_),
        (model.visits__rates_,),
        (model.kind__probs_,),
    ]
    expected = sum(
        emission.log_likelihood(emission.params_type(*part), Rows(X[:, columns]))
        for (emission, columns), part in zip(blocks, parts, strict=True)
    )
    assert_allclose(model._emission().log_likelihood(params, rows), expected, rtol=1e-12)


def test_one_block_is_its_emission(X):
    columns = X[:, [0, 3]]
    model = fit(Product([("all", Gaussian(), [0, 1])]), columns)
    assert_allclose(model.score_samples(columns), fit(Gaussian(), columns).score_samples(columns))


def test_independent_columns_may_be_split_into_blocks(X):
    columns = X[:, [0, 3]]
    split = Product([("a", Gaussian("diag"), 0), ("b", Gaussian("diag"), 1)])
    together = fit(Gaussian("diag"), columns, tol=1e-10)
    assert_allclose(fit(split, columns, tol=1e-10).score(columns), together.score(columns))


def test_names_and_indices_give_the_same_model(X):
    frame = pd.DataFrame(X, columns=NAMES)
    named, indexed = fit(by_name(), frame), fit(by_index(), X)
    assert_allclose(named.score_samples(frame), indexed.score_samples(X), rtol=1e-12)
    assert list(named.sample(3, random_state=0)[0]) == NAMES
    again = pickle.loads(pickle.dumps(named))
    assert_allclose(again.score_samples(frame), named.score_samples(frame), rtol=0)


@pytest.mark.parametrize("features", [[3, 1], [2], [0, 1, 2, 3], [3, 0]])
def test_a_marginal_has_the_blocks_of_its_columns(X, features):
    gone = np.full_like(X, np.nan)
    gone[:, features] = X[:, features]
    model = fit(by_index(), X)
    part = model.marginal(features)
    assert_allclose(part.score_samples(X[:, features]), model.score_samples(gone), atol=1e-12)
    assert part.sample(5)[0].shape == (5, len(features))
    frame = pd.DataFrame(X, columns=NAMES)
    names = [NAMES[j] for j in features]
    part = fit(by_name(), frame).marginal(names)
    assert_allclose(part.score_samples(frame[names]), model.score_samples(gone), atol=1e-12)


@pytest.mark.parametrize("free", [[0], [1, 2], [0, 3], [2, 3]])
def test_a_conditional_is_the_joint_over_the_marginal(X, free):
    X = X[~np.isnan(X).any(axis=1)]
    model = fit(by_index(), X)
    given = X[0].copy()
    given[free] = np.nan
    joint = np.repeat(X[:1], len(X), axis=0)
    joint[:, free] = X[:, free]
    expected = model.score_samples(joint) - model.score_samples(given[None])
    assert_allclose(model.conditional(given).score_samples(X[:, free]), expected, rtol=1e-9)


def test_rows_that_observe_nothing_of_a_block_do_not_count_in_it(X):
    X = X[~np.isnan(X).any(axis=1)][:, [1, 0, 3]]
    seen, X[50:, 1:] = X[:50, 1:].copy(), np.nan
    emission = Product([("a", Poisson(), 0), ("b", Gaussian(), [1, 2])]).adapt(Rows(X), 1)
    wrong = emission.params_type(np.ones((1, 1)), np.full((1, 2), 7.0), np.eye(2)[None])
    found = emission.maximize(emission.statistics(wrong, Rows(X), np.ones((len(X), 1))))
    assert_allclose(found.b__means[0], seen.mean(axis=0), rtol=1e-12)
    assert_allclose(found.b__covariances[0], np.cov(seen.T, bias=True), rtol=1e-12)


def test_em_climbs_and_imputes(X):
    model = fit(by_index(), X)
    assert np.diff(model.lower_bounds_).min() > -1e-12
    filled = model.impute(X)
    assert not np.isnan(filled).any()
    draws = model.impute(X, "draw", random_state=0)
    assert set(draws[:, 2]) <= {0.0, 1.0}
    assert (draws[:, 1] == np.floor(draws[:, 1])).all()


def test_hyperparameters_of_blocks_are_reached_by_name(X):
    emission = by_index()
    assert emission.get_params()["size__covariance_type"] == "full"
    emission.set_params(size__covariance_type="diag", visits=Poisson(shape=2.0))
    assert emission.get_params()["visits__shape"] == 2.0
    again = clone(emission)
    assert again.blocks[0][1].covariance_type == "diag"
    assert again.blocks[0][1] is not emission.blocks[0][1]
    grid = {"emission__size__covariance_type": ["spherical", "full"]}
    search = GridSearchCV(Mixture(emission, 2, random_state=0), grid, cv=2).fit(X)
    assert search.best_params_["emission__size__covariance_type"] == "full"


def test_a_collapsed_block_is_named():
    X = np.array([[0.0, 1], [0, 2], [0, 3], [5, 1], [6, 4], [7, 2]])
    emission = Product([("a", Gaussian(), 0), ("b", Poisson(), 1)]).adapt(Rows(X), 2)
    params = emission.initialize(Rows(X), np.eye(2)[[0, 0, 0, 1, 1, 1]])
    assert emission.degenerate(params)[0].startswith("in block 'a' component 0 has no variance")


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ([("a", Gaussian(), [0])], ValueError, "column 1 of X is in 0 blocks"),
        ([("a", Gaussian(), [0, 1]), ("b", Poisson(), 1)], ValueError, "column 1 .* in 2 blocks"),
        ([("a", Gaussian(), [0, 2])], ValueError, r"'a' are \[0, 2\], but X has 2 columns"),
        ([("a", Gaussian(), ["x"])], ValueError, "column 'x', but X has no names"),
        ([("a", Gaussian(), [0.5])], TypeError, "'a' are .* give indices or names"),
        ([("a", Gaussian())], TypeError, "each must be"),
        ([("a", "gaussian", [0])], TypeError, "each must be"),
        ([("a b", Gaussian(), [0, 1])], ValueError, "'a b', from which attributes"),
        ([("a", Gaussian(), 0), ("a", Bernoulli(), 1)], ValueError, "not unique"),
        (7, ValueError, "'blocks' parameter of Product"),
    ],
)
def test_blocks_that_make_no_sense_are_refused(blocks, error, message):
    X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    with pytest.raises(error, match=message):
        Mixture(Product(blocks)).fit(X)


def test_a_name_that_the_frame_does_not_have_is_refused(X):
    with pytest.raises(ValueError, match="'width', but X has the columns"):
        fit(by_name(), pd.DataFrame(X, columns=[*NAMES[:3], "height"]))


def test_errors_call_a_column_by_its_name():
    frame = pd.DataFrame({"visits": [1, 2, 3, 1], "member": [0, 1, 0, 1]})
    emission = Product([("counts", Poisson(), ["visits"]), ("flags", Bernoulli(), ["member"])])
    with pytest.raises(ValueError, match='X has -2 in row 1, column "visits", but Poisson'):
        Mixture(emission).fit(frame.replace({"visits": {2: -2}}))
    with pytest.raises(ValueError, match='X has 3 in row 3, column "member", but Bernoulli'):
        Mixture(emission).fit(frame.assign(member=[0, 1, 0, 3]))


def test_errors_count_rows_from_the_first_of_all():
    """Not from the first of the block in which the E-step meets the row."""
    frame = pd.DataFrame({"code": np.arange(9000) % 2})
    model = Mixture(Categorical()).fit(frame)
    with pytest.raises(ValueError, match='X has 7 in row 8000, column "code"'):
        model.score(frame.assign(code=np.where(frame.index == 8000, 7, frame["code"])))
