"""What values of features are like."""

import numpy as np
import pytest

from tastemill.features.describe import most_met, of_numbers


def test_numbers() -> None:
    column = np.array([0, 0, 0, 1.5, 1.5, -2, np.inf, np.nan, np.nan, 7], dtype=np.float32)
    (found,) = of_numbers(column[:, None])
    finite = column[np.isfinite(column)].astype(np.float64)
    assert found["quantiles"] == pytest.approx(np.quantile(finite, [0.05, 0.25, 0.5, 0.75, 0.95]))
    # Of all ten rows; missing ones are no value.
    assert found["top"] == [("0", 0.3), ("1.5", 0.2), ("-2", 0.1), ("7", 0.1), ("inf", 0.1)]


def test_nothing_known() -> None:
    (found,) = of_numbers(np.full((4, 1), np.nan, dtype=np.float32))
    assert found == {"quantiles": None, "top": []}


def test_indices() -> None:
    # Three rows without a value, four with a rare one; an index that no row has.
    counts = np.array([3, 4, 5, 0, 7, 5, 1, 1, 1])
    assert most_met(counts) == [(4, 7 / 27), (2, 5 / 27), (5, 5 / 27), (6, 1 / 27), (7, 1 / 27)]
    assert most_met(np.array([3, 0])) == []
