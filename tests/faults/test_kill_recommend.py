"""A job killed while it writes lists leaves the old state; run again, all users have one list."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, tables
from tastemill.config.load import Config, Request, load_config
from tastemill.jobs import build_profiles, ingest, recommend, train_baselines
from tastemill.testing.toy import write_movielens

pytestmark = [pytest.mark.slow, pytest.mark.faults]

# One partition is written at once, the others sleep: the kill always comes between data and commit.
CHILD = """
import sys, time
from pyspark import TaskContext
from tastemill.jobs import recommend
from tastemill.retrieval import lists

made = lists.as_lists

def slow(*args):
    rows = made(*args)
    def wait(batches):
        if TaskContext.get().partitionId() > 0:
            time.sleep(600)
        yield from batches
    return rows.repartition(2, "user_id").mapInArrow(wait, rows.schema)

lists.as_lists = slow
sys.exit(recommend.main(sys.argv[1:]))
"""


def config(folder: Path, *more: str) -> Config:
    fixed = (
        f"run.data='{folder}/data'",
        f"run.warehouse='{folder}/warehouse'",
        "run.purpose=production",
        "recommend.model=popularity",
    )
    return load_config(Request("movielens-100k", settings=(*fixed, *more)))


def files_of(table: Path) -> set[str]:
    return {p.name for p in table.glob("*.parquet")} if table.exists() else set()


def kill_in_mid_write(folder: Path, *more: str) -> None:
    """Start the job in a process group of its own and kill it once a data file has appeared."""
    table = folder / "warehouse" / "recommendations"
    before = files_of(table)
    settings = (
        f"run.warehouse='{folder}/warehouse'",
        "run.purpose=production",
        "recommend.model=popularity",
        *more,
    )
    options = [part for setting in settings for part in ("--set", setting)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, "--dataset", "movielens-100k", *options],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 400
        while not files_of(table) - before:
            assert child.poll() is None, "the job ended before it wrote"
            assert time.monotonic() < until, "no data file appeared"
            time.sleep(0.05)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def test_killed_in_mid_write_and_run_again(spark: SparkSession, tmp_path: Path) -> None:
    write_movielens(tmp_path / "data")
    cfg = config(tmp_path)
    for module in (ingest, build_profiles, train_baselines):
        module.run(spark, cfg)
    warehouse = job.open_warehouse(spark, cfg)

    kill_in_mid_write(tmp_path)
    assert warehouse.read(tables.RECOMMENDATIONS).count() == 0  # made, nothing committed
    assert files_of(tmp_path / "warehouse" / "recommendations")  # but something was written

    recommend.run(spark, cfg)
    rows = warehouse.read(tables.RECOMMENDATIONS)
    counts = rows.agg(F.count("*"), F.count_distinct("user_id")).collect()[0]
    assert tuple(counts) == (40, 40)
    assert recommend.run(spark, cfg).rows == 0
