"""The books of a warehouse: the table `runs`, read once at the start and written as stages end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config import Purpose
from tastemill.delta import Warehouse
from tastemill.parallel import at_once


@dataclass(frozen=True)
class Record:
    """What `runs` keeps of a stage."""

    status: str
    key: str
    inputs: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    seconds: float = 0.0
    error: str | None = None
    detail: str = ""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


Entry = tuple[str, Purpose, Record]


@dataclass(frozen=True)
class Header:
    """What all stages of a run have in common."""

    run_id: str
    run_seq: int
    command: str
    settings: str
    environment: Mapping[str, str | None]


@dataclass(frozen=True)
class Past:
    """What the books say: how every stage was last done, by its key, and the last run's number.

    `seconds` tells by stage how long it took when it was last done, whatever its key was.
    """

    done: Mapping[str, Record]
    last_seq: int
    seconds: Mapping[tuple[Purpose, str], float] = field(default_factory=dict)


def read_past(warehouse: Warehouse) -> Past:
    """Read, in one query, what there is to skip; the tables' histories are read beside it."""
    if not warehouse.exists(tables.RUNS):
        return Past({}, 0)
    kept = F.struct("input_versions", "output_versions", "models", "rows")
    took = F.struct("run_seq", "purpose", "stage", "seconds")
    when_done = F.when(F.col("status") == "done", F.col("run_seq"))
    stages = warehouse.read(tables.RUNS).groupBy("stage_key")
    found = stages.agg(
        F.max("run_seq").alias("last"),
        F.max_by(kept, when_done).alias("done"),
        F.max_by(took, when_done).alias("took"),
    )
    # All that skipping asks of the tables, asked for at once.
    rows: list[Row] = []
    history = (partial(warehouse.history, table) for table in tables.ALL)
    at_once(warehouse.spark, lambda: rows.extend(found.collect()), *history)
    took_last = sorted((r["took"] for r in rows if r["took"]), key=lambda took: took["run_seq"])
    return Past(
        {r["stage_key"]: Record("done", r["stage_key"], *r["done"]) for r in rows if r["done"]},
        max((r["last"] for r in rows), default=0),
        {(took["purpose"], took["stage"]): took["seconds"] for took in took_last},
    )


def known_settings(warehouse: Warehouse, times_key: str) -> dict[str, Any] | None:
    """The settings of a run whose times were found in the same events, if there was one."""
    same = F.get_json_object("settings", "$.times_key") == times_key
    row = warehouse.read_or_empty(tables.RUNS).where(same).select("settings").first()
    found: dict[str, Any] | None = json.loads(row["settings"]) if row is not None else None
    return found


def write(warehouse: Warehouse, header: Header, entries: Sequence[Entry], number: int) -> None:
    """Append the records of stages; the same number twice appends them once."""
    rows = [_row(header, *entry) for entry in entries]
    frame = warehouse.spark.createDataFrame(rows, tables.RUNS.schema)
    warehouse.append_once(tables.RUNS, frame, f"run-{header.run_id}", number)


def _row(header: Header, stage: str, purpose: Purpose, record: Record) -> tuple[Any, ...]:
    return (
        header.run_id,
        header.run_seq,
        stage,
        purpose,
        record.status,
        record.key,
        dict(record.inputs),
        dict(record.outputs),
        dict(record.models),
        record.rows,
        record.seconds,
        record.error,
        header.command,
        header.settings,
        record.started_at,
        dict(header.environment),
    )
