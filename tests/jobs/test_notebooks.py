"""Every notebook runs from first cell to last, on a made-up data set, and shows what is true."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.line.stages import BACKTEST
from tastemill.testing.notebook import Notebook, execute, main
from tastemill.testing.toy import write_movielens

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parents[2] / "notebooks"
# A line small enough for a test.
SETTINGS = (
    "deep.enabled=false",
    "als.rank=4",
    "als.max_iter=2",
    "als.models=['als']",
    "baselines.models=['popularity']",
    "evaluation.num_replicates=5",
    "recommend.top_k=8",
)


def quickstart(done: Notebook, warehouse: Warehouse, user: str) -> None:
    metrics, few, of_user, stored = done.displayed
    assert isinstance(metrics, pd.DataFrame)
    assert set(metrics["model"]) == {"als", "popularity"}
    assert metrics["ndcg@10"].is_monotonic_decreasing
    assert metrics["ndcg@10"].between(0.1, 1).all()
    assert list(few.groupby("user_id").size()) == [5, 5, 5]
    assert (few["title"] == "Film " + few["item_id"] + " (1990)").all()
    assert set(of_user["user_id"]) == {user}
    assert list(of_user["rank"]) == list(range(1, 9))
    seen = warehouse.read(tables.EVENTS).where(f"user_id = '{user}'").collect()
    assert seen
    assert not {event.item_id for event in seen} & set(of_user["item_id"])
    assert isinstance(stored, DataFrame)
    assert set(stored.columns) == set(tables.RECOMMENDATIONS.columns)
    assert stored.count() == 5
    (page,) = done.html
    assert page == (Path(warehouse.location) / "_artifacts" / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert str(done.exit_value) in page
    runs = warehouse.read(tables.RUNS).where(f"run_id = '{done.exit_value}'").collect()
    off = {"check_quality", "build_features", "train_ranker", "register_models"}
    for purpose, stages in (
        ("backtest", set(BACKTEST) - off),
        ("production", {"build_profiles", "train_als", "recommend"}),
    ):
        assert {run.stage for run in runs if run.purpose == purpose} == stages
    assert {run.status for run in runs} == {"done"}
    (command,) = {run.command for run in runs}
    assert re.match(
        r"tastemill run --dataset movielens-100k --env local --set .*als\.rank=4", command
    )
    assert [line.split()[1] for line in done.installs] == ["install"]
    assert done.text[0].startswith("# Tastemill")


CHECKS: dict[str, Callable[[Notebook, Warehouse, str], None]] = {"01_quickstart": quickstart}


def test_each_notebook_has_a_check() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_notebook(name: str, spark: SparkSession, tmp_path: Path) -> None:
    write_movielens(tmp_path / "data")
    widgets = {
        "dataset": "movielens-100k",
        "data": str(tmp_path / "data"),
        "warehouse": str(tmp_path / "warehouse"),
        "artifacts": "",
        "env": "local",
        "user": "4",
        "settings": " ".join(SETTINGS),
    }
    done = execute(FOLDER / f"{name}.py", spark, **widgets)
    warehouse = Warehouse(spark, str(tmp_path / "warehouse"), "movielens-100k")
    CHECKS[name](done, warehouse, "4")


@pytest.mark.usefixtures("spark")
def test_a_person_runs_one_from_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "counts.py"
    cells = (
        "# Databricks notebook source\ndbutils.widgets.text('n', '3')",
        "rows = spark.range(int(dbutils.widgets.get('n')))\ndisplay(rows.count())\ndisplayHTML('')",
        "dbutils.notebook.exit('over')",
    )
    file.write_text("\n# COMMAND ----------\n".join(cells))
    main([str(file), "n=5"])
    assert capsys.readouterr().out == "5\n1 pages of HTML; exit value: over\n"
