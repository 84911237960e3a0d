"""The kernel against numpy's lexsort: every path, ties at the boundary, masked items, NaN."""

import pickle
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tastemill.columns import as_array, as_lists, list_parts
from tastemill.errors import DataError
from tastemill.retrieval.scorers import FactorScorer, StaticScorer, exactly_summed
from tastemill.retrieval.topk import _group_size, top_k


def by_lexsort(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    n, m = scores.shape
    items, values = np.full((n, k), -1), np.full((n, k), -np.inf, dtype=np.float32)
    for i, row in enumerate(scores):
        best = [j for j in np.lexsort((np.arange(m), -row)) if row[j] > -np.inf][:k]
        items[i, : len(best)], values[i, : len(best)] = best, row[best]
    return items, values


def assert_exact(scores: np.ndarray, k: int) -> None:
    before = scores.copy()
    items, values = top_k(scores, k)
    expected_items, expected_values = by_lexsort(scores, k)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(values, expected_values)
    np.testing.assert_array_equal(scores, before)
    assert (items.dtype, values.dtype) == (np.int32, np.float32)


@settings(deadline=None, max_examples=150)
@given(
    n=st.integers(0, 6),
    m=st.integers(1, 700),
    k=st.integers(1, 12),
    levels=st.integers(1, 400),
    masked=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_lexsort(n: int, m: int, k: int, levels: int, masked: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-levels, levels + 1, (n, m)) / np.float32(3)).astype(np.float32)
    scores[rng.random((n, m)) < masked] = -np.inf
    assert_exact(scores, k)


@pytest.mark.parametrize("k", [1, 2, 10])
def test_every_catalogue_size_is_exact(k: int) -> None:
    rng = np.random.default_rng(3)
    for m in range(1, 420):
        assert_exact(rng.integers(0, 50, (2, m)).astype(np.float32), k)


def test_every_group_size_is_exact() -> None:
    rng = np.random.default_rng(7)
    sizes = set()
    for m in (30, 170, 350, 645, 2000):
        sizes.add(_group_size(m, 10))
        assert_exact(rng.standard_normal((9, m)).astype(np.float32), 10)
        assert_exact(np.zeros((3, m), dtype=np.float32), 10)
    assert sizes == {1, 4, 8, 16}


def test_equal_scores_are_ordered_by_item() -> None:
    # 0.0 and −0.0 are equal scores; items 1, 2 and 4 tie for the last two places.
    scores = np.array([[-1, 0.0, -0.0, 5, 0.0]], dtype=np.float32)
    assert top_k(scores, 3)[0].tolist() == [[3, 1, 2]]


def test_fewer_items_than_k_are_padded() -> None:
    scores = np.array([[-np.inf, 2, -np.inf], [-np.inf] * 3], dtype=np.float32)
    items, values = top_k(scores, 5)
    assert items.tolist() == [[1, -1, -1, -1, -1], [-1] * 5]
    assert values[0].tolist() == [2, *[-np.inf] * 4]
    assert top_k(np.empty((2, 0), dtype=np.float32), 1)[0].tolist() == [[-1], [-1]]


@pytest.mark.parametrize("m", [20, 2000, 2007])
@pytest.mark.parametrize("nan", [np.nan, -np.nan])
def test_nan_is_an_error(m: int, nan: float) -> None:
    scores = np.zeros((4, m), dtype=np.float32)
    scores[2, m - 1] = nan
    with pytest.raises(DataError, match="NaN in 1 rows"):
        top_k(scores, 3)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(DataError, match="float64"):
        top_k(np.zeros((1, 3)), 1)
    with pytest.raises(DataError, match="k of at least 1"):
        top_k(np.zeros((1, 3), dtype=np.float32), 0)


def test_factor_scorer_adds_the_bias_and_falls_back() -> None:
    scorer = FactorScorer([[1, 0], [0, 1], [1, 1]], fallback=[3, 2, 1], item_bias=[0, 10, 0])
    scorer = pickle.loads(pickle.dumps(scorer))
    vectors = np.array([[2, 3], [np.nan, np.nan]], dtype=np.float32)
    # 2·1 + 3·0, 2·0 + 3·1 + 10, 2 + 3
    assert scorer.score({"vector": vectors}).tolist() == [[2, 13, 5], [3, 2, 1]]
    nobody = np.full((2, 1), np.nan, dtype=np.float32)  # a block of nulls has no known length
    assert scorer.score({"vector": nobody}).tolist() == [[3, 2, 1], [3, 2, 1]]


def test_scorers_refuse_what_does_not_fit() -> None:
    with pytest.raises(DataError, match=r"expected: \(2,\)"):
        FactorScorer(np.ones((2, 3)), fallback=[1])
    with pytest.raises(DataError, match="NaN"):
        StaticScorer([1, np.nan])
    scorer = FactorScorer(np.ones((2, 3)), fallback=[1, 1])
    with pytest.raises(DataError, match="bad vector length"):
        scorer.score({"vector": np.ones((1, 2), dtype=np.float32)})


def test_static_scorer_scores_everybody_alike() -> None:
    scores = StaticScorer([1, 2]).score({"user_idx": np.array([7, 8, 9])})
    assert scores.tolist() == [[1, 2]] * 3


def test_list_columns_respect_slices_and_nulls() -> None:
    column = pa.array([[9, 9], [1, 2], None, [3, 4], [9, 9]], pa.list_(pa.float32())).slice(1, 3)
    np.testing.assert_array_equal(as_array(column, "v"), [[1, 2], [np.nan, np.nan], [3, 4]])
    values, lengths = list_parts(column)
    assert (values.tolist(), lengths.tolist()) == ([1, 2, 3, 4], [2, 0, 2])
    hidden = pa.ListArray.from_arrays(pa.array([0, None, 2, 3]), pa.array([1, 2, 3]))
    assert list_parts(hidden)[1].sum() == list_parts(hidden)[0].size


def test_number_columns_and_all_null_lists() -> None:
    assert as_array(pa.array([1, None], pa.int32()), "n").tolist() == [1, -1]
    np.testing.assert_array_equal(as_array(pa.array([1.5, None]), "x"), [1.5, np.nan])
    nobody = as_array(pa.array([None, None], pa.list_(pa.float32())), "v")
    assert nobody.shape == (2, 1)
    assert np.isnan(nobody).all()
    whole = as_array(pa.array([[1, 2], None], pa.list_(pa.int32())), "h")
    assert whole.tolist() == [[1, 2], [-1, -1]]


@pytest.mark.parametrize("bad", [[[1.0], [1.0, 2.0]], [[1.0, None]], [[float("nan")]]])
def test_ragged_and_broken_vectors_are_errors(bad: list[list[float | None]]) -> None:
    with pytest.raises(DataError, match="vec"):
        as_array(pa.array(bad, pa.list_(pa.float32())), "vec")


def test_lists_leave_out_what_is_not_kept() -> None:
    values = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.int32)
    keep = np.array([[True, False], [False, False], [True, True]])
    assert as_lists(values, keep).to_pylist() == [[1], [], [5, 6]]


@pytest.mark.parametrize("rank", [1, 10, 32, 64, 200])
def test_sums_are_exact_in_any_order(rank: int) -> None:
    """What a processor's kernel does differently by a row's place doesn't reach the last bit."""
    rng = np.random.default_rng(rank)
    vectors = (rng.standard_normal((7, rank)) * 10.0 ** rng.integers(-6, 6, (7, 1))).astype("f4")
    items = rng.standard_normal((50, rank)).astype("f4")
    exact = [
        [float(sum(Fraction(a) * Fraction(b) for a, b in zip(u, i, strict=True))) for i in items_]
        for items_ in [exactly_summed(items).tolist()]
        for u in exactly_summed(vectors).tolist()
    ]
    scorer = FactorScorer(items, fallback=np.zeros(50))
    assert np.array_equal(scorer.score({"vector": vectors}), np.array(exact).astype("f4"))
    true = vectors.astype("f8") @ items.T.astype("f8")
    size = np.abs(vectors).max(axis=1, keepdims=True) * np.abs(items).max() * rank
    assert (np.abs(np.array(exact) - true) <= size * 2.0**-21).all()
