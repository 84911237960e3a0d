"""Trains and judges again what a run trained and judged, from the table versions that it read.

Everything is written to a scratch warehouse that goes away afterwards; the live tables are only
read. Under the conditions that `runs` has kept the results are equal to the bit; under others the
metrics stay within a tolerance, and what differs is named.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, tables
from tastemill.config import paths
from tastemill.config.load import Config, config_of
from tastemill.delta import Warehouse
from tastemill.errors import ContractError, UsageError
from tastemill.line.environment import differences, environment
from tastemill.line.kept import kept_version
from tastemill.line.runner import Observer, Run
from tastemill.line.stages import BACKTEST, JUDGED, TRAINING, Plan
from tastemill.tables import Table

TOLERANCE = 0.005
"""Largest difference of a metric or a loss under other conditions than those of the run."""

REPEATED = (*TRAINING, *JUDGED)


@dataclass(frozen=True)
class Compared:
    """What of a table has to come out again; `number` is what a tolerance applies to."""

    table: Table
    keys: tuple[str, ...]
    values: tuple[str, ...]
    number: str | None = None
    where: str = "true"


COMPARED = (
    Compared(tables.USER_FACTORS, ("idx",), ("vector",)),
    Compared(tables.ITEM_FACTORS, ("idx",), ("vector",)),
    # Speeds are no results.
    Compared(
        tables.TRAINING_HISTORY, ("epoch", "metric"), ("value",), "value", "metric LIKE '%loss'"
    ),
    Compared(tables.BACKTEST_LISTS, ("surface", "user_id"), ("list_hash",)),
    Compared(
        tables.METRICS,
        ("protocol", "split", "segment", "metric", "k"),
        ("value", "low", "high", "users"),
        "value",
    ),
    Compared(
        tables.COMPARISONS,
        ("metric", "k"),
        ("difference", "low", "high", "p_value", "users"),
        "difference",
    ),
)

MADE = {what.table.name for what in COMPARED}


@dataclass(frozen=True)
class Recorded:
    """What `runs` says about a run's backtest."""

    run_id: str
    stages: tuple[str, ...]
    settings: Mapping[str, Any]
    environment: Mapping[str, str | None]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    models: Mapping[str, str]


@dataclass
class Outcome:
    """Row counts and differences by table, and what differs in the conditions."""

    run_id: str
    conditions: list[str]
    tables: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether every row came out again to the bit."""
        return all(row["differ"] == 0 for row in self.tables)

    @property
    def is_close(self) -> bool:
        """Whether every metric and loss is within the tolerance."""
        gaps = [row["largest gap"] for row in self.tables if row["largest gap"] is not None]
        return all(gap <= TOLERANCE for gap in gaps)

    @property
    def holds(self) -> bool:
        """Equal to the bit, or close where the conditions are others."""
        return self.is_equal or bool(self.conditions and self.is_close)


def repro(spark: SparkSession, cfg: Config, run_id: str, observer: Observer) -> Outcome:
    """Do the backtest of a run again and compare.

    Raises:
        UsageError: no such run, or one that trained nothing.
        ContractError: a version it read or wrote is gone, or its settings aren't known any more.
    """
    live = job.open_warehouse(spark, cfg)
    then = recorded(live, run_id)
    kept = _kept(live, then)
    outcome = Outcome(run_id, differences(then.environment, environment(spark)))
    with _scratch(cfg, run_id) as folder:
        again = Run(spark, _config(then, kept, live, folder), f"repro of {run_id}", observer)
        left_out = frozenset(BACKTEST) - frozenset(then.stages)
        again.execute(Plan(leave_out=left_out))
        for what in COMPARED:
            row = _compare(live, again.warehouse, what, kept, then.models, again.models["backtest"])
            outcome.tables += [row] if row else []
    return outcome


def recorded(warehouse: Warehouse, run_id: str) -> Recorded:
    """The stages of a run's backtest that can be done again."""
    rows = (
        warehouse.read_or_empty(tables.RUNS)
        .where((F.col("run_id") == run_id) & (F.col("status") != "failed"))
        .where((F.col("purpose") == "backtest") & F.col("stage").isin(*REPEATED))
        .orderBy("started_at")
        .collect()
    )
    if not rows:
        raise UsageError(
            f"no run {run_id} that trained or judged anything",
            fix="tastemill runs lists them",
        )
    last = rows[-1]
    return Recorded(
        run_id,
        tuple(row["stage"] for row in rows),
        json.loads(last["settings"]),
        last["environment"] or {},
        {label: version for row in rows for label, version in row["input_versions"].items()},
        {label: version for row in rows for label, version in row["output_versions"].items()},
        {k: v for row in rows if row["stage"] in TRAINING for k, v in row["models"].items()},
    )


def _kept(live: Warehouse, then: Recorded) -> dict[str, int]:
    """Label to the version at which everything that the run read and wrote can still be read.

    Raises:
        ContractError: something was vacuumed.
    """
    needed = {**{k: v for k, v in then.inputs.items() if _table(k) not in MADE}, **then.outputs}
    kept, gone = {}, []
    for label, version in sorted(needed.items()):
        part = job.TableSlice.of(label)
        found = kept_version(live, part.table, version, part.where)
        if found is None:
            gone.append(f"{label} at version {version}")
        else:
            kept[label] = found
    if gone:
        raise ContractError(
            f"run {then.run_id} can't be done again: versions it used were vacuumed",
            found="; ".join(gone),
            fix="choose a later run, and keep versions longer: maintain.retention_days",
        )
    return kept


def _table(label: str) -> str:
    return job.TableSlice.of(label).table.name


@contextmanager
def _scratch(cfg: Config, run_id: str) -> Iterator[Path]:
    """A folder that all workers see, for as long as it is needed."""
    folder = paths.artifacts(cfg) / "repro" / run_id
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _config(then: Recorded, kept: Mapping[str, int], live: Warehouse, folder: Path) -> Config:
    """The run's own settings, read from the live tables and written beside them."""
    # One slice of each table is read: that of the backtest.
    read = [label for label in then.inputs if _table(label) not in MADE]
    pins = {_table(label): kept[label] for label in read}
    settings = {k: v for k, v in then.settings.items() if k != "times_key"}
    settings["run"] = {
        **settings["run"],
        "warehouse": str(folder),
        "artifacts": str(folder / "_artifacts"),
        "refit": False,
        "run_id": "",
        "run_seq": 0,
        "models": {},
        "pins": pins,
        "pinned_from": live.location,
    }
    return config_of(settings, f"the settings of run {then.run_id}")


def _compare(
    live: Warehouse,
    again: Warehouse,
    what: Compared,
    kept: Mapping[str, int],
    then: Mapping[str, str],
    now: Mapping[str, str],
) -> dict[str, Any] | None:
    """One row: how many rows there are in both, how many differ, by how much at most."""
    name, sides = what.table.name, []
    kinds = [kind for kind, model_id in then.items() if f"{name}[{model_id}]" in kept]
    if not kinds:
        return None
    labels = {kind: f"{name}[{then[kind]}]" for kind in kinds}
    old = [live.read(what.table, where=then[k], version=kept[labels[k]]) for k in kinds]
    new = [again.read(what.table, where=now[k]) for k in kinds]
    for frames in (old, new):
        named = [f.withColumn("kind", F.lit(k)) for f, k in zip(frames, kinds, strict=True)]
        sides.append(reduce(DataFrame.union, named).where(what.where))
    row = _differences(what, *sides).first()
    assert row is not None
    return {"table": name, "rows": row["rows"], "differ": row["differ"], "largest gap": row["gap"]}


def _differences(what: Compared, old: DataFrame, new: DataFrame) -> DataFrame:
    """(rows, differ, gap): of the rows of both sides, matched by kind and keys."""
    keys = ("kind", *what.keys)
    t, s = old.withColumn("_there", F.lit(True)).alias("t"), new.alias("s")
    on = [F.col(f"t.{key}").eqNullSafe(F.col(f"s.{key}")) for key in keys]
    same: Column = F.col("t._there").isNotNull()
    for name in what.values:
        same = same & F.col(f"t.{name}").eqNullSafe(F.col(f"s.{name}"))
    gap = F.lit(None).cast("double")
    if what.number:
        ours, theirs = F.col(f"t.{what.number}"), F.col(f"s.{what.number}")
        # A row that only one side has is no small difference.
        gap = F.max(F.coalesce(F.abs(ours - theirs), F.lit(float("inf"))))
    counted = F.count(F.when(~same, True)).alias("differ")
    joined = t.join(s, on=on, how="full")
    return joined.agg(F.count("*").alias("rows"), counted, gap.alias("gap"))
