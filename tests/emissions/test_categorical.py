import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import categorical_log_likelihood
from scipy.spatial.distance import pdist

from skgen import Mixture
from skgen._sequences import Rows
from skgen.emissions import Categorical, Product

X = np.array([[0.0, 2], [1, 0], [1, 1], [np.nan, 2], [0, np.nan]])
TINY = 1e-300
RESP = np.array([[1.0, 0], [0.2, 0.8], [0.5, 0.5], [0.9, 0.1], [0.3, 0.7]])


def fit(emission, X=X, resp=RESP):
    emission = emission.adapt(Rows(X))
    params = emission.initialize(Rows(X), resp)
    return emission, emission.maximize(emission.statistics(params, Rows(X), resp))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_likelihood_is_that_of_independent_columns(dtype):
    emission, params = fit(Categorical())
    got = emission.log_likelihood(params, Rows(X.astype(dtype)))
    assert_allclose(got, categorical_log_likelihood(X, params.probs), rtol=1e-12)


def test_probabilities_are_relative_frequencies():
    _, params = fit(Categorical(), resp=np.ones((5, 1)))
    assert_allclose(params.probs, [[[0.5, 0.5, 0], [0.25, 0.25, 0.5]]], rtol=1e-15)


def test_only_categories_that_a_column_does_not_have_get_a_probability_of_zero():
    _, params = fit(Categorical((3, 4)), resp=np.ones((5, 1)))
    assert_array_equal(params.probs[0, 0], [0.5, 0.5, TINY, 0])
    assert_array_equal(params.probs[0, 1], [0.25, 0.25, 0.5, TINY])
    assert Categorical().n_parameters(params) == 2 + 3


def test_a_start_from_some_rows_gives_a_probability_to_every_category():
    emission = Categorical().adapt(Rows(X))
    probs = emission.initialize(Rows(X[1:2]), np.eye(1, 5)).probs
    assert_array_equal(probs > 0, np.broadcast_to([[True, True, False], [True] * 3], probs.shape))


def test_the_prior_adds_rows_to_the_categories_that_a_column_has():
    emission, params = fit(Categorical((2, 4), concentration=2.0), resp=np.ones((5, 1)))
    assert_allclose(params.probs, [[[0.5, 0.5, 0, 0], [0.25, 0.25, 0.375, 0.125]]], rtol=1e-15)
    assert_allclose(emission.regularizer(params), np.log(params.probs[params.probs > 0]).sum())


def test_probabilities_have_room_for_the_categories():
    assert fit(Categorical())[1].probs.shape == (2, 2, 3)
    assert fit(Categorical(5))[1].probs.shape == (2, 2, 5)
    assert fit(Categorical([2, 3]))[1].probs.shape == (2, 2, 3)


def test_a_code_that_fit_did_not_see_is_refused_or_counts_as_missing():
    strict, (_, params) = Categorical(), fit(Categorical())
    new, gone = np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[1.0, 2.0], [np.nan, 2.0]])
    with pytest.raises(ValueError, match=r'X has 3 in row 1, column 0.*\[0, 1\].*unknown="ignore"'):
        strict.log_likelihood(params, Rows(new))
    lenient = Categorical(unknown="ignore")
    assert_allclose(
        lenient.log_likelihood(params, Rows(new)), strict.log_likelihood(params, Rows(gone))
    )


@pytest.mark.parametrize("code", [2.0, 7.0, -1.0, 0.5, 1e300])
def test_whatever_is_no_category_of_the_column_is_unknown(code):
    strict, (_, params) = (
        Categorical(),
        fit(Categorical()),
    )  # column 0 has two categories, column 1 has three
    rows = Rows(np.array([[code, 1.0]]))
    with pytest.raises(ValueError, match="in row 0, column 0"):
        strict.log_likelihood(params, rows)
    lenient = Categorical(unknown="ignore")
    alone = np.log(params.probs[:, 1, 1])
    assert_allclose(lenient.log_likelihood(params, rows)[0], alone, rtol=1e-12)


def test_ignored_codes_do_not_enter_the_fit():
    gone = np.where(X == 2, np.nan, X)
    _, ignoring = fit(Categorical(2, unknown="ignore"))
    _, missing = fit(Categorical(2), gone)
    assert_allclose(ignoring.probs, missing.probs, rtol=1e-15)
    # Codes within the table, but beyond the last category of their column.
    _, ignoring = fit(Categorical((3, 2), unknown="ignore"))
    assert_allclose(ignoring.probs[..., :2], missing.probs, rtol=1e-15)


def test_rows_of_a_category_that_a_component_does_not_have_are_next_to_impossible():
    X, resp = np.array([[0.0], [1.0], [1.0]]), np.array([[1.0, 1], [0, 1], [0, 2]])
    emission, params = fit(Categorical(), X, resp)
    got = emission.log_likelihood(params, Rows(np.array([[1.0]])))
    assert_allclose(got, [[np.log(TINY), np.log(0.75)]])


def test_a_code_above_n_categories_is_refused_with_its_place():
    with pytest.raises(ValueError, match="X has code 2 in row 0, column 1, but n_categories is 2"):
        Categorical(2).adapt(Rows(X))


@pytest.mark.parametrize("bad", [-1.0, 0.5])
def test_what_is_no_code_is_refused_with_its_place(bad):
    with pytest.raises(ValueError, match=rf"X has {bad:.6g} in row 1, column 0.*OrdinalEncoder"):
        Categorical().adapt(Rows(np.array([[1.0], [bad]])))


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_categories", 0), ("n_categories", [2, 3, 4]), ("concentration", 0.5), ("unknown", "keep")],
)
def test_impossible_hyperparameters_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Categorical(**{name: value}).adapt(Rows(X))


def test_codes_that_are_identifiers_are_refused_before_the_allocation():
    with pytest.raises(MemoryError, match=r"1000000000000001 categories .* OrdinalEncoder"):
        Categorical().adapt(Rows(np.array([[1e15], [3.0]])))


def test_distances_for_clustering_count_the_entries_that_differ():
    complete = X[:3]
    points = Categorical().embed(Rows(complete))
    assert_allclose(pdist(points, "sqeuclidean"), 2 * 2 * pdist(complete, "hamming"), atol=1e-12)
    assert_allclose(Categorical().embed(Rows(X))[3, :2], 0.0, atol=0)  # missing: at the mean


def test_rare_categories_share_a_point_for_clustering(monkeypatch):
    monkeypatch.setattr("skgen.emissions.categorical.MOST_INDICATORS", 2)
    codes = np.array([[0.0], [0], [1], [2], [2], [3]])
    points = Categorical().embed(Rows(codes))
    assert points.shape == (6, 2)
    assert_allclose(points[2], points[5])
    assert np.ptp(points[[0, 2, 3]], axis=0).min() > 0


def test_unpacked_probabilities_are_zero_for_the_same_categories():
    emission, params = fit(Categorical((3, 4)))
    again = emission.unpack(emission.pack(params) - 0.01, params)
    assert_array_equal(again.probs == 0, params.probs == 0)


def test_a_code_marks_missing_entries():
    codes = np.array([[0, 1], [-1, 2], [1, -1], [0, 0]])
    gaps = np.where(codes < 0, np.nan, codes)
    emission = Categorical(missing_code=-1)
    one, other = Mixture(emission, 1).fit(codes), Mixture(Categorical(), 1).fit(gaps)
    assert_array_equal(one.probs_, other.probs_)
    assert_array_equal(one.score_samples(codes), other.score_samples(gaps))
    assert_array_equal(one.impute(codes, "mode"), other.impute(gaps, "mode"))
    blocks = Product([("a", emission, [0]), ("b", emission, [1])])
    assert_allclose(Mixture(blocks, 1).fit(codes).score(codes), one.score(gaps))
    with pytest.raises(ValueError, match="-1 in row 1"):
        Mixture(Categorical(), 1).fit(codes)
