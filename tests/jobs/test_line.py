"""The line from files to lists on a made-up data set: what it writes, and what it leaves alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill import job, passes, tables
from tastemill.config.load import Config, Request, load_config
from tastemill.errors import BusyError
from tastemill.jobs import evaluate
from tastemill.lease import Holder, Lease
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.testing.observer import Silent
from tastemill.testing.toy import write_movielens
from tastemill.testing.versions import table_versions

pytestmark = pytest.mark.slow

SETTINGS = ("deep.enabled=false", "als.rank=4", "als.max_iter=3", "recommend.top_k=10")


def config(folder: Path, *more: str) -> Config:
    fixed = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    return load_config(Request("movielens-100k", settings=(*SETTINGS, *more, *fixed)))


def run_line(spark: SparkSession, cfg: Config, plan: Plan = Plan()) -> Run:  # noqa: B008 - frozen
    run = Run(spark, cfg, "test", Silent())
    run.execute(plan)
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    write_movielens(folder / "data")
    return folder


@pytest.fixture(scope="module")
def first(spark: SparkSession, folder: Path) -> Run:
    return run_line(spark, config(folder))


def test_one_list_per_user_without_what_they_have_seen(first: Run) -> None:
    lists = first.warehouse.read(tables.RECOMMENDATIONS)
    assert lists.count() == lists.select("user_id").distinct().count() == 40
    shown = lists.select("user_id", F.explode("items").alias("i")).select("user_id", "i.*")
    seen = first.warehouse.read(tables.EVENTS)
    assert shown.join(seen, ["user_id", "item_id"], "left_semi").count() == 0
    ranks = shown.groupBy("user_id").agg(F.sort_array(F.collect_list("rank")).alias("ranks"))
    assert all(r.ranks == list(range(1, len(r.ranks) + 1)) for r in ranks.collect())
    by_rank = W.partitionBy("user_id").orderBy("rank")
    falling = shown.withColumn("before", F.lag("score").over(by_rank)).where("score > before")
    assert falling.count() == 0


def test_a_backtest_sees_nothing_from_the_cut_on(first: Run) -> None:
    cut = first.cfg.run.cut
    stored = first.warehouse.read(tables.MODELS)
    assert {(r.purpose, r.as_of) for r in stored.select("purpose", "as_of").collect()} == {
        ("backtest", cut.replace(tzinfo=None)),
        ("production", first.cfg.run.as_of.replace(tzinfo=None)),
    }
    profiles = first.warehouse.read(tables.USER_PROFILES, where=str(cut.date()))
    assert profiles.agg(F.max("last_event_time")).first()[0] < cut.replace(tzinfo=None)
    popular = first.warehouse.read(
        tables.ITEM_FACTORS, where=first.models["backtest"]["popularity"]
    )
    before = first.warehouse.read(tables.EVENTS).where(
        (F.col("event_time") < cut) & (F.col("value") >= 3)
    )
    assert popular.agg(F.sum(F.get("vector", 0))).first()[0] == before.count()


def test_metrics_cover_every_model(first: Run) -> None:
    stored = first.warehouse.read(tables.METRICS)
    rows = stored.where("metric = 'ndcg' AND k = 10 AND segment = 'all'").collect()
    assert {r.model_id for r in rows} == set(first.models["backtest"].values())
    assert all(r.low <= r.value <= r.high for r in rows)
    rated = {r.model_id.rsplit("-", 1)[0] for r in stored.where("metric = 'rmse'").collect()}
    assert rated == {"bias", "als_explicit"}


def test_predictions_are_held_against_labels(first: Run) -> None:
    binned = first.warehouse.read(tables.CALIBRATION).toPandas()
    kinds = {model_id: kind for kind, model_id in first.models["backtest"].items()}
    assert {kinds[model_id] for model_id in binned.model_id} == {"bias", "als_explicit"}
    examples = first.warehouse.read(tables.EXAMPLES, where="backtest").toPandas()
    test = examples[examples.split == "test"]
    for _, bins in binned.groupby("model_id"):
        assert bins.set_index("bin").rows.to_dict() == test.label.value_counts().to_dict()
        assert (bins.actual == bins.bin).all()
        assert bins.predicted.between(1, 5).all()


def test_models_are_held_against_the_strongest_popular_list(first: Run) -> None:
    compared = first.warehouse.read(tables.COMPARISONS).toPandas().set_index("model_id")
    kinds = {model_id: kind for kind, model_id in first.models["backtest"].items()}
    (reference,) = set(compared.reference)
    assert "popularity" in kinds[reference]
    assert {kinds[m] for m in (*compared.index, reference)} == set(kinds.values())
    stored = first.warehouse.read(tables.METRICS)
    of_all = stored.where("metric = 'ndcg' AND k = 10 AND segment = 'all'").toPandas()
    ndcg = of_all.set_index("model_id").value
    popular = [m for m, kind in kinds.items() if "popularity" in kind]
    assert ndcg[reference] == max(ndcg[popular])
    for model_id, row in compared.iterrows():
        assert row.difference == pytest.approx(ndcg[model_id] - ndcg[reference], abs=1e-6)


@pytest.mark.parametrize("table", [tables.RECOMMENDATIONS, tables.USER_PROFILES, tables.METRICS])
def test_other_readers_see_the_same_rows(first: Run, table: tables.Table) -> None:
    place = first.warehouse.path(table)
    ours = sorted(map(as_plain, first.warehouse.read(table).toArrow().to_pylist()), key=repr)
    rust = DeltaTable(place)
    assert sorted(map(as_plain, rust.to_pyarrow_table().to_pylist()), key=repr) == ours
    assert sorted(map(as_plain, pl.read_delta(place).to_dicts()), key=repr) == ours
    assert rust.protocol().min_reader_version == 1


def as_plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with maps as dictionaries and times as UTC, however a reader hands them over."""

    def plain(value: object) -> object:
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            return dict(value)
        if isinstance(value, list) and value and isinstance(value[0], dict) and "key" in value[0]:
            return {pair["key"]: pair["value"] for pair in value}
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC)
        return value

    return {name: plain(value) for name, value in sorted(row.items())}


def test_a_second_run_is_idle(
    spark: SparkSession, folder: Path, first: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table_versions(first.warehouse)
    with monkeypatch.context() as patch:
        patch.setattr(passes, "times_of", lambda *_: pytest.fail("the events were read for times"))
        second = run_line(spark, config(folder))
    assert second.cfg.run.cut == first.cfg.run.cut
    # The first run could not know how long it takes; the second one goes by the first.
    assert isinstance(first.observer, Silent)
    assert isinstance(second.observer, Silent)
    assert set(first.observer.expected) == {None}
    assert second.observer.expected == [record.seconds for _, _, record in first.records]
    after = table_versions(second.warehouse)
    assert {record.status for _, _, record in second.records} == {"skipped"}
    assert after.pop("runs") == before.pop("runs") + 1
    assert after == before
    assert second.models == first.models


def test_stages_passed_over_are_taken_as_they_are_and_said_to_be_stale(
    spark: SparkSession, folder: Path, first: Run, caplog: pytest.LogCaptureFixture
) -> None:
    only = Plan("evaluate", "evaluate")
    same = run_line(spark, config(folder), only)
    assert not same.worked
    assert same.models["backtest"] == first.models["backtest"]
    assert not caplog.messages
    other = run_line(spark, config(folder, "als.rank=7"), only)
    assert [name for name, _, _ in other.records] == ["evaluate"]
    assert [message[:30] for message in caplog.messages] == ["what train_als (backtest) left"]


def test_while_another_run_works_only_an_idle_one_gets_through(
    spark: SparkSession, folder: Path, first: Run
) -> None:
    elsewhere = Lease(first.warehouse, Holder("somebody elsewhere", "another boot", "1 1"))
    elsewhere.take()
    try:
        before = table_versions(first.warehouse)
        with pytest.raises(BusyError, match="somebody elsewhere, since 20"):
            run_line(spark, config(folder, "als.rank=5"))
        assert table_versions(first.warehouse) == before
        assert not run_line(spark, config(folder)).worked
    finally:
        elsewhere.give_back()


def test_a_failed_stage_is_recorded_and_the_next_run_goes_on(
    spark: SparkSession, folder: Path, first: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> job.JobResult:
        raise RuntimeError("no luck\nsecond line")

    cfg = config(folder, "evaluation.num_replicates=21", "run.refit=false")
    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "run", broken)
        with pytest.raises(RuntimeError, match="no luck"):
            run_line(spark, cfg)
    last = first.warehouse.read(tables.RUNS).where("status = 'failed'").collect()
    assert [(r.stage, r.error) for r in last] == [("evaluate", "no luck")]
    again = run_line(spark, cfg)
    done = [name for name, _, record in again.records if record.status == "done"]
    assert done == ["evaluate"]


def test_a_changed_setting_runs_what_depends_on_it(
    spark: SparkSession, folder: Path, first: Run
) -> None:
    run = run_line(spark, config(folder, "als.rank=3", "run.refit=false"))
    done = {name for name, _, record in run.records if record.status == "done"}
    assert done == {"train_als", "recommend", "evaluate"}
    assert run.models["backtest"]["popularity"] == first.models["backtest"]["popularity"]


def test_a_network_is_trained_and_published(spark: SparkSession, folder: Path, first: Run) -> None:
    settings = ("deep.enabled=true", "deep.epochs=3", "deep.embedding_dim=4", "deep.hidden=[8]")
    more = ("deep.validate_epochs=true", "als.models=[]", "deep.model=embedding_mlp")
    run = run_line(spark, config(folder, *settings, *more, "deep.batch_size=128"))
    model_id = run.models["production"]["embedding_mlp"]
    published = run.warehouse.read(tables.RECOMMENDATIONS)
    assert {r.model_id for r in published.select("model_id").distinct().collect()} == {model_id}
    assert published.count() == 40
    history = run.warehouse.read(tables.TRAINING_HISTORY)
    backtest = history.where(F.col("model_id") == run.models["backtest"]["embedding_mlp"])
    losses = {(r.epoch, r.metric): r.value for r in backtest.collect()}
    assert losses[2, "train_loss"] < losses[0, "train_loss"]
    assert (2, "valid_loss") in losses
    stored = run.warehouse.read(tables.METRICS).where("metric = 'rmse' AND segment = 'all'")
    assert {r.model_id.rsplit("-", 1)[0] for r in stored.collect()} >= {"bias", "embedding_mlp"}


def test_leave_one_out(spark: SparkSession, tmp_path: Path) -> None:
    """The last thing each user took is what models are judged by, and what none of them saw."""
    write_movielens(tmp_path / "data", users=20)
    only = ("baselines.models=['popularity']", "als.models=[]", "recommend.model=popularity")
    cfg = config(tmp_path, *only, "split.by=leave_one_out", "run.refit=false")
    run = run_line(spark, cfg)
    events = run.warehouse.read(tables.EVENTS).toPandas()
    events = events.sort_values(["event_time", "source_row"])
    liked = events[events["value"] >= 3]
    last = liked.groupby("user_id").tail(1).set_index("user_id")
    examples = run.warehouse.read(tables.EXAMPLES, where="backtest").toPandas()
    late = events["event_time"] >= events["user_id"].map(last["event_time"])
    of_test = examples[examples["split"] == "test"]
    assert set(of_test["event_id"]) == set(events[late]["event_id"])
    listed = run.warehouse.read(tables.BACKTEST_LISTS).toPandas()
    assert set(listed["user_id"]) == set(last.index)
    judged = run.warehouse.read(tables.METRICS).where("metric = 'hit' AND k = 10").collect()
    assert {row.users for row in judged if row.segment == "all"} == {20}
    # A hit: the one film left out is among the ten shown.
    shown = listed.set_index("user_id")["items"].map(lambda row: {i["item_id"] for i in row})
    hits = sum(last["item_id"][user] in items for user, items in shown.items())
    assert {row.value for row in judged if row.segment == "all"} == {hits / 20}
    model = run.models["backtest"]["popularity"]
    factors = run.warehouse.read(tables.ITEM_FACTORS, where=model)
    assert factors.agg(F.sum(F.get("vector", 0))).first()[0] == len(liked) - 20
    (row,) = run.warehouse.read(tables.MODELS).where(f"model_id = '{model}'").collect()
    assert '"split": "leave_one_out, ' in row.params
    again = run_line(spark, cfg)
    assert not again.worked
    assert again.models == run.models
