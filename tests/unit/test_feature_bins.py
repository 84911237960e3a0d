"""Bins by width, by size and by entropy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_iris

from tastemill.features.bins import codes, equal_width, mdlp, quantiles

FINITE = st.floats(-1e6, 1e6, width=32)


def tallied(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each distinct value, and how often each class has it."""
    distinct, place = np.unique(values, return_inverse=True)
    counts = np.zeros((len(distinct), labels.max() + 1), dtype=np.int64)
    np.add.at(counts, (place, labels), 1)
    return distinct, counts


def test_a_bin_is_closed_on_its_left_and_missing_values_have_their_own() -> None:
    values = np.array([-np.inf, 0.9, 1.0, 1.5, 2.0, np.inf, np.nan], dtype=np.float32)
    assert codes(values, np.array([1.0, 2.0])).tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert codes(values, np.empty(0)).tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_bins_of_one_width() -> None:
    assert equal_width(0.0, 10.0, 4).tolist() == [2.5, 5.0, 7.5]
    assert equal_width(3.0, 3.0, 4).size == 0
    assert equal_width(np.nan, np.nan, 4).size == 0


def test_bins_of_one_size() -> None:
    assert quantiles(np.arange(8.0), 4).tolist() == [2.0, 4.0, 6.0]
    assert quantiles(np.array([np.nan, np.inf, 5.0]), 4).size == 0
    assert quantiles(np.empty(0), 4).size == 0


def test_what_most_values_are_does_not_hide_the_others() -> None:
    assert quantiles(np.array([0.0] * 97 + [1.0, 2.0, 3.0]), 5).tolist() == [1.0, 2.0, 3.0]
    # Between others it has a bin to itself as well.
    among = np.array([1.0, 2.0, 3.0, 4.0] + [5.0] * 92 + [6.0, 7.0, 8.0, 9.0])
    assert quantiles(among, 4).tolist() == [5.0, 6.0, 8.0]


@given(arrays(np.float32, st.integers(1, 200), elements=FINITE), st.integers(2, 12))
def test_quantile_bins_are_none_of_them_empty(values: np.ndarray, num_bins: int) -> None:
    edges = quantiles(values, num_bins)
    sizes = np.bincount(codes(values, edges), minlength=len(edges) + 1)
    assert (sizes[: len(edges) + 1] > 0).all()
    assert len(edges) < num_bins


@pytest.mark.parametrize(
    ("feature", "cuts"),
    # As R's `discretization::mdlp(iris)` cuts them.
    [(0, [5.55, 6.15]), (1, [2.95, 3.35]), (2, [2.45, 4.75]), (3, [0.8, 1.75])],
)
def test_mdlp_cuts_irises_where_others_do(feature: int, cuts: list[float]) -> None:
    irises = load_iris()
    distinct, counts = tallied(irises.data[:, feature], irises.target)
    found = [(distinct[at - 1] + distinct[at]) / 2 for at in mdlp(counts)]
    assert found == pytest.approx(cuts)


def test_mdlp_cuts_nothing_where_nothing_is_told() -> None:
    same = np.tile([[50, 50]], (20, 1))
    assert mdlp(same) == []
    assert mdlp(np.array([[10, 0], [20, 0]])) == []  # one class
    assert mdlp(np.array([[10, 30]])) == []
    assert mdlp(np.zeros((5, 2), dtype=np.int64)) == []
    assert mdlp(np.zeros((0, 2), dtype=np.int64)) == []


def test_mdlp_passes_over_empty_bins() -> None:
    counts = np.array([[0, 0], [100, 0], [0, 0], [0, 0], [0, 100], [0, 0]])
    assert mdlp(counts) == [4]
