"""Small hidden Markov models over every emission, and what enumeration of paths says of them."""

import warnings

import numpy as np
from contract.test_emissions import CASES, Case, codes
from reference import chain_paths, chain_posterior

from skgen import HMM
from skgen._sequences import Rows
from skgen.emissions import Categorical

LENGTHS = [4, 1, 5, 2, 6, 3]


def one_column(rng, n):
    return codes(rng, n)[:, 1:2]


EMISSIONS = {
    **CASES,
    "symbols": Case(Categorical(), one_column, [range(4)]),
}


def make_sequences(case, rng, gaps=0.0, lengths=LENGTHS):
    """Sequences that the emission of a case can emit; with gaps, a whole step is missing too."""
    X = case.data(rng, sum(lengths))
    gone = rng.random(X.shape) < gaps
    if gaps:
        gone[[1, 7]] = [[True], [True]]
        gone[0] = False  # something is known of each column
    return np.split(np.where(gone, np.nan, X), np.cumsum(lengths)[:-1])


def rough_fit(model, X, **options):
    """A model in general position: some steps of EM from a random start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_params(max_iter=3, init_params="random", random_state=0, **options)
        return model.fit(X)


def make_model(case, rng, n_components=2, **options):
    """A model of a case, fitted to other sequences than the test looks at."""
    model = HMM(case.emission, n_components, **options)
    return rough_fit(model, make_sequences(case, rng, 0.0, [9, 12, 20]))


def table(model, x):
    """log p(step | state) of one sequence."""
    return model._emission().log_likelihood(model._params().emission, Rows(x))


def enumerated(model, x):
    """What one sequence says of its states, by enumeration."""
    return chain_posterior(table(model, x), model.startprob_, model.transmat_)


def all_paths(model, x):
    """Every path with its log density."""
    return chain_paths(table(model, x), model.startprob_, model.transmat_)
