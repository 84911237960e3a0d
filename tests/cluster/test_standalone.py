"""train_deep and recommend on a real standalone cluster that knows only the installed wheel."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tastemill import passes, tables
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.jobs import build_examples, build_profiles, ingest, recommend
from tastemill.testing.toy import write_movielens

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
NETWORK = (
    "recommend.model=embedding_mlp",
    "recommend.top_k=5",
    "deep.embedding_dim=8",
    "deep.hidden=[16]",
    "deep.epochs=3",
    "deep.batch_size=64",
    "deep.retries=0",
    "deep.timeout_seconds=60",
)


@dataclass(frozen=True)
class Prepared:
    """A warehouse with examples, made by the local session."""

    spark: SparkSession
    cfg: Config
    warehouse: Warehouse
    options: list[str]

    def lists(self) -> dict[str, list[str]]:
        """The items of every user's list, best first."""
        rows = self.warehouse.read(tables.BACKTEST_LISTS).collect()
        assert len({row.user_id for row in rows}) == len(rows)
        assert {row.surface for row in rows} == {self.cfg.recommend.surface}
        return {row.user_id: [item.item_id for item in row["items"]] for row in rows}


# The cluster comes first: its workers start while the session prepares the tables.
@pytest.fixture(scope="module")
def prepared(
    cluster: object, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    home = tmp_path_factory.mktemp("prepared")
    write_movielens(home / "data")
    place = str(home / "warehouse")
    settings = (*NETWORK, f"run.data='{home}/data'", f"run.warehouse='{place}'")
    warehouse = Warehouse(spark, place, "movielens-100k")
    cfg = load_config(Request("movielens-100k", settings=settings))
    ingest.run(spark, cfg)
    # Working out the times takes every job a dozen queries: once is enough.
    times = asdict(passes.times_of(warehouse, cfg))
    settings += tuple(f"run.{name}={at.isoformat()}" for name, at in times.items())
    cfg = load_config(Request("movielens-100k", settings=settings))
    for stage in (build_profiles, build_examples):
        stage.run(spark, cfg)
    options = [part for setting in settings for part in ("--set", setting)]
    return Prepared(spark, cfg, warehouse, ["--dataset", "movielens-100k", *options])


@pytest.fixture(scope="module")
def trained(prepared: Prepared, submit: Callable[..., Any]) -> Prepared:
    ended = submit("train_deep", *prepared.options)
    assert ended.code == 0, ended.said[-6000:]
    return prepared


def tasks(cluster: Any, app: str) -> list[tuple[str, bool]]:
    """(executor, whether of a barrier stage) of the tasks of an app's last run, by Spark's log."""
    for folder in sorted((cluster.home / "events").iterdir(), reverse=True):
        lines = [line for file in folder.glob("events_*") for line in file.read_text().splitlines()]
        events = [json.loads(line) for line in lines]
        if any(event.get("App Name") == app for event in events):
            break
    else:
        pytest.fail(f"no events of {app}")
    barrier = {
        event["Stage Info"]["Stage ID"]
        for event in events
        if event["Event"] == "SparkListenerStageCompleted"
        and any(rdd["Barrier"] for rdd in event["Stage Info"]["RDD Info"])
    }
    return [
        (event["Task Info"]["Executor ID"], event["Stage ID"] in barrier)
        for event in events
        if event["Event"] == "SparkListenerTaskEnd"
        and event["Task End Reason"]["Reason"] == "Success"
    ]


def test_too_few_slots_end_at_once_with_one_sentence(
    prepared: Prepared, submit: Callable[..., Any]
) -> None:
    ended = submit(
        "train_deep",
        *prepared.options,
        "--set",
        "deep.num_processes=3",
        "--set",
        "deep.slots_wait_seconds=5",
    )
    assert ended.code == 1, ended.said[-6000:]
    assert "error: too few task slots for the training processes\n" in ended.said
    assert "expected: 3\n  found: 2\n" in ended.said
    assert "Traceback" not in ended.said
    assert not prepared.warehouse.exists(tables.MODELS)


def test_training_runs_in_a_barrier_stage_on_both_executors(
    trained: Prepared, cluster: Any
) -> None:
    (model,) = trained.warehouse.read(tables.MODELS).collect()
    assert (model.kind, model.purpose) == ("embedding_mlp", "backtest")
    history = trained.warehouse.read(tables.TRAINING_HISTORY, where=model.model_id).collect()
    losses = {(row.epoch, row.metric): row.value for row in history}
    assert all(math.isfinite(value) for value in losses.values())
    assert losses[2, "train_loss"] < losses[1, "train_loss"] < losses[0, "train_loss"]
    assert {"model.json", "model.safetensors"} <= {
        path.name for path in Path(model.artifact).iterdir()
    }
    ended = tasks(cluster, "tastemill train_deep")
    assert sorted(executor for executor, barrier in ended if barrier) == ["0", "1"]
    assert len(cluster.executors) >= 2


def test_lists_made_on_the_workers_are_those_made_here(
    trained: Prepared, submit: Callable[..., Any], cluster: Any
) -> None:
    ended = submit("recommend", *trained.options)
    assert ended.code == 0, ended.said[-6000:]
    there = trained.lists()
    assert {executor for executor, _ in tasks(cluster, "tastemill recommend")} <= {"0", "1"}
    recommend.run(trained.spark, trained.cfg)
    assert there == trained.lists()
    assert len(there) > 10
    assert {len(items) for items in there.values()} == {5}
