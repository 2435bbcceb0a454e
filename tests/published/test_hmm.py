"""Hidden Markov models that were printed in books and manuals."""

import numpy as np
import pytest

from skgen import PoissonHMM
from skgen.datasets import load_earthquakes

# Zucchini, MacDonald (2009), tables 4.1, 4.2 and 3.1.
FIRST_ITERATES = (343.76023, 343.13618)
START = {
    "startprob_init": [0.5, 0.5],
    "transmat_init": [[0.9, 0.1], [0.1, 0.9]],
    "emission_init": {"rates": [[10.0], [30.0]]},
}


@pytest.fixture
def counts():
    return load_earthquakes().data[:, 1:]


def total(model, X):
    return -float(model.score_samples(X).sum())


def test_the_start_and_the_first_iterates_of_the_earthquakes(counts):
    options = {**START, "acceleration": False, "tol": 0.0}
    start = PoissonHMM(2, max_iter=0, **options).fit(counts)
    assert total(start, counts) == pytest.approx(413.27542, abs=5e-6)
    with pytest.warns(match="did not converge"):
        model = PoissonHMM(2, max_iter=30, **options).fit(counts)
    values = -np.array(model.lower_bounds_) * len(counts)
    assert values[:2] == pytest.approx(FIRST_ITERATES, abs=5e-6)
    assert values[29] == pytest.approx(341.87871, abs=5e-6)


def test_the_two_states_of_the_earthquakes(counts):
    model = PoissonHMM(2, **START, tol=1e-12).fit(counts)
    assert total(model, counts) == pytest.approx(341.87870, abs=5e-6)
    assert model.rates_.ravel() == pytest.approx([15.421, 26.018], abs=1e-3)


@pytest.mark.parametrize(
    ("n_states", "stationary", "value"),
    [(3, False, 328.52748), (2, True, 342.31827), (3, True, 329.4603)],
)
def test_other_models_of_the_earthquakes(counts, n_states, stationary, value):
    model = PoissonHMM(
        n_states, stationary=stationary, tol=1e-11, max_iter=2000, n_init=3, random_state=0
    ).fit(counts)
    assert total(model, counts) == pytest.approx(value, abs=6e-5 if n_states == 3 else 5e-6)
