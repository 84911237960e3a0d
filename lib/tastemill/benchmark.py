"""Published figures and ours, side by side, from one run of the line under one protocol."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
from pyspark.sql import functions as F

from tastemill import tables, views
from tastemill.collaborative.als import AlsConfig
from tastemill.collaborative.baselines import BaselinesConfig
from tastemill.config.layers import place_settings
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import UsageError
from tastemill.evaluation.backtest import catalogue_items
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.passes import numbered_events, times_of
from tastemill.progress import StageProgress
from tastemill.protocols import Protocol, protocol_of
from tastemill.session import build_session
from tastemill.splits import is_past
from tastemill.times import taken
from tastemill.training.config import Network

MEASURED = ("ndcg", "hit", "map", "mrr", "recall", "precision", "rmse")
K = 10
CURVES = (f"valid_ndcg@{K}", "train_loss")  # of networks, by epoch


def run_benchmark(
    name: str,
    data_root: Path,
    kinds: tuple[str, ...],
    lists: Path | None = None,
    settings: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Run the line in a scratch warehouse and compare.

    Args:
        name: of the protocol.
        data_root: holds one folder per data set.
        kinds: models to fit; none named means all.
        lists: folder for one Parquet file of lists per model.
        settings: key=value, laid over the protocol's.

    Returns:
        The protocol, the sizes of its parts, and a row per model.
    """
    protocol = protocol_of(name)
    with scratch_line(protocol, data_root) as line:
        run = line((*only(kinds), *settings), plan_of)
        result = _compare(run, protocol)
        if lists is not None:
            write_lists(run, lists)
        return result


Line = Callable[[tuple[str, ...], Callable[[Config], Plan]], Run]
"""(settings, what is planned under them) → the line, run so."""


@contextmanager
def scratch_line(protocol: Protocol, data_root: Path) -> Iterator[Line]:
    """The line under a protocol, in a warehouse that goes away afterwards.

    It may be run more than once: stages that settings don't touch are done once.
    """
    with tempfile.TemporaryDirectory(prefix="tastemill-") as scratch:
        folder = data_root / protocol.folder
        place = (*protocol.prepare(folder, Path(scratch)), *place_settings(str(folder), scratch))

        def line(settings: tuple[str, ...], plan: Callable[[Config], Plan]) -> Run:
            given = (*settings, *place)
            cfg = load_config(Request(protocol.dataset, benchmark=protocol.name, settings=given))
            with StageProgress() as progress:
                run = Run(build_session(cfg.session), cfg, f"benchmark {protocol.name}", progress)
                run.execute(plan(cfg))
            return run

        yield line


def only(kinds: tuple[str, ...]) -> list[str]:
    """Settings that fit the named kinds and no others."""
    if not kinds:
        return []
    known = {
        "baselines.models": BaselinesConfig().models,
        "als.models": AlsConfig().models,
    }
    networks = get_args(Network)
    everything = {kind for group in known.values() for kind in group} | set(networks)
    if unknown := set(kinds) - everything:
        raise UsageError(
            "unknown model", expected=", ".join(sorted(everything)), found=", ".join(unknown)
        )
    wanted = {key: [kind for kind in group if kind in kinds] for key, group in known.items()}
    asked = [kind for kind in kinds if kind in networks]
    deep = [f"deep.enabled={str(bool(asked)).lower()}"]
    deep += [f"deep.model={asked[0]}", f"deep.more={asked[1:]}"] if asked else []
    return [*(f"{k}={v}" for k, v in wanted.items()), *deep]


def plan_of(cfg: Config) -> Plan:
    """The whole line; profiles and examples are made only where a network needs them."""
    needless = set() if cfg.deep.enabled else {"train_deep"}
    task = cfg.dataset.task
    if not cfg.deep.enabled or all(
        cfg.deep.of(network).learns_from_events(task) for network in cfg.deep.networks
    ):
        needless |= {"build_profiles", "build_examples"}
    needless |= set() if cfg.als.models else {"train_als"}
    return Plan(leave_out=frozenset(needless))


def _compare(run: Run, protocol: Protocol) -> dict[str, Any]:
    return {
        "protocol": protocol.name,
        "source": protocol.source,
        **sizes(run.warehouse, run.cfg),
        "rows": [
            {**row, "published": dict(protocol.published.get(row["model"], {}))}
            for row in _own_figures(run)
        ],
    }


def _own_figures(run: Run) -> list[dict[str, Any]]:
    """Metrics with intervals, best lists first: lists of users with a history, stars of all."""
    kinds = {model_id: kind for kind, model_id in run.models["backtest"].items()}
    of_lists = (F.col("segment") == "warm") & (F.col("k") == K)
    of_stars = (F.col("segment") == "all") & (F.col("metric") == "rmse")
    stored = run.warehouse.read(tables.METRICS).where(of_lists | of_stars)
    stored = stored.where(F.col("model_id").isin(list(kinds)))
    rows: dict[str, dict[str, Any]] = {kind: {"model": kind} for kind in kinds.values()}
    for metric in stored.where(F.col("metric").isin(*MEASURED)).collect():
        label, row = views.label(metric["metric"], K), rows[kinds[metric["model_id"]]]
        row[label] = round(metric["value"], 6)
        row[f"{label}_ci"] = [round(metric["low"], 6), round(metric["high"], 6)]
    seconds = {r["model_id"]: r["seconds"] for r in views.model_list(run.warehouse, K)}
    for model_id, kind in kinds.items():
        rows[kind]["fit_seconds"] = round(seconds[model_id], 2)
    for curve in CURVES:
        for model_id, values in views.epochs_of(run.warehouse, kinds, curve).items():
            rows[kinds[model_id]][curve] = [round(value, 4) for value in values]
    return sorted(rows.values(), key=lambda row: -float(row[views.label("ndcg", K)]))


def sizes(warehouse: Warehouse, cfg: Config) -> dict[str, int]:
    """Rows of train, and of test without users and items that train lacks."""
    times, positive_min = times_of(warehouse, cfg), cfg.dataset.positive_min
    positives = numbered_events(warehouse, cfg, times).where(taken(positive_min)).persist()
    train = positives.where(is_past())
    known = catalogue_items(train, positive_min, cfg.dataset.min_item_events)
    test = (
        positives.where(~is_past())
        .join(train.select("user_idx").distinct(), "user_idx", "left_semi")
        .join(known, "item_idx", "left_semi")
    )
    counts = test.agg(F.count("*").alias("rows"), F.count_distinct("user_idx").alias("users"))
    row = counts.collect()[0]
    found = {"train_rows": train.count(), "test_rows": row["rows"], "test_users": row["users"]}
    positives.unpersist()
    return found


def write_lists(run: Run, folder: Path) -> None:
    """One file per model: user_id and item_id as in the source, rank from 1, score.

    Only users of the protocol: as many rows as test users times the length of a list.
    """
    folder.mkdir(parents=True, exist_ok=True)
    times, positive_min = times_of(run.warehouse, run.cfg), run.cfg.dataset.positive_min
    past = numbered_events(run.warehouse, run.cfg, times).where(taken(positive_min))
    warm = past.where(is_past()).select("user_id").distinct()
    stored = run.warehouse.read(tables.BACKTEST_LISTS).join(warm, "user_id", "left_semi")
    for kind, model_id in run.models["backtest"].items():
        shown = stored.where(F.col("model_id") == model_id)
        rows = shown.select("user_id", F.explode("items").alias("i"))
        flat = rows.select("user_id", "i.item_id", "i.rank", "i.score").orderBy("user_id", "rank")
        pq.write_table(flat.toArrow(), folder / f"{kind}.parquet")
