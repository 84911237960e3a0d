"""Numbers cut into bins: of equal width, of equal size, and where the label changes (MDLP).

A bin is closed on its left: a value falls into bin `i` where i edges are at or below it, so m
edges make m + 1 bins. Missing values have a bin of their own, the last one; infinite values fall
into the outermost bins.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy

Floats = NDArray[np.float64]
Values = NDArray[np.float32] | NDArray[np.float64]
Counts = NDArray[np.int64]


def codes(values: Values, edges: Floats) -> Counts:
    """The bin of each value: 0 to m for m ascending edges, m + 1 for NaN."""
    found = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, found).astype(np.int64)


def equal_width(low: float, high: float, num_bins: int) -> Floats:
    """The inner edges of so many bins of one width; none where all values are one."""
    if not high > low:
        return np.empty(0)
    edges: Floats = np.unique(np.linspace(low, high, num_bins + 1)[1:-1])
    return edges


def quantiles(values: Values, num_bins: int) -> Floats:
    """Inner edges such that bins hold about as many values each.

    Equal values share a bin. One that fills more than a bin has it to itself, and the others are
    spread over what bins are left: of a count that is mostly 0, the rest is told apart all the
    same.
    """
    distinct, counts = np.unique(values[np.isfinite(values)].astype(np.float64), return_counts=True)
    below = np.cumsum(counts)
    edges, first = [], 0
    for left in range(num_bins, 1, -1):
        done = below[first - 1] if first else 0
        goal = done + (counts.sum() - done) / left
        last = int(np.searchsorted(below, goal))
        if last > first and goal - below[last - 1] <= below[last] - goal:
            last -= 1  # without it the bin comes closer to its size
        first = last + 1
        if first >= len(distinct):
            break
        edges.append(distinct[first])
    return np.array(edges, dtype=np.float64)


def mdlp(counts: Counts) -> list[int]:
    """Where to cut bins in order, by the minimum description length principle.

    Fayyad & Irani, "Multi-interval discretization of continuous-valued attributes for
    classification learning", IJCAI 1993: the cut that leaves the least class entropy is taken
    when it gains more than it costs to tell, and both sides are cut in turn.

    Args:
        counts: `(bins, classes)` rows of each class in each bin.

    Returns:
        positions i in ascending order: a cut lies between bin i - 1 and bin i.
    """
    cuts: list[int] = []
    parts = [(0, len(counts))]
    while parts:
        start, stop = parts.pop()
        place = _cut(counts[start:stop])
        if place is not None:
            cuts.append(start + place)
            parts += [(start, start + place), (start + place, stop)]
    return sorted(cuts)


def _cut(counts: Counts) -> int | None:
    """The best cut of these bins, if it is worth its description."""
    below = np.cumsum(counts, axis=0)
    whole = below[-1] if len(below) else np.zeros(1)
    rows = whole.sum()
    left, right = below[:-1], whole - below[:-1]
    # Between two empty sides there is nothing to cut; an empty bin belongs to its left neighbour.
    possible = np.flatnonzero((left.sum(axis=1) > 0) & (counts[1:].sum(axis=1) > 0))
    if not len(possible):
        return None
    of_left, of_right = (entropy(side[possible], base=2, axis=1) for side in (left, right))
    share = left[possible].sum(axis=1) / rows
    remaining = share * of_left + (1 - share) * of_right
    best = int(np.argmin(remaining))
    place = int(possible[best])
    before = float(entropy(whole, base=2))
    classes, in_left, in_right = (
        int(np.count_nonzero(side)) for side in (whole, left[place], right[place])
    )
    told = classes * before - in_left * of_left[best] - in_right * of_right[best]
    cost = (np.log2(rows - 1) + np.log2(3.0**classes - 2) - told) / rows
    return place + 1 if before - remaining[best] > cost else None
