"""The benchmarks compare equal numbers and report what they measure; no times are asserted."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))  # the benchmarks are not installed

from benchmarks import __main__, _memory, _report, _runner, gaussian
from benchmarks._machine import GEMM_SIZE, SWEEP_BYTES, Probes


def case(**settings):
    """A case in which both sides give the same."""
    result = {"make": np.ones, "n": 10, "ours": np.sum, "theirs": np.sum, "agree": gaussian.agree}
    return _runner.Case("sum", **{**result, **settings})


def test_one_command_prints_a_table_and_saves_it(tmp_path, capsys):
    only = "^(EM iteration|score_samples) F|^float32 A"
    __main__.main(["gaussian", "--quick", "--only", only, "--json", str(tmp_path)])
    found = json.loads((tmp_path / "gaussian.json").read_text())
    assert [table["title"] for table in found["tables"]] == [
        "EM iteration", "score_samples", "float32",
    ]  # fmt: skip
    assert {"cpu", "cores", "instruction_set", "blas", "versions"} <= set(found["machine"])
    for table in found["tables"]:
        assert len(table["rows"]) == 1
        assert min(table["raw"][0]["ours_seconds"] + table["raw"][0]["theirs_seconds"]) > 0
    printed = capsys.readouterr().out
    for table in found["tables"]:
        assert _report.Table(**table).markdown() in printed


@pytest.mark.parametrize("name", gaussian.SHAPES)
def test_both_libraries_give_the_same_iteration_and_densities(name):
    shape = gaussian.SHAPES[name]
    fit = gaussian.make_fit(shape, min(shape.n, 3000))  # enough for every covariance
    gaussian.agree(gaussian.our_step(fit), gaussian.their_step(fit))
    gaussian.agree(gaussian.our_scores(fit), gaussian.their_scores(fit))


def test_the_iteration_with_missing_entries_is_the_textbook_one():
    fit = gaussian.make_fit(gaussian.Shape(300, 4, 3, "full"), 300, gaps=0.3)
    gaussian.agree(gaussian.our_step(fit), gaussian.numpy_step(fit), tolerance=1e-11)


def test_results_that_differ_are_not_timed():
    with pytest.raises(AssertionError):
        _runner.Run(quick=True).compare(case(theirs=np.mean, make=np.zeros, ours=len))


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds():
    ours, theirs = np.array([1.0, 2.0, 4.0]), np.array([2.0, 10.0, 12.0])
    timing = _runner.Timing(case(), 10, ours, theirs, limit=ours / np.array([2, 4, 5]))
    assert timing.ratio == 3.0  # of 2, 5 and 3, where the medians' ratio is 5
    assert timing.share == 0.25


def test_the_limit_is_the_slower_of_arithmetic_and_memory():
    flops, n_bytes = 2 * GEMM_SIZE**3, SWEEP_BYTES
    limit = partial(Probes().limit, product_seconds=1.0, sweep_seconds=1.0)
    assert limit(3 * flops, n_bytes) == 3.0
    assert limit(flops, 5 * n_bytes) == 5.0


@pytest.mark.skipif(not _memory.CLEAR.exists(), reason="the peak is reset through /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="it keeps what is freed")
def test_peak_memory_is_what_a_call_holds_beyond_its_result():
    n, make = 4_000_000, np.hanning  # numbers of 8 bytes; the window takes several arrays to make
    assert abs(_memory.peak_memory(make, n, np.median) / (8 * n) - 1) < 0.1  # sorts a copy
    assert abs(_memory.peak_memory(make, n, np.copy)) < 0.1 * 8 * n


def test_the_speed_of_draws_is_measured(tmp_path):
    __main__.main(
        ["ngram", "--quick", "--only", "^sampling (plain|top_k)", "--json", str(tmp_path)]
    )
    (table,) = json.loads((tmp_path / "ngram.json").read_text())["tables"]
    assert [row[0] for row in table["rows"]] == ["plain", "top_k=40"]
    assert all(row[1] >= row[2] > 0 for row in table["rows"])
