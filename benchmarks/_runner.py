"""Two ways to one result: checked to be equal, then timed in turn in one process.

The two sides take turns in blocks, and a ratio is that of two blocks next to each other:

    rest | call | call call ... call | rest | call | call call ... call | rest ...
          untimed   timed: ours              untimed  timed: theirs

What is asked is the time of one of many calls, such as the iterations of a fit. The idle threads
of a library spin for a while after its last call and would slow the other side: hence the rest.
Waking threads that went to sleep, and taking memory back from the system, belongs to the first
call of a run and not to the others: hence the call that is not timed, the same for both sides.
"""

import re
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._machine import Probes
from ._report import Table

REST_SECONDS = 0.03
BLAS_REST_SECONDS = 0.15  # threads of OpenBLAS spin for nearly 0.1 after large products
LEAST_SECONDS = 0.1  # of the timed part of a block
LEAST_SECONDS_QUICK = 0.002


@dataclass(frozen=True)
class Case:
    """One comparison: the same result from the same data and start.

    Parameters
    ----------
    name : str
    make : callable, n -> data
        The data, and the start. Picklable where memory is measured.
    n : int
        Number of rows.
    ours, theirs : callable, data -> result
    agree : callable, (result of ours, result of theirs), or None
        Raises AssertionError where the two are not the same numbers. None where they must differ.
    quick : int
        Number of rows in a quick run.
    flops, bytes : float
        Operations that the algorithm needs, and bytes that it must move, for each row; 0 if the
        machine's limit says nothing about the case.
    target : float or None
        How many times faster ours should be.
    """

    name: str
    make: Callable[[int], Any]
    n: int
    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]
    agree: Callable[[Any, Any], None] | None = None
    quick: int = 2000
    flops: float = 0.0
    bytes: float = 0.0
    target: float | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds of all rounds of a case, and what follows from them."""

    case: Case
    n: int
    ours: np.ndarray
    theirs: np.ndarray
    limit: np.ndarray | None = None  # the machine's, of each round

    @property
    def ratio(self):
        """How many times faster ours is: the median of the rounds' ratios."""
        return float(np.median(self.theirs / self.ours))

    @property
    def share(self):
        """Our share of the machine's limit, or None."""
        return None if self.limit is None else float(np.median(self.limit / self.ours))

    def summary(self):
        """Everything as numbers for JSON."""
        return {
            "case": self.case.name,
            "n": self.n,
            "ratio": self.ratio,
            "target": self.case.target,
            "share_of_limit": self.share,
            "ours_seconds": self.ours.tolist(),
            "theirs_seconds": self.theirs.tolist(),
            "limit_seconds": None if self.limit is None else self.limit.tolist(),
        }


@dataclass
class Run:
    """How large the data may be, and which cases are wanted."""

    quick: bool = False
    only: str = ""
    rounds: int = 9
    budget_seconds: float = 30.0  # of a case; at least three rounds are run

    @cached_property
    def probes(self):
        """The machine's own speed, for its limit."""
        return Probes()

    def wants(self, *names):
        """Whether "table case" matches what was asked for."""
        return re.search(self.only, " ".join(names)) is not None

    def progress(self, *words):
        """Tell what is at work."""
        print("  ..", *words, file=sys.stderr, flush=True)

    def rows(self, case):
        """Number of rows of a case in this run."""
        return min(case.quick, case.n) if self.quick else case.n

    def compare(self, case):
        """Check that a case compares equal numbers, and time it."""
        n = self.rows(case)
        data = case.make(n)
        if case.agree is not None:
            case.agree(case.ours(data), case.theirs(data))
        calls = {"ours": lambda: case.ours(data), "theirs": lambda: case.theirs(data)}
        if case.flops or case.bytes:
            calls.update(product=self.probes.product, sweep=self.probes.sweep)
        seconds = self.interleave(calls)
        limit = None
        if "product" in seconds:
            work = case.flops * n, case.bytes * n
            limit = self.probes.limit(*work, seconds["product"], seconds["sweep"])
        return Timing(case, n, seconds["ours"], seconds["theirs"], limit)

    def interleave(self, calls):
        """Seconds of each call in each round, of shape (n_rounds,), for a dict of calls."""
        numbers = {name: self._repetitions(call) for name, call in calls.items()}
        seconds, end = {name: [] for name in calls}, time.perf_counter() + self.budget_seconds
        rest = BLAS_REST_SECONDS if "product" in calls else REST_SECONDS
        for done in range(2 if self.quick else self.rounds):
            if done >= 3 and time.perf_counter() > end:
                break
            for name, call in calls.items():
                time.sleep(rest)
                call()
                seconds[name].append(timed(call, numbers[name]))
        return {name: np.array(values) for name, values in seconds.items()}

    def _repetitions(self, call):
        """How many calls are timed in a block."""
        call()
        least = LEAST_SECONDS_QUICK if self.quick else LEAST_SECONDS
        return max(1, int(np.ceil(least / timed(call, 1))))

    def timing_table(self, title, note, cases, names=("skgen", "scikit-learn")):
        """The cases that are wanted, timed, as a table; None where there is none."""
        timings = []
        for case in cases:
            if self.wants(title, case.name):
                self.progress(title, case.name)
                timings.append(self.compare(case))
        return timing_table(title, note, timings, names) if timings else None


def timed(call, number):
    """Seconds of one call, from `number` of them."""
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def quiet(call, *arguments):
    """A call without warnings, of fits that are stopped on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments)


def timing_table(title, note, timings, names):
    """Timings as a table: least and median of the rounds, median of the ratios."""
    limited = any(t.limit is not None for t in timings)
    columns = ["case", "rows", f"{names[0]} ms (min / median)", f"{names[1]} ms (min / median)"]
    columns += ["times faster", "target"] + ["limit ms", "share of limit"] * limited
    rows = [_cells(t, limited) for t in timings]
    return Table(title, note, columns, rows, [t.summary() for t in timings])


def _cells(timing, limited):
    cells = [
        timing.case.name,
        f"{timing.n:,}",
        _milliseconds(timing.ours),
        _milliseconds(timing.theirs),
    ]
    cells += [timing.ratio, timing.case.target]
    if limited:
        limit = None if timing.limit is None else float(np.median(timing.limit) * 1e3)
        cells += [limit, None if timing.share is None else f"{timing.share:.0%}"]
    return cells


def _milliseconds(seconds):
    low, middle = seconds.min() * 1e3, np.median(seconds) * 1e3
    return f"{low:.3g} / {middle:.3g}"
