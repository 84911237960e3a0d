"""What the report counts of events, users, items and rejected rows."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.report import quarantine, shape
from tastemill.report.calendar import timeline

EVENTS = (
    "user_id string, item_id string, event_type string, value double, dwell_seconds double, "
    "query string, session_id string, event_time timestamp, event_date date"
)
DAY = datetime(2020, 1, 1, tzinfo=UTC)


def events(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    """Rows of (user, item, type, value, time): everything else is null."""
    full = [(u, i, t, v, None, None, None, at, at and at.date()) for u, i, t, v, at in rows]
    return spark.createDataFrame(full, EVENTS)


def rows_of(frame: DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in frame.collect()]


def clicks(spark: SparkSession, pairs: Sequence[tuple[str, str | None]]) -> DataFrame:
    return events(spark, *((u, i, "click", None, DAY) for u, i in pairs))


def test_types_stand_under_their_total_ties_by_name(spark: SparkSession) -> None:
    log = events(
        spark,
        ("u", "a", "view", None, DAY),
        ("u", None, "search", None, None),
        ("v", "a", "like", 4.0, datetime(2020, 2, 1, tzinfo=UTC)),
        ("v", "b", "like", None, DAY),
        ("v", "c", "like", 5.0, DAY),
    )
    names = ("event_type", "events", "value", "value_mean", "item_id", "event_time", "first")
    first = DAY.date()
    assert rows_of(shape.by_type(log), *names) == [
        (None, 5, 2, 4.5, 4, 4, first),
        ("like", 3, 2, 4.5, 3, 3, first),
        ("search", 1, 0, None, 0, 0, None),
        ("view", 1, 0, None, 1, 1, first),
    ]


def test_rare_types_are_left_to_the_total(spark: SparkSession) -> None:
    many = [("u", "a", f"type{n:02}", None, DAY) for n in range(shape.MAX_TYPES + 5)]
    found = rows_of(shape.by_type(events(spark, *many)), "event_type", "events")
    assert len(found) == shape.MAX_TYPES + 1
    assert found[0] == (None, len(many))


def test_events_by_calendar_unit(spark: SparkSession) -> None:
    log = events(
        spark,
        ("u", "a", "view", None, datetime(2020, 1, 5, 23, tzinfo=UTC)),  # a Sunday
        ("u", "a", "view", None, datetime(2020, 1, 6, tzinfo=UTC)),
        ("u", "a", "rare", None, datetime(2020, 1, 12, tzinfo=UTC)),
        ("u", "a", "view", None, None),
    )
    weeks = shape.over_time(log, "week", ["view"]).orderBy("begin", "event_type")
    assert rows_of(weeks, "begin", "event_type", "n") == [
        (date(2019, 12, 30), "view", 1),
        (date(2020, 1, 6), None, 1),
        (date(2020, 1, 6), "view", 1),
    ]
    drawn = timeline("week", weeks.collect(), ["view"])
    assert drawn is not None
    assert drawn.series == (("view", (1, 1)), (None, (0, 1)))


def test_users_by_powers_of_two(spark: SparkSession) -> None:
    pairs = [("a", "x"), ("a", "x"), ("a", "y"), ("a", None), ("b", "x"), ("c", "x")]
    found = shape.activity(clicks(spark, pairs)).orderBy("power")
    names = ("power", "users", "pairs", "quartiles", "most")
    assert rows_of(found, *names) == [
        (None, 3, 4, [1, 1, 4], 4),  # a has 4 events with 2 items
        (0, 2, 2, [1, 1, 1], 1),
        (2, 1, 2, [4, 4, 4], 4),
    ]


def test_powers_of_two_are_exact(spark: SparkSession) -> None:
    numbers = [(n + d,) for n in (2, 8, 2**29, 2**53) for d in (-1, 0)]
    frame = spark.createDataFrame(numbers, "n bigint").select(shape.power_of_two("n").alias("p"))
    assert [r["p"] for r in frame.collect()] == [0, 1, 2, 3, 28, 29, 52, 53]


def test_the_long_tail_is_straight_among_equals(spark: SparkSession) -> None:
    # Of 4 items one has 6 events, two have 1 and one has 2.
    pairs = [("u", "a")] * 6 + [("u", "b"), ("u", "c"), ("u", "d"), ("v", "d"), ("v", None)]
    found = shape.long_tail(clicks(spark, pairs), (0.125, 0.25, 0.5, 0.625, 1.0))
    assert rows_of(found.orderBy("share"), "share", "held", "items") == [
        (0.125, pytest.approx(0.3), 4),
        (0.25, pytest.approx(0.6), 4),
        (0.5, pytest.approx(0.8), 4),
        (0.625, pytest.approx(0.85), 4),
        (1.0, pytest.approx(1.0), 4),
    ]


def test_every_share_is_found_once(spark: SparkSession) -> None:
    pairs = [("u", f"i{n}") for n in range(97) for _ in range(n % 7 + 1)]
    found = rows_of(shape.long_tail(clicks(spark, pairs), shape.TOP_SHARES), "share", "held")
    assert sorted(share for share, _ in found) == list(shape.TOP_SHARES)
    assert [held for _, held in sorted(found)] == sorted(held for _, held in found)


def test_nothing_comes_of_no_events(spark: SparkSession) -> None:
    nothing = events(spark)
    frames = (
        shape.by_type(nothing),
        shape.over_time(nothing, "day", []),
        shape.activity(nothing),
        shape.long_tail(nothing, shape.TOP_SHARES),
    )
    assert [frame.collect() for frame in frames] == [[], [], [], []]


def test_empty_lists_are_not_known(spark: SparkSession) -> None:
    rows = [("a", ["x"]), (None, []), ("", None)]
    items = spark.createDataFrame(rows, "title string, categories array<string>")
    found = shape.known_columns(items, ("title", "categories"))
    assert rows_of(found, "column", "known", "rows") == [("title", 2, 3), ("categories", 1, 3)]
    none = shape.known_columns(items.limit(0), ("title",))
    assert rows_of(none, "column", "known", "rows") == [("title", 0, 0)]


REJECTED = "quarantine_id string, source_file string, source_row bigint, reason string, raw string"


def test_rejected_rows_by_reason_with_the_first_of_each(spark: SparkSession) -> None:
    rows = [
        ("1", "b.csv", 1, "no_item", "b1"),
        ("2", "a.csv", None, "no_item", "a?"),
        ("3", "a.csv", 9, "no_item", "x" * 500),
        ("4", "a.csv", None, "no_user", "n" * 120),
        ("5", "a.csv", 7, "bad_time", "t"),
    ]
    found = quarantine.by_reason(spark.createDataFrame(rows, REJECTED)).collect()
    assert [(r["reason"], r["rows"]) for r in found] == [
        *((None, 5), ("no_item", 3)),
        *(("bad_time", 1), ("no_user", 1)),
    ]
    assert found[1]["example"] == ("a.csv", 9, "x" * 119 + "…")
    assert found[3]["example"] == ("a.csv", None, "n" * 120)


def test_no_rejected_rows(spark: SparkSession) -> None:
    assert quarantine.by_reason(spark.createDataFrame([], REJECTED)).collect() == []
