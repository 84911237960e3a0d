"""From raw frames to rows of `events`, `users`, `items` and `quarantine`: rules, identity, order.

Everything here is lazy. The total order of events is (event_time, unknown first; source_file;
source_row), and where several rows claim one id the first in that order wins.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window as W

from tastemill.tables import EVENTS, QUARANTINE, RELATIONS, Table
from tastemill.times import ORDER

IDENTITY = ("user_id", "item_id", "event_type", "event_time", "session_id", "value")
# What makes two rows under one id the same event told twice, and not a conflict.
CONTENT = (*IDENTITY, "dwell_seconds", "query")
MAX_ID_LENGTH = 1_000


def apply_event_rules(raw: DataFrame, *, allow_missing_time: bool, now: datetime) -> DataFrame:
    """Fill `reason` for every row that can't be an event; a reason of the source's stays."""
    value, at = F.col("value"), F.col("event_time")
    infinite = F.isnan(value) | (F.abs(value) == F.lit(float("inf")))
    reason = (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(F.col("user_id").isNull(), "user_id_missing")
        .when(F.col("item_id").isNull() & (F.col("event_type") != "search"), "item_id_missing")
        .when(F.col("event_type").isNull(), "event_type_missing")
        .when(F.length("user_id") > MAX_ID_LENGTH, "user_id_too_long")
        .when(F.length("item_id") > MAX_ID_LENGTH, "item_id_too_long")
        .when(infinite, "value_not_finite")
        .when(at > F.lit(now), "time_in_future")
    )
    if not allow_missing_time:
        reason = reason.when(at.isNull(), "time_missing")
    return raw.withColumn("reason", reason)


def apply_key_rule(raw: DataFrame, key: str) -> DataFrame:
    """Fill `reason` for rows of users or items without an id."""
    reason = (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(F.col(key).isNull(), f"{key}_missing")
        .when(F.length(key) > MAX_ID_LENGTH, f"{key}_too_long")
    )
    return raw.withColumn("reason", reason)


def apply_relation_rules(raw: DataFrame) -> DataFrame:
    """Fill `reason` for relations without both ends or a kind, and of a user to itself."""
    ends = ("user_id", "other_id")
    reason = F.coalesce(
        "reason",
        *[F.when(F.col(name).isNull(), F.lit(f"{name}_missing")) for name in (*ends, "kind")],
        *[F.when(F.length(name) > MAX_ID_LENGTH, F.lit(f"{name}_too_long")) for name in ends],
        F.when(F.col("user_id") == F.col("other_id"), F.lit("related_to_itself")),
    )
    return raw.withColumn("reason", reason)


def with_event_ids(events: DataFrame, source: str) -> DataFrame:
    """Give an id to every event that has none: 128 bits of a hash of what the row says.

    Rows of one file that say the same are told apart by their number n in file order, so a file
    read twice gives the same ids, and so does the same file beside others.

    Also adds `_key`, which rows under one id share: `told_apart` then needs no second shuffle.
    """
    parts = [F.coalesce(F.col(c).cast("string"), F.lit("\u0000")) for c in IDENTITY]
    content = F.sha2(F.concat_ws("\u001f", F.lit(source), *parts), 256)
    # What was rejected shares a key with nothing.
    place = F.concat_ws("#", "source_file", F.col("source_row").cast("string"))
    key = F.when(F.col("reason").isNull(), F.coalesce("event_id", content)).otherwise(place)
    alike = W.partitionBy("_key", "source_file").orderBy("source_row")
    n = F.row_number().over(alike).cast("string")
    hashed = F.substring(F.sha2(F.concat_ws("\u001f", "_key", n), 256), 1, 32)
    keyed = events.withColumn("_key", key).repartition("_key")
    return keyed.withColumn("event_id", F.coalesce("event_id", hashed))


def told_apart(events: DataFrame) -> DataFrame:
    """Mark repeats: `_repeat` true where an earlier row has the id; a conflict gets a reason.

    Args:
        events: what `with_event_ids` returned.
    """
    window = W.partitionBy("_key", "event_id").orderBy(*ORDER)
    differs = [~F.col(c).eqNullSafe(F.first(c).over(window)) for c in CONTENT]
    conflict = F.when(reduce(or_, differs), F.lit("conflicting_duplicate"))
    marks = {"_repeat": F.row_number().over(window) > 1, "reason": F.coalesce("reason", conflict)}
    return events.withColumns(marks).drop("_key")


def content_of(frame: DataFrame, columns: Sequence[str]) -> Column:
    """The named columns as one text that tells null from empty."""
    return F.to_json(F.struct(*[frame[c] for c in columns]), {"ignoreNullFields": "false"})


def against_stored(events: DataFrame, stored: DataFrame) -> DataFrame:
    """The same marks against events that are in the table already.

    `stored` should be cut to the days of the batch: the join is on event_date and event_id.
    """
    known = stored.select(
        F.col("event_id").alias("_id"),
        F.col("event_date").alias("_date"),
        content_of(stored, CONTENT).alias("_stored"),
    )
    on = (F.col("event_id") == F.col("_id")) & F.col("event_date").eqNullSafe(F.col("_date"))
    joined = events.join(known, on=on, how="left")
    conflict = F.when(
        F.col("_stored") != content_of(events, CONTENT), F.lit("conflicting_duplicate")
    )
    repeat = F.col("_repeat") | F.col("_stored").isNotNull()
    marks = {"_repeat": repeat, "reason": F.coalesce("reason", conflict)}
    return joined.withColumns(marks).drop("_id", "_date", "_stored")


def as_events(clean: DataFrame, source: str, now: datetime) -> DataFrame:
    """Rows of the table `events`."""
    return as_table(
        clean.withColumns(
            {
                "event_date": F.to_date("event_time"),
                "source": F.lit(source),
                "ingested_at": F.lit(now),
            }
        ),
        EVENTS,
    )


def as_relations(clean: DataFrame, source: str) -> DataFrame:
    """Rows of the table `relations`; one that is told twice is one."""
    named = clean.withColumn("source", F.lit(source))
    return as_table(named, RELATIONS).dropDuplicates([*RELATIONS.keys])


def as_table(frame: DataFrame, table: Table) -> DataFrame:
    """Exactly the table's columns, cast to its types."""
    columns: list[tuple[str, T.DataType]] = [(f.name, f.dataType) for f in table.schema]
    return frame.select(*[F.col(name).cast(kind).alias(name) for name, kind in columns])


def as_quarantine(rejected: DataFrame, source: str, now: datetime) -> DataFrame:
    """Rows of the table `quarantine`; n tells equal rows apart, also those of several files."""
    alike = W.partitionBy("raw", "reason").orderBy("source_file", "source_row")
    n = F.row_number().over(alike).cast("string")
    key = F.concat_ws("\u001f", F.lit(source), "raw", "reason", n)
    return as_table(
        rejected.withColumns(
            {
                "quarantine_id": F.substring(F.sha2(key, 256), 1, 32),
                "source": F.lit(source),
                "ingested_at": F.lit(now),
            }
        ),
        QUARANTINE,
    )


def newest_of(rows: DataFrame, key: str) -> DataFrame:
    """One row per key: the last updated, then the last in the files."""
    order = (F.col("updated_at").desc_nulls_last(), F.desc("source_file"), F.desc("source_row"))
    window = W.partitionBy(key).orderBy(*order)
    return rows.withColumn("_n", F.row_number().over(window)).where("_n = 1").drop("_n")


def changes_of(rows: DataFrame, key: str, content: Sequence[str]) -> DataFrame:
    """The rows at which the content of a key changes; of one time, the last in the files counts."""
    order = ("updated_at", "source_file", "source_row")
    window = W.partitionBy(key).orderBy(*order)
    later = F.lead("updated_at").over(window)
    told = rows.withColumns({"_later": later, "_told": content_of(rows, content)})
    last = told.where(F.col("_later").isNull() | (F.col("_later") != F.col("updated_at")))
    changed = ~F.col("_told").eqNullSafe(F.lag("_told").over(window))
    marked = last.withColumn("_changed", changed).where("_changed")
    return marked.drop("_later", "_told", "_changed")
