"""Linear prediction, noise, and tests of innovations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from series import ar_series, covariance, var_series, with_gaps

from skgen import AR, lpc


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def burg(x, p):
    """By its definition."""
    a, f, b = np.ones(1), x, x
    for _ in range(p):
        f, b = f[1:], b[:-1]
        k = -2 * f @ b / (f @ f + b @ b)
        f, b = f + k * b, b + k * f
        a = np.append(a, 0) + k * np.append(a, 0)[::-1]
    return a


@pytest.mark.parametrize(("n", "p"), [(400, 16), (18, 16), (17, 16), (5, 1)])
def test_frames_are_predicted_by_burgs_recursion(rng, n, p):
    frames = rng.standard_normal((7, n)).cumsum(axis=1)
    frames -= frames.mean(axis=1, keepdims=True)
    found = lpc(frames, p)
    assert_allclose(found, [burg(x, p) for x in frames], rtol=1e-6, atol=1e-8)
    assert_array_equal(lpc(frames[0], p), found[0])


def test_a_tone_with_little_noise_keeps_its_digits(rng):
    """Sums of products would have lost them: the errors themselves are used."""
    tone = np.sin(0.1 * np.arange(2000)) + 1e-6 * rng.standard_normal(2000)
    assert_allclose(lpc(tone, 8), burg(tone, 8), atol=1e-9)


def test_silence_is_predicted_by_nothing():
    assert_array_equal(lpc(np.zeros((2, 50)), 3), [[1, 0, 0, 0]] * 2)


@pytest.mark.parametrize(
    ("frames", "order", "message"),
    [
        (np.zeros((2, 2, 9)), 2, "n_frames"),
        (np.zeros(4), 4, "longer frames"),
        (np.zeros(4), 0, "positive integer"),
        (np.full(9, np.nan), 2, "frames has nan in frame 0 at sample 0"),
        (np.where(np.eye(9)[4:6] == 1, np.inf, 0.0)[::-1], 2, "inf in frame 0 at sample 5"),
    ],
)
def test_wrong_frames_are_refused(frames, order, message):
    with pytest.raises(ValueError, match=message):
        lpc(frames, order)


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("series", ["one", "two"])
def test_noise_is_taken_out_by_conditioning(rng, series, share):
    x = ar_series([0.8, -0.2], 30, rng) if series == "one" else var_series(30, rng)
    model = AR(2).fit(x)
    noise = np.array([0.5, 2.0])[: x.shape[1]]
    seen = with_gaps(x + np.sqrt(noise) * rng.standard_normal(x.shape), share, rng)
    V, u = covariance(model, 30), (seen - model.mean_).ravel()
    known = ~np.isnan(u)
    total = V[np.ix_(known, known)] + np.diag(np.tile(noise, 30)[known])
    expected = V[:, known] @ np.linalg.solve(total, u[known])
    found = model.denoise(seen, noise) - model.mean_
    assert_allclose(found.ravel(), expected, atol=1e-9)
    with pytest.raises(ValueError, match="must be positive"):
        model.denoise(seen, 0.0)


def test_innovations_of_the_true_model_pass_and_of_others_fail(rng):
    x = with_gaps(ar_series([0.6, -0.4], 3000, rng), 0.05, rng)
    good, bad = (AR(p).fit(x).diagnose(x) for p in (2, 1))
    assert good.autocorrelation.shape == (20, 1)
    for p_value in (good.ljung_box_pvalue, good.arch_pvalue, good.jarque_bera_pvalue):
        assert p_value > 0.01
    assert bad.ljung_box_pvalue < 1e-6


def test_the_tests_reject_as_often_as_they_say(rng):
    model = AR(1)
    model.coef_, model.intercept_, model.noise_variance_ = np.array([0.5]), 0.0, 1.0
    found = [model.diagnose(model.sample(300, random_state=s), 10) for s in range(400)]
    # The model was not fitted: there are 10 degrees of freedom, not 9.
    box = np.array([f.ljung_box[0] for f in found])
    assert_allclose(box.mean(), 10, atol=0.7)
    for name in ("arch_pvalue", "jarque_bera_pvalue"):
        rejected = np.mean([getattr(f, name)[0] < 0.05 for f in found])
        assert 0.02 < rejected < 0.08


def test_changing_variance_and_heavy_tails_are_told(rng):
    x = ar_series([0.5], 2000, rng)
    x[1000:] *= 5
    model = AR(1).fit(x)
    assert model.diagnose(x).arch_pvalue < 1e-6
    assert model.diagnose(x).jarque_bera_pvalue < 1e-6


def test_a_column_is_told_from_a_frame():
    with pytest.raises(ValueError, match=r"shape \(50, 1\).*frames\.ravel\(\)"):
        lpc(np.ones((50, 1)), 4)
