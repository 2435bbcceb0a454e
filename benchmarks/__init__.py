"""Speed, memory and quality against the peers, on the machine at hand.

``python -m benchmarks`` runs every family, ``python -m benchmarks gaussian --quick`` one of them
in small. A family is one module of this package with a function

    tables(run) -> iterator of Table

where ``run`` tells how large the data may be and which cases are wanted. A comparison of times is
a :class:`~benchmarks._runner.Case`; everything else about it is done once, in these modules:

    _runner.py   two ways to one result, checked to be equal and timed in turn
    _machine.py  what the machine is, and what it can do at most
    _memory.py   the peak memory of a call, in a process of its own
    _report.py   tables as text, JSON and README
"""

FAMILIES = ("autoregressive", "gaussian", "hmm", "ngram", "nonlinear", "outliers")
