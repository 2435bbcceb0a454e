"""The demo tells what it promises, with and without matplotlib."""

import sys

import numpy as np
import pytest

from skgen.demo import __main__, _customers, _gaps, _output


@pytest.mark.slow
def test_the_demo_tells_its_story_and_saves_its_figures(capsys, tmp_path):
    __main__.main(["--output", str(tmp_path / "figures")])
    told = capsys.readouterr().out
    for heading in ("Who are the customers?", "The oddest customers", "Filling gaps", "Done in"):
        assert heading in told
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"customers.png", "gaps.png"}


def test_without_matplotlib_the_demo_says_so(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    __main__.save_figures(tmp_path / "figures", {})
    assert "matplotlib" in capsys.readouterr().out
    assert not (tmp_path / "figures").exists()


def test_segments_go_from_few_to_many_cds():
    customers = np.column_stack([np.full(90, 20.0), np.repeat([1.0, 9.0, 3.0], 30)])

    class Labels:
        def predict(self, X):
            return np.repeat([0, 1, 2], 30)

    groups = _customers.segments(customers, Labels())
    assert [_customers.cds(group) for group in groups] == ["one CD", "3 CDs", "9 CDs"]


def test_filling_keeps_what_was_measured(rng):
    X = np.column_stack([np.exp(rng.normal(size=60)), rng.normal(size=(60, 2))])
    gappy = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    filling = _gaps.fill(gappy, n_tables=5)
    seen = ~np.isnan(gappy)
    for part in filling:
        np.testing.assert_allclose(part[seen], gappy[seen])
    assert (filling.low <= filling.high).all()
    assert (filling.low[~seen] < filling.high[~seen]).all()


def test_tables_are_aligned(capsys):
    _output.table(["name", "n"], [["a", "1"], ["long name", "100"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  ---------   ---"
    assert lines[2] == "  a             1"
