"""The report of a small warehouse: what it finds there, and that it asks for nothing more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.report.comparison import collect_comparison
from tastemill.report.contents import ReportData
from tastemill.report.contents.quality import Figure, MetricsTable, Spread
from tastemill.report.data import collect
from tastemill.report.page import write_report

pytestmark = pytest.mark.slow

CUT = datetime(2020, 1, 10, tzinfo=UTC)
LATER = CUT + timedelta(days=1)
MODELS = {"popularity": "popularity-1", "bias": "bias-1"}


def config(*more: str) -> Config:
    settings = ("run.cut='2020-01-10'", "run.as_of='2020-01-20'", "run.refit=false", *more)
    return load_config(Request("movielens-100k", settings=settings))


def fill(warehouse: Warehouse, table: tables.Table, *rows: dict[str, Any]) -> None:
    """Append rows; columns not given are null."""
    values = [tuple(row.get(name) for name in table.columns) for row in rows]
    warehouse.merge(table, warehouse.spark.createDataFrame(values, table.schema))


def event(user: str, item: str, stars: float, day: int) -> dict[str, Any]:
    at = datetime(2020, 1, day, tzinfo=UTC)
    return {
        "event_id": f"{user}{item}{day}",
        "user_id": user,
        "item_id": item,
        "event_type": "rating",
        "value": stars,
        "event_time": at,
        "event_date": at.date(),
        "source": "toy",
        "source_file": "f",
        "source_row": day,
        "ingested_at": CUT,
    }


def model(kind: str, model_id: str) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "kind": kind,
        "purpose": "backtest",
        "as_of": CUT,
        "params": '{"prior": 2.5}',
        "input_versions": {"events": 4},
        "code_hash": "c",
        "seed": 1,
        "seconds": 1.5,
        "created_at": CUT,
    }


def figure(model_id: str, metric: str, k: int | None, value: float) -> dict[str, Any]:
    return {
        "run_id": "r",
        "model_id": model_id,
        "protocol": "full" if k else "ratings",
        "split": "test",
        "segment": "all",
        "metric": metric,
        "k": k,
        "value": value,
        "users": 2,
    }


def stage(name: str, minute: int) -> dict[str, Any]:
    return {
        "run_id": "run-1",
        "run_seq": 1,
        "stage": name,
        "purpose": "backtest",
        "status": "done",
        "stage_key": "k",
        "input_versions": {"events": 4},
        "output_versions": {"metrics": minute},
        "models": {},
        "rows": 5,
        "seconds": 2.0,
        "command": "tastemill run",
        "settings": "{}",
        "started_at": CUT + timedelta(minutes=minute),
    }


def shown(user: str, model_id: str, items: Sequence[str]) -> dict[str, Any]:
    return {
        "surface": "home",
        "user_id": user,
        "items": [(n, item, 1.0, "x", "because") for n, item in enumerate(items, 1)],
        "model_id": model_id,
        "as_of": CUT,
        "run_seq": 1,
        "list_hash": "h",
        "generated_at": CUT,
    }


def profile(user: str, as_of: datetime, interests: Sequence[float]) -> dict[str, Any]:
    counts = ("num_events", "num_events_7d", "num_events_30d", "num_events_90d", "num_active_days")
    return {
        **dict.fromkeys((*counts, "num_sessions"), 3),
        "ds": as_of.date(),
        "as_of": as_of,
        "user_id": user,
        "user_idx": 0,
        "interests": [float(share) for share in interests],
        "user_vector": [0.0],
        "num_events_by_type": {"rating": 3},
        "visits_per_week": 1.5,
        "age": "35-44",
    }


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    place = Warehouse(spark, str(tmp_path_factory.mktemp("report")), "movielens-100k")
    fill(
        place,
        tables.EVENTS,
        *(event("u", "a", 4.0, 1), event("u", "b", 2.0, 3), event("u", "a", 5.0, 5)),
        *(event("u", "c", 4.0, 12), event("u", "d", 1.0, 12), event("u", "e", 4.0, 12)),
    )
    fill(place, tables.USER_INDEX, {"user_id": "u", "user_idx": 0})
    fill(place, tables.ITEM_INDEX, *({"item_id": i, "item_idx": n} for n, i in enumerate("abcd")))
    title = {"item_id": "c", "title": "<b>Sea</b>", "categories": ["Drama", "War", "X", "Y"]}
    fill(place, tables.ITEMS, title, {"item_id": "d", "title": None})
    fill(place, tables.MODELS, *(model(kind, model_id) for kind, model_id in MODELS.items()))
    binned = {"model_id": "bias-1", "weight": 1.0, "quantiles": [1.0, 2.0, 3.0, 4.0]}
    bins = ({"bin": 4.0, "rows": 2, "predicted": 3.5}, {"bin": 1.0, "rows": 1, "predicted": 3.0})
    fill(place, tables.CALIBRATION, *({**binned, **b, "actual": b["bin"]} for b in bins))
    compared = {"reference": "popularity-1", "metric": "ndcg", "k": 10, "users": 2}
    bias = {"model_id": "bias-1", "difference": -0.25, "low": -0.5, "high": 0.125, "p_value": 0.04}
    other = {**bias, "model_id": "other-1", "p_value": 0.3}  # of another run
    fill(place, tables.COMPARISONS, {**compared, **bias}, {**compared, **other})
    fill(
        place,
        tables.METRICS,
        *(figure("popularity-1", "ndcg", 10, 0.25), figure("popularity-1", "ndcg", 20, 0.9)),
        *(figure("bias-1", "ndcg", 10, 0.5), figure("bias-1", "rmse", None, 1.25)),
        figure("popularity-1", "rmse", None, 1.0),
        *(figure("other-1", "ndcg", 10, 1.0), figure("bias-1", "recall_capped", 10, 0.5)),
    )
    fill(place, tables.BACKTEST_LISTS, shown("new", "bias-1", "d"), shown("u", "bias-1", "cd"))
    point = {"model_id": "bias-1", "metric": "train_loss"}
    fill(place, tables.TRAINING_HISTORY, *({**point, "epoch": e, "value": 1.0} for e in (1, 0)))
    fill(place, tables.RUNS, stage("evaluate", 7), stage("recommend", 5))
    rejected = {"source": "toy", "source_file": "f", "source_row": 3, "ingested_at": CUT}
    reasons = {"1": "user_id_missing", "2": "item_id_missing", "3": "item_id_missing"}
    fill(
        place,
        tables.QUARANTINE,
        *({**rejected, "quarantine_id": i, "reason": r, "raw": i} for i, r in reasons.items()),
    )
    fill(place, tables.USERS, {"user_id": "u", "age": "35-44"}, {"user_id": "gone", "age": "9"})
    slot = {"ds": CUT.date(), "events": 1}
    fill(place, tables.CATEGORY_SLOTS, {**slot, "slot": 0, "category": "War"}, {**slot, "slot": 1})
    fill(place, tables.USER_PROFILES, profile("u", CUT, [0.25, 0.75]), profile("v", LATER, [0, 1]))
    return place


@pytest.fixture(scope="module")
def data(warehouse: Warehouse) -> ReportData:
    return collect(warehouse, config(), "run-1", MODELS)


def test_figures_of_the_models_at_one_k_best_first(data: ReportData) -> None:
    assert [m.kind for m in data.models] == ["bias", "popularity"]
    table = data.metrics[0]
    assert (len(data.metrics), table.segment, table.k) == (1, "all", 10)
    assert dict(table.rows) == {
        "bias": {"ndcg": Figure(0.5, None, None, 2)},
        "popularity": {"ndcg": Figure(0.25, None, None, 2)},
    }
    errors = data.ratings[0].rows
    assert list(errors.items()) == [
        ("popularity", {"rmse": Figure(1.0, None, None, 2)}),
        ("bias", {"rmse": Figure(1.25, None, None, 2)}),
    ]


def test_what_the_run_was(data: ReportData) -> None:
    seen = data.overview
    assert (seen.events, seen.users, seen.items) == (6, 1, 4)
    assert (seen.cut, seen.as_of) == (CUT, None)  # nothing is published
    assert seen.started_at == CUT + timedelta(minutes=5)
    # The stages of this run know no model: there is nothing to train and judge again.
    assert (seen.repro, seen.served) == (None, None)
    assert [s.name for s in data.stages] == ["recommend", "evaluate"]
    assert [(v.label, v.read, v.written) for v in data.versions] == [
        ("events", (4,), ()),
        ("metrics", (), (5, 7)),
    ]


def test_predicted_against_actual(data: ReportData) -> None:
    (bias,) = data.predictions
    assert bias.kind == "bias"
    quantiles = (1.0, 2.0, 3.0, 4.0)
    assert bias.spreads == (Spread(1.0, 1, 3.0, quantiles), Spread(4.0, 2, 3.5, quantiles))


def test_history_beside_the_list_and_what_was_taken_later(data: ReportData) -> None:
    assert data.lists is not None
    assert (data.lists.model_id, data.lists.as_of, data.lists.published) == ("bias-1", CUT, False)
    known, new = data.lists.users  # whoever has a history comes first
    assert (known.user_id, new.user_id) == ("u", "new")
    assert [(i.item_id, i.value) for i in known.history] == [("a", 5.0), ("b", 2.0)]
    # d was rated later too, but below what counts as taken.
    assert [(i.item_id, i.title, i.taken) for i in known.shown] == [
        ("c", "<b>Sea</b>", True),
        ("d", "d", False),
    ]
    assert known.shown[0].categories == ("Drama", "War", "X")
    assert [i.score for i in known.shown] == [1.0, 1.0]
    assert [i.score for i in known.history] == [None, None]
    assert new.history == ()


def test_the_shape_of_all_that_the_warehouse_holds(data: ReportData) -> None:
    shape = data.shape
    assert shape is not None
    (ratings,) = shape.types
    assert (ratings.name, ratings.events, ratings.values) == ("rating", 6, 6)
    assert ratings.value_mean == pytest.approx(20 / 6)
    assert shape.timeline is not None
    assert (shape.timeline.unit, len(shape.timeline.bins)) == ("day", 12)
    assert shape.timeline.series == (("rating", (1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 3)),)
    assert shape.activity is not None
    assert (shape.activity.users, shape.activity.pairs, shape.activity.most) == (1, 5, 6)
    assert shape.density == 1.0
    known = {k.column: (k.known, k.rows) for columns in shape.known.values() for k in columns}
    assert known["session_id"] == (0, 6)
    assert known["age"] == (1, 1)  # of users with a number, not of all of whom the source tells
    assert known["title"] == known["categories"] == (1, 4)


def test_what_was_rejected(data: ReportData) -> None:
    assert data.quarantine is not None
    reasons = [(r.reason, r.rows, r.example) for r in data.quarantine.reasons]
    assert reasons == [("item_id_missing", 2, "2"), ("user_id_missing", 1, "1")]
    assert data.quarantine.rows == 3


def test_profiles_of_the_moment_of_the_lists(data: ReportData) -> None:
    found = data.profiles
    assert found is not None
    assert (found.day, found.users, found.with_interests) == (CUT.date(), 1, 1)
    assert found.interests == ((None, 0.75), ("War", 0.25))
    assert [(b.low, b.high, b.number) for b in found.visits] == [(1.0, 2.0, 1)]
    assert {q.name: q.known for q in found.quantities}["num_events"] == 1
    assert found.card is not None
    assert (found.card.user_id, found.card.facts) == ("u", {"age": "35-44"})
    assert found.card.interests == ((None, 0.75), ("War", 0.25))
    assert [i.item_id for i in found.card.recent] == ["a", "b"]


def test_models_against_popularity(data: ReportData) -> None:
    found = data.comparison
    assert found is not None
    assert (found.reference, found.metric, found.k, found.users) == ("popularity", "ndcg", 10, 2)
    (bias,) = found.differences
    assert (bias.kind, bias.value, bias.low, bias.high) == ("bias", -0.25, -0.5, 0.125)
    assert bias.p_value == 0.04


def test_p_values_are_corrected_for_all_models_of_the_page(warehouse: Warehouse) -> None:
    ndcg = {"popularity": 0.5, "other": 0.6, "bias": 0.3}
    rows = {kind: {"ndcg": Figure(value, None, None, 2)} for kind, value in ndcg.items()}
    kinds = {f"{kind}-1": kind for kind in ndcg}
    personal = MetricsTable("all", 10, {"bias": rows["bias"]})
    assert collect_comparison(warehouse, {"bias-1": "bias"}, personal) is None
    # Compared at another length of list, or with a popular list that isn't the strongest any more.
    assert collect_comparison(warehouse, kinds, MetricsTable("all", 20, rows)) is None
    newer = {"recent_popularity-1": "recent_popularity", **kinds}
    stronger = {"recent_popularity": {"ndcg": Figure(0.55, None, None, 2)}, **rows}
    assert collect_comparison(warehouse, newer, MetricsTable("all", 10, stronger)) is None
    three = {"popularity-1": "popularity", "other-1": "other", "bias-1": "bias"}
    found = collect_comparison(warehouse, three, MetricsTable("all", 10, rows))
    assert found is not None
    assert [(d.kind, d.p_value) for d in found.differences] == [("other", 0.3), ("bias", 0.08)]


def test_curves_are_in_order(data: ReportData) -> None:
    assert [(c.kind, c.train, c.valid) for c in data.curves] == [("bias", ((0, 1.0), (1, 1.0)), ())]


def test_a_page_replaces_another_and_leaves_nothing_beside_it(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "report.html"
    assert write_report(warehouse, config(), "run-1", MODELS, path) == path
    first = path.read_text(encoding="utf-8")
    assert "&lt;b&gt;Sea&lt;/b&gt;" in first
    assert path.stat().st_size < 3_000_000
    write_report(warehouse, config(), "run-2", MODELS, path)
    assert "Stages" in first
    assert "Stages" not in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_an_empty_warehouse_has_a_page(spark: SparkSession, tmp_path: Path) -> None:
    nothing = Warehouse(spark, str(tmp_path / "nothing"), "movielens-100k")
    path = write_report(nothing, config(), "run-1", {}, tmp_path / "report.html")
    assert "<h2>" not in path.read_text(encoding="utf-8")
