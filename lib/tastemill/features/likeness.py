"""Whether users take items like those that they met before, by an attribute of items.

A share of the same colour in a user's past goes with the label wherever popular items happen to
have a colour in common: rows are many, but only items have a colour of their own. So the attribute
is permuted among the items, everything else being left as it is, and what is found must be more
than what permuted colours give (a Mantel test: "The detection of disease clustering and a
generalized regression approach", Cancer Research 1967).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from tastemill.features.vocabulary import FIRST

PERMUTATIONS = 200
ROWS, ITEMS = 20_000, 10  # of a sample, and of what a row's user met last

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Items of rows beside items that their users met before, and how much each pair counts.

    Args:
        one: `(n,)` places of items in `items`.
        other: `(n,)` the same, of what was met before.
        weight: `(n,)`, above 0 where the pair goes with a larger label; they add up to 0.
        items: `(m,)` which items there are.
    """

    one: Whole
    other: Whole
    weight: Floats
    items: Whole

    @classmethod
    def of(cls, asked: Whole, met: Whole, labels: Floats) -> "Pairs":
        """Of rows in any order.

        Args:
            asked: `(rows,)` item_idx.
            met: `(rows, most)` item_idx of what the user took last, -1 where there is none.
            labels: `(rows,)`.
        """
        order = np.lexsort((*met.T, labels, asked))
        order = order[np.unique(np.linspace(0, len(order) - 1, min(ROWS, len(order))).astype(int))]
        asked, met, labels = asked[order], met[order, :ITEMS], labels[order]
        there = (met >= 0) & (met != asked[:, None])
        number = there.sum(axis=1)
        some = number > 0
        if not some.any():
            nothing = np.empty(0, dtype=np.int64)
            return cls(nothing, nothing, np.empty(0), nothing)
        above = np.where(some, labels - labels[some].mean(), 0.0) / np.maximum(number, 1)
        rows, places = np.nonzero(there)
        both = np.stack((asked[rows], met[rows, places]))
        distinct, where = np.unique(both, axis=1, return_inverse=True)
        weight = np.bincount(where.reshape(-1), above[rows], distinct.shape[1]).astype(np.float64)
        items, local = np.unique(distinct, return_inverse=True)
        one, other = local.reshape(distinct.shape)
        return cls(one, other, weight, items)

    def p_value(self, values: Whole, seed: int) -> float:
        """Of likeness that is no more than chance; 1 where that can't be asked.

        Args:
            values: `(m,)` indices of the attribute, below `FIRST` where it isn't known.
            seed: of the permutations.
        """
        draw = np.random.default_rng(seed)
        found = self._alike(values)
        chance = np.array([self._alike(draw.permutation(values)) for _ in range(PERMUTATIONS)])
        spread = chance.std(ddof=1)
        if not spread > 0:
            return 1.0
        return float(2 * norm.sf(abs(found - chance.mean()) / spread))

    def _alike(self, values: Whole) -> float:
        one, other = values[self.one], values[self.other]
        return float(self.weight @ ((one == other) & (one >= FIRST)))
