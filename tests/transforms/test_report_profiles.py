"""What the report counts of user profiles."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.report import profiles

NUMBERS = ", ".join(f"{name} double" for name in profiles.QUANTITIES)
SLOTS = [(0, "Drama"), (1, "War"), (2, None)]


def slots(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(SLOTS, "slot int, category string")


def users(spark: SparkSession, *rows: tuple[str, float | None, list[float]]) -> DataFrame:
    """(user_id, visits per week, interests): every other number is 1."""
    place = profiles.QUANTITIES.index("visits_per_week")
    full: list[tuple[Any, ...]] = []
    for user, visits, interests in rows:
        numbers: list[float | None] = [1.0] * len(profiles.QUANTITIES)
        numbers[place] = visits
        full.append((user, interests, *numbers))
    return spark.createDataFrame(full, f"user_id string, interests array<float>, {NUMBERS}")


def test_visits_by_powers_of_two_and_the_total(spark: SparkSession) -> None:
    none: list[float] = []
    rows = [("a", 0.001), ("b", 0.5), ("c", 0.99), ("d", 1.0), ("e", 900.0), ("f", None)]
    found = profiles.visits(users(spark, *((u, v, none) for u, v in rows))).collect()
    by_power = {r["power"]: r for r in found}
    assert {power: r["users"] for power, r in by_power.items()} == {
        **{None: 6, profiles.LOWEST: 1, -1: 2, 0: 1, profiles.HIGHEST: 1},
    }
    total = by_power[None]
    assert (total["visits_per_week"], total["num_events"]) == (5, 6)
    assert total["visits_per_week_at"] == [0.001, 0.5, 0.99, 1.0, 900.0]


def test_the_total_stands_alone_where_no_time_is_known(spark: SparkSession) -> None:
    (total,) = profiles.visits(users(spark, ("a", None, []))).collect()
    assert (total["power"], total["users"], total["visits_per_week_at"]) == (None, 1, None)
    assert profiles.visits(users(spark)).collect() == []


def test_mean_interests_of_those_who_have_any(spark: SparkSession) -> None:
    rows = (
        ("a", 1.0, [0.5, 0.0, 0.5]),
        ("b", 1.0, [0.0, 0.5, 0.5]),
        ("c", 1.0, [0.0, 0.0, 0.0]),
        ("d", 1.0, []),
    )
    found = profiles.mean_interests(users(spark, *rows), slots(spark)).collect()
    # Drama and War are equal: the lower slot comes first.
    assert [(r["category"], r["share"], r["users"]) for r in found] == [
        (None, pytest.approx(0.5), 2),
        ("Drama", pytest.approx(0.25), 2),
        ("War", pytest.approx(0.25), 2),
    ]
    assert profiles.mean_interests(users(spark), slots(spark)).collect() == []


def test_own_interests_largest_first_ties_by_slot(spark: SparkSession) -> None:
    rows = (("a", 1.0, [0.25, 0.25, 0.5]), ("b", 1.0, [0.0, 1.0, 0.0]), ("c", 1.0, []))
    found = profiles.own_interests(users(spark, *rows), slots(spark)).orderBy("user_id").collect()
    liked = [[(i["category"], -i["order"]) for i in r["largest"]] for r in found]
    assert liked == [[(None, 0.5), ("Drama", 0.25), ("War", 0.25)], [("War", 1.0)], []]


def test_without_slots_interests_have_no_names(spark: SparkSession) -> None:
    nothing = slots(spark).limit(0)
    (row,) = profiles.own_interests(users(spark, ("a", 1.0, [0.0, 1.0])), nothing).collect()
    assert [(i["category"], -i["order"]) for i in row["largest"]] == [(None, 1.0)]
