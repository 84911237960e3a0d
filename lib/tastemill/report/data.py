"""Reads what the page shows: a handful of Spark actions, each with a bounded result.

Models, metrics and stages are read for the models and the run in question, losses for so many
epochs; what is told of events and examples is aggregated in Spark.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from math import inf

from pyspark.sql import Row
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.evaluation.backtest import LABELS, RANKING, RATINGS
from tastemill.evaluation.comparison import usual_k
from tastemill.parallel import at_once
from tastemill.report.commands import repro_command
from tastemill.report.comparison import collect_comparison
from tastemill.report.contents import ReportData
from tastemill.report.contents.people import Lists, Profiles
from tastemill.report.contents.quality import Figure, MetricsTable
from tastemill.report.contents.run import Curve, Model, Overview, Stage, TableVersions
from tastemill.report.expectations import collect_expectations
from tastemill.report.features import collect_features
from tastemill.report.headline import overall
from tastemill.report.people import collect_lists
from tastemill.report.predicted import collect_predictions
from tastemill.report.profiles import collect_profiles
from tastemill.report.quarantine import collect_quarantine
from tastemill.report.shape import collect_shape

SEGMENTS = ("all", "warm", "cold")
RANKING_METRICS = ("ndcg", "recall", "hit", "map", "mrr", "precision", "coverage")
RATING_METRICS = ("rmse", "mae")
LABEL_METRICS = ("auc", "gauc", "log_loss")
LOSSES = ("train_loss", "valid_loss")
MAX_EPOCHS = 2_000


def collect(
    warehouse: Warehouse, cfg: Config, run_id: str, models: Mapping[str, str]
) -> ReportData:
    """Everything the page shows of one run.

    Args:
        warehouse: where the tables are; a missing or empty one leaves its part out.
        cfg: times, dataset, list lengths.
        run_id: the run, as in `runs`.
        models: kind to model_id of the backtest.
    """
    of_run, shape, quarantine, (expectations, features) = at_once(
        warehouse.spark,
        lambda: _of_run(warehouse, cfg, run_id, models),
        lambda: collect_shape(warehouse),
        lambda: collect_quarantine(warehouse),
        # Few settings ask for either.
        lambda: (collect_expectations(warehouse, cfg), collect_features(warehouse, cfg)),
    )
    return replace(
        of_run,
        shape=shape,
        quarantine=quarantine,
        expectations=expectations,
        features=features,
    )


def _of_run(
    warehouse: Warehouse, cfg: Config, run_id: str, models: Mapping[str, str]
) -> ReportData:
    """What the run did, how good its models are and what they show."""
    ids = list(models.values())
    rows, stages, figures, counts = at_once(
        warehouse.spark,
        lambda: _model_rows(warehouse, ids),
        lambda: _stage_rows(warehouse, run_id),
        lambda: _figures(warehouse, ids, cfg),
        lambda: _counts(warehouse),
    )
    kinds = _best_first({r["model_id"]: r["kind"] for r in rows}, figures)
    overview = _overview(cfg, run_id, rows, stages, counts)
    by_id = {r["model_id"]: r for r in rows}
    metrics = _tables(figures, kinds, RANKING)
    predictions, people, curves, comparison = at_once(
        warehouse.spark,
        lambda: collect_predictions(warehouse, kinds, cfg.dataset.task),
        lambda: _people(warehouse, cfg, kinds, overview.cut),
        lambda: _curves(warehouse, kinds),
        lambda: collect_comparison(warehouse, kinds, overall(metrics)),
    )
    lists, profiles = people
    return ReportData(
        overview,
        models=tuple(_model(by_id[model_id]) for model_id in kinds),
        metrics=metrics,
        ratings=_tables(figures, kinds, RATINGS),
        labels=_tables(figures, kinds, LABELS),
        comparison=comparison,
        curves=curves,
        predictions=predictions,
        lists=lists,
        profiles=profiles,
        stages=tuple(_stage(r) for r in stages),
        versions=_versions(stages, rows),
    )


def _people(
    warehouse: Warehouse, cfg: Config, kinds: Mapping[str, str], cut: datetime | None
) -> tuple[Lists | None, Profiles | None]:
    """A few users' lists, and the profiles of the moment for which the lists were made."""
    lists = collect_lists(warehouse, cfg, kinds)
    moment = lists.as_of if lists else cut
    if lists and lists.published:
        moment = cfg.run.as_of or moment
    return lists, collect_profiles(warehouse, moment.date(), lists) if moment else None


def _model_rows(warehouse: Warehouse, ids: Sequence[str]) -> list[Row]:
    wanted = F.col("model_id").isin(list(ids)) & (F.col("purpose") == "backtest")
    return warehouse.read_or_empty(tables.MODELS).where(wanted).collect()


def _stage_rows(warehouse: Warehouse, run_id: str) -> list[Row]:
    """The stages of a run, in the order in which they began."""
    of_run = warehouse.read_or_empty(tables.RUNS).where(F.col("run_id") == run_id)
    return of_run.drop("settings").orderBy("started_at", "stage").collect()


def _figures(warehouse: Warehouse, ids: Sequence[str], cfg: Config) -> list[Row]:
    """The metrics on the page: at one k, of the models in question."""
    k = F.col("k")
    wanted = (
        F.col("model_id").isin(list(ids))
        & (F.col("split") == "test")
        & F.col("metric").isin(*RANKING_METRICS, *RATING_METRICS, *LABEL_METRICS)
        & (k.isNull() | (k == usual_k(cfg.evaluation.ks)))
    )
    return warehouse.read_or_empty(tables.METRICS).where(wanted).collect()


def _best_first(kinds: Mapping[str, str], figures: Sequence[Row]) -> dict[str, str]:
    """Model id to kind, the best NDCG over all users first."""
    ndcg = {
        r["model_id"]: r["value"]
        for r in figures
        if r["metric"] == "ndcg" and r["segment"] == "all"
    }
    order = sorted(kinds, key=lambda model_id: (-ndcg.get(model_id, 0.0), model_id))
    return {model_id: kinds[model_id] for model_id in order}


def _tables(
    figures: Sequence[Row], kinds: Mapping[str, str], protocol: str
) -> tuple[MetricsTable, ...]:
    """A table per segment that has figures under the protocol."""
    of_protocol = [r for r in figures if r["protocol"] == protocol]
    return tuple(
        _table([r for r in of_protocol if r["segment"] == segment], kinds, segment)
        for segment in SEGMENTS
        if any(r["segment"] == segment for r in of_protocol)
    )


def _table(figures: Sequence[Row], kinds: Mapping[str, str], segment: str) -> MetricsTable:
    found: dict[str, dict[str, Figure]] = defaultdict(dict)
    for r in figures:
        measured = Figure(r["value"], r["low"], r["high"], r["users"])
        found[r["model_id"]][r["metric"]] = measured
    order = sorted((model_id for model_id in kinds if model_id in found), key=_place_of(found))
    rows = {kinds[model_id]: found[model_id] for model_id in order}
    return MetricsTable(segment, figures[0]["k"], rows)


def _place_of(found: Mapping[str, Mapping[str, Figure]]) -> Callable[[str], float]:
    """A key that sorts the highest NDCG or the lowest RMSE first, what has neither last."""

    def place(model_id: str) -> float:
        row = found[model_id]
        if "ndcg" in row:
            return -row["ndcg"].value
        return row["rmse"].value if "rmse" in row else inf

    return place


def _curves(warehouse: Warehouse, kinds: Mapping[str, str]) -> tuple[Curve, ...]:
    """Losses by epoch; of a very long training, its first epochs."""
    wanted = F.col("model_id").isin(list(kinds)) & F.col("metric").isin(*LOSSES)
    stored = warehouse.read_or_empty(tables.TRAINING_HISTORY).where(wanted)
    rows = stored.where(F.col("epoch") < MAX_EPOCHS).orderBy("epoch").collect()

    def points(model_id: str, metric: str) -> tuple[tuple[int, float], ...]:
        own = [r for r in rows if (r["model_id"], r["metric"]) == (model_id, metric)]
        return tuple((r["epoch"], r["value"]) for r in own)

    curves = [
        Curve(kind, *(points(model_id, loss) for loss in LOSSES))
        for model_id, kind in kinds.items()
    ]
    return tuple(c for c in curves if c.train or c.valid)


def _overview(
    cfg: Config, run_id: str, models: Sequence[Row], stages: Sequence[Row], counts: Row
) -> Overview:
    newest: date | None = counts["newest"]
    after = datetime.combine(newest + timedelta(days=1), time(), UTC) if newest else None
    cut = cfg.run.cut or next((as_utc(r["as_of"]) for r in models), None)
    return Overview(
        dataset=cfg.dataset.name,
        task=cfg.dataset.task,
        run_id=run_id,
        written_at=datetime.now(UTC),
        cut=cut,
        as_of=(cfg.run.as_of or after) if cfg.run.refit else None,
        started_at=as_utc(stages[0]["started_at"]) if stages else None,
        command=stages[0]["command"] if stages else None,
        repro=repro_command(cfg, run_id, stages),
        served=cfg.recommend.model if cfg.run.refit else None,
        events=counts["events"],
        users=counts["users"],
        items=counts["items"],
    )


def _counts(warehouse: Warehouse) -> Row:
    """Events, users, items, and the day of the newest event."""
    newest = F.max("event_date").alias("newest")
    events = warehouse.read_or_empty(tables.EVENTS).agg(F.count("*").alias("events"), newest)
    for table, name in ((tables.USER_INDEX, "users"), (tables.ITEM_INDEX, "items")):
        number = warehouse.read_or_empty(table).agg(F.count("*").alias(name))
        events = events.crossJoin(number)  # one row each
    return events.collect()[0]


def _model(row: Row) -> Model:
    params = json.loads(row["params"])
    return Model(row["kind"], row["model_id"], row["seed"], row["seconds"], params)


def _stage(row: Row) -> Stage:
    names = ("stage", "purpose", "status", "rows", "seconds", "error")
    return Stage(*(row[name] for name in names))


def _versions(stages: Sequence[Row], models: Sequence[Row]) -> tuple[TableVersions, ...]:
    """What the stages of the run read and wrote; without a run, what the models were fitted on."""
    read: dict[str, set[int]] = defaultdict(set)
    written: dict[str, set[int]] = defaultdict(set)
    for row in stages or models:
        for label, version in row["input_versions"].items():
            read[label].add(version)
    for row in stages:
        for label, version in row["output_versions"].items():
            written[label].add(version)
    return tuple(
        TableVersions(label, tuple(sorted(read[label])), tuple(sorted(written[label])))
        for label in sorted({*read, *written})
    )


def as_utc(at: datetime) -> datetime:
    """A collected timestamp, which comes without a zone in that of the driver, as UTC."""
    return at.astimezone(UTC)
