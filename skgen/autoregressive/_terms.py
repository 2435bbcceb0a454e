"""What time alone says of a series: polynomial trend, seasonal dummies, Fourier terms."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

DEGREES = {"constant": 0, "linear": 1, "quadratic": 2}


class Terms(NamedTuple):
    """Deterministic terms, as functions of the time t = 1, 2, ... of a step in its sequence."""

    degree: int  # of the polynomial, -1 for none
    period: float | None
    harmonics: int  # pairs of Fourier terms; 0: a dummy for each season of the period

    @classmethod
    def of(cls, trend, period, harmonics):
        """The terms that a user asks for."""
        degree = -1 if trend is None else DEGREES.get(trend, trend)
        if period is None and harmonics:
            raise ValueError(f"harmonics={harmonics} needs a period; give the steps in a cycle.")
        if period is not None and not harmonics and period != int(period):
            raise ValueError(
                f"period={period} is not a whole number, so that there are no seasons; set "
                "harmonics to the number of Fourier pairs."
            )
        if period is not None and 2 * harmonics > period:
            raise ValueError(
                f"harmonics={harmonics} is more than half of period={period}; use fewer."
            )
        return cls(degree, period, harmonics)

    @property
    def n_terms(self):
        """Number of columns."""
        return _n_terms(self)

    @property
    def constant(self):
        """Whether there is a constant, which is the first column."""
        return self.degree >= 0

    @property
    def varies(self):
        """Whether there is more than a constant."""
        return self.degree > 0 or self.period is not None

    def design(self, first, n):
        """The terms at the times first + 1, ..., first + n, of shape (n, n_terms)."""
        t = first + 1.0 + np.arange(n)
        columns = [t**power for power in range(self.degree + 1)]
        if self.harmonics:
            for j in range(1, self.harmonics + 1):
                angle = 2 * np.pi * j * t / self.period
                columns.append(np.cos(angle))
                if 2 * j < self.period:  # the sine of the highest frequency is zero
                    columns.append(np.sin(angle))
        elif self.period is not None:
            season = (t - 1).astype(np.int64) % int(self.period)
            columns += [season == j for j in range(int(self.constant), int(self.period))]
        return np.column_stack(columns).astype(np.float64) if columns else np.empty((n, 0))

    def stacked(self, lengths, first=0):
        """The terms of sequences end to end."""
        if not self.varies:
            return np.broadcast_to(1.0, (int(np.sum(lengths)), int(self.constant)))
        longest = self.design(first, int(np.max(lengths)))
        return np.concatenate([longest[:n] for n in lengths])

    def lag(self):
        """The matrix S with D[t - 1] = D[t] S, of shape (n_terms, n_terms)."""
        return _lag_matrix(self)

    def of_recursion(self, coef, beta):
        """Coefficients (r, d) of the terms in x[t] = D[t] g + sum of coef[j] x[t - 1 - j] + e.

        Of several models if coef and beta have a leading axis.
        """
        if not self.varies:
            return beta - beta @ coef.sum(axis=-3).swapaxes(-1, -2)
        phi = np.moveaxis(coef, -3, 0).swapaxes(-1, -2)
        return beta - sum(
            shift @ beta @ own for shift, own in zip(self._lags(len(phi)), phi, strict=True)
        )

    def of_mean(self, coef, gamma):
        """The coefficients (r, d) of the mean that belong to those of the recursion."""
        r, d = gamma.shape
        system = np.eye(r * d)
        for shift, phi in zip(self._lags(len(coef)), coef, strict=True):
            system -= np.kron(shift, phi)
        return np.linalg.solve(system, gamma.ravel()).reshape(r, d)

    def _lags(self, p):
        """Powers 1 .. p of the lag matrix."""
        shift, power = self.lag(), np.eye(self.n_terms)
        for _ in range(p):
            power = power @ shift
            yield power


# Asked for by each series of a panel, of the same few terms.


@lru_cache(maxsize=8)
def _n_terms(terms):
    return terms.design(0, 1).shape[1]


@lru_cache(maxsize=8)
def _lag_matrix(terms):
    n = 2 * terms.n_terms + 2
    # Times around zero: powers of t are told apart best there.
    now, before = (terms.design(-n // 2 - lag, n) for lag in (0, 1))
    return np.linalg.lstsq(now, before, rcond=None)[0]
