"""Does or skips the stages of a line and keeps the books in `runs`.

A stage whose key was done before, and whose outputs still stand as it left them, is skipped.
"""

import importlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, cast

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, tables
from tastemill.config import Purpose
from tastemill.config.load import Config, as_values
from tastemill.line.stages import (
    JUDGED,
    TRAINING,
    JobModule,
    Plan,
    outputs_of,
    slices_of,
    stage_key,
    times_key,
)
from tastemill.parallel import at_once
from tastemill.tables import Table
from tastemill.times import Times

AT_MOST_LOST_S = 20.0
"""A run that is killed has this much finished work not in `runs`, at most."""


class Observer(Protocol):
    """Is told what happens, for progress bars and logs."""

    def started(self, stage: str, purpose: Purpose, number: int, total: int) -> None:
        """A stage begins."""

    def finished(self, stage: str, purpose: Purpose, record: "Record") -> None:
        """A stage was done or skipped, or failed."""


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


@dataclass
class Run:
    """One call of the line on one warehouse."""

    spark: SparkSession
    cfg: Config
    command: str
    observer: Observer
    records: list[tuple[str, Purpose, Record]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        named = self.cfg.run.model_copy(update={"run_id": self.run_id})
        self.cfg = self.cfg.model_copy(update={"run": named})
        self.warehouse = job.open_warehouse(self.spark, self.cfg)
        self.done: dict[str, Record] = {}  # by stage key, the last time it was done
        self.run_seq = self.cfg.run.run_seq or 1
        if self.warehouse.exists(tables.RUNS):
            # All that skipping asks of the tables, asked for at once.
            history = (partial(self.warehouse.history, table) for table in tables.ALL)
            at_once(self.spark, self._read_books, *history)
        self.models: dict[Purpose, dict[str, str]] = {"backtest": {}, "production": {}}
        self.written, self.unwritten_s = 0, 0.0
        self.times_key: str | None = None  # where the times were found and not given

    def execute(self, plan: Plan) -> None:
        """Run or skip every stage; write to `runs` now and then, and at the end."""
        done = {} if plan.force else self.done
        stages = plan.stages(self.cfg)
        for number, (purpose, name) in enumerate(stages, 1):
            self.observer.started(name, purpose, number, len(stages))
            record = self._stage(name, purpose, done)
            self.records.append((name, purpose, record))
            self.observer.finished(name, purpose, record)
            self.unwritten_s += record.seconds
            # A run that is killed later goes on from here. Each write costs a second.
            if self.unwritten_s >= AT_MOST_LOST_S:
                self._write_records()
        self._write_records()

    @property
    def worked(self) -> bool:
        """Whether any stage was not skipped."""
        return any(record.status != "skipped" for _, _, record in self.records)

    def _stage(self, name: str, purpose: Purpose, done: Mapping[str, Record]) -> Record:
        module = cast(JobModule, importlib.import_module(f"tastemill.jobs.{name}"))
        cfg = self._config(name, purpose)
        inputs = self._versions(module.INPUTS, cfg, {})
        key = stage_key(name, module, cfg, inputs)
        before = done.get(key)
        if before is not None and self._stands(before):
            record = Record("skipped", key, inputs, before.outputs, before.models, before.rows)
        else:
            record = self._run(name, module, cfg, Record("done", key, inputs))
        if name in TRAINING:
            self.models[purpose] |= record.models
        return record

    def _run(self, name: str, module: JobModule, cfg: Config, planned: Record) -> Record:
        start = time.monotonic()
        try:
            result = module.run(self.spark, cfg)
        except BaseException as error:
            failed = Record(
                "failed",
                planned.key,
                planned.inputs,
                seconds=time.monotonic() - start,
                error=(str(error).splitlines() or [type(error).__name__])[0],
                started_at=planned.started_at,
            )
            self.records.append((name, cfg.run.purpose, failed))
            self.observer.finished(name, cfg.run.purpose, failed)
            self._write_records()
            raise
        outputs = self._versions(outputs_of(module, cfg), cfg, result.models)
        record = Record(
            "done",
            planned.key,
            planned.inputs,
            outputs,
            result.models,
            result.rows,
            time.monotonic() - start,
            detail=result.detail,
            started_at=planned.started_at,
        )
        return record

    def _config(self, name: str, purpose: Purpose) -> Config:
        """The configuration of one stage: purpose, times and models filled in."""
        run = self.cfg.run.model_copy(update={"purpose": purpose, "run_seq": self.run_seq})
        cfg = self.cfg.model_copy(update={"run": run})
        if name == "ingest":
            return cfg
        if self.cfg.run.cut is None:
            update = asdict(self._times(cfg))
            # Kept for the stages that follow: the events don't change once they are in.
            self.cfg = self.cfg.model_copy(update={"run": self.cfg.run.model_copy(update=update)})
            cfg = cfg.model_copy(update={"run": run.model_copy(update=update)})
        if name in JUDGED:
            known = {"models": self.models[purpose]}
            cfg = cfg.model_copy(update={"run": cfg.run.model_copy(update=known)})
        return cfg

    def _times(self, cfg: Config) -> Times:
        """The times, as an earlier run found them in the same events, else found now."""
        if any(job.given_times(cfg)):
            return job.times_of(self.warehouse, cfg)
        self.times_key = times_key(cfg, self.warehouse.data_version(tables.EVENTS))
        same = F.get_json_object("settings", "$.times_key") == self.times_key
        known = self.warehouse.read_or_empty(tables.RUNS).where(same)
        row = known.select("settings").first()
        if row is None:
            return job.times_of(self.warehouse, cfg)
        found = json.loads(row["settings"])["run"]
        return Times(*(datetime.fromisoformat(found[at.name]) for at in fields(Times)))

    def _versions(
        self, wanted: tuple[Table, ...], cfg: Config, models: Mapping[str, str]
    ) -> dict[str, int]:
        """Label and version of the slices that a stage reads or writes."""
        found = {}
        for table in wanted:
            for where in slices_of(table, cfg, models):
                version = self.warehouse.data_version(table, where)
                if version is not None:
                    found[job.TableSlice(table, where).label] = version
        return found

    def _stands(self, record: Record) -> bool:
        """Whether every output is as the stage left it."""
        for label, version in record.outputs.items():
            name, _, where = label.rstrip("]").partition("[")
            if self.warehouse.data_version(tables.BY_NAME[name], where or None) != version:
                return False
        return True

    def _read_books(self) -> None:
        """The number of this run, and how every stage was last done, in one query."""
        kept = F.struct("input_versions", "output_versions", "models", "rows")
        when_done = F.when(F.col("status") == "done", F.col("run_seq"))
        stages = self.warehouse.read(tables.RUNS).groupBy("stage_key")
        rows = stages.agg(
            F.max("run_seq").alias("last"), F.max_by(kept, when_done).alias("done")
        ).collect()
        self.done = {
            r["stage_key"]: Record("done", r["stage_key"], *r["done"]) for r in rows if r["done"]
        }
        self.run_seq = self.cfg.run.run_seq or 1 + max((r["last"] for r in rows), default=0)

    def _write_records(self) -> None:
        fresh = self.records[self.written :]
        if not fresh:
            return
        settings = json.dumps({**as_values(self.cfg), "times_key": self.times_key}, sort_keys=True)
        rows = [self._row(*entry, settings) for entry in fresh]
        frame = self.spark.createDataFrame(rows, tables.RUNS.schema)
        self.warehouse.append_once(tables.RUNS, frame, f"run-{self.run_id}", self.written)
        self.written, self.unwritten_s = len(self.records), 0.0

    def _row(self, stage: str, purpose: Purpose, record: Record, settings: str) -> tuple[Any, ...]:
        return (
            self.run_id,
            self.run_seq,
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
            self.command,
            settings,
            record.started_at,
        )
