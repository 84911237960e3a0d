"""What every job shares: its result, its warehouse, its command line."""

import argparse
import hashlib
import json
import logging
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NoReturn

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import failure, models
from tastemill.config.layers import place_settings
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Pins, Warehouse
from tastemill.errors import ContractError, UsageError
from tastemill.lease import held
from tastemill.profiles.history import Moment
from tastemill.session import build_session
from tastemill.splits import split_label, with_split
from tastemill.tables import BY_NAME, EVENTS, ITEM_INDEX, RUNS, USER_INDEX, Table
from tastemill.times import Times, resolve_times, up_to

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


def location(cfg: Config) -> str:
    """Where the tables are: as configured, else warehouse/<dataset> under the working folder."""
    where = cfg.run.warehouse or f"warehouse/{cfg.dataset.name}"
    if "://" in where or ("/" not in where and where.count(".") == 1):
        return where
    return str(Path(where).expanduser().resolve())


def artifacts(cfg: Config) -> Path:
    """Folder of feeds, weights and reports: as configured, else beside the tables."""
    if cfg.run.artifacts:
        return Path(cfg.run.artifacts).expanduser().resolve()
    where = location(cfg)
    if "://" in where or "/" not in where:
        raise UsageError(
            "a warehouse that is no local folder needs a folder for feeds and weights",
            found=where,
            fix="--set run.artifacts=/a/folder/all/workers/see",
        )
    return Path(where) / "_artifacts"


def data_folder(cfg: Config) -> Path:
    """The folder named by --data, or the data that the package ships."""
    if cfg.run.data:
        return Path(cfg.run.data).expanduser().resolve()
    if cfg.source.shipped:
        return Path(str(resources.files("tastemill.sources").joinpath(cfg.source.shipped)))
    raise UsageError(
        f"dataset {cfg.dataset.name} is not shipped",
        fix=f"get it ({cfg.source.where or 'where you have it from'}) and name its folder with "
        "--data",
    )


def given_times(cfg: Config) -> tuple[datetime | None, ...]:
    """The times that the configuration names, in the order of Times."""
    return (cfg.run.valid_from, cfg.run.cut, cfg.run.as_of)


def times_of(warehouse: Warehouse, cfg: Config) -> Times:
    """The times of the run: as configured, else worked out from the events."""
    given = given_times(cfg)
    if cfg.split.by != "time" and cfg.run.as_of:
        return up_to(cfg.run.as_of)
    if all(given):
        return Times(*(at for at in given if at))
    found = resolve_times(warehouse.read(EVENTS), cfg.split, cfg.dataset)
    return Times(*(at or other for at, other in zip(given, astuple(found), strict=True)))


def events_of(warehouse: Warehouse, cfg: Config, times: Times) -> DataFrame:
    """Events before as_of, with the part of the split that each falls into."""
    events = warehouse.read(EVENTS).where(Moment(times.as_of).before)
    return with_split(events, cfg.split, times, cfg.run.purpose, cfg.dataset.positive_min)


def numbered_events(warehouse: Warehouse, cfg: Config, times: Times) -> DataFrame:
    """Those of `events_of` that have an item, with user_idx and item_idx."""
    events = events_of(warehouse, cfg, times)
    numbered = events.join(warehouse.read(USER_INDEX), "user_id")
    return numbered.join(warehouse.read(ITEM_INDEX), "item_id")


def recipe(
    warehouse: Warehouse,
    cfg: Config,
    kind: str,
    seed: int,
    inputs: Sequence[TableSlice] = (),
) -> models.Recipe:
    """The recipe of a model fitted now, its own parameters still to be named.

    Args:
        warehouse: where the inputs are.
        cfg: purpose and times.
        kind: the model's kind.
        seed: of all that is random in it.
        inputs: what it learns from; events and their indexes by default.
    """
    read = inputs or [TableSlice(t) for t in (EVENTS, USER_INDEX, ITEM_INDEX)]
    versions = {i.label: warehouse.data_version(i.table, i.where) or 0 for i in read}
    times = times_of(warehouse, cfg)
    # What it was kept from seeing, where its as_of doesn't tell.
    judged_by = _judged_by(cfg, times)
    params = {"split": judged_by} if judged_by else {}
    as_of = times.of(cfg.run.purpose)
    return models.Recipe(kind, cfg.run.purpose, as_of, params, seed, versions, code_hash())


def _judged_by(cfg: Config, times: Times) -> str:
    if cfg.run.purpose == "production":
        return ""
    return split_label(cfg.split, times, cfg.dataset.positive_min)


def models_of(warehouse: Warehouse, cfg: Config) -> list[models.Model]:
    """The models that a pass makes lists of: all of a backtest, in production the chosen one."""
    ids = dict(cfg.run.models) or newest_models(warehouse, cfg)
    if cfg.run.purpose == "production":
        ids = {kind: ids[kind] for kind in [cfg.recommend.model] if kind in ids}
    if not ids:
        raise ContractError(
            f"no model to make {cfg.run.purpose} lists with",
            expected=cfg.recommend.model,
            fix="fit one first: tastemill run, or tastemill job train_als",
        )
    return [models.find(warehouse, model_id) for model_id in ids.values()]


def newest_models(warehouse: Warehouse, cfg: Config) -> dict[str, str]:
    """Kind to model_id of what was fitted last; in a backtest, of what hasn't seen its test."""
    if cfg.run.purpose == "production":
        return models.newest(warehouse, "production")
    times = times_of(warehouse, cfg)
    return models.newest(warehouse, "backtest", as_of=times.cut, split=_judged_by(cfg, times))


def run_seq(warehouse: Warehouse, cfg: Config) -> int:
    """The number of the run: as the runner says, else the next one."""
    if cfg.run.run_seq:
        return cfg.run.run_seq
    last = warehouse.read_or_empty(RUNS).agg(F.max("run_seq").alias("last")).first()
    return int((last["last"] if last else 0) or 0) + 1


def kinds_to_fit(cfg: Config, own: Sequence[str]) -> list[str]:
    """Which of a job's kinds a pass needs: all in a backtest, in production the chosen one."""
    if cfg.run.purpose == "backtest":
        return list(own)
    return [kind for kind in own if kind == cfg.recommend.model]


@cache
def code_hash() -> str:
    """Hash of tastemill's own sources: another release makes other models."""
    digest = hashlib.sha256()
    for file in _sources(resources.files("tastemill")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _sources(folder: Traversable) -> list[Traversable]:
    entries = sorted(folder.iterdir(), key=lambda e: e.name)
    inner = [f for e in entries if e.is_dir() and e.name != "conf" for f in _sources(e)]
    return [e for e in entries if e.name.endswith(".py")] + inner


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
        cfg = named(load_config(_request(name, given)))
        spark = build_session(cfg.session, f"tastemill {name}")
        with held(open_warehouse(spark, cfg), cfg.run.run_id):
            result = run_job(name, run, spark, cfg)
    except Exception as error:
        return failure.report(error, as_json=as_json)
    if as_json:
        what = {"job": name, "purpose": cfg.run.purpose, "run_id": cfg.run.run_id}
        print(json.dumps({**what, **asdict(result)}))
    return 0


def _request(name: str, argv: Sequence[str]) -> Request:
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
