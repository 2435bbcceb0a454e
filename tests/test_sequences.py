import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from reference import missing_patterns
from sklearn.model_selection import KFold

from skgen._kernels import _rows
from skgen._sequences import Rows, Sequences, UnseenRows, to_sequences


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def with_gaps(rng, n, d, share=0.3, dtype=np.float64):
    X = rng.normal(size=(n, d)).astype(dtype)
    X[rng.random(X.shape) < share] = np.nan
    return X


# --- rows ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_float_rows_are_kept_without_a_copy(rng, dtype):
    X = rng.normal(size=(5, 2)).astype(dtype)
    assert Rows(X).values is X
    assert Rows(np.asfortranarray(X)).values.flags.c_contiguous
    assert Rows(X.astype(int)).values.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [(50, 3), (400, 4), (30, 64), (30, 65), (20, 200)])
def test_patterns_are_those_of_a_plain_grouping(rng, n, d, dtype):
    X = with_gaps(rng, n, d, dtype=dtype)
    X = np.concatenate([X, X[::-1]])
    want = missing_patterns(X)
    got = {tuple(features.tolist()): rows.tolist() for rows, features in Rows(X).patterns}
    assert got == want


@pytest.mark.parametrize("d", [12, 100])
def test_thousands_of_patterns_are_told_apart(rng, d):
    X = with_gaps(rng, 20_000, d)  # beyond the first size of the table
    got = {tuple(features.tolist()): rows.tolist() for rows, features in Rows(X).patterns}
    assert got == missing_patterns(X)


def test_wide_patterns_of_equal_key_are_told_apart():
    mix = 0x9E3779B97F4A7C15  # a pattern with words (1, 0) has the key of one with (0, mix)
    X = np.zeros((2, 128))
    X[0, 63] = np.nan
    X[1, 64:] = [np.nan if bit == "1" else 0.0 for bit in f"{mix:064b}"]
    got = {tuple(features.tolist()): rows.tolist() for rows, features in Rows(X).patterns}
    assert got == missing_patterns(X)


def test_sorted_patterns_and_patterns_say_the_same(rng):
    rows = Rows(with_gaps(rng, 100, 3))
    order, starts, masks = rows.sorted_patterns
    assert order.dtype == starts.dtype == np.intp
    assert masks.dtype == bool
    assert rows.sorted_patterns is rows.sorted_patterns
    assert_array_equal(np.sort(order), np.arange(100))
    for p, (where, features) in enumerate(rows.patterns):
        assert_array_equal(order[starts[p] : starts[p + 1]], where)
        assert_array_equal(np.flatnonzero(masks[p]), features)


def test_the_order_of_patterns_does_not_depend_on_the_order_of_rows(rng):
    X = with_gaps(rng, 200, 5)
    shuffled = Rows(X[rng.permutation(200)]).sorted_patterns
    assert_array_equal(Rows(X).sorted_patterns.masks, shuffled.masks)
    assert_array_equal(Rows(X).sorted_patterns.starts, shuffled.starts)


def test_complete_rows_are_one_pattern(rng):
    rows = Rows(rng.normal(size=(6, 2)))
    assert not rows.has_missing
    ((where, features),) = rows.patterns
    assert where == slice(None)
    assert_array_equal(features, [0, 1])
    assert_array_equal(rows.sorted_patterns.order, np.arange(6))
    assert_array_equal(rows.sorted_patterns.starts, [0, 6])
    assert rows.sorted_patterns.masks.all()


def test_blocks_and_parts_keep_values_and_weights(rng):
    X, w = with_gaps(rng, 10, 2), rng.random(10)
    rows = Rows(X, w)
    assert_array_equal(np.concatenate([b.values for b in rows.blocks(3)]), X)
    assert_array_equal(np.concatenate([b.weights for b in rows.blocks(3)]), w)
    assert rows.block(2, 5).values.base is X
    taken = rows.take([7, 1])
    assert_array_equal(taken.values, X[[7, 1]])
    assert_array_equal(taken.weights, w[[7, 1]])
    assert_array_equal(rows.take(w > 0.5).values, X[w > 0.5])
    assert_array_equal(rows.take(w > 0.5).missing, np.isnan(X[w > 0.5]))


def test_a_part_knows_whether_it_has_missing_entries():
    rows = Rows(np.array([[1.0], [np.nan], [2.0]]))
    assert rows.has_missing
    assert not rows.block(0, 1).has_missing
    assert rows.take([1]).has_missing
    complete = Rows(np.ones((4, 1)))
    assert not complete.has_missing
    assert not complete.block(1, 3).has_missing


def test_total_weight():
    assert Rows(np.ones((4, 1))).total_weight == 4.0
    assert Rows(np.ones((2, 1)), [0.5, 2.0]).total_weight == 2.5


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (700, 3), (2000, 7)])
def test_scan_counts_what_is_missing_and_finds_the_first_infinity(rng, shape, dtype):
    X = with_gaps(rng, *shape, dtype=dtype)
    assert _rows.scan(X) == (np.isnan(X).sum(), -1, -1)
    i, j = (int(rng.integers(n)) for n in shape)
    X[i, j] = -np.inf
    X[-1, -1] = np.inf
    first = (i, j) if (i, j) <= (shape[0] - 1, shape[1] - 1) else (shape[0] - 1, shape[1] - 1)
    assert _rows.scan(X)[1:] == first


def test_scan_takes_the_largest_numbers_for_finite():
    for dtype in (np.float64, np.float32):
        big = np.finfo(dtype).max
        assert _rows.scan(np.array([[big, -big, 0.0]], dtype=dtype)) == (0, -1, -1)


@pytest.mark.parametrize(
    "look",
    [
        lambda rows: rows.values,
        lambda rows: rows.missing,
        lambda rows: rows.patterns,
        lambda rows: rows.take([0]),
        lambda rows: list(rows.blocks(2)),
        UnseenRows.examine,
    ],
)
def test_whoever_looks_at_unseen_rows_has_them_examined(look):
    def refuse(values):
        raise ValueError("infinite")

    rows = UnseenRows(np.array([[1.0, 2.0], [3.0, np.inf]]), refuse)
    assert (len(rows), rows.n_features, rows.weights, rows.examined) == (2, 2, None, False)
    with pytest.raises(ValueError, match="infinite"):
        look(rows)
    assert not rows.examined


def test_rows_are_examined_once_or_vouched_for():
    looks = []
    X = np.array([[1.0, np.nan]])
    rows = UnseenRows(X, lambda values: looks.append(values) or 1)
    assert rows.values is X
    assert rows.has_missing
    assert rows.examined
    assert len(looks) == 1
    trusted = UnseenRows(np.ones((2, 2)), looks.append)
    trusted.vouch()
    assert not trusted.has_missing
    assert trusted.take([1]).has_missing is False
    assert len(looks) == 1


# --- sequences ----------------------------------------------------------------------------------
def test_sequences_are_stored_end_to_end(rng):
    X = rng.normal(size=(10, 2))
    sequences = Sequences(Rows(X), [0, 3, 4, 10])
    assert len(sequences) == 3
    assert_array_equal(sequences.lengths, [3, 1, 6])
    assert_array_equal(sequences[1], X[3:4])
    assert_array_equal(sequences[-1], X[4:])
    with pytest.raises(IndexError):
        sequences[3]
    assert [len(x) for x in sequences.split(np.arange(10))] == [3, 1, 6]
    assert_array_equal(np.concatenate(sequences.split(np.arange(10))), np.arange(10))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_plain_matrices_are_put_end_to_end(rng, dtype):
    pieces = [rng.normal(size=(n, 3)).astype(dtype) for n in (4, 1, 7)]
    values, lengths = _rows.end_to_end(pieces)
    assert values.dtype == dtype
    assert_array_equal(values, np.concatenate(pieces))
    assert_array_equal(lengths, [4, 1, 7])


UNLIKE = {
    "narrow": np.ones((4, 2)),
    "empty": np.empty((0, 3)),
    "float32": np.ones((4, 3), np.float32),
    "integer": np.ones((4, 3), int),
    "big endian": np.ones((4, 3), ">f8"),
    "by columns": np.asfortranarray(np.ones((4, 3))),
    "one row of numbers": np.ones(3),
    "a subclass": np.ma.ones((4, 3)),
    "a list": [[1.0, 2.0, 3.0]],
    "nothing": None,
}


@pytest.mark.parametrize("name", UNLIKE)
@pytest.mark.parametrize("first", [True, False])
def test_other_sequences_are_left_to_be_looked_at(name, first):
    pieces = [UNLIKE[name], np.ones((2, 3))]
    assert _rows.end_to_end(pieces if first else pieces[::-1]) is None


def test_a_list_stays_a_list_with_one_array_per_sequence(rng):
    X = [rng.normal(size=(n, 2)) for n in (4, 1, 3)]
    assert [a is b for a, b in zip(to_sequences(X), X, strict=True)] == [True] * 3
    ragged = np.empty(3, dtype=object)
    ragged[:] = X
    assert [a is b for a, b in zip(to_sequences(ragged), X, strict=True)] == [True] * 3


def test_sequences_of_numbers_have_one_feature():
    assert [x.shape for x in to_sequences([[1, 2, 3], np.array([4.0])])] == [(3, 1), (1, 1)]


def test_an_array_of_three_dimensions_is_a_set_of_sequences(rng):
    X = rng.normal(size=(4, 5, 2))
    assert_array_equal(np.stack(to_sequences(X)), X)


def test_an_array_or_frame_of_two_dimensions_is_one_sequence(rng):
    X = rng.normal(size=(5, 2))
    assert [x.shape for x in to_sequences(X)] == [(5, 2)]
    assert [x.shape for x in to_sequences(X.astype(object))] == [(5, 2)]
    frame = pd.DataFrame(X)
    assert to_sequences(frame)[0] is frame


def test_lengths_cut_a_stacked_array(rng):
    X = rng.normal(size=(6, 2))
    for stacked in (X, pd.DataFrame(X), pl.DataFrame(X), X.tolist()):
        parts = to_sequences(stacked, lengths=[2, 1, 3])
        assert [len(x) for x in parts] == [2, 1, 3]
        assert_array_equal(np.concatenate([np.asarray(x) for x in parts]), X)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("ids", [list("yxyxzy"), [2, 1, 2, 1, 9, 2]])
def test_by_groups_the_rows_of_a_frame(frame, ids):
    X = frame({"a": np.arange(6.0), "who": ids, "b": -np.arange(6.0)})
    parts = to_sequences(X, by="who")
    assert all(type(x) is type(X) and list(x.columns) == ["a", "b"] for x in parts)
    assert [np.asarray(x["a"]).tolist() for x in parts] == [[0, 2, 5], [1, 3], [4]]
    assert [np.asarray(x["b"]).tolist() for x in parts] == [[0, -2, -5], [-1, -3], [-4]]


def test_a_list_of_sequences_is_a_set_of_samples_to_scikit_learn(rng):
    X = to_sequences(rng.normal(size=(12, 2)), lengths=[3, 4, 5])
    assert [len(test) for _, test in KFold(3).split(X)] == [1, 1, 1]


FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "who": ["x", None, "y"]})


@pytest.mark.parametrize(
    ("X", "options", "error", "message"),
    [
        (np.ones(3), {}, ValueError, r"shape \(3,\); .*reshape\(-1, 1\)"),
        (
            [np.ones((2, 2)), np.ones((1, 2, 3))],
            {},
            ValueError,
            r"sequence 1 has shape \(1, 2, 3\)",
        ),
        ([np.ones(2), [[1], [2, 3]]], {}, ValueError, "sequence 1 is not an array"),
        (np.ones((4, 1)), {"lengths": [1, 2]}, ValueError, "add up to 3, but X has 4 rows"),
        (np.ones((4, 1)), {"lengths": [5, -1]}, ValueError, "positive integers"),
        (np.ones((4, 1)), {"lengths": [2.0, 2.0]}, ValueError, "positive integers"),
        (np.ones((4, 1)), {"by": "who"}, TypeError, "by='who' needs a frame"),
        (FRAME, {"by": "id"}, ValueError, r"by='id' is not a column.*\['a', 'who'\]"),
        (FRAME, {"by": "who"}, ValueError, "by='who' is missing in row 1"),
        (FRAME, {"by": "who", "lengths": [3]}, ValueError, "both given"),
    ],
)
def test_what_is_no_set_of_sequences_is_refused(X, options, error, message):
    with pytest.raises(error, match=message):
        to_sequences(X, **options)


def test_a_list_of_numbers_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"sequence 0 has shape \(\).*: \[X\]"):
        to_sequences([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"X\.to_frame\(\) of a Series"):
        to_sequences(pd.Series([1.0, 2.0]))
