"""What an outlier detector compares: rows, the steps of one series, or whole sequences.

Each kind says what of the data a fit sees when some samples take no part in it, how likely the
samples are, in nats that are comparable between them, and what would be seen of samples that the
density itself draws.
"""

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import _num_samples

from .._density import SequenceDensity, sample_rows
from .._random import make_rng
from .._sequences import Rows, is_frame, is_list
from .._validation import check_rows, check_weights

# Samples drawn from the density to learn what log densities to expect; rows that are scored by
# pattern of missing entries are fewer where the patterns are many.
DRAWS = 20_000
LEAST_DRAWS = 200
DRAWS_OF_PATTERNS = 1_000_000
SEED = 0


def samples_of(detector, density, X, *, reset=False, sample_weight=None):
    """X as the samples that the density knows, without those of weight zero."""
    sequential = is_sequential(density)
    if is_list(X) and len(X) and (sequential or _is_sequence(X[0])):
        return SequenceSamples(X, sample_weight)
    if getattr(X, "ndim", 2) == 3:
        return SequenceSamples(list(X), sample_weight)
    if sequential:
        return StepSamples(X, sample_weight)
    return RowSamples(check_rows(detector, X, reset=reset, sample_weight=sample_weight))


def last_step(density):
    """The density itself, or the last step of a Pipeline."""
    while hasattr(density, "steps"):
        density = density.steps[-1][1]
    return density


def is_sequential(density):
    """Whether a sample of this density has steps."""
    density = last_step(density)
    return isinstance(density, SequenceDensity) or get_tags(density).input_tags.string


def _is_sequence(x):
    return isinstance(x, str) or bool(is_frame(x)) or getattr(x, "ndim", 1) == 2


class RowSamples:
    """Rows of a matrix, each by itself."""

    unit, mean_length = "rows", 1.0

    def __init__(self, rows):
        self.rows, self.weighted = rows, rows.weights is not None
        self.weights = np.ones(len(rows)) if rows.weights is None else rows.weights

    def part(self, kept):
        """What a fit sees where samples of weight zero take no part, and the other weights."""
        return self.rows.values[kept > 0], kept[kept > 0]

    def scores(self, density):
        """Log densities, to which missing entries add what is to be expected of them.

        That is the mean of log p(missing | observed) over rows drawn from the density, one number
        for each pattern of missing entries.
        """
        return _comparable(density, self.rows)

    def expected(self, density):
        """Scores of rows drawn from the density, with entries missing as in these rows."""
        drawn = sample_rows(density, DRAWS, SEED)
        order, starts, masks = self.rows.sorted_patterns
        mass = np.cumsum(np.add.reduceat(self.weights[order], starts[:-1]))
        stops = np.rint(mass / mass[-1] * DRAWS).astype(int)
        masks = np.repeat(masks, np.diff(stops, prepend=0), axis=0)
        return _comparable(density, Rows(np.where(masks, drawn, np.nan)))


def _comparable(density, rows):
    scores = np.asarray(density.score_samples(rows.values), dtype=np.float64)
    if not rows.has_missing:
        return scores
    order, starts, masks = rows.sorted_patterns
    drawn = sample_rows(density, max(64, min(4096, DRAWS_OF_PATTERNS // len(masks))), SEED)
    complete = density.score_samples(drawn).mean()
    parts = [density.score_samples(np.where(mask, drawn, np.nan)).mean() for mask in masks]
    scores[order] += np.repeat(complete - np.array(parts), np.diff(starts))
    return scores


class SequenceSamples:
    """Sequences, each of which is as likely as its steps are on average."""

    unit = "sequences"

    def __init__(self, X, sample_weight=None):
        weights = check_weights(sample_weight, len(X), "sequence")
        self.weighted = weights is not None
        self.weights = np.ones(len(X)) if weights is None else weights
        self.X = [x for x, w in zip(X, self.weights, strict=True) if w > 0]
        self.weights = self.weights[self.weights > 0]
        self.lengths = np.array([len(x) for x in self.X])
        self.mean_length = max(1.0, float(self.lengths.mean()))

    def part(self, kept):
        """What a fit sees where samples of weight zero take no part, and the other weights."""
        return [x for x, w in zip(self.X, kept, strict=True) if w > 0], kept[kept > 0]

    def scores(self, density):
        """Log density of each sequence, per step of which something is observed."""
        return self._per_step(density, self.X)

    def expected(self, density):
        """Scores of sequences drawn from the density, as long as these."""
        n = int(np.clip(DRAWS / self.mean_length, LEAST_DRAWS, DRAWS))
        if isinstance(density, SequenceDensity):  # it knows the lengths of the likely ones only
            rng = make_rng(SEED)
            return self._per_step(density, density._draw(n, rng, rng.choice(self.lengths, n))[0])
        return self._per_step(density, sample_rows(density, n, SEED))

    def _per_step(self, density, X):
        if hasattr(density, "token_log_proba"):
            return np.array([own.mean() for own in density.token_log_proba(X)])
        steps = np.array([_num_steps(x) for x in X])
        return np.asarray(density.score_samples(X), dtype=np.float64) / np.maximum(steps, 1)


def _num_steps(x):
    """The steps of a sequence in which something is observed."""
    if isinstance(x, str):
        return len(x)
    x = np.asarray(x)
    if x.dtype.kind != "f":
        return len(x)
    return int((~np.isnan(x.reshape(len(x), -1))).any(axis=1).sum())


class StepSamples:
    """The steps of one series, each given those before; steps that take no part are missing."""

    unit, mean_length = "steps", 1.0

    def __init__(self, X, sample_weight=None):
        self.X = X
        weights = check_weights(sample_weight, _num_samples(X))
        self.weighted = weights is not None
        self.weights = np.ones(_num_samples(X)) if weights is None else weights

    def part(self, kept):
        """What a fit sees where samples of weight zero take no part, and all weights."""
        if kept.all():
            return self.X, self.weights
        seen = np.array(self.X, dtype=np.float64)
        seen[kept <= 0] = np.nan
        return seen, self.weights

    def scores(self, density):
        """Log density of each step, to which missing entries add what is to be expected."""
        scores = np.array(density.score_samples(self.X), dtype=np.float64)
        missing = np.isnan(np.asarray(self.X, dtype=np.float64))
        if not missing.any():
            return scores
        drawn = np.asarray(sample_rows(density, len(scores), SEED), dtype=np.float64)
        lost = density.score_samples(drawn)
        lost = lost - density.score_samples(np.where(missing, np.nan, drawn))
        _, which = np.unique(missing, axis=0, return_inverse=True)
        which = which.ravel()
        return scores + (np.bincount(which, lost) / np.bincount(which))[which]

    def expected(self, density):
        """Scores of the steps of a series drawn from the density."""
        return np.asarray(density.score_samples(sample_rows(density, DRAWS, SEED)))
