"""What to count of each feature: bins and scales from a sample and the extremes of all rows."""

from collections.abc import Sequence

import numpy as np

from tastemill.features.bins import Floats, Values, quantiles
from tastemill.features.tally import Layout, Matrix

NUM_CLASSES = 20  # a label of more values than these is cut into as many classes


def layout_of(
    sample: Matrix,
    labels: Floats,
    extremes: Sequence[tuple[float | None, float | None]],
    sizes: Sequence[int],
    *,
    num_bins: int,
    rows: int,
) -> Layout:
    """The layout in which all rows are counted.

    Args:
        sample: `(rows, features)` numeric values, NaN where missing.
        labels: `(rows,)` of the sample.
        extremes: lowest and highest finite value of each numeric feature in all rows, None where
            there is none.
        sizes: number of indices of each categorical feature.
        num_bins: of each numeric feature at most, beside that for missing values.
        rows: of all rows.
    """
    columns = [column[np.isfinite(column)].astype(np.float64) for column in sample.T]
    largest = np.array([max(abs(low or 0.0), abs(high or 0.0)) for low, high in extremes])
    return Layout(
        edges=tuple(quantiles(column, num_bins) for column in columns),
        sizes=tuple(sizes),
        label_edges=label_edges(labels),
        rows=rows,
        largest=largest,
        centre=np.array([float(np.median(c)) if len(c) else 0.0 for c in columns]),
        scale=np.array([_scale(c, high) for c, high in zip(columns, largest, strict=True)]),
    )


def label_edges(labels: Floats) -> Floats:
    """Edges that tell the values of a label apart; of too many, classes of about one size."""
    values: Floats = np.unique(labels)
    return values[1:] if len(values) <= NUM_CLASSES else quantiles(labels, NUM_CLASSES)


def _scale(column: Values, largest: float) -> float:
    """How far values lie from the middle: the first of these that is above 0."""
    if not len(column):
        return 1.0
    low, high = np.percentile(column, [25, 75])
    return next(float(x) for x in (high - low, column.std(), largest, 1.0) if x > 0)
