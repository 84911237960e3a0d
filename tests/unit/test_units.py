"""Attributes are tested item by item: equal to scipy's figure, and not fooled by popular items."""

import numpy as np
import pytest
from scipy.stats import f_oneway

from tastemill.features.association import association
from tastemill.features.units import (
    MICRO,
    p_of_attributes,
    p_of_pairs,
    spread_of,
)


def sums_of(values: np.ndarray, means: np.ndarray) -> list[tuple[float, float, float]]:
    size = values.max() + 1
    rounded = np.rint(means * MICRO)
    counted = (np.bincount(values, weights, size) for weights in (None, rounded, rounded**2))
    return list(zip(*counted, strict=True))


def p_of(values: np.ndarray, means: np.ndarray) -> float:
    return spread_of(sums_of(values, means)).p_value


def test_equal_to_scipy() -> None:
    random = np.random.default_rng(1)
    values = random.integers(0, 5, 300)
    means = random.random(300) + 0.1 * values
    theirs = f_oneway(*(means[values == value] for value in range(5))).pvalue
    assert p_of(values, means) == pytest.approx(theirs, rel=1e-3)


def test_where_nothing_can_be_asked() -> None:
    assert p_of(np.zeros(9, dtype=int), np.arange(9.0)) == 1.0  # one value
    assert p_of(np.arange(9), np.arange(9.0)) == 1.0  # an item for each
    assert p_of(np.arange(8) % 2, np.ones(8)) == 1.0  # one label
    told = np.arange(8) % 2
    assert p_of(told, told.astype(float)) == 0.0


def test_a_colour_that_means_nothing_seldom_passes_though_items_differ_in_popularity() -> None:
    """The label is one for an event and zero for items drawn at random, four for each."""
    random = np.random.default_rng(5)
    passed = by_rows = 0
    for _ in range(100):
        colour = random.integers(0, 6, 500)
        popularity = 1 / np.arange(1, 501)
        taken = random.multinomial(20_000, popularity / popularity.sum())
        drawn = random.multinomial(80_000, np.full(500, 1 / 500))
        means = taken / np.maximum(taken + drawn, 1)
        passed += p_of(colour, means) < 0.01
        counts = np.array([np.bincount(colour, part, 6) for part in (taken, drawn)]).T
        by_rows += association(counts.astype(np.int64)).p_value < 0.01
    assert passed <= 5
    assert by_rows > 95


def test_a_brand_that_people_prefer_passes() -> None:
    random = np.random.default_rng(6)
    brand = random.integers(0, 20, 500)
    liked = random.normal(0, 0.5, 20)
    popularity = np.exp(liked[brand]) / np.arange(1, 501) ** 0.5
    taken = random.multinomial(20_000, popularity / popularity.sum())
    means = taken / (taken + 160)
    assert p_of(brand, means) < 1e-4


def test_users_who_like_films_in_their_own_language_are_found_and_others_are_not() -> None:
    random = np.random.default_rng(7)
    language, gender = random.integers(0, 4, 800), random.integers(0, 2, 800)
    of_item = random.integers(0, 4, 300)
    passed = 0
    for _ in range(20):
        taste = random.gamma(0.3, 1.0, (800, 300))  # each has favourites of their own
        taste *= np.where(language[:, None] == of_item[None, :], 2.0, 1.0)
        taken = np.stack([random.multinomial(20, row / row.sum()) for row in taste])
        shares = np.stack([taken[:, of_item == n].sum(axis=1) / 20 for n in range(4)])
        found = p_of_pairs(
            {
                (place, (0, kind)): spread_of(sums_of(attribute, shares[kind]))
                for place, attribute in enumerate((language, gender))
                for kind in range(4)
            }
        )
        assert found[0, 0] < 1e-6
        passed += found[1, 0] < 0.05
    assert passed <= 3


def test_an_attribute_that_no_one_has_tells_nothing() -> None:
    assert p_of_attributes({(1, 0): (5.0, 1e6, 1e12)}, 2) == [1.0, 1.0]
