"""Crosses: combinations with an index each or hashed, and what they are in words."""

import json

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.features.crosses import (
    Cross,
    collisions,
    combinations_met,
    fit_crosses,
    in_words,
    with_crosses,
)

NAMES = ("hour", "item_kind", "user_mood")
EXACT, HASHED = Cross(("user_mood", "item_kind")), Cross(("hour", "item_kind", "user_mood"), 4)
BOTH = (EXACT, HASHED)
# hour, kind, mood; 0 is missing, 1 any other value
MET = [
    *[([2, 2, 3], 5)],
    *[([3, 2, 3], 2), ([2, 3, 2], 6), ([2, 1, 2], 4)],
    *[([2, 3, 3], 1), ([2, 0, 2], 9), ([2, 2, 0], 9)],
]


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(MET, "c array<int>, rows int")


@pytest.fixture(scope="module")
def met(table: DataFrame) -> DataFrame:
    return combinations_met(table, "c", NAMES, BOTH)


def test_names_and_sides() -> None:
    assert EXACT.name == "user_mood:item_kind"
    assert (EXACT.side, Cross(("item_a", "item_b")).side) == (None, "item")
    assert (HASHED.side, Cross(("hour", "weekday")).side) == (None, None)
    three = Cross(("user_a", "item_b", "user_c"))
    assert (three.of_side("user"), three.of_side("item")) == ("user_a:user_c", "item_b")


def test_the_combinations_met_most_have_an_index_each(met: DataFrame) -> None:
    found = fit_crosses(met, BOTH, at_most=2, min_rows=2).orderBy("index").collect()
    assert [tuple(row) for row in found] == [
        (EXACT.name, [3, 2], 2, 7),
        (EXACT.name, [2, 3], 3, 6),
    ]


def test_indices_are_appended(table: DataFrame, met: DataFrame) -> None:
    fitted = fit_crosses(met, BOTH, at_most=2, min_rows=2)
    rows = with_crosses(table, "c", NAMES, BOTH, fitted).collect()
    assert [row["c"][:3] for row in rows] == [c for c, _ in MET]
    assert [row["c"][3] for row in rows] == [2, 2, 3, 1, 1, 0, 0]
    hashed = [row["c"][4] for row in rows]
    assert hashed[5:] == [0, 0]
    assert all(2 <= index < 6 for index in hashed[:5])
    assert with_crosses(table, "c", NAMES, (), fitted).first()["c"] == MET[0][0]


def test_a_combination_that_was_never_met(spark: SparkSession, met: DataFrame) -> None:
    fitted = fit_crosses(met, BOTH, at_most=2, min_rows=2)
    new = spark.createDataFrame([([9, 3, 2],), ([9, 9, 9],)], "c array<int>")
    known, other = (row["c"][3:] for row in with_crosses(new, "c", NAMES, BOTH, fitted).collect())
    assert (known[0], other[0]) == (3, 1)
    assert all(2 <= index < 6 for index in (known[1], other[1]))


def test_combinations_that_share_a_bucket_are_counted(table: DataFrame, met: DataFrame) -> None:
    hashed = with_crosses(table, "c", NAMES, (HASHED,), fit_crosses(met, BOTH, 9, 1)).collect()
    buckets = [row["c"][3] for row in hashed[:5]]
    share = sum(buckets.count(bucket) > 1 for bucket in buckets) / 5
    assert share > 0  # of five in four
    (found,) = collisions(met, BOTH).collect()
    assert (found["feature"], found["share"]) == (HASHED.name, pytest.approx(share))
    wide_cross = Cross(HASHED.parts, 1 << 20)
    (wide,) = collisions(met, (wide_cross,)).collect()
    assert wide["share"] == 0


def test_an_index_in_words(spark: SparkSession, table: DataFrame) -> None:
    timed = Cross(("hour", "item_kind", "user_mood"))
    found = combinations_met(table, "c", NAMES, (EXACT, timed))
    fitted = fit_crosses(found, (EXACT, timed), at_most=9, min_rows=4)
    values = [("item_kind", 'te"a', 2), ("item_kind", "pot", 3), ("user_mood", "good", 2)]
    vocabulary = spark.createDataFrame(values, "feature string, value string, index int")
    told = in_words(fitted, (EXACT, timed), vocabulary)
    assert told.columns == ["feature", "value", "index", "rows"]
    words = {
        (r["feature"], r["index"]): (json.loads(r["value"]), r["rows"]) for r in told.collect()
    }
    assert words == {
        (EXACT.name, 2): ([None, 'te"a'], 7),
        (EXACT.name, 3): (["good", "pot"], 6),
        (EXACT.name, 4): (["good", None], 4),
        (timed.name, 2): (["0", "pot", "good"], 6),
        (timed.name, 3): (["0", 'te"a', None], 5),
        (timed.name, 4): (["0", None, "good"], 4),
    }
