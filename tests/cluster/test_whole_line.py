"""The whole line on a real cluster, with an executor and a training process killed on the way.

What comes out is held against the same line on this machine, which nothing happened to.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Request, load_config
from tastemill.delta import Warehouse
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.testing.observer import Silent
from tastemill.testing.toy import write_movielens

pytestmark = [pytest.mark.slow, pytest.mark.faults]
SETTINGS = (
    "als.rank=4",
    "als.max_iter=15",
    "als.models=['als']",
    "recommend.top_k=5",
    "deep.embedding_dim=8",
    "deep.hidden=[16]",
    "deep.epochs=40",
    "deep.batch_size=16",
    "evaluation.num_replicates=20",
    "run.refit=false",
)


@dataclass(frozen=True)
class Lines:
    """The same line twice: here, and on the cluster, where it said something."""

    here: Warehouse
    there: Warehouse
    killed: dict[str, int]
    said: str

    def both(self, table: tables.Table, kind: str) -> list[DataFrame]:
        """Rows of one kind of model, of each."""
        found = []
        for warehouse in (self.here, self.there):
            of_kind = warehouse.read(tables.MODELS).where(F.col("kind") == kind)
            found.append(warehouse.read(table).join(of_kind.select("model_id"), "model_id"))
        return found


class Killer(Thread):
    """Kills one process of a kind as soon as a sign of work appears."""

    def __init__(self, sign: Callable[[], bool], victims: Callable[[], list[int]]) -> None:
        super().__init__(daemon=True)
        self.sign, self.victims = sign, victims
        self.pid = 0
        self.over = False

    def run(self) -> None:
        """Wait for the sign, then for a victim."""
        while not self.over:
            if self.sign() and (found := self.victims()):
                os.kill(found[0], signal.SIGKILL)
                self.pid = found[0]
                return
            time.sleep(0.02)


def processes(home: Path, word: str, environ: str = "") -> Iterator[int]:
    """Processes that work in a folder, with a word on the command line and a variable set."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = (folder / "cwd").readlink().is_relative_to(home)
            line = (folder / "cmdline").read_text(errors="replace")
            variables = (folder / "environ").read_text(errors="replace").split("\0")
        except OSError:
            continue
        if inside and word in line and (not environ or environ in variables):
            yield int(folder.name)


@pytest.fixture(scope="module")
def lines(
    cluster: Any,
    submit: Callable[..., Any],
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lines:
    home = tmp_path_factory.mktemp("lines")
    write_movielens(home / "data")
    there = home / "there"
    executor = Killer(
        # The first checkpoint of ALS: ten of its fifteen iterations are over.
        lambda: any(there.glob("_artifacts/checkpoints/als/*/rdd-*")),
        lambda: list(processes(cluster.home, "CoarseGrainedExecutorBackend")),
    )
    process = Killer(
        lambda: any(there.glob("_artifacts/models/*/checkpoints/latest*")),
        lambda: list(processes(cluster.home, "python", "RANK=1")),
    )
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    place = ["--data", str(home / "data"), "--warehouse", str(there)]
    for killer in (executor, process):
        killer.start()
    try:
        ended = submit("run", "--dataset", "movielens-100k", *place, *options, seconds=1500)
    finally:
        executor.over = process.over = True
    assert ended.code == 0, ended.said[-6000:]
    settings = (*SETTINGS, f"run.data='{home}/data'", f"run.warehouse='{home}/here'")
    run = Run(spark, load_config(Request("movielens-100k", settings=settings)), "test", Silent())
    run.execute(Plan())
    killed = {"executor": executor.pid, "process": process.pid}
    other = Warehouse(spark, str(there), "movielens-100k")
    return Lines(run.warehouse, other, killed, ended.said)


def test_both_were_killed(lines: Lines) -> None:
    assert all(lines.killed.values())
    assert "training attempt 1 of 2" in lines.said


def test_popularity_lists_are_identical(lines: Lines) -> None:
    for kind in ("popularity", "recent_popularity"):
        here, there = (
            {row.user_id: row.list_hash for row in rows.collect()}
            for rows in lines.both(tables.BACKTEST_LISTS, kind)
        )
        assert here == there
        assert len(here) > 10


def test_als_agrees_on_pairs_and_scores(lines: Lines) -> None:
    here, there = (
        {(row.user_id, item.item_id): item.score for row in rows.collect() for item in row["items"]}
        for rows in lines.both(tables.BACKTEST_LISTS, "als")
    )
    common = here.keys() & there.keys()
    assert len(common) >= 0.99 * len(here) > 100
    assert len(here) == len(there)
    assert max(abs(here[pair] - there[pair]) for pair in common) <= 1e-4


def test_the_network_comes_to_the_same_loss(lines: Lines) -> None:
    here, there = (
        {(row.epoch, row.metric): row.value for row in rows.collect()}
        for rows in lines.both(tables.TRAINING_HISTORY, "embedding_mlp")
    )
    assert here.keys() == there.keys()
    losses = [key for key in here if key[1] == "train_loss"]
    assert len(losses) == 40
    assert max(abs(here[key] - there[key]) for key in losses) <= 1e-3


def test_the_same_events_profiles_and_examples(lines: Lines) -> None:
    compared = (
        (tables.EVENTS, ("event_id", "user_id", "item_id", "value", "event_time")),
        (tables.USER_PROFILES, ("ds", "user_id", "user_vector")),
        (tables.ITEM_PROFILES, ("ds", "item_id", "item_vector")),
        (tables.EXAMPLES, ("event_id", "split", "label", "user_vector", "item_vector")),
    )
    for table, columns in compared:
        here, there = (w.read(table).select(*columns) for w in (lines.here, lines.there))
        assert here.count() == there.count() > 0, table.name
        assert here.exceptAll(there).isEmpty(), table.name
