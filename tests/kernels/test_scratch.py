"""Memory that is given back."""

import mmap

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skgen._kernels._scratch import LARGE, cut, scratch

PAGE = mmap.PAGESIZE // 4  # numbers


@pytest.mark.parametrize("size", [0, 1, 1000, LARGE // 4, LARGE // 4 + 12345])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_is_cut_off_is_lost_and_the_rest_stays(size, share):
    array = scratch(size, np.int32)
    array[:] = np.arange(1, size + 1)
    kept = int(share * size)
    assert_array_equal(cut(array, kept), np.arange(1, kept + 1))
    if size >= LARGE // 4 and hasattr(mmap, "MADV_DONTNEED"):
        assert not array[kept + PAGE :].any()


def test_cutting_what_begins_within_other_memory_loses_nothing():
    array = scratch(LARGE, np.int32)
    array[:] = 1
    assert_array_equal(cut(array[10:], 5), np.ones(5))
    assert array.all()
