"""The cut: a fixed share of the events lies before it, events of one second on one side."""

import random
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.config import DatasetConfig, SplitConfig
from tastemill.errors import DataError
from tastemill.times import Times, resolve_times, taken, time_at

SCHEMA = "value double, event_time timestamp, event_date date"
START = datetime(2020, 1, 1, 23, 59, 50, tzinfo=UTC)
Row = tuple[float | None, datetime | None, date | None]


def at(second: float | None, value: float | None = None) -> Row:
    if second is None:
        return (value, None, None)
    moment = START + timedelta(seconds=second)
    return (value, moment, moment.date())


def frame(spark: SparkSession, rows: list[Row]) -> DataFrame:
    return spark.createDataFrame(rows, SCHEMA)


def second(moment: datetime) -> int:
    assert moment.tzinfo is UTC
    return int((moment - START).total_seconds())


def test_the_cut_is_the_row_at_the_share(spark: SparkSession) -> None:
    # Seconds 0 to 19 run over midnight.
    events = frame(spark, [at(s) for s in random.Random(1).sample(range(20), 20)]).persist()
    for share, row in ((0.8, 16), (0.5, 10), (0.04, 0), (0.05, 1), (0.999, 19), (0.0, 0)):
        assert second(time_at(events, share)) == row
    events.unpersist()


def test_ties_stay_together(spark: SparkSession) -> None:
    events = frame(spark, [at(s) for s in (0, 1, 5, 5, 5, 5, 5, 5, 5, 9)]).persist()
    for share, expected in ((0.2, 5), (0.8, 5), (0.9, 9), (0.1, 1)):
        assert second(time_at(events, share)) == expected
    events.unpersist()


def test_parts_of_seconds_lie_after_the_cut(spark: SparkSession) -> None:
    assert second(time_at(frame(spark, [at(3.75)]), 0.5)) == 3


def test_unknown_times_come_first(spark: SparkSession) -> None:
    events = frame(spark, [at(None)] * 5 + [at(s) for s in (1, 2, 3, 4, 5)]).persist()
    assert second(time_at(events, 0.5)) == 1
    assert second(time_at(events, 0.8)) == 4
    with pytest.raises(DataError, match="no time") as caught:
        time_at(events, 0.4)
    assert "5 of 10 events without a time" in str(caught.value)
    events.unpersist()


def test_without_times_or_events_there_is_no_cut(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="no time can be found"):
        time_at(frame(spark, [at(None)] * 3), 0.8)
    with pytest.raises(DataError, match="too few events to split by time"):
        time_at(frame(spark, []), 0.8)
    with pytest.raises(DataError):
        resolve_times(frame(spark, [at(None)] * 3), SplitConfig(), DatasetConfig())


def test_what_counts_as_taken(spark: SparkSession) -> None:
    values = [None, 2.9, 3.0, 5.0]
    rows = frame(spark, [at(0, v) for v in values]).select(taken(3.0).alias("t")).collect()
    assert [r.t for r in rows] == [True, False, True, True]


def reference(rows: list[Row], split: SplitConfig, positive_min: float) -> Times | None:
    """The same with pandas: sort everything and look at one row."""
    pdf = pd.DataFrame(rows, columns=["value", "event_time", "event_date"])
    pdf["event_time"] = pd.to_datetime(pdf["event_time"], utc=True)
    pdf = pdf[pdf["value"].isna() | (pdf["value"] >= positive_min)]

    def row_at(part: pd.DataFrame, share: float) -> datetime | None:
        times = part["event_time"].sort_values(na_position="first").tolist()
        moment = times[int(share * len(times))] if times else pd.NaT
        return None if pd.isna(moment) else moment.floor("s").to_pydatetime()

    cut = row_at(pdf, 1.0 - split.test_fraction)
    if cut is None:
        return None
    earlier = pdf[pdf["event_time"].isna() | (pdf["event_time"] < cut)]
    valid_from = row_at(earlier, 1.0 - split.valid_fraction)
    newest = max(day for _, _, day in rows if day)
    as_of = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
    return Times(valid_from, cut, as_of) if valid_from else None


@pytest.mark.parametrize("seed", range(6))
def test_equals_pandas_on_random_data(spark: SparkSession, seed: int) -> None:
    rng = random.Random(seed)
    spread = rng.choice([20, 3_000, 300_000])
    rows = [
        at(
            None if rng.random() < 0.1 else rng.randrange(spread) + rng.choice([0, 0, 0.5]),
            rng.choice([None, 1.0, 4.0]),
        )
        for _ in range(rng.randrange(30, 200))
    ]
    split = SplitConfig(test_fraction=rng.choice([0.2, 0.35]), valid_fraction=0.1)
    dataset = DatasetConfig(positive_min=2.0)
    expected = reference(rows, split, 2.0)
    assert expected is not None
    found = resolve_times(frame(spark, rows), split, dataset)
    assert found == expected
    assert found.of("backtest") == found.cut
    assert found.of("production") == found.as_of
