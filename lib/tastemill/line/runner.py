"""Does or skips the stages of a line.

A stage whose key was done before, and whose outputs still stand as it left them, is skipped.
"""

import importlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Protocol, cast

from pyspark.sql import SparkSession

from tastemill import job, passes, tables
from tastemill.config import Purpose
from tastemill.config.load import Config, as_values
from tastemill.lease import Holder, Lease
from tastemill.line.books import Entry, Header, Record, known_settings, read_past, write
from tastemill.line.environment import environment
from tastemill.line.stages import (
    JUDGED,
    JobModule,
    Plan,
    Stage,
    outputs_of,
    slices_of,
    stage_key,
    times_key,
)
from tastemill.models import that_make_lists
from tastemill.tables import Table
from tastemill.times import Times

log = logging.getLogger(__name__)

AT_MOST_LOST_S = 20.0
"""A run that is killed has this much finished work not in `runs`, at most."""


class Observer(Protocol):
    """Is told what happens, for progress bars and logs."""

    def planned(self, seconds: Sequence[float | None]) -> None:
        """How long each stage took when it was last done, in order; None where it never was."""

    def started(self, stage: str, purpose: Purpose, number: int, total: int) -> None:
        """A stage begins."""

    def finished(self, stage: str, purpose: Purpose, record: "Record") -> None:
        """A stage was done or skipped, or failed."""


@dataclass
class Run:
    """One call of the line on one warehouse."""

    spark: SparkSession
    cfg: Config
    command: str
    observer: Observer
    records: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cfg = job.named(self.cfg)
        self.run_id = self.cfg.run.run_id
        self.warehouse = job.open_warehouse(self.spark, self.cfg)
        self.lease = Lease(self.warehouse, Holder.here(self.run_id))
        self.models: dict[Purpose, dict[str, str]] = {"backtest": {}, "production": {}}
        self.written, self.unwritten_s = 0, 0.0
        self.times_key: str | None = None  # where the times were found and not given
        self._read_past()

    def execute(self, plan: Plan) -> None:
        """Run or skip every stage; write to `runs` now and then, and at the end.

        Raises:
            BusyError: a stage has to run, and another run works on the warehouse.
        """
        stages = plan.stages(self.cfg)
        self._follow(plan.passed_over(self.cfg))
        self.warehouse.before_commit(self.lease.check)
        self.observer.planned([self.past.seconds.get(stage) for stage in stages])
        try:
            for number, (purpose, name) in enumerate(stages, 1):
                self.observer.started(name, purpose, number, len(stages))
                record = self._stage(name, purpose, force=plan.force)
                self.records.append((name, purpose, record))
                self.observer.finished(name, purpose, record)
                self.unwritten_s += record.seconds
                # A run that is killed later goes on from here. Each write costs a second.
                if self.unwritten_s >= AT_MOST_LOST_S:
                    self._write_records()
            self._write_records()
        finally:
            self.lease.give_back()

    @property
    def worked(self) -> bool:
        """Whether any stage was not skipped."""
        return any(record.status != "skipped" for _, _, record in self.records)

    def _read_past(self) -> None:
        self.past = read_past(self.warehouse)
        self.run_seq = self.cfg.run.run_seq or self.past.last_seq + 1

    def _follow(self, passed_over: list[Stage]) -> None:
        """Find the models of stages that are passed over; warn where one would have to run."""
        for purpose, name in passed_over:
            if name == "ingest":
                continue  # the files that the events came from need not be there any more
            record = self._standing(self._planned(name, purpose)[-1])
            if record is None:
                log.warning(
                    "what %s (%s) left is not what it would make now, by its settings, its inputs "
                    "and this code; it is taken as it is",
                    name,
                    purpose,
                )
                self.models = {"backtest": {}, "production": {}}  # the newest that are there
                return
            self.models[purpose] |= that_make_lists(record.models)

    def _stage(self, name: str, purpose: Purpose, *, force: bool) -> Record:
        module, cfg, planned = self._planned(name, purpose)
        record = None if force else self._standing(planned)
        if record is None:
            if not self.lease.held:
                # The first stage that has work; another run may have done it meanwhile.
                self.lease.take()
                self.warehouse.forget()
                self._read_past()
                return self._stage(name, purpose, force=force)
            record = self._run(name, module, cfg, planned)
        self.models[purpose] |= that_make_lists(record.models)
        return record

    def _planned(self, name: str, purpose: Purpose) -> tuple[JobModule, Config, Record]:
        """A stage's job and settings, and what the books would keep of it."""
        module = cast(JobModule, importlib.import_module(f"tastemill.jobs.{name}"))
        cfg = self._config(name, purpose)
        inputs = self._versions(module.INPUTS, cfg, {})
        return module, cfg, Record("done", stage_key(name, module, cfg, inputs), inputs)

    def _standing(self, planned: Record) -> Record | None:
        """The stage as skipped, if it was done before and its outputs are as it left them."""
        before = self.past.done.get(planned.key)
        if before is None or not self._stands(before):
            return None
        return replace(
            planned,
            status="skipped",
            outputs=before.outputs,
            models=before.models,
            rows=before.rows,
        )

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
            # Where training isn't part of the call: what it would find, so that the key tells.
            known = {"models": self.models[purpose] or passes.newest_models(self.warehouse, cfg)}
            cfg = cfg.model_copy(update={"run": cfg.run.model_copy(update=known)})
        return cfg

    def _times(self, cfg: Config) -> Times:
        """The times, as an earlier run found them in the same events, else found now."""
        if any(passes.given_times(cfg)):
            return passes.times_of(self.warehouse, cfg)
        self.times_key = times_key(cfg, self.warehouse.data_version(tables.EVENTS))
        known = known_settings(self.warehouse, self.times_key)
        if known is None:
            return passes.times_of(self.warehouse, cfg)
        found = known["run"]
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
            part = job.TableSlice.of(label)
            if self.warehouse.data_version(part.table, part.where) != version:
                return False
        return True

    def _write_records(self) -> None:
        fresh = self.records[self.written :]
        if not fresh:
            return
        settings = json.dumps({**as_values(self.cfg), "times_key": self.times_key}, sort_keys=True)
        header = Header(self.run_id, self.run_seq, self.command, settings, environment(self.spark))
        write(self.warehouse, header, fresh, self.written)
        self.written, self.unwritten_s = len(self.records), 0.0
