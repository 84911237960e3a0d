"""What every job shares: its result, its warehouse, its command line."""

import argparse
import json
import logging
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NoReturn

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import failure
from tastemill.config.layers import place_settings
from tastemill.config.load import Config, Request, load_config
from tastemill.config.paths import location
from tastemill.delta import Pins, Warehouse
from tastemill.errors import UsageError
from tastemill.lease import held
from tastemill.session import build_session
from tastemill.tables import BY_NAME, RUNS, Table

log = logging.getLogger("tastemill")

Run = Callable[[SparkSession, Config], "JobResult"]


@dataclass(frozen=True)
class JobResult:
    """What a job did: rows written, models made (kind to model_id), a word on each."""

    rows: int
    models: dict[str, str] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True)
class TableSlice:
    """A table, or the slice of it, that a job reads or writes."""

    table: Table
    where: str | None = None

    @property
    def label(self) -> str:
        """The key under which its version is recorded."""
        return self.table.name + (f"[{self.where}]" if self.where else "")

    @staticmethod
    def of(label: str) -> "TableSlice":
        """The slice that a label names."""
        name, _, where = label.removesuffix("]").partition("[")
        return TableSlice(BY_NAME[name], where or None)


def open_warehouse(spark: SparkSession, cfg: Config) -> Warehouse:
    """The warehouse of the configured dataset."""
    if not cfg.dataset.name:
        raise UsageError("no dataset named", fix="name one with --dataset")
    pins = tuple(sorted(cfg.run.pins.items()))
    place = (spark, location(cfg), cfg.dataset.name, cfg.run.pinned_from, pins)
    return _of_run(*place, cfg.run.run_id) if cfg.run.run_id else _warehouse(*place)


@lru_cache(maxsize=1)
def _of_run(
    spark: SparkSession,
    where: str,
    dataset: str,
    pinned_from: str,
    pins: tuple[tuple[str, int], ...],
    run_id: str,
) -> Warehouse:
    """One object for all stages of a run: each table is held against its contract once."""
    return _warehouse(spark, where, dataset, pinned_from, pins)


def _warehouse(
    spark: SparkSession,
    where: str,
    dataset: str,
    pinned_from: str,
    pins: tuple[tuple[str, int], ...],
) -> Warehouse:
    return Warehouse(spark, where, dataset, Pins(pinned_from, dict(pins)) if pins else None)


def named(cfg: Config) -> Config:
    """The configuration of a call, with an id of its own."""
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    return cfg.model_copy(update={"run": cfg.run.model_copy(update={"run_id": run_id})})


def run_seq(warehouse: Warehouse, cfg: Config) -> int:
    """The number of the run: as the runner says, else the next one."""
    if cfg.run.run_seq:
        return cfg.run.run_seq
    last = warehouse.read_or_empty(RUNS).agg(F.max("run_seq").alias("last")).first()
    return int((last["last"] if last else 0) or 0) + 1


class _Options(argparse.ArgumentParser):
    """Options whose errors end like any other bad usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix=f"{self.prog} --help")


def main(name: str, run: Run, argv: Sequence[str] | None = None) -> int:
    """The command line of one job: what spark-submit, the wheel and `tastemill job` call."""
    given = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    log.setLevel(logging.INFO)
    as_json = "--json" in given
    try:
        cfg = named(load_config(request_of(name, given)))
        spark = build_session(cfg.session, f"tastemill {name}")
        with held(open_warehouse(spark, cfg), cfg.run.run_id):
            result = run_job(name, run, spark, cfg)
    except Exception as error:
        return failure.report(error, as_json=as_json)
    if as_json:
        what = {"job": name, "purpose": cfg.run.purpose, "run_id": cfg.run.run_id}
        print(json.dumps({**what, **asdict(result)}))
    return 0


def request_of(name: str, argv: Sequence[str]) -> Request:
    """What the options of a job ask for.

    Raises:
        UsageError: an option that there is not, or one that is missing.
    """
    parser = _Options(prog=name, epilog=f"Example: {name} --dataset movielens-1m --data DIR")
    parser.add_argument("--dataset", required=True, help="name or FILE.toml")
    parser.add_argument("--data", help="folder of raw files")
    parser.add_argument("--warehouse", help="path, URI or catalog.schema")
    parser.add_argument("--env", default="local")
    parser.add_argument("--conf", help="folder of TOML files in place of the package's")
    parser.add_argument("--params", help="TOML file laid over the dataset's")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    args = parser.parse_args(argv)
    settings = (*args.set, *place_settings(args.data, args.warehouse))
    return Request(args.dataset, args.env, args.conf, args.params, settings)


def run_job(name: str, run: Run, spark: SparkSession, cfg: Config) -> JobResult:
    """Run a job and log its one line."""
    start = time.monotonic()
    result = run(spark, cfg)
    words = [f"{result.rows} rows", *result.models.values(), *filter(None, [result.detail])]
    log.info(
        "%s %s: %s in %.1f s",
        *(name, cfg.run.purpose, ", ".join(words)),
        time.monotonic() - start,
    )
    return result
