"""Likeness of items with those met before: found where it is planted, and not where it isn't."""

import numpy as np
import pytest

from tastemill.features.likeness import Pairs
from tastemill.features.vocabulary import FIRST

ITEMS, ROWS, MOST = 300, 4_000, 5


def drawn(taste: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of users who take what is popular, and where they have a taste, of one colour."""
    random = np.random.default_rng(5)
    colours = random.integers(FIRST, FIRST + 4, ITEMS)
    popular = 1.0 / (1 + np.arange(ITEMS))
    of_user = random.integers(FIRST, FIRST + 4, ROWS)
    met, asked = np.empty((ROWS, MOST), dtype=np.int64), np.empty(ROWS, dtype=np.int64)
    labels = (np.arange(ROWS) % 3 == 0).astype(float)
    for row in range(ROWS):
        liked = popular * (1 + 3 * (colours == of_user[row])) if taste else popular
        met[row] = random.choice(ITEMS, MOST, replace=False, p=liked / liked.sum())
        weights = liked if labels[row] else np.ones(ITEMS)
        asked[row] = random.choice(ITEMS, p=weights / weights.sum())
    met[::7, 3:] = -1
    return asked, met, labels, colours


@pytest.mark.parametrize("taste", [True, False])
def test_popular_items_of_one_colour_are_no_taste(taste: bool) -> None:
    asked, met, labels, colours = drawn(taste)
    pairs = Pairs.of(asked, met, labels)
    p = pairs.p_value(colours[pairs.items], seed=1)
    assert (p < 1e-4) if taste else (p > 0.01)
    # Whoever counts rows as independent finds a taste in both.
    alike = (colours[met] == colours[asked][:, None]) & (met >= 0) & (met != asked[:, None])
    share = alike.mean(axis=1)
    one, other = share[labels == 1], share[labels == 0]
    spread = np.sqrt(one.var() / len(one) + other.var() / len(other))
    assert abs(one.mean() - other.mean()) / spread > 3


def test_order_of_rows_makes_no_difference() -> None:
    asked, met, labels, colours = drawn(True)
    order = np.random.default_rng(1).permutation(ROWS)
    one, other = Pairs.of(asked, met, labels), Pairs.of(asked[order], met[order], labels[order])
    assert one.p_value(colours[one.items], 1) == other.p_value(colours[other.items], 1)


def test_what_cannot_be_asked() -> None:
    alone = np.array([[3], [-1]])
    nothing = Pairs.of(np.array([3, 1]), alone, np.array([1.0, 0.0]))  # its own item, or none
    assert len(nothing.items) == 0
    assert nothing.p_value(np.empty(0, dtype=np.int64), 1) == 1.0
    asked, met, labels, _ = drawn(True)
    pairs = Pairs.of(asked, met, labels)
    assert pairs.p_value(np.zeros(len(pairs.items), dtype=np.int64), 1) == 1.0  # never known
