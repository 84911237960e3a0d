"""A pool is what its patterns say, and its version changes where a number means something else."""

from typing import Any

import pytest

from tastemill.errors import ContractError, UsageError
from tastemill.features.config import FeaturesConfig, PoolConfig
from tastemill.features.pools import KEPT, Pool, check_patterns, pool_of_rows, pools_of


def stats(feature: str, kind: str, place: int, **other: Any) -> dict[str, Any]:
    row = {"feature": feature, "kind": kind, "place": place, "definition": f"the {feature}"}
    return {**row, "goes_by": [], **other}


STATS = [
    stats("user_event_count", "numeric", 0),
    stats("item_price", "numeric", 1),
    stats("user_age", "categorical", 0, size=5, goes_by=["user_age"]),
    stats("user_age:hour", "categorical", 1, size=9, goes_by=["hour", "user_age", "user_age:hour"]),
]
VALUES = {"user_age": "A1"}


def pool(rows: list[dict[str, Any]] = STATS, values: dict[str, str] = VALUES, **cfg: Any) -> Pool:
    wanted = {"ranker_v1": PoolConfig(**{"only_kept": False, **cfg})}
    return pools_of(rows, ["item_price"], values, wanted)[1]


def names(of: Pool) -> list[str]:
    return [each.feature for each in of.members]


def test_patterns_let_in_and_keep_out() -> None:
    assert names(pool()) == ["item_price", "user_event_count", "user_age", "user_age:hour"]
    assert names(pool(include=["user_*"], exclude=["*:*"])) == ["user_event_count", "user_age"]
    assert names(pool(include=["user_*"], only_kept=True)) == []


def test_one_of_all_kept_features_is_always_there() -> None:
    (kept,) = pools_of(STATS, ["item_price", "user_age"], VALUES, {})
    assert kept.name == KEPT
    assert names(kept) == ["item_price", "user_age"]
    assert [each.from_place for each in kept.members] == [1, 0]


def test_a_pattern_that_matches_nothing_is_a_mistake() -> None:
    known = [row["feature"] for row in STATS]
    check_patterns(FeaturesConfig(pools={"v1": PoolConfig(include=["item_*"])}), known)
    mistaken = PoolConfig(exclude=["item_prise"])
    with pytest.raises(UsageError, match="item_prise") as error:
        check_patterns(FeaturesConfig(pools={"v1": mistaken}), known)
    assert "did you mean item_price" in str(error.value)
    with pytest.raises(UsageError, match=r"features.log: no feature matches \*_prise"):
        check_patterns(FeaturesConfig(log=["*_prise"]), known)


def changed(place: int, **what: Any) -> list[dict[str, Any]]:
    return [row | what if n == place else row for n, row in enumerate(STATS)]


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        (changed(1, definition="price in cents"), VALUES),
        (changed(2, size=6), VALUES),
        (STATS, {"user_age": "A2"}),
        (STATS[:3], VALUES),
    ],
)
def test_another_meaning_is_another_version(
    rows: list[dict[str, Any]], values: dict[str, str]
) -> None:
    assert pool(rows, values).version != pool().version


def test_the_same_numbers_elsewhere_are_the_same_version() -> None:
    moved = [row | {"place": row["place"] + 7} for row in reversed(STATS)]
    assert pool(moved).version == pool().version


def test_indices_of_a_cross_follow_from_those_of_its_parts() -> None:
    crossed = {"include": ["user_age:hour"]}
    assert pool(values={"user_age": "A2"}, **crossed).version != pool(**crossed).version


def test_rows_and_back() -> None:
    rows = pool().rows()
    assert [row["place"] for row in rows] == [0, 1, 2, 3]
    assert pool_of_rows(rows[::-1]) == pool()


def test_a_model_scores_with_what_it_learned_from_and_nothing_else() -> None:
    pool().must_be(pool().params, "ranker-1")
    other = pool(changed(1, definition="price in cents"))
    with pytest.raises(ContractError) as error:
        other.must_be(pool().params, "ranker-1")
    assert pool().version in str(error.value)
    with pytest.raises(ContractError, match="ranker-1 can't score"):
        pool().must_be({}, "ranker-1")
