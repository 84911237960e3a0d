"""Whether an attribute of items, or of users, goes with the label: tested item by item.

Rows of one item aren't independent of each other: a single popular item makes its colour, or
anything else about it, go with the label, and chi-square on rows calls that significant. There are
only as many independent observations as there are items. So each item counts once, by the mean
label of its rows, and a one-way analysis of variance asks whether these means differ more between
the values of the attribute than within them (Fisher 1925).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

MICRO = 1_000_000  # means are summed as whole millionths, so that their order doesn't matter


@dataclass(frozen=True)
class Groups:
    """Of each value of an attribute `(values,)`: items, and sums over their mean labels.

    `total` is in millionths, `squares` in millionths of millionths.
    """

    items: NDArray[np.int64]
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
