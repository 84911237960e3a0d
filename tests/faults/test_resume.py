"""A run killed in every stage goes on where it was, and ends as one that was never killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

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

# Stage by stage: the table at whose commit the process dies, just before it or just after.
DEATHS = (
    ("users", "after"),  # ingest, before any event is in
    ("events", "after"),  # ingest, before the file counts as read
    ("category_slots", "after"),  # build_profiles
    ("item_profiles", "before"),
    ("examples", "before"),  # build_examples
    ("item_factors", "after"),  # train_baselines: factors of a model that isn't listed
    ("user_factors", "after"),  # train_als
    ("training_history", "after"),  # train_deep: weights of a model that isn't listed
    ("backtest_lists", "after"),  # recommend, before the books know
    ("metrics", "before"),  # evaluate
    ("user_profiles", "before"),  # production: build_profiles
    ("models", "before"),  # production: train_als
    ("recommendations", "before"),  # production: recommend
    ("recommendations", "after"),
)

CHILD = """
import os, signal, sys
from tastemill import cli
from tastemill.delta import Warehouse
from tastemill.line import runner
from tastemill.testing.session import start_session

name, when = sys.argv.pop(1).split(":")
commit = Warehouse._commit
runner.AT_MOST_LOST_S = 0.0  # every stage that is over is in the books

def die():
    os.killpg(os.getpgrp(), signal.SIGKILL)

def deadly(self, table, write):
    if table.name == name and when == "before":
        die()
    done = commit(self, table, write)
    if table.name == name and when == "after":
        die()
    return done

Warehouse._commit = deadly
start_session()
cli.main()
"""

SETTINGS = (
    "als.rank=4",
    "als.max_iter=3",
    "als.models=['als']",
    "recommend.top_k=5",
    "deep.epochs=2",
    "deep.embedding_dim=4",
    "deep.hidden=[8]",
    "deep.batch_size=64",
    "evaluation.num_replicates=20",
)


def killed_at(folder: Path, death: tuple[str, str]) -> None:
    """Run the line in a process group of its own until it kills itself."""
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    place = ["--data", str(folder / "data"), "--warehouse", str(folder / "killed")]
    command = [sys.executable, "-c", CHILD, ":".join(death), "run"]
    log = folder / f"{'-'.join(death)}.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            [*command, "--dataset", "movielens-100k", *place, *options],
            start_new_session=True,
            stdout=out,
            stderr=out,
        )
        try:
            code = child.wait(timeout=300)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    assert code == -signal.SIGKILL, f"{death}: {code}\n{log.read_text()[-3000:]}"


def run_here(spark: SparkSession, folder: Path, name: str) -> Silent:
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/{name}'")
    seen = Silent()
    cfg = load_config(Request("movielens-100k", settings=(*SETTINGS, *place)))
    Run(spark, cfg, "test", seen).execute(Plan())
    return seen


def by_kind(warehouse: Warehouse, table: tables.Table, *columns: str) -> DataFrame:
    """Rows with the kind of their model in place of its id, which holds table versions."""
    kind = F.regexp_replace("model_id", "-[0-9a-f]{12}$", "").alias("kind")
    listed = warehouse.read(tables.MODELS).select("model_id", "purpose").distinct()
    return warehouse.read(table).join(listed, "model_id").select(kind, "purpose", *columns)


def test_killed_in_every_stage_and_gone_on(spark: SparkSession, tmp_path: Path) -> None:
    write_movielens(tmp_path / "data", users=20)
    for death in DEATHS:
        killed_at(tmp_path, death)
    seen = run_here(spark, tmp_path, "killed")
    assert [status for _, status in seen.seen].count(
        "skipped"
    ) == 10  # all but the last stage, whose end wasn't in the books
    run_here(spark, tmp_path, "whole")
    killed, whole = (
        Warehouse(spark, str(tmp_path / name), "movielens-100k") for name in ("killed", "whole")
    )
    assert_same(killed, whole)


def assert_same(killed: Warehouse, whole: Warehouse) -> None:
    """Every table holds the same, but for times, and ids that hold table versions."""
    compared = (
        (tables.EVENTS, ("event_id", "user_id", "item_id", "value", "event_time", "source_row")),
        (tables.USERS, ("user_id", "age", "gender")),
        (tables.ITEMS, ("item_id", "title")),
        (tables.USER_INDEX, ("user_id", "user_idx")),
        (tables.ITEM_INDEX, ("item_id", "item_idx")),
        (tables.USER_PROFILES, ("ds", "user_id", "user_vector")),
        (tables.EXAMPLES, ("purpose", "event_id", "label", "user_vector", "item_vector")),
    )
    pairs = {
        table.name: [w.read(table).select(*columns) for w in (killed, whole)]
        for table, columns in compared
    }
    judged = ("protocol", "segment", "metric", "k", "value", "low", "high")
    pairs["metrics"] = [by_kind(w, tables.METRICS, *judged) for w in (killed, whole)]
    for table in (tables.RECOMMENDATIONS, tables.BACKTEST_LISTS):
        lists = [by_kind(w, table, "user_id", "list_hash") for w in (killed, whole)]
        pairs[table.name] = lists
    for name, (ours, theirs) in pairs.items():
        assert ours.count() == theirs.count() > 0, name
        assert ours.exceptAll(theirs).isEmpty(), name
    users = killed.read(tables.RECOMMENDATIONS)
    assert users.count() == users.select("user_id").distinct().count() == 20
