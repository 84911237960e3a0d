"""How far the test lies from the training part, from counts alone."""

import numpy as np
import pytest

from tastemill.features.one_pass import Whole
from tastemill.features.skew import skew
from tastemill.features.tally import Layout, bins_met, taken_apart, tally


@pytest.fixture(scope="module")
def layout() -> Layout:
    edges = (np.array([0.5]), np.array([1.0, 2.0]))
    of_two = np.ones(2)
    return Layout(edges, (3,), np.array([1.0]), 100, of_two, of_two, 4 * of_two)


def rows(*values: tuple[float, float, int]) -> tuple[np.ndarray, Whole]:
    table = np.array(values, dtype=np.float64)
    return table[:, :2].astype(np.float32), table[:, 2:].astype(np.int64)


LEARNED = ((0, 0, 1), (1, 1, 2), (0, 2, 1), (1, np.nan, 0))


def test_bins_are_met_as_often_as_the_tally_says(layout: Layout) -> None:
    learned = rows(*LEARNED)
    found = taken_apart(layout, tally(layout, *learned, np.array([0.0, 1.0, 0.0, 1.0])))
    assert bins_met(layout, *learned).tolist() == [2, 2, 0, 1, 1, 1, 1, 1, 2, 1]
    assert np.concatenate([c.sum(axis=1) for c in found.counts]).tolist() == (
        bins_met(layout, *learned).tolist()
    )


def test_what_stays_has_no_distance_and_what_moves_has(layout: Layout) -> None:
    learned = taken_apart(layout, tally(layout, *rows(*LEARNED), np.zeros(4)))
    later = bins_met(layout, *rows((0, 2, 1), (1, 3, 1), (0, 2, 1), (1, 9, 1)))
    same, moved, indices = skew(layout, learned, later)
    assert same == {"later": [2, 2, 0], "psi": 0, "ks": 0}
    # A third of the known values lay at or above 2, now all do.
    assert moved["ks"] == pytest.approx(2 / 3)
    # Σ (p - q) ln(p / q), empty bins floored at a ten-thousandth.
    emptied = 3 * (0.25 - 1e-4) * np.log(0.25 / 1e-4)
    assert moved["psi"] == pytest.approx(emptied + (1 - 0.25) * np.log(1 / 0.25))
    assert indices["later"] == [0, 4, 0]
    assert indices["ks"] is None


def test_without_a_test_nothing_is_said(layout: Layout) -> None:
    learned = taken_apart(layout, tally(layout, *rows(*LEARNED), np.zeros(4)))
    none = np.zeros(sum(layout.num_bins), dtype=np.int64)
    assert skew(layout, learned, none) == [{"later": None, "psi": None, "ks": None}] * 3
