"""The gate on a small table: what is measured, what stops a line, what the next is held to."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import DataError, UsageError
from tastemill.jobs import check_quality
from tastemill.jobs.check_quality import inputs

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC).replace(microsecond=0)


def event(n: int, **other: Any) -> dict[str, Any]:
    at = NOW - timedelta(days=2, hours=n)
    what = {"user_id": f"u{n}", "item_id": "i", "event_type": "rating", "value": float(n % 5 + 1)}
    file = {"source": "toy", "source_file": "f", "source_row": n, "ingested_at": NOW}
    when = {"event_time": at, "event_date": at.date()}
    return {"event_id": f"e{n}", **what, **file, **when, **other}


def filled(spark: SparkSession, place: Path, rows: Sequence[dict[str, Any]]) -> Warehouse:
    warehouse = Warehouse(spark, str(place), "movielens-100k")
    values = [tuple(row.get(name) for name in tables.EVENTS.columns) for row in rows]
    warehouse.merge(tables.EVENTS, spark.createDataFrame(values, tables.EVENTS.schema))
    return warehouse


def config(place: Path, *expected: str, on_failure: str = "fail", table: str = "events") -> Config:
    settings = (
        f"run.warehouse='{place}'",
        f"quality.on_failure='{on_failure}'",
        f"quality.tables.{table}=[{', '.join(expected)}]",
    )
    return load_config(Request("movielens-100k", settings=settings))


def found(warehouse: Warehouse) -> dict[tuple[str, str], Any]:
    rows = Warehouse(warehouse.spark, warehouse.location, "movielens-100k").read(tables.QUALITY)
    return {(row["column_name"], row["check"]): row for row in rows.collect()}


@pytest.fixture(scope="module")
def place(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("quality")
    odd = (event(98, value=None, user_id="u1"), event(99, value=9.0, user_id="u1"))
    filled(spark, place, [*(event(n) for n in range(18)), *odd])
    return place


def test_each_expectation_is_measured(spark: SparkSession, place: Path) -> None:
    expected = (
        "{column='value', known=0.95, at_least=1, at_most=5, share=0.9}",
        "{column='event_type', one_of=['rating', 'view']}",
        "{column='event_time', fresh_days=3}",
        "{unique=['user_id', 'item_id']}",
        "{unique=['event_id']}",
    )
    result = check_quality.run(spark, config(place, *expected, on_failure="warn"))
    assert result.rows == 6
    assert result.detail == "1 of 6 expectations don't hold"
    rows = found(Warehouse(spark, str(place), "movielens-100k"))
    value = {key: (row["found"], row["broken"]) for key, row in rows.items()}
    assert value == {
        ("value", "known"): (0.95, 1),
        ("value", "range"): (pytest.approx(18 / 19), 1),
        ("event_type", "one_of"): (1, 0),
        ("event_time", "fresh"): ((NOW - timedelta(days=2)).timestamp(), None),
        ("user_id, item_id", "unique"): (0.9, 2),
        ("event_id", "unique"): (1, 0),
    }
    failed = [key for key, row in rows.items() if not row["holds"]]
    assert failed == [("user_id, item_id", "unique")]
    assert {row["rows"] for row in rows.values()} == {20}


def test_a_line_stops_and_says_what_was_found(
    spark: SparkSession, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = ("{column='value', at_most=5}", "{column='event_time', fresh_days=1}")
    with pytest.raises(DataError, match="2 of 2 expectations don't hold") as error:
        check_quality.run(spark, config(place, *expected))
    words = str(error.value)
    assert "events.value: range: expected at most 5 in all rows, found 1 otherwise" in words
    assert f"found {NOW - timedelta(days=2):%Y-%m-%d %H:%M}" in words
    with caplog.at_level(logging.WARNING, "tastemill"):
        check_quality.run(spark, config(place, *expected, on_failure="warn"))
    assert [message.split(":")[0] for message in caplog.messages] == [
        "events.value",
        "events.event_time",
    ]


def test_what_has_to_be_new_is_looked_at_every_day(place: Path) -> None:
    assert inputs(config(place, "{column='event_time', fresh_days=1}"))
    assert not inputs(config(place, "{unique=['event_id']}"))


def test_a_column_that_drifts_is_held_against_the_last_run_that_was_accepted(
    spark: SparkSession, tmp_path: Path
) -> None:
    drift = "{column='value', max_psi=0.2, max_ks=0.3}"
    cfg = config(tmp_path, drift)
    warehouse = filled(spark, tmp_path, [event(n) for n in range(50)])
    check_quality.run(spark, cfg)
    first = found(warehouse)
    assert {row["found"] for row in first.values()} == {None}
    assert sum(first["value", "psi"]["counts"]) == 50
    filled(spark, tmp_path, [event(n) for n in range(50, 60)])
    # What else is wrong of a run keeps it from being a measure for the next.
    with pytest.raises(DataError, match="1 of 3"):
        check_quality.run(spark, config(tmp_path, drift, "{unique=['item_id']}"))
    alike = found(warehouse)
    assert alike["value", "psi"]["found"] == pytest.approx(0.0)
    assert sum(alike["value", "psi"]["counts"]) == 50
    check_quality.run(spark, cfg)
    assert sum(found(warehouse)["value", "psi"]["counts"]) == 60
    filled(spark, tmp_path, [event(n, value=5.0) for n in range(100, 200)])
    for _ in range(2):  # nor does a drift
        with pytest.raises(DataError, match="value: psi: expected"):
            check_quality.run(spark, cfg)
        # A fifth was 5.0 and now 112 of 160 are.
        distance = found(warehouse)["value", "ks"]
        assert not distance["holds"]
        assert distance["found"] == pytest.approx(112 / 160 - 1 / 5)
        assert sum(distance["counts"]) == 60
    assert check_quality.run(spark, config(tmp_path, drift, on_failure="warn")).detail
    assert not check_quality.run(spark, cfg).detail  # it was accepted, once


def test_an_empty_table_has_nothing_new_and_is_no_measure(
    spark: SparkSession, tmp_path: Path
) -> None:
    warehouse = filled(spark, tmp_path, [])
    expected = ("{column='value', known=1.0, at_least=1, max_psi=0.1}", "{unique=['event_id']}")
    check_quality.run(spark, config(tmp_path, *expected))
    assert {row["found"] for row in found(warehouse).values()} == {None}
    with pytest.raises(DataError, match="fresh: expected newest 1 days old at most, found nothing"):
        check_quality.run(spark, config(tmp_path, "{column='event_time', fresh_days=1}"))
    filled(spark, tmp_path, [event(n) for n in range(5)])
    check_quality.run(spark, config(tmp_path, *expected))
    assert sum(found(warehouse)["value", "psi"]["counts"]) == 5


def test_of_profiles_those_of_the_pass_are_asked(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = filled(spark, tmp_path, [event(n) for n in range(5)])
    days = (NOW.date() - timedelta(days=9), NOW.date())
    profiles = [
        {
            **dict.fromkeys(("num_events", "num_events_7d", "num_events_30d", "num_events_90d"), 3),
            **dict.fromkeys(("num_active_days", "num_sessions"), 3),
            **{"ds": day, "as_of": NOW, "user_id": "u", "user_idx": 0, "interests": [0.0]},
            **{"user_vector": [0.0], "num_events_by_type": {"rating": 3}, "visits_per_week": 1.5},
        }
        for day in days
    ]
    rows = [tuple(row.get(name) for name in tables.USER_PROFILES.columns) for row in profiles]
    frame = spark.createDataFrame(rows, tables.USER_PROFILES.schema)
    warehouse.overwrite_slice(tables.USER_PROFILES, frame, *map(str, days))
    cfg = config(tmp_path, "{unique=['user_id']}", table="user_profiles")
    times = {"cut": NOW, "valid_from": NOW - timedelta(days=1), "as_of": NOW + timedelta(days=1)}
    cfg = cfg.model_copy(update={"run": cfg.run.model_copy(update=times)})
    check_quality.run(spark, cfg)
    assert found(warehouse)["user_id", "unique"]["rows"] == 1


@pytest.mark.parametrize(
    ("expected", "table", "fix"),
    [
        ("{column='vale', known=1.0}", "events", "did you mean value?"),
        ("{unique=['event_ids']}", "events", "did you mean event_id?"),
        ("{column='user_id', max_psi=0.1}", "events", "numeric"),
        ("{column='event_type', at_least=1}", "events", "found: string"),
        ("{column='value', fresh_days=1}", "events", "timestamp or date"),
        ("{unique=['attributes']}", "items", "found: a map"),
        ("{unique=['event_id']}", "event", "did you mean events?"),
    ],
)
def test_what_there_is_not(
    spark: SparkSession, place: Path, expected: str, table: str, fix: str
) -> None:
    with pytest.raises(UsageError) as error:
        check_quality.run(spark, config(place, expected, table=table))
    assert fix in str(error.value)
