"""Random numbers of the kernels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgen._kernels import _random
from skgen._random import uniforms

LARGEST = np.nextafter(1.0, 0.0)


def test_uniforms_are_those_of_splitmix64():
    # Vigna's splitmix64.c, seed 1234567.
    words = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    want = [(word >> 11) / 2**53 for word in words]
    assert_array_equal(_random.uniforms(1234567, 4), want)


def test_uniforms_come_from_the_state_of_the_generator():
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    first = uniforms(one, (3, 2))
    assert first.shape == (3, 2)
    assert_array_equal(first, uniforms(other, (3, 2)))
    second = uniforms(one, (100_000,))
    assert not np.isin(first, second).any()
    assert ((second >= 0) & (second < 1)).all()
    assert abs(second.mean() - 0.5) < 5 / np.sqrt(12 * len(second))
    assert abs(np.corrcoef(second[:-1], second[1:])[0, 1]) < 5 / np.sqrt(len(second))


def some_weights(rng, shape):
    """Of categories, of which some cannot be and one certainly can."""
    weights = rng.random(shape) ** 3 * (rng.random(shape) < 0.7)
    weights[..., shape[-1] // 2] = 0.5
    return weights


@pytest.mark.parametrize("C", [1, 2, 3, 7, 64, 1000])
def test_tables_of_aliases_have_the_probabilities(rng, C):
    weights = some_weights(rng, (20, C))
    for row, table in zip(weights, _random.alias_tables(weights), strict=True):
        below, own, alias = np.minimum(table.T, [[1.0], [C], [C]])
        assert (below >= 0).all()
        assert_array_equal(own, np.arange(C))
        probs = np.bincount(alias.astype(int), weights=1 - below, minlength=C) + below
        assert_allclose(probs / C, row / row.sum(), rtol=0, atol=1e-14)
        assert (probs[row == 0] == 0).all()


@pytest.mark.parametrize("C", [1, 2, 3, 7, 64])
def test_draws_follow_the_tables(rng, C):
    weights = some_weights(rng, (3, 2, C))
    which, u = rng.integers(3, size=500), rng.random((500, 2))
    u[:2] = [[0.0], [LARGEST]]
    drawn = _random.draw(weights, which, u)
    cell, rest = np.divmod(u * C, 1.0)
    for j in range(2):
        entry = _random.alias_tables(weights[:, j].copy())[which, cell[:, j].astype(int)]
        assert_array_equal(drawn[:, j], np.where(rest[:, j] < entry[:, 0], cell[:, j], entry[:, 2]))
        assert (weights[which, j, drawn[:, j].astype(int)] > 0).all()


def test_draws_have_the_probabilities(rng):
    weights = some_weights(rng, (1, 1, 12))
    n = 200_000
    drawn = _random.draw(weights, np.zeros(n, dtype=np.intp), rng.random((n, 1))).astype(int)
    p = weights[0, 0] / weights.sum()
    share = np.bincount(drawn[:, 0], minlength=12) / n
    assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


def test_draws_from_a_distribution_that_is_not_there_are_refused():
    with pytest.raises(ValueError, match=r"which\[1\]=2 must be from 0 to 1"):
        _random.draw(np.ones((2, 1, 3)), np.array([0, 2]), np.ones((2, 1)) / 2)


@pytest.mark.parametrize("places", [1, 4, 16])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 17])
def test_a_guide_leads_to_the_index_or_before_it(rng, n, places):
    cumulated = some_weights(rng, (5, n)).cumsum(axis=1)
    guide = _random.make_guide(cumulated, places)
    assert len(guide) >= places * n
    for row, starts in zip(cumulated, guide.T, strict=True):
        u = np.arange(len(starts)) / len(starts)
        assert_array_equal(starts, np.searchsorted(row, u * row[-1], "right"))
