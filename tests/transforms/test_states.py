"""What was told of items, state by state, and which of them holds when."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.sources.cleaning import changes_of
from tastemill.states import holds_at, last_of, told_by

DAY = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(10)]
TOLD = "item_id string, title string, updated_at timestamp"
RAW = f"{TOLD}, source_file string, source_row bigint"


def told(spark: SparkSession, *rows: tuple[str, str, datetime | None]) -> DataFrame:
    return spark.createDataFrame(list(rows), TOLD)


def titles(rows: DataFrame) -> list[str]:
    return sorted(row["title"] for row in rows.collect())


@pytest.fixture
def states(spark: SparkSession) -> DataFrame:
    """Of three items: one that changed twice, one of no known time, one told of later."""
    newest = told(spark, ("a", "third", DAY[5]), ("b", "ever", None), ("c", "new", DAY[8]))
    earlier = told(spark, ("a", "third", DAY[5]), ("a", "first", DAY[1]), ("a", "second", DAY[3]))
    return told_by(newest, earlier, "item_id", DAY[8]).persist()


@pytest.mark.parametrize(
    ("day", "known"),
    [
        (0, ["ever"]),
        (1, ["ever"]),  # not yet: what is told at a moment is known after it
        (2, ["ever", "first"]),
        (3, ["ever", "first"]),
        (4, ["ever", "second"]),
        (5, ["ever", "second"]),
        (9, ["ever", "third"]),  # the one of day 8 isn't before as_of
    ],
)
def test_one_state_holds_at_a_time(states: DataFrame, day: int, known: list[str]) -> None:
    assert titles(states.where(holds_at(F.lit(DAY[day])))) == known


def test_the_last_state_of_each(states: DataFrame) -> None:
    assert titles(last_of(states)) == ["ever", "third"]


def test_a_source_that_tells_once(spark: SparkSession) -> None:
    newest = told(spark, ("a", "dated", DAY[3]), ("b", "ever", None), ("c", "late", DAY[5]))
    once = told_by(newest, None, "item_id", DAY[5])
    assert titles(last_of(once)) == ["dated", "ever"]
    assert titles(once.where(holds_at(F.lit(DAY[3])))) == ["ever"]


def test_of_what_is_told_again_and_again_the_changes_are_kept(spark: SparkSession) -> None:
    rows = [
        ("a", "old", DAY[1], "f", 1),
        ("a", "old", DAY[2], "f", 2),
        ("a", "slip", DAY[3], "f", 3),
        ("a", "new", DAY[3], "f", 4),  # the same moment: what comes last in the file counts
        ("a", "new", DAY[4], "f", 5),
        ("a", "old", DAY[5], "f", 6),
        ("b", None, DAY[1], "f", 7),
    ]
    kept = changes_of(spark.createDataFrame(rows, RAW).repartition(3), "item_id", ["title"])
    found = [(r.item_id, r.title, r.source_row) for r in kept.orderBy("source_row").collect()]
    assert found == [("a", "old", 1), ("a", "new", 4), ("a", "old", 6), ("b", None, 7)]
