"""How many threads the kernels use."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier, Lock

import pytest

from skgen._kernels._threads import (
    effective_n_threads,
    limit_threads,
    openmp_enabled,
    parallel_region,
    team_size,
)

needs_openmp = pytest.mark.skipif(not openmp_enabled(), reason="built without OpenMP")


def test_a_lone_region_may_use_every_processor():
    with parallel_region() as n:
        assert n == effective_n_threads() >= 1


@needs_openmp
def test_the_team_has_the_size_that_was_asked_for():
    with limit_threads(8):
        assert [team_size(n) for n in (1, 3, 8, None)] == [1, 3, 8, 8]


@needs_openmp
def test_no_more_threads_than_the_limit():
    with limit_threads(4):
        assert effective_n_threads(100) == effective_n_threads() == team_size(100) == 4
        assert effective_n_threads(2) == 2
        with limit_threads(2):
            assert effective_n_threads() == 2
        assert effective_n_threads() == 4


@needs_openmp
def test_open_regions_share_the_processors():
    with limit_threads(8), ThreadPoolExecutor(1) as other_thread, parallel_region(3) as first:
        assert first == 3
        assert other_thread.submit(team_size).result(timeout=60) == 4  # half of eight
    with limit_threads(8), ThreadPoolExecutor(1) as other_thread, parallel_region() as first:
        assert first == 8
        assert other_thread.submit(team_size).result(timeout=60) == 1  # none is idle


@needs_openmp
def test_a_region_inside_another_works_with_its_threads():
    with limit_threads(8):
        with parallel_region(3):
            assert team_size() == 3
            assert team_size(2) == 2
        assert team_size() == 8


@needs_openmp
@pytest.mark.parametrize("n_processors", [1, 4, 8, 16])
def test_python_threads_do_not_oversubscribe_the_processors(n_processors):
    n_python, opened, turn = 8, Barrier(8), Lock()

    def hold_regions(_):
        held = []
        with ExitStack() as region:
            for _ in range(3):
                with turn:  # one after the other, while the regions of the others stay open
                    region.close()
                    held.append(region.enter_context(parallel_region()))
                opened.wait(timeout=60)
        return held

    with limit_threads(n_processors), ThreadPoolExecutor(n_python) as pool:
        rounds = zip(*pool.map(hold_regions, range(n_python)), strict=True)
        first, second, third = map(sum, rounds)
        # The very first found the machine idle and took it; the rest got what is always given.
        assert first <= n_processors + n_python - 1
        assert second <= max(n_processors, n_python)
        assert third == max(n_processors, n_python)  # equal shares
        assert team_size() == n_processors  # all were given back


def test_an_error_inside_a_region_gives_its_threads_back():
    for _ in range(3):
        with pytest.raises(KeyError), parallel_region():
            raise KeyError
    assert team_size() == effective_n_threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_of_a_parallel_parent_does_not_hang():
    with limit_threads(2):
        team_size()  # the parent's pool exists now
        pool = multiprocessing.get_context("fork").Pool(1)
        try:
            n = pool.apply_async(team_size).get(timeout=60)
        finally:
            pool.terminate()
    assert n >= 1


@pytest.mark.parametrize("function", [effective_n_threads, team_size])
@pytest.mark.parametrize("n_threads", [0, -1])
def test_fewer_than_one_thread_is_refused(function, n_threads):
    with pytest.raises(ValueError, match=f"n_threads={n_threads} must be at least 1"):
        function(n_threads)
