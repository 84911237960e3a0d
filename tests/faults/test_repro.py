"""A run done again from the versions it read: equal to the bit, live tables untouched."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import ContractError, UsageError
from tastemill.line.kept import kept_version
from tastemill.line.repro import TOLERANCE, Outcome, repro
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.testing.observer import Silent
from tastemill.testing.toy import write_movielens
from tastemill.testing.versions import table_versions

pytestmark = [pytest.mark.slow, pytest.mark.faults]
SETTINGS = (
    "als.rank=4",
    "als.max_iter=3",
    "recommend.top_k=5",
    "run.refit=false",
    "deep.epochs=2",
    "deep.embedding_dim=4",
    "deep.hidden=[8]",
    "deep.batch_size=64",
    "evaluation.num_replicates=20",
)


def config(folder: Path, *more: str) -> Config:
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/ware house'")
    return load_config(Request("movielens-100k", settings=(*SETTINGS, *more, *place)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repro")
    write_movielens(folder / "data", users=20)
    return folder


@pytest.fixture(scope="module")
def first(spark: SparkSession, folder: Path) -> Run:
    run = Run(spark, config(folder), "test", Silent())
    run.execute(Plan())
    return run


def test_all_comes_out_again_though_the_tables_have_moved_on(
    spark: SparkSession, folder: Path, first: Run
) -> None:
    write_movielens(folder / "data", users=24, seed=2)
    later = Run(spark, config(folder, "als.rank=3"), "test", Silent())
    later.execute(Plan(last="recommend"))
    assert later.models != first.models
    before = table_versions(first.warehouse)
    outcome = repro(spark, config(folder), first.run_id, Silent())
    assert outcome.conditions == []
    compared = {row["table"]: row for row in outcome.tables}
    assert outcome.is_equal, compared
    assert set(compared) == {
        "user_factors",
        "item_factors",
        "training_history",
        "backtest_lists",
        "metrics",
        "comparisons",
    }
    assert all(row["rows"] > 0 for row in outcome.tables)
    assert table_versions(first.warehouse) == before
    assert not (folder / "ware house" / "_artifacts" / "repro" / first.run_id).exists()


def test_a_result_that_differs_is_counted(spark: SparkSession, folder: Path, first: Run) -> None:
    """The published metrics are falsified: what is done again doesn't agree."""
    model = first.models["backtest"]["popularity"]
    name = first.warehouse.name(tables.METRICS)
    spark.sql(f"UPDATE {name} SET value = value + 0.25 WHERE model_id = '{model}' AND k = 10")
    version = table_versions(first.warehouse)["metrics"]
    runs = first.warehouse.name(tables.RUNS)
    spark.sql(
        f"UPDATE {runs} SET output_versions = map_concat(map_filter(output_versions, (k, v) -> "
        f"k <> 'metrics[{model}]'), map('metrics[{model}]', {version}L)) "
        f"WHERE run_id = '{first.run_id}' AND stage = 'evaluate'"
    )
    outcome = repro(spark, config(folder), first.run_id, Silent())
    row = next(row for row in outcome.tables if row["table"] == "metrics")
    assert row["differ"] > 0
    assert row["largest gap"] == pytest.approx(0.25)
    assert not outcome.holds


def test_an_unknown_run_is_refused(spark: SparkSession, folder: Path, first: Run) -> None:
    with pytest.raises(UsageError, match="no run 20200101T000000-abcdef"):
        repro(spark, config(folder), "20200101T000000-abcdef", Silent())


def test_a_run_whose_versions_were_vacuumed_is_refused(
    spark: SparkSession, folder: Path, first: Run
) -> None:
    lists = folder / "ware house" / "backtest_lists"
    model = first.models["backtest"]["als"]
    at = Warehouse(spark, first.warehouse.location, "movielens-100k")
    version = at.data_version(tables.BACKTEST_LISTS, model)
    at.overwrite_slice(tables.BACKTEST_LISTS, at.read(tables.BACKTEST_LISTS).limit(0), model)
    now = {Path(f).name for f in at.read(tables.BACKTEST_LISTS).inputFiles()}
    assert kept_version(at, tables.BACKTEST_LISTS, int(version or 0), model) is not None
    for file in lists.glob("*.parquet"):
        if file.name not in now:
            file.unlink()
    with pytest.raises(ContractError, match=rf"(?s)vacuumed.*backtest_lists\[{model}\] at version"):
        repro(spark, config(folder), first.run_id, Silent())
    assert kept_version(at, tables.BACKTEST_LISTS, 10_000) is None


def row(differ: int, gap: float | None) -> dict[str, object]:
    return {"table": "t", "rows": 9, "differ": differ, "largest gap": gap}


@pytest.mark.parametrize(
    ("conditions", "rows", "holds"),
    [
        ([], [row(0, 0.0), row(0, None)], True),
        ([], [row(1, TOLERANCE / 2)], False),
        (["cores: 2 then, 4 now"], [row(1, TOLERANCE / 2), row(5, None)], True),
        (["cores: 2 then, 4 now"], [row(1, TOLERANCE * 2)], False),
        (["cores: 2 then, 4 now"], [row(1, float("inf"))], False),
    ],
)
def test_what_counts_as_done_again(
    conditions: list[str], rows: list[dict[str, object]], holds: bool
) -> None:
    assert Outcome("r", conditions, rows).holds is holds
