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
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

MICRO = 1_000_000  # means are summed as whole millionths, so that their order doesn't matter
MIN_UNITS = 20  # users that have to have taken a kind of item for it to be asked about


@dataclass(frozen=True)
class Groups:
    """Of each value of an attribute `(values,)`: items, and sums over their means.

    `total` is in millionths, `squares` in millionths of millionths.
    """

    items: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


def analysis_of_variance(groups: Groups) -> float:
    """The p-value of equal means in all groups; 1 where that can't be asked.

    Groups of one item say something of the mean of all, and nothing of the spread within.
    """
    there = groups.items > 0
    items, total = groups.items[there], groups.total[there] / MICRO
    squares = groups.squares[there] / MICRO**2
    between, within = len(items) - 1, int(items.sum()) - len(items)
    if between < 1 or within < 1:
        return 1.0
    of_groups = float((total**2 / items).sum())
    of_all = float(total.sum() ** 2 / items.sum())
    explained = max(of_groups - of_all, 0.0) / between
    rest = max(float(squares.sum()) - of_groups, 0.0) / within
    if not explained:
        return 1.0
    if not rest:
        return 0.0
    return float(f_distribution.sf(explained / rest, between, within))


Value = tuple[int, int]
"""An attribute by its place, and a value of it by its index."""
Sums = tuple[float, float, float]
"""Units, total, squares."""


def p_of_attributes(sums: Mapping[Value, Sums], num_attributes: int) -> list[float]:
    """The p-value of each attribute, from what `mean_labels` found."""
    by_place: dict[int, list[Sums]] = defaultdict(list)
    for (place, _), found in sums.items():
        by_place[place].append(found)
    return [_p(by_place[place]) for place in range(num_attributes)]


def p_of_pairs(
    shares: Mapping[tuple[Value, Value], Sums], users: Mapping[Value, Sums]
) -> dict[tuple[int, int], float]:
    """The p-value of each pair of an attribute of users and one of items.

    It is the least among the kinds of item, times how many were asked about (Bonferroni).

    Args:
        shares: what `shares_taken` found, by value of users and value of items.
        users: what `mean_labels` found of the same rows: how many users have each value.
    """
    asked: dict[tuple[int, Value], dict[int, Sums]] = defaultdict(dict)
    for ((place, index), kind), found in shares.items():
        asked[place, kind][index] = found
    indices: dict[int, list[int]] = defaultdict(list)
    for place, index in users:
        indices[place].append(index)
    found_p: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (place, kind), by_index in asked.items():
        if sum(units for units, _, _ in by_index.values()) < MIN_UNITS:
            continue
        # Those who took none count with a share of 0.
        none = (0.0, 0.0, 0.0)
        sums = [(users[place, i][0], *by_index.get(i, none)[1:]) for i in indices[place]]
        found_p[place, kind[0]].append(_p(sums))
    return {pair: min(1.0, min(ps) * len(ps)) for pair, ps in found_p.items()}


def _p(sums: Sequence[Sums]) -> float:
    units, total, squares = np.array(sums, dtype=np.float64).reshape(-1, 3).T
    return analysis_of_variance(Groups(units, total, squares))
