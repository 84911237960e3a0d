"""A dry run of a mapping: what its files would become, and what is wrong with which lines."""

from collections.abc import Sequence
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
Rows = list[dict[str, Any]]


@dataclass
class Checked:
    """What a mapping makes of its files; nothing was written."""

    counts: Rows = field(default_factory=list)
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
    for name, (counts, rows, problems) in zip(told, found, strict=True):
        checked.counts.append(counts)
        checked.rows[name] = rows
        checked.problems += problems
    return checked


def _looked_at(name: str, frame: DataFrame) -> Any:  # noqa: ANN401 - a call without arguments
    def look() -> tuple[dict[str, Any], Rows, Rows]:
        kept = frame.persist()
        try:
            return _counts(name, kept), _first_rows(name, kept), _problems(name, kept)
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


def _first_rows(name: str, frame: DataFrame) -> Rows:
    """The first sound rows, as they would stand in the table."""
    sound = frame.where("reason IS NULL").orderBy("source_file", "source_row").limit(NUM_ROWS)
    columns = [c for c in COLUMNS[name] if c != "event_id"]
    rows = [row.asDict() for row in sound.select(*columns, "source_row").collect()]
    told = [c for c in columns if any(row[c] is not None for row in rows)]
    return [{"line": row["source_row"], **{c: row[c] for c in told}} for row in rows]


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
    rows = counted.join(shown, ["source_file", "reason"]).orderBy(F.desc("count")).collect()
    return [
        {
            "table": name,
            "file": row["source_file"],
            "reason": row["reason"],
            "rows": row["count"],
            "lines": _listed(row["lines"], row["count"]),
            "the first reads": row["reads"],
        }
        for row in rows
    ]


def _listed(lines: Sequence[int], count: int) -> str:
    more = ", …" if count > len(lines) else ""
    return ", ".join(map(str, lines)) + more
