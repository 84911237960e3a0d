"""Profile vectors of every example as of just before its event: running sums, no loops.

Both functions take rows in which `counts` says whether the row adds to the history of those that
follow. A row after as_of never does: it sees the state at as_of, and so does everything after it.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W
from pyspark.sql.window import WindowSpec

from tastemill.profiles.categories import normalized
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import Moment, as_vector, history_features
from tastemill.times import taken


def earlier(key: str) -> WindowSpec:
    """All rows of a key strictly before this one in the total order of events."""
    order = (F.col("event_time").asc_nulls_first(), "source_file", "source_row")
    return W.partitionBy(key).orderBy(*order).rowsBetween(W.unboundedPreceding, -1)


def with_user_vector(
    rows: DataFrame, moment: Moment, cfg: ProfilesConfig, positive_min: float
) -> DataFrame:
    """Add `user_vector` as of just before each row.

    Args:
        rows: events with `shares` of their item, `overall_mean`, `oldest`.
        moment: rows at or after it add nothing.
        cfg: length of vectors, half-life, prior.
        positive_min: smallest value that counts as taken.
    """
    window = earlier("user_id")
    weight = F.when(
        moment.before & taken(positive_min), moment.recency(cfg.half_life_days, F.col("oldest"))
    ).otherwise(0.0)
    sums = [
        F.coalesce(
            F.sum(weight * F.coalesce(F.col("shares")[slot], F.lit(0.0))).over(window), F.lit(0.0)
        )
        for slot in range(cfg.num_categories)
    ]
    rows = rows.withColumns({"_sums": F.array(*sums), **_history(window, moment.before)})
    vector = as_vector(normalized(F.col("_sums")), _features(cfg))
    return rows.withColumn("user_vector", vector).drop("_sums", *HISTORY)


def with_item_vector(
    rows: DataFrame, moment: Moment, cfg: ProfilesConfig, counts: Column
) -> DataFrame:
    """Add `item_vector` as of just before each row.

    Args:
        rows: events and negatives with `shares` of their item and `overall_mean`.
        moment: rows at or after it add nothing.
        cfg: length of vectors, prior.
        counts: whether a row is an event and not a negative.
    """
    window = earlier("item_id")
    rows = rows.withColumns(_history(window, moment.before & counts))
    zeros = F.array_repeat(F.lit(0.0), cfg.num_categories)
    vector = as_vector(F.coalesce("shares", zeros), _features(cfg))
    return rows.withColumn("item_vector", vector).drop(*HISTORY)


HISTORY = ("_events", "_values", "_centred")


def _history(window: WindowSpec, counts: Column) -> dict[str, Column]:
    value = F.col("value")
    return {
        "_events": F.sum(counts.cast("int")).over(window),
        "_values": F.sum((counts & value.isNotNull()).cast("int")).over(window),
        "_centred": F.sum(F.when(counts, value - F.col("overall_mean"))).over(window),
    }


def _features(cfg: ProfilesConfig) -> list[Column]:
    events, values, centred = (F.col(name) for name in HISTORY)
    return history_features(events, values, centred, cfg.prior_events)
