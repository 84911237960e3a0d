"""What values of features are like: quantiles of numbers, and the values that are met most."""

from typing import Any

import numpy as np

from tastemill.features.bins import Floats
from tastemill.features.one_pass import Whole
from tastemill.features.tally import Matrix
from tastemill.features.vocabulary import FIRST

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP = 5  # values


def of_numbers(sample: Matrix) -> list[dict[str, Any]]:
    """`quantiles` and `top` of each feature: (value, share of rows), the value met most first.

    Quantiles are of finite values (linear between two, as numpy's); of a feature without any they
    are null. Of values met equally often the smaller ones come first.

    Args:
        sample: `(rows, features)`, NaN where a value is missing.
    """
    return [_of_column(column) for column in sample.T]


def most_met(counts: Whole) -> list[tuple[int, float]]:
    """(index, share of rows) of the known values of a categorical feature that are met most.

    Args:
        counts: rows of each index, the first two those of missing and of unknown values.
    """
    known = counts[FIRST:]
    order = np.argsort(-known, kind="stable")[:TOP]
    rows = counts.sum()
    return [(int(at) + FIRST, float(known[at] / rows)) for at in order if known[at]]


def _of_column(column: Matrix) -> dict[str, Any]:
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:TOP]
    finite: Floats = column[np.isfinite(column)].astype(np.float64)
    return {
        "quantiles": np.quantile(finite, QUANTILES).tolist() if len(finite) else None,
        "top": [(f"{values[at]:.7g}", float(counts[at] / len(column))) for at in order],
    }
