"""All counts and sums that judge features, of a batch of rows at a time, in numpy.

Everything comes out as whole numbers that are added up exactly: as often as each bin of each
feature meets each class of the label, sums and sums of squares, and products of every pair of
features. So results don't depend on how rows are split up.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tastemill.features.bins import Floats, codes

Matrix = NDArray[np.float32]
Whole = NDArray[np.int64]

# Values are compared on a scale of their own, cut off where an outlier would decide alone, in
# steps fine enough: products of 2^22 at most can be summed over 2^31 rows.
CUT_OFF, STEPS = 8.0, 256.0
POWERS = (1, 2, 3, 4)  # of distances from the centre, whose sums give the moments


@dataclass(frozen=True)
class Layout:
    """What is counted of each feature, and where in the vector of sums it stands.

    Args:
        edges: of the bins of each numeric feature, ascending.
        sizes: number of indices of each categorical feature.
        label_edges: of the classes of the label: it falls into as many as it has edges, and one.
        rows: how many rows there are at most.
        centre: a value in the middle of each numeric feature.
        scale: how far values lie from it as a rule, above 0.
        reach: how far any finite value lies from it.
    """

    edges: tuple[Floats, ...]
    sizes: tuple[int, ...]
    label_edges: Floats
    rows: int
    centre: Floats
    scale: Floats
    reach: Floats

    @property
    def num_classes(self) -> int:
        """Of the label."""
        return len(self.label_edges) + 1

    @property
    def num_bins(self) -> list[int]:
        """Bins of each feature, numeric ones first; of a numeric one the last is for missing."""
        return [*(len(edges) + 2 for edges in self.edges), *self.sizes]

    @property
    def units(self) -> Floats:
        """`(POWERS, features)`: steps in which powers of distances from the centre are summed.

        They are powers of two, so small and so large that no sum overflows.
        """
        return np.stack([_unit(self.reach**power, self.rows) for power in POWERS])

    @property
    def parts(self) -> list[int]:
        """Lengths of what stands in the vector: counts of each feature, rows and sums, products."""
        numeric = len(self.edges)
        counts = [bins * self.num_classes for bins in self.num_bins]
        return [*counts, numeric, len(POWERS) * numeric, (numeric + 1) ** 2]


@dataclass(frozen=True)
class Moments:
    """Of each numeric feature `(features,)`; NaN where it has no value.

    Skewness and excess kurtosis are those of the rows themselves (Joanes and Gill 1998, g1 and
    g2); NaN where nothing varies.
    """

    means: Floats
    variances: Floats
    skewness: Floats
    kurtosis: Floats


@dataclass(frozen=True)
class Tally:
    """The vector of sums, taken apart.

    `counts` holds `(bins, classes)` for each feature; `moments` and `correlations`
    `(features, features)` are those of numeric features. Moments are of finite values; in
    correlations a missing value stands for the centre.
    """

    counts: list[Whole]
    moments: Moments
    correlations: Floats


def tally(layout: Layout, numeric: Matrix, categorical: Whole, labels: Floats) -> Whole:
    """The sums of a batch.

    Args:
        layout: what to count.
        numeric: `(rows, features)`, NaN where a value is missing.
        categorical: `(rows, features)` of indices, each below its feature's size.
        labels: `(rows,)`.
    """
    label = codes(labels, layout.label_edges)
    num_classes = layout.num_classes
    counts = [
        np.bincount(column * num_classes + label, minlength=bins * num_classes)
        for column, bins in _binned(layout, numeric, categorical)
    ]
    is_finite = np.isfinite(numeric)
    # From the centre, lest the variance of large numbers be a difference of far larger ones.
    known = np.where(is_finite, numeric - layout.centre, 0.0)
    # Multiplied up: numpy takes the third power of a number many times as long.
    powers, power = [], np.ones_like(known)
    for units in layout.units:
        power = power * known
        powers.append(np.rint(power / units).astype(np.int64).sum(axis=0))
    products = _products(layout, numeric)
    return np.concatenate([*counts, is_finite.sum(axis=0), *powers, products])


def bins_met(layout: Layout, numeric: Matrix, categorical: Whole) -> Whole:
    """How often a batch meets each bin of each feature, `num_bins` of it one after the other."""
    binned = _binned(layout, numeric, categorical)
    return np.concatenate([np.bincount(column, minlength=bins) for column, bins in binned])


def taken_apart(layout: Layout, sums: Whole) -> Tally:
    """What the sums of all batches say."""
    *counts, rows, powers, products = np.split(sums, np.cumsum(layout.parts)[:-1])
    by_class = [part.reshape(-1, layout.num_classes) for part in counts]
    moments = _moments(layout, rows, powers.reshape(len(POWERS), -1))
    return Tally(by_class, moments, _correlations(products))


def _binned(layout: Layout, numeric: Matrix, categorical: Whole) -> Iterator[tuple[Whole, int]]:
    """Of each feature, the bin of every row and how many bins there are."""
    columns = [codes(numeric[:, n], edges) for n, edges in enumerate(layout.edges)]
    return zip([*columns, *categorical.T], layout.num_bins, strict=True)


def _moments(layout: Layout, rows: Whole, powers: Whole) -> Moments:
    with np.errstate(invalid="ignore", divide="ignore"):  # without values they are unknown
        one, two, three, four = powers * layout.units / rows
        variances = np.maximum(two - one**2, 0.0)
        third = three - 3 * one * two + 2 * one**3
        fourth = four - 4 * one * three + 6 * one**2 * two - 3 * one**4
        varies = np.where(variances > 0, variances, np.nan)
        skewness, kurtosis = third / varies**1.5, fourth / varies**2 - 3
    return Moments(layout.centre + one, variances, skewness, kurtosis)


def _products(layout: Layout, numeric: Matrix) -> Whole:
    """Products of every pair of features, and of each with one."""
    standard = np.clip((numeric - layout.centre) / layout.scale, -CUT_OFF, CUT_OFF)
    steps = np.nan_to_num(np.rint(standard * STEPS), nan=0.0)
    steps = np.column_stack([steps, np.full(len(steps), STEPS)])
    products: Whole = (steps.T @ steps).ravel().astype(np.int64)
    return products


def _correlations(products: Whole) -> Floats:
    """Pearson's correlation of every pair; 0 with a feature that doesn't vary."""
    size = math.isqrt(len(products))
    square = products.reshape(size, size) / STEPS**2
    rows, sums = max(square[-1, -1], 1.0), square[-1, :-1]
    covariance = square[:-1, :-1] / rows - np.outer(sums, sums) / rows**2
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    apart = np.outer(deviation, deviation)
    return np.divide(covariance, apart, out=np.zeros_like(covariance), where=apart > 0)


def _unit(largest: Floats, rows: int) -> Floats:
    """The least power of two in which so many values of this size add up to less than 2^62."""
    with np.errstate(divide="ignore"):
        bits = np.ceil(np.log2(largest * max(rows, 1)))
    return np.where(largest > 0, np.exp2(np.where(largest > 0, bits, 0.0) - 62), 1.0)
