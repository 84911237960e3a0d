"""A dry run of a mapping: what its files would become, and what is wrong with which lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.config.load import Config
from tastemill.parallel import at_once
from tastemill.sources.base import EVENT_COLUMNS, ITEM_COLUMNS, RELATION_COLUMNS, USER_COLUMNS
from tastemill.sources.batch import mark_events, marked_frames
from tastemill.sources.tabular import read
from tastemill.tables import EVENTS

NUM_ROWS, NUM_LINES = 10, 5
COLUMNS = {
    "events": EVENT_COLUMNS,
    "users": USER_COLUMNS,
    "items": ITEM_COLUMNS,
    "relations": RELATION_COLUMNS,
}
TIMES = ("event_time", "updated_at")
Rows = list[dict[str, Any]]


@dataclass
class Checked:
    """What a mapping makes of its files; nothing was written."""

    counts: Rows = field(default_factory=list)
    types: Rows = field(default_factory=list)
    rows: dict[str, Rows] = field(default_factory=dict)
    problems: Rows = field(default_factory=list)


def check(spark: SparkSession, cfg: Config, folder: Path) -> Checked:
    """Read all files and hold every row against the rules, as ingest would into a new warehouse.

    Raises:
        DataError: a file or a column that the mapping names is missing.
    """
    raw = read(spark, folder, cfg.source)
    now = datetime.now(UTC)
    events = mark_events(
        raw.events,
        spark.createDataFrame([], EVENTS.schema).limit(0),
        cfg.source,
        allow_missing_time=cfg.dataset.allow_missing_time,
        now=now,
    )
    frames = {"events": events, **marked_frames(raw)}
    told = [name for name in COLUMNS if getattr(cfg.source, name)]
    found = at_once(spark, *[_looked_at(name, frames[name]) for name in told])
    checked = Checked()
    for name, looked in zip(told, found, strict=True):
        checked.counts.append(looked.counts)
        checked.types += looked.types
        checked.rows[name] = looked.rows
        checked.problems += looked.problems
    return checked


@dataclass(frozen=True)
class _Looked:
    """The same of one table."""

    counts: dict[str, Any]
    types: Rows
    rows: Rows
    problems: Rows


def _looked_at(name: str, frame: DataFrame) -> Callable[[], _Looked]:
    def look() -> _Looked:
        kept = frame.persist()
        try:
            types = _types(kept) if name == "events" else []
            return _Looked(
                _counts(name, kept), types, _first_rows(name, kept), _problems(name, kept)
            )
        finally:
            kept.unpersist()

    return look


def _counts(name: str, frame: DataFrame) -> dict[str, Any]:
    key = COLUMNS[name][0] if name != "events" else "event_id"
    sound = F.col("reason").isNull()
    row = frame.agg(
        F.count("*").alias("rows"),
        F.count_if(sound).alias("sound"),
        F.count_distinct(F.when(sound, F.col(key))).alias("distinct"),
        F.count_if(~sound).alias("to quarantine"),
    ).collect()[0]
    return {"table": name, **row.asDict()}


def _types(events: DataFrame) -> Rows:
    """A row per type: how many events, and how many of them have a value, and a time."""
    known = {name: F.count(name).alias(f"with {name}") for name in ("value", "event_time")}
    by_type = events.where("reason IS NULL").groupBy("event_type")
    counted = by_type.agg(F.count("*").alias("rows"), *known.values())
    return [row.asDict() for row in counted.orderBy(F.desc("rows"), "event_type").collect()]


def _first_rows(name: str, frame: DataFrame) -> Rows:
    """The first sound rows, as they would stand in the table."""
    sound = frame.where("reason IS NULL").orderBy("source_file", "source_row").limit(NUM_ROWS)
    columns = [c for c in COLUMNS[name] if c != "event_id"]
    rows = [row.asDict() for row in sound.select(*columns, "source_row").collect()]
    told = [c for c in columns if any(row[c] is not None for row in rows)]
    names = {c: f"{c} (UTC)" if c in TIMES else c for c in told}
    return [{"line": row["source_row"], **{names[c]: row[c] for c in told}} for row in rows]


def _problems(name: str, frame: DataFrame) -> Rows:
    """A row per file and reason: how many lines, the numbers of the first, and how one reads."""
    bad = frame.where("reason IS NOT NULL")
    place = W.partitionBy("source_file", "reason").orderBy("source_row")
    counted = bad.groupBy("source_file", "reason").count()
    first = bad.withColumn("n", F.row_number().over(place)).where(F.col("n") <= NUM_LINES)
    shown = first.groupBy("source_file", "reason").agg(
        F.sort_array(F.collect_list("source_row")).alias("lines"),
        F.min_by("raw", "source_row").alias("reads"),
    )
    rows = counted.join(shown, ["source_file", "reason"]).orderBy(
        F.desc("count"), "source_file", "reason"
    )
    return [
        {
            "table": name,
            "file": row["source_file"],
            "reason": row["reason"],
            "rows": row["count"],
            "lines": _listed(row["lines"], row["count"]),
            "the first reads": row["reads"],
        }
        for row in rows.collect()
    ]


def _listed(lines: Sequence[int], count: int) -> str:
    more = ", …" if count > len(lines) else ""
    return ", ".join(map(str, lines)) + more
