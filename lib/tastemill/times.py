"""The two times of a run: the cut of the backtest and the as_of of production.

Both come from the data and never from the clock.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.config import DatasetConfig, Purpose, SplitConfig
from tastemill.errors import DataError

K = TypeVar("K")
# The total order of events; ascending, Spark puts unknown times first.
ORDER = ("event_time", "source_file", "source_row")


@dataclass(frozen=True)
class Times:
    """When a backtest stops looking, when its validation part begins, and what "now" is."""

    valid_from: datetime
    cut: datetime
    as_of: datetime

    def of(self, purpose: Purpose) -> datetime:
        """The moment before which a pass sees everything, and after which nothing."""
        return self.cut if purpose == "backtest" else self.as_of


def taken(positive_min: float) -> Column:
    """Whether an event counts as taken: it carries no value, or one that is large enough."""
    return F.col("value").isNull() | (F.col("value") >= positive_min)


def resolve_times(events: DataFrame, split: SplitConfig, dataset: DatasetConfig) -> Times:
    """Find the times such that the newest `test_fraction` of what was taken is the test.

    An event belongs to the test when event_time >= cut, so events of one second stay together.
    """
    newest = events.agg(F.max("event_date").alias("day")).first()
    if split.by != "time":
        if newest is None or newest["day"] is None:
            raise DataError("no event has a time", fix="check the source's times")
        return up_to(_midnight(newest["day"] + timedelta(days=1)))
    positives = events.where(taken(dataset.positive_min))
    cut = time_at(positives, 1.0 - split.test_fraction)
    earlier = positives.where(F.col("event_time").isNull() | (F.col("event_time") < F.lit(cut)))
    valid_from = time_at(earlier, 1.0 - split.valid_fraction)
    day: date = newest["day"] if newest else cut.date()
    return Times(valid_from, cut, _midnight(day + timedelta(days=1)))


def up_to(as_of: datetime) -> Times:
    """The times of a split that isn't by time: a backtest looks back from the end of the data.

    Its moment lies on the day before `as_of`, so that its profiles don't lie where production's do.
    """
    end = _midnight(as_of.date()) - timedelta.resolution
    return Times(end, end, as_of)


def time_at(events: DataFrame, share: float) -> datetime:
    """The event_time (whole second) of row floor(share × rows) in ascending order, unknown first.

    Two small histograms, by day and then by second of one day: no sort of the events, and nothing
    that grows with them reaches the driver.
    """
    days = events.groupBy("event_date").count().collect()
    rows = sum(r["count"] for r in days)
    by_day = sorted((r["event_date"] or date.min, r["count"]) for r in days)
    day, before = _bin_at(by_day, int(share * rows))
    if day == date.min:
        raise DataError(
            "no time can be found at which to split",
            expected=f"known times for the newest {1 - share:.0%} of the events",
            found=f"{before[0]} of {rows} events without a time" if rows else "no events",
            fix="check the source's times",
        )
    second = F.unix_timestamp("event_time")
    seconds = events.where(F.col("event_date") == F.lit(day)).groupBy(second.alias("s")).count()
    by_second = sorted((r["s"], r["count"]) for r in seconds.collect())
    at, _ = _bin_at(by_second, int(share * rows) - before[1])
    return datetime.fromtimestamp(at, UTC)


def _bin_at(histogram: list[tuple[K, int]], row: int) -> tuple[K, tuple[int, int]]:
    """The bin that holds a row, with the bin's own count and the count before it."""
    before = 0
    for key, count in histogram:
        if row < before + count:
            return key, (count, before)
        before += count
    raise DataError(
        "too few events to split by time",
        expected="events at three different times at least",
        found="none" if not histogram else f"{before} that could be split",
        fix="ingest more, or name run.valid_from, run.cut and run.as_of with --set",
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
