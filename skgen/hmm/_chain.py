"""The Markov chain behind a hidden Markov model: its structure, priors and M-step."""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from .._simplex import Simplex
from .._validation import check_array_parameter

TOPOLOGIES = ("ergodic", "left-right", "linear")
SMALLEST = 1e-300
NONE = 1e-250  # a probability below comes from one of zero, packed as the smallest number
ASCENT_STEPS, SHORTEST = 3, 1e-6  # in the M-step of a stationary chain
NEWTON_STEPS = 100


class ChainParams(NamedTuple):
    """Probabilities of the first state, (K,), and of the next given the current one, (K, K)."""

    startprob: np.ndarray
    transmat: np.ndarray


class Chain:
    """A Markov chain of K states: which of its probabilities are free, and their priors.

    Parameters
    ----------
    n_states : int
    topology : {"ergodic", "left-right", "linear"} or array-like of bool of shape (K, K)
        Which transitions are allowed. Left-right: to the state itself and any later one; linear:
        to itself and the next one. Both begin in the first state.
    stationary : bool
        Whether ``startprob`` is the stationary distribution of ``transmat``.
    startprob_prior, transmat_prior : float or array-like
        Concentrations of the Dirichlet priors.
    startprob_init, transmat_init : array-like, default=None
        Where EM starts, kept as far as given in the dict ``given``.
    shared : array-like of int of shape (K, K), or None
        Transitions with the same positive number have the same probability.
    held : array-like of bool of shape (K, K), or None
        Transitions whose probability is not learnt, but stays that of the start.
    """

    def __init__(
        self,
        n_states,
        topology="ergodic",
        stationary=False,
        startprob_prior=1.0,
        transmat_prior=1.0,
        startprob_init=None,
        transmat_init=None,
        shared=None,
        held=None,
    ):
        self.n_states, self.stationary = n_states, stationary
        self.allowed = allowed_transitions(topology, n_states)
        self.first = np.ones(n_states, dtype=bool)
        if isinstance(topology, str) and topology != "ergodic":
            self.first[1:] = False
        self.groups = None if shared is None and held is None else self._groups(shared, held)
        self.start_simplex = _simplex("startprob_prior", startprob_prior, self.first)
        self.row_simplex = _simplex("transmat_prior", transmat_prior, self.allowed)
        if stationary and (self.groups is not None or not self.first.all()):
            raise ValueError(
                "stationary=True needs a chain that comes back to every state, with transitions "
                "neither shared nor held; use an ergodic topology or stationary=False."
            )
        self.given = self._given(startprob_init, transmat_init, held)

    def _given(self, startprob, transmat, held):
        """The start as far as the user gave it, checked."""
        given = {}
        if held is not None and transmat is None:
            raise ValueError("transmat_held needs transmat_init, which has what is held.")
        if startprob is not None and self.stationary:
            raise ValueError(
                "startprob_init was given, but with stationary=True it follows from transmat_init; "
                "leave it out."
            )
        if self.first.sum() == 1:
            given["startprob"] = self.first * 1.0
        if startprob is not None:
            given["startprob"] = self._startprob(startprob)
        if transmat is not None:
            given["transmat"] = self._transmat(transmat)
            if self.stationary:
                given["startprob"] = stationary_distribution(given["transmat"])
        return given

    def _startprob(self, value):
        startprob = _probabilities("startprob_init", value, (self.n_states,))
        if (startprob[~self.first] > 0).any():
            raise ValueError(
                f"startprob_init={startprob.tolist()} begins in states in which topology does not; "
                "leave it out, or give topology as a mask."
            )
        return startprob

    def _transmat(self, value):
        transmat = _probabilities("transmat_init", value, self.allowed.shape)
        if (transmat[~self.allowed] > 0).any():
            i, j = np.argwhere((transmat > 0) & ~self.allowed)[0]
            raise ValueError(
                f"transmat_init is {transmat[i, j]:.6g} at ({i}, {j}), a transition that topology "
                "does not allow; give it the probability 0 or allow it."
            )
        return transmat if self.groups is None else self._feasible(transmat, transmat)

    def _groups(self, shared, held):
        """Labels (K, K) of transitions that are equal; 0 for those that are held."""
        K = self.n_states
        labels = np.arange(1, K * K + 1).reshape(K, K)
        if shared is not None:
            shared = _square("transmat_shared", shared, K)
            labels = np.where(shared > 0, shared + K * K, labels)
        if held is not None:
            labels = np.where(_square("transmat_held", held, K) != 0, 0, labels)
        return np.where(self.allowed, labels, 0)

    def uniform(self):
        """The chain that prefers no free transition to another; held ones are as given."""
        startprob = self.first / self.first.sum()
        transmat = self.allowed / self.allowed.sum(axis=1, keepdims=True)
        if self.groups is not None:
            held = self.given.get("transmat", transmat)
            transmat = self._feasible(self.allowed * 1.0, held)
        return ChainParams(startprob, transmat)

    def _feasible(self, counts, given):
        """Rows by :func:`grouped_rows`; raises where none add up to one."""
        rows = grouped_rows(counts, self.groups, given)
        wrong = np.abs(rows.sum(axis=1) - 1) > 1e-6
        if wrong.any():
            raise ValueError(
                f"transmat_shared and transmat_held leave no probabilities that add up to 1 in "
                f"row {int(wrong.argmax())}; share entries between rows that hold them equally "
                "often, and hold no more than a total of 1 in each row."
            )
        return rows

    def maximize(self, start_counts, counts, last, held=()):
        """The chain of the highest posterior for expected counts.

        States without any stay put, and so does what ``held`` names.
        """
        startprob, transmat = last
        if self.stationary:
            held = "transmat" in held
            return last if held else self._maximize_stationary(start_counts, counts, last)
        if "startprob" not in held:
            startprob = self.start_simplex.maximize(start_counts, startprob)
        if "transmat" not in held:
            transmat = self._maximize_rows(counts, transmat)
        return ChainParams(startprob, transmat)

    def _maximize_rows(self, counts, last):
        if self.groups is None:
            return self.row_simplex.maximize(counts, last)
        counts = counts + (self.row_simplex.concentration - 1.0) * self.allowed
        return grouped_rows(counts, self.groups, last)

    def _maximize_stationary(self, start_counts, counts, last):
        """Steps of ascent where the first state counts for transmat, too."""
        counts = counts + (self.row_simplex.concentration - 1.0) * self.allowed
        start_counts = start_counts + self.start_simplex.concentration - 1.0
        transmat = last.transmat
        value, slope = stationary_objective(start_counts, counts, transmat)
        for _ in range(ASCENT_STEPS):
            ahead, length = tilted_rows(counts, slope, transmat), 1.0
            while length > SHORTEST:
                further = transmat + length * (ahead - transmat)
                risen, steeper = stationary_objective(start_counts, counts, further)
                if risen >= value:
                    transmat, value, slope = further, risen, steeper
                    break
                length /= 2
        return ChainParams(stationary_distribution(transmat), transmat)

    def regularizer(self, params):
        """The log prior, without its constants."""
        value = self.row_simplex.regularizer(params.transmat)
        return value + self.start_simplex.regularizer(params.startprob)

    def pack(self, params):
        """Logarithms of the allowed probabilities, or None where structure forbids it."""
        if self.groups is not None:
            return None
        first = [] if self.stationary else params.startprob[self.first]
        free = np.concatenate([first, params.transmat[self.allowed]])
        return np.log(np.maximum(free, SMALLEST))

    def unpack(self, vector):
        """The inverse of :meth:`pack`."""
        n = self.packed_size - int(self.allowed.sum())
        startprob, transmat = np.zeros(self.n_states), np.zeros(self.allowed.shape)
        free = np.exp(vector[n:].clip(max=300.0))
        transmat[self.allowed] = np.where(free < NONE, 0.0, free)
        transmat /= transmat.sum(axis=1, keepdims=True)
        if self.stationary:
            return ChainParams(stationary_distribution(transmat), transmat)
        free = np.exp(vector[:n].clip(max=300.0))
        startprob[self.first] = np.where(free < NONE, 0.0, free)
        return ChainParams(startprob / startprob.sum(), transmat)

    @property
    def packed_size(self):
        """Length of what :meth:`pack` gives."""
        return int(self.allowed.sum() + (0 if self.stationary else self.first.sum()))

    def n_parameters(self, params):
        """Number of free scalars."""
        start = 0 if self.stationary else max(int((params.startprob > 0).sum()) - 1, 0)
        if self.groups is None:
            return start + int((params.transmat > 0).sum()) - self.n_states
        rows = [np.unique(row[row > 0]) for row in self.groups]
        # Each distinct row of groups must add up to one, which takes one freedom away.
        constraints = len({tuple(row) for row in rows if len(row)})
        return start + len(np.unique(self.groups[self.groups > 0])) - constraints


def allowed_transitions(topology, n_states):
    """The mask (K, K) that a topology stands for."""
    if isinstance(topology, str):
        if topology not in TOPOLOGIES:
            raise ValueError(f"topology={topology!r} must be one of {TOPOLOGIES} or a mask.")
        after = np.arange(n_states) - np.arange(n_states)[:, None]
        if topology == "linear":
            return (after == 0) | (after == 1)
        return np.ones(after.shape, dtype=bool) if topology == "ergodic" else after >= 0
    mask = np.ascontiguousarray(_square("topology", topology, n_states) != 0)
    if not mask.any(axis=1).all():
        k = int((~mask.any(axis=1)).argmax())
        raise ValueError(
            f"topology allows no transition from state {k}; allow at least the one to itself."
        )
    return mask


def stationary_distribution(transmat):
    """The distribution (K,) that transmat leaves as it is; the mean of them if it is not unique."""
    ones = np.ones(len(transmat))
    # pi (I - P + 1 1') = 1', a matrix which is singular where there are several solutions.
    found = np.linalg.lstsq((np.eye(len(ones)) - transmat + 1.0).T, ones, rcond=None)[0].clip(0.0)
    return found / found.sum()


def stationary_objective(start_counts, counts, transmat):
    """Expected log-likelihood of a stationary chain; the slope in transmat of its first states.

    With the fundamental matrix Z = (I - P + 1 pi)^-1, a change dP moves pi by pi dP Z.
    """
    pi = np.maximum(stationary_distribution(transmat), SMALLEST)
    value = xlogy(counts, np.maximum(transmat, SMALLEST)).sum() + xlogy(start_counts, pi).sum()
    fundamental = np.linalg.pinv(np.eye(len(pi)) - transmat + pi)
    return value, np.outer(pi, fundamental @ (start_counts / pi))


def tilted_rows(counts, slope, last):
    r"""Rows p that maximise :math:`\sum_j c_{ij} \log p_{ij} + g_{ij} p_{ij}` for slopes g.

    With a multiplier for each row, :math:`p_{ij} = c_{ij} / (\lambda_i - g_{ij})`; Newton's steps
    from below climb to the multiplier, as the sum of the row is convex in it. Rows without counts
    stay as they were.
    """
    seen = counts.sum(axis=1) > 0
    c, out = counts[seen], np.array(last)
    slope = np.where(c > 0, slope[seen], -np.inf)
    multiplier = (slope + c).max(axis=1, keepdims=True)
    for _ in range(NEWTON_STEPS):
        rows = c / (multiplier - slope)
        excess = rows.sum(axis=1, keepdims=True) - 1.0
        if excess.max(initial=0.0) < 1e-14:
            break
        multiplier += excess / (rows / (multiplier - slope)).sum(axis=1, keepdims=True)
    out[seen] = rows / rows.sum(axis=1, keepdims=True)
    return out


def grouped_rows(counts, groups, last):
    r"""Rows of probabilities in which entries of the same group are equal; group 0 is held.

    The Lagrangian of row i has a multiplier :math:`\lambda_i`, and a group with expected count
    C_g occurring n_ig times in row i gets :math:`C_g / \sum_i n_{ig} \lambda_i`. The multipliers
    minimise a convex function, whose Newton steps are halved until it falls.
    """
    K = len(counts)
    labels, which = np.unique(groups, return_inverse=True)
    which = which.reshape(groups.shape)
    n = np.zeros((K, len(labels)))
    np.add.at(n, (np.arange(K)[:, None], which), 1.0)
    total = np.bincount(which.ravel(), counts.ravel(), minlength=len(labels))
    free = (labels > 0) & (total > 0)
    budget = 1.0 - np.where(groups == 0, last, 0.0).sum(axis=1)
    rows = (n[:, free].sum(axis=1) > 0) & (budget > 0)
    if not rows.any():
        return last
    n, total = n[np.ix_(rows, free)], total[free]
    mass = _multipliers(n, total, budget[rows]) @ n
    value = np.zeros(len(labels))
    value[free] = total / np.maximum(mass, SMALLEST)
    out = np.where(groups == 0, last, value[which])
    silent = ~rows | ~(out.sum(axis=1) > 0)
    out[silent] = last[silent]
    return out


def _multipliers(n, total, budget):
    """The minimiser of budget.lam - sum_g total_g log(n'lam)_g over lam (rows,)."""

    def value(lam):
        mass = lam @ n
        return np.inf if (mass <= 0).any() else budget @ lam - total @ np.log(mass)

    lam = (n * (total / n.sum(axis=0))).sum(axis=1) / budget
    for _ in range(NEWTON_STEPS):
        mass = lam @ n
        slope = budget - n @ (total / mass)
        if np.abs(slope).max() < 1e-13:
            break
        curvature = (n * (total / mass**2)) @ n.T
        step = np.linalg.lstsq(curvature, slope, rcond=1e-14)[0]
        # Near the minimum a step changes the value by less than the rounding of its terms.
        rounding = 1e-14 * (abs(budget @ lam) + abs(total @ np.log(mass)))
        length, now = 1.0, value(lam)
        while value(lam - length * step) > now + rounding and length > 1e-10:
            length /= 2
        lam = lam - length * step
    return lam


def _square(name, value, n_states):
    """A given array of one entry per transition."""
    array = np.asarray(value)
    if array.shape != (n_states, n_states):
        raise ValueError(
            f"{name} has shape {array.shape}; with n_components={n_states} it must have shape "
            f"({n_states}, {n_states})."
        )
    return array


def _simplex(name, concentration, allowed):
    """A Dirichlet prior on the allowed entries only."""
    concentration = np.asarray(concentration, dtype=np.float64)
    try:
        full = np.broadcast_to(concentration, allowed.shape)
    except ValueError:
        raise ValueError(
            f"{name} has shape {concentration.shape}; pass one number or shape {allowed.shape}."
        ) from None
    if not (full >= 1).all():
        raise ValueError(f"{name} holds {full.min():.6g}, but must be 1 or more; 1 is no prior.")
    return Simplex(np.where(allowed, full, 1.0))


def _probabilities(name, value, shape):
    """Given rows of probabilities."""
    probs = check_array_parameter(name, value, shape)
    totals = probs.sum(axis=-1)
    if (probs < 0).any() or (np.abs(totals - 1) > 1e-6).any():
        raise ValueError(
            f"{name} must hold probabilities that add up to 1 in each row, but has the lowest "
            f"entry {probs.min():.6g} and sums from {totals.min():.6g} to {totals.max():.6g}."
        )
    return probs / probs.sum(axis=-1, keepdims=True)
