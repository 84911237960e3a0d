"""How far features lie in the test from where they lay in the part that models learn from.

A model scores rows later than those it learned from. A feature that lies elsewhere by then tells
it things it never saw: counts since the beginning grow, a new category appears.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import chi2

from tastemill.features.one_pass import Whole
from tastemill.features.tally import Layout, Tally
from tastemill.quality.drift import Bins, ks, psi

SKEWED = 0.25  # an index above it is commonly called a major shift (Siddiqi 2006)
Figures = dict[str, list[int] | float | None]


def is_skewed(stats: Mapping[str, Any]) -> bool:
    """Whether a feature lies elsewhere in the test, by more than chance in so few rows would do.

    Without a shift, an index of B bins over N and M rows is about (1/N + 1/M) times a chi-square
    variable of B - 1 degrees (Yurdakul 2018): with a thousand indices and two thousand rows it is
    0.5, and nothing is wrong.

    Args:
        stats: a row of `feature_stats`.
    """
    if stats["psi"] is None:
        return False
    rows, later = sum(stats["counts"]), sum(stats["later"])
    met = sum(one + other > 0 for one, other in zip(stats["counts"], stats["later"], strict=True))
    chance = (1 / rows + 1 / later) * float(chi2.ppf(0.95, met - 1)) if met > 1 else 0.0
    return bool(stats["psi"] > SKEWED + chance)


def skew(layout: Layout, tally: Tally, later: Whole) -> list[Figures]:
    """`later`, `psi` and `ks` of each feature, numeric ones first.

    Args:
        layout: the bins.
        tally: what was counted of the training part.
        later: how often the test meets each bin, all 0 where there is no test.
    """
    if not later.any():
        return [dict.fromkeys(("later", "psi", "ks")) for _ in layout.num_bins]
    parts = np.split(later, np.cumsum(layout.num_bins)[:-1])
    return [
        _figures(counts.sum(axis=1), part, ordered=place < len(layout.edges))
        for place, (counts, part) in enumerate(zip(tally.counts, parts, strict=True))
    ]


def _figures(before: Whole, now: Whole, *, ordered: bool) -> Figures:
    one, other = _bins(before), _bins(now)
    # The order of indices means nothing, so neither would a distance along it.
    return {
        "later": list(other.counts),
        "psi": psi(one, other),
        "ks": ks(one, other) if ordered else None,
    }


def _bins(counts: Whole) -> Bins:
    return Bins((), tuple(counts.tolist()))
