"""Densities of transformed sequences, in the units before the transformation."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import lognorm, norm
from series import ar_series, with_gaps
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from skgen import AR, GaussianHMM, TransformedSequence
from skgen.plotting import ForecastDisplay
from skgen.wrappers._columnwise import log_slopes

LOG = FunctionTransformer(np.log, np.exp)
FALLING = FunctionTransformer(lambda x: -np.log(x), lambda z: np.exp(-z))
TRANSFORMERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "maxabs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "yeo-johnson": PowerTransformer(),
    "box-cox": PowerTransformer("box-cox", standardize=False),
    "log": LOG,
    "falling": FALLING,
    "pipeline": make_pipeline(LOG, PowerTransformer()),
}
each_transformer = pytest.mark.parametrize("transformer", TRANSFORMERS.values(), ids=TRANSFORMERS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x(rng):
    return np.exp(0.3 * ar_series([0.6], 200, rng, mean=2.0))


def gappy(x, rng):
    x = with_gaps(x, 0.2, rng)
    x[40:50] = np.nan
    return x


# ---- densities ---------------------------------------------------------------------------------


@each_transformer
@pytest.mark.parametrize("estimator", [AR(1), GaussianHMM(2, random_state=0)], ids=["ar", "hmm"])
def test_the_density_of_a_step_integrates_to_one(x, transformer, estimator):
    model = TransformedSequence(transformer, estimator).fit(x)

    def density(value):
        return np.exp(model.score_samples(np.append(x[:20], [[value]], axis=0))[-1])

    log = "log" in str(transformer) or "box" in str(transformer) or transformer is FALLING
    points = [1e-3, 1.0, 2.0, 4.0, 8.0, 30.0] if log else [-40.0, 0.0, 4.0, 8.0, 50.0]
    total = sum(quad(density, a, b)[0] for a, b in pairwise(points))
    assert_allclose(total, 1, atol=2e-3 if "box" in str(transformer) else 1e-5)


def test_a_log_transformation_gives_the_log_normal_law(x):
    model = TransformedSequence(LOG, AR(1)).fit(x)
    inner = model.estimator_
    mean = np.r_[inner.mean_, inner.intercept_ + inner.coef_[0] * np.log(x[:-1, 0])]
    first = np.sqrt(inner.autocovariance(0)[0])
    std = np.r_[first, np.full(len(x) - 1, np.sqrt(inner.noise_variance_))]
    law = lognorm(std, scale=np.exp(mean))
    assert_allclose(model.score_samples(x), law.logpdf(x[:, 0]), rtol=1e-9)
    assert_allclose(model.predict(x)[:, 0], law.mean(), rtol=1e-9)
    ahead, own = model.forecast(3), inner.forecast(3)
    law = lognorm(own.std, scale=np.exp(own.mean))
    assert_allclose(ahead.mean, law.mean(), rtol=1e-9)
    assert_allclose(ahead.std, law.std(), rtol=1e-7)
    assert_allclose(ahead.quantile(0.1), law.ppf(0.1), rtol=1e-9)
    assert_allclose(ahead.interval(0.9), [law.ppf(0.05), law.ppf(0.95)], rtol=1e-9)
    assert_allclose(ahead.log_prob(x[:3]), law.logpdf(x[:3])[:, 0], rtol=1e-9)
    paths = ahead.sample(20_000, random_state=0)
    assert_allclose(paths.mean(axis=0), ahead.mean, rtol=0.02)


@each_transformer
def test_slopes_are_derivatives(x, transformer):
    fitted = clone(transformer).fit(x)
    slope = log_slopes(fitted, x)
    h = 1e-5 * x
    difference = (fitted.transform(x + h) - fitted.transform(x - h)) / (2 * h)
    assert_allclose(slope, np.log(np.abs(difference)), atol=1e-7)


def test_slopes_next_to_the_end_of_the_domain_are_found():
    x = np.array([[1e-9], [1e-3], [1.0], [50.0], [np.nan]])
    assert_allclose(log_slopes(LOG.fit(x[:4]), x), [*-np.log(x[:4]), [0.0]], atol=1e-9)


def test_what_is_missing_has_no_slope(x, rng):
    X = gappy(np.c_[x, x[::-1] ** 2], rng)
    model = TransformedSequence(LOG, AR(1)).fit(X)
    own = model.estimator_.score_samples(np.log(X))
    assert_allclose(model.score_samples(X), own - np.nansum(np.log(X), axis=1), rtol=1e-9)
    assert_array_equal(model.score_samples(X)[40:50], 0)


def test_units_move_densities_by_their_logarithm(x):
    for estimator in (AR(1), AR(1, diff=1)):
        plain = estimator.fit(x).score_samples(x)
        scaled = TransformedSequence(StandardScaler(), clone(estimator)).fit(x)
        assert_allclose(scaled.score_samples(x), plain, atol=1e-5)
        assert_allclose(scaled.predict(x), estimator.predict(x), rtol=1e-5)
        assert_allclose(scaled.forecast(4).mean, estimator.forecast(4).mean, rtol=1e-5)
        assert_allclose(scaled.forecast(4).std, estimator.forecast(4).std, rtol=1e-4)


def test_densities_say_which_transformation_is_right(x):
    models = [TransformedSequence(t, AR(1)) for t in (LOG, StandardScaler())]
    scores = [cross_val_score(model, x, cv=TimeSeriesSplit(4)).mean() for model in models]
    assert scores[0] > scores[1]


# ---- what comes back ---------------------------------------------------------------------------


@each_transformer
def test_quantiles_and_intervals_hold_what_is_drawn(x, transformer):
    forecast = TransformedSequence(transformer, AR(1)).fit(x).forecast(3)
    paths = forecast.sample(20_000, random_state=0)
    for q in (0.1, 0.5, 0.8):
        assert_allclose((paths < forecast.quantile(q)).mean(axis=0), q, atol=0.015)
    lower, upper = forecast.interval(0.9)
    assert_allclose(((paths > lower) & (paths < upper)).mean(axis=0), 0.9, atol=0.015)
    assert_allclose(forecast.mean, np.nanmean(paths, axis=0), rtol=0.02)
    assert_allclose(forecast.std, np.nanstd(paths, axis=0), rtol=0.06)


def test_a_mixture_of_states_has_the_mean_of_its_draws(x):
    model = TransformedSequence(LOG, GaussianHMM(2, random_state=0)).fit(x)
    forecast = model.forecast(3, x)
    paths = forecast.sample(40_000, random_state=0)
    assert_allclose(forecast.mean, paths.mean(axis=0), rtol=0.02)
    assert_array_equal(model.predict(x), model.estimator_.predict(np.log(x)))
    assert_array_equal(model.predict_proba(x), model.estimator_.predict_proba(np.log(x)))


def test_gaps_are_filled_in_the_units_of_the_user(x, rng):
    X = gappy(x, rng)
    gone = np.isnan(X[:, 0])
    model = TransformedSequence(LOG, AR(1)).fit(X)
    mean, std = model.estimator_.smooth(np.log(X))
    law = lognorm(std[gone], scale=np.exp(mean[gone]))
    assert_allclose(model.impute(X)[gone], law.mean(), rtol=1e-9)
    assert_array_equal(model.impute(X)[~gone], X[~gone])
    found = model.smooth(X)
    assert_allclose(found[0], model.impute(X))
    assert_allclose(found[1][gone], law.std(), rtol=1e-6)
    assert_array_equal(found[1][~gone], 0)
    draws = np.array([model.impute(X, "draw", random_state=s)[gone] for s in range(2000)])
    assert_allclose(draws.mean(axis=0), law.mean(), rtol=0.1)
    assert_allclose(model.impute(X, "mode")[gone], np.exp(mean[gone]))
    states = TransformedSequence(LOG, GaussianHMM(2, random_state=0)).fit(X)
    draws = np.array([states.impute(X, "draw", random_state=s)[gone] for s in range(500)])
    assert_allclose(states.impute(X, random_state=0)[gone], draws.mean(axis=0), rtol=0.2)


def test_samples_are_in_the_units_of_the_user(x):
    model = TransformedSequence(LOG, AR(1)).fit(x)
    drawn = model.sample(50_000, random_state=0)
    inner = model.estimator_
    law = norm(inner.mean_, np.sqrt(inner.autocovariance(0)[0]))
    assert_allclose(np.log(np.median(drawn)), law.median(), atol=0.02)
    assert_allclose(np.log(drawn).std(), law.std(), rtol=0.05)


def test_samples_come_with_the_states_of_the_chain(x):
    X = [x[:80], x[80:150], x[150:]]
    model = TransformedSequence(LOG, GaussianHMM(2, random_state=0), pooled=True).fit(X)
    drawn, states = model.sample(2, random_state=0, length=7)
    inner, inner_states = model.estimator_.sample(2, random_state=0, length=7)
    for back, z, path, expected in zip(drawn, inner, states, inner_states, strict=True):
        assert_allclose(np.log(back), z)
        assert_array_equal(path, expected)


# ---- sets of sequences -------------------------------------------------------------------------


def test_each_sequence_has_a_transformer_of_its_own(x):
    X = [x[:80], 1000 * x[80:150], 5 + 0.01 * x[150:]]
    model = TransformedSequence(StandardScaler(), AR(1)).fit(X)
    scaled = [StandardScaler().fit(piece) for piece in X]
    inner = AR(1).fit([t.transform(piece) for t, piece in zip(scaled, X, strict=True)])
    assert_allclose(model.estimator_.coef_, inner.coef_)
    for s, t in enumerate(scaled):
        z = t.transform(X[s])
        own = inner.score_samples(z).sum() - len(z) * np.log(t.scale_[0])
        assert_allclose(model.score_samples(X)[s], own)
        back = t.inverse_transform(inner.forecast(3, z).mean)
        assert_allclose(model.forecast(3, X)[s].mean, back)
        assert_allclose(model.predict(X)[s], t.inverse_transform(inner.predict(z)))
    assert [len(piece) for piece in model.sample(4, random_state=0, length=7)] == [7] * 4
    with pytest.raises(ValueError, match="2 sequences, but 3 transformers"):
        model.score_samples(X[:2])
    with pytest.raises(ValueError, match="pooled=True"):
        model.forecast(3)
    panel = TransformedSequence(StandardScaler(), AR(1, pooled=False)).fit(X)
    for s, piece in enumerate(X):
        alone = TransformedSequence(StandardScaler(), AR(1)).fit(piece)
        assert_allclose(panel.forecast(3, X)[s].mean, alone.forecast(3).mean, rtol=1e-4)


def test_a_shared_transformer_takes_new_sequences(x):
    X = [x[:80], x[80:150], x[150:]]
    model = TransformedSequence(LOG, AR(1), pooled=True).fit(X)
    assert len(model.transformers_) == 1
    assert model.score_samples(X[:2]).shape == (2,)
    assert model.forecast(2).mean.shape == (2, 1)
    assert np.isfinite(cross_val_score(model, X, cv=KFold(3))).all()
    grid = GridSearchCV(model, {"estimator__order": [1, 2]}, cv=KFold(3)).fit(X)
    assert grid.best_params_["estimator__order"] in (1, 2)
    twice = model.fit(X, sample_weight=[2, 1, 1]).estimator_.coef_
    assert_allclose(twice, AR(1).fit([np.log(p) for p in (X[0], *X)]).coef_, atol=1e-6)


# ---- columns -----------------------------------------------------------------------------------


def test_exogenous_columns_are_transformed_too(x, rng):
    z = np.exp(rng.standard_normal((200, 1)))
    frame = pd.DataFrame(np.c_[x * z**0.5, z], columns=["sales", "price"])
    model = TransformedSequence(LOG, AR(1, exog="price")).fit(frame)
    assert_allclose(model.estimator_.exog_coef_, 0.5, atol=0.05)
    own = model.estimator_.score_samples(np.log(frame))
    jacobian = -np.log(frame["sales"].to_numpy())
    assert_allclose(model.score_samples(frame), own + jacobian, rtol=1e-8)
    low, high = (model.forecast(2, exog=[[e], [e]]) for e in (1.0, 4.0))
    ratio = 4 ** model.estimator_.exog_coef_[0]
    assert_allclose(high.quantile(0.5) / low.quantile(0.5), ratio, rtol=1e-9)
    assert model.predict(frame).shape == (200, 1)
    assert ForecastDisplay.from_estimator(
        model, frame, horizon=2, exog=[[1.0], [1.0]]
    ).mean.shape == (2,)


def test_frames_come_back_as_frames(x):
    frame = pd.DataFrame(np.c_[x, 2 * x[::-1] + 1], columns=["a", "b"])
    model = TransformedSequence(PowerTransformer(), AR(1)).fit(frame)
    assert list(model.predict(frame).columns) == ["a", "b"]
    assert list(model.impute(frame).columns) == ["a", "b"]
    assert list(model.sample(3).columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (PCA(), "mixes columns"),
        (FunctionTransformer(np.log), "does not undo"),
        (FunctionTransformer(lambda x: x[:, :1], lambda z: z), "one column for each"),
        (
            FunctionTransformer(lambda x: np.log(x - 2), lambda z: np.exp(z) + 2),
            "can be transformed",
        ),
    ],
)
def test_transformers_that_cannot_be_followed_are_refused(x, transformer, message):
    model = TransformedSequence(transformer, AR(1))
    with pytest.raises(ValueError, match=message):
        model.fit(np.c_[x, x[::-1]])
    assert not hasattr(model, "estimator_")


def test_values_at_the_end_of_the_domain_are_told(x):
    x[7] = 0.0
    with pytest.raises(ValueError, match=r"makes 0\.0 in row 7, column 0 infinite"):
        TransformedSequence(LOG, AR(1)).fit(x)


def test_it_is_an_estimator(x):
    model = TransformedSequence(PowerTransformer(), AR(1), pooled=True).fit(x)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.score_samples(x), model.score_samples(x))
    assert clone(model).get_params()["estimator__order"] == 1
    assert_allclose(model.score(x), model.score_samples(x).mean())
    assert model.aic(x) < model.bic(x)
    assert_allclose(np.ravel(model.transform(x)).std(), 1, atol=0.05)
    assert_allclose(model.inverse_transform(model.transform(x)), x)


@pytest.mark.parametrize(("entry", "becomes"), [(0.0, "infinite"), (-1.0, "NaN")])
def test_entries_that_are_lost_are_found_in_their_sequence(entry, becomes):
    X = [np.arange(1.0, 9.0)[:, None], np.arange(1.0, 9.0)[:, None]]
    X[1][3] = entry
    log = FunctionTransformer(np.log, np.exp)
    words = f"makes {entry} in row 3 of sequence 1, column 0 {becomes}.*log1p"
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=words):
        TransformedSequence(log, AR(1), pooled=True).fit(X)
