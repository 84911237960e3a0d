"""Whether attributes of users and items go with the label: tested user by user, item by item.

Rows of one item aren't independent of each other: a single popular item makes its colour, or
anything else about it, go with the label, and chi-square on rows calls that significant. There are
only as many independent observations as there are items. So each item counts once, by the mean
label of its rows, and a one-way analysis of variance asks whether these means differ more between
the values of an attribute than within them (Fisher 1925).

Where every positive has so many negatives of the same user, nothing about users alone can go with
the label. What can is what they take: each user counts once, by the share of a kind of item in all
that they took, and the same analysis asks whether these shares differ between kinds of users.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution

MICRO = 1_000_000  # means are summed as whole millionths, so that their order doesn't matter


@dataclass(frozen=True)
class Spread:
    """What an analysis of variance of groups of units asks of their means.

    Args:
        groups: how many have a unit.
        units: of all of them.
        total: sum of the units' means, in millionths.
        of_groups: sum over groups of their total's square by their units, in millionths squared.
        squares: sum of the means' squares, in millionths squared.
    """

    groups: int
    units: int
    total: float
    of_groups: float
    squares: float

    @property
    def p_value(self) -> float:
        """Of equal means in all groups; 1 where that can't be asked.

        Groups of one unit say something of the mean of all, and nothing of the spread within.
        """
        between, within = self.groups - 1, self.units - self.groups
        if between < 1 or within < 1:
            return 1.0
        of_groups, squares = self.of_groups / MICRO**2, self.squares / MICRO**2
        of_all = (self.total / MICRO) ** 2 / self.units
        explained = max(of_groups - of_all, 0.0) / between
        rest = max(squares - of_groups, 0.0) / within
        if not explained:
            return 1.0
        if not rest:
            return 0.0
        return float(f_distribution.sf(explained / rest, between, within))


def spread_of(sums: Sequence["Sums"]) -> Spread:
    """Of the sums of each group."""
    units, total, squares = np.array(sums, dtype=np.float64).reshape(-1, 3).T
    there = units > 0
    return Spread(
        groups=int(there.sum()),
        units=int(units.sum()),
        total=float(total.sum()),
        of_groups=float((total[there] ** 2 / units[there]).sum()),
        squares=float(squares.sum()),
    )


Value = tuple[int, int]
"""An attribute by its place, and a value of it by its index."""
Sums = tuple[float, float, float]
"""Units, total, squares."""


def p_of_attributes(sums: Mapping[Value, Sums], num_attributes: int) -> list[float]:
    """The p-value of each attribute, from what `mean_labels` found."""
    by_place: dict[int, list[Sums]] = defaultdict(list)
    for (place, _), found in sums.items():
        by_place[place].append(found)
    return [spread_of(by_place[place]).p_value for place in range(num_attributes)]


def p_of_pairs(spreads: Mapping[tuple[int, Value], Spread]) -> dict[tuple[int, int], float]:
    """The p-value of each pair of an attribute of users and one of items.

    It is the least among the kinds of item, times how many were asked about (Bonferroni).

    Args:
        spreads: of the shares of a kind of item between the values of an attribute of users.
    """
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (place, (item_place, _)), spread in spreads.items():
        found[place, item_place].append(spread.p_value)
    return {pair: min(1.0, min(ps) * len(ps)) for pair, ps in found.items()}
