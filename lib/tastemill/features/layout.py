"""What to count of each feature: bins and scales from a sample and the extremes of all rows."""

from collections.abc import Sequence

import numpy as np

from tastemill.features.bins import Floats, Values, equal_width, quantiles
from tastemill.features.config import FeaturesConfig
from tastemill.features.tally import Layout, Matrix

NUM_CLASSES = 20  # a label of more values than these is cut into as many classes


def layout_of(
    sample: Matrix,
    labels: Floats,
    extremes: Sequence[tuple[float | None, float | None]],
    sizes: Sequence[int],
    cfg: FeaturesConfig,
    *,
    rows: int,
) -> Layout:
    """The layout in which all rows are counted.

    Args:
        sample: `(rows, features)` numeric values, NaN where missing.
        labels: `(rows,)` of the sample.
        extremes: lowest and highest finite value of each numeric feature in all rows, None where
            there is none.
        sizes: number of indices of each categorical feature.
        cfg: how many bins a numeric feature has, beside that for missing values, and of what kind.
        rows: of all rows.
    """
    # Sorted, so that no figure depends on the order in which the rows come.
    columns = [np.sort(column[np.isfinite(column)].astype(np.float64)) for column in sample.T]
    centre = np.array([float(np.median(c)) if len(c) else 0.0 for c in columns])
    reach = [
        0.0 if low is None or high is None else max(abs(low - middle), abs(high - middle))
        for (low, high), middle in zip(extremes, centre, strict=True)
    ]
    return Layout(
        edges=tuple(
            _edges(column, between, cfg) for column, between in zip(columns, extremes, strict=True)
        ),
        sizes=tuple(sizes),
        label_edges=label_edges(labels),
        rows=rows,
        centre=centre,
        scale=np.array([_scale(c, far) for c, far in zip(columns, reach, strict=True)]),
        reach=np.array(reach),
    )


def _edges(
    column: Values, between: tuple[float | None, float | None], cfg: FeaturesConfig
) -> Floats:
    low, high = between
    if cfg.binning == "size" or low is None or high is None:
        return quantiles(column, cfg.num_bins)
    return equal_width(low, high, cfg.num_bins)


def label_edges(labels: Floats) -> Floats:
    """Edges that tell the values of a label apart; of too many, classes of about one size."""
    values: Floats = np.unique(labels)
    return values[1:] if len(values) <= NUM_CLASSES else quantiles(labels, NUM_CLASSES)


def _scale(column: Values, reach: float) -> float:
    """How far values lie from the middle: the first of these that is above 0."""
    if not len(column):
        return 1.0
    low, high = np.percentile(column, [25, 75])
    return next(float(x) for x in (high - low, column.std(), reach, 1.0) if x > 0)
