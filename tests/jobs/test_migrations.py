"""A warehouse of an older release: refused with the way out, migrated, then read and written."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from tastemill import migrations, tables
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.migrations import migrate

pytestmark = pytest.mark.slow
BEFORE = replace(
    tables.RUNS,
    schema=T.StructType([f for f in tables.RUNS.schema if f.name != "environment"]),
    contract=1,
)
ROW = ("r", 1, "ingest", "backtest", "done", "k", {}, {}, {}, 3, 0.5, None, "c", "{}")


@pytest.fixture
def old(spark: SparkSession, tmp_path: Path) -> Warehouse:
    """A warehouse with one run, as the release before wrote it."""
    place = str(tmp_path / "warehouse")
    rows = spark.createDataFrame([(*ROW, datetime(2020, 1, 1, tzinfo=UTC))], BEFORE.schema)
    Warehouse(spark, place, "toy").append_once(BEFORE, rows, "r")
    return Warehouse(spark, place, "toy")


def test_an_older_table_is_refused_and_then_migrated(spark: SparkSession, old: Warehouse) -> None:
    with pytest.raises(ContractError, match=r"(?s)older version.*tastemill migrate --dataset toy"):
        old.read(tables.RUNS)
    assert migrate(old) == ["runs: contract 2, with environment"]
    assert migrate(old) == []
    runs = Warehouse(spark, old.location, "toy")
    row = runs.read(tables.RUNS).first()
    assert row is not None
    assert (row["run_id"], row["rows"], row["environment"]) == ("r", 3, None)
    today = (*ROW, datetime(2021, 1, 1, tzinfo=UTC), {"cores": "2"})
    runs.append_once(tables.RUNS, spark.createDataFrame([today], tables.RUNS.schema), "s")
    assert runs.read(tables.RUNS).count() == 2


def test_a_step_that_was_cut_off_is_taken_again(spark: SparkSession, old: Warehouse) -> None:
    name = old.name(tables.RUNS)
    spark.sql(f"ALTER TABLE {name} ADD COLUMNS (environment MAP<STRING, STRING>)")
    assert migrate(old) == ["runs: contract 2, with environment"]
    assert Warehouse(spark, old.location, "toy").read(tables.RUNS).count() == 1


def test_a_newer_table_is_refused(spark: SparkSession, old: Warehouse) -> None:
    spark.sql(f"ALTER TABLE {old.name(BEFORE)} SET TBLPROPERTIES ('tastemill.contract' = '3')")
    for attempt in (lambda: old.read(tables.RUNS), lambda: migrate(old)):
        with pytest.raises(ContractError, match=r"(?s)newer version.*found: version 3"):
            attempt()


def test_a_warehouse_of_another_dataset_is_left_alone(spark: SparkSession, old: Warehouse) -> None:
    with pytest.raises(ContractError, match="another dataset"):
        migrate(Warehouse(spark, old.location, "other"))
    assert "environment" not in spark.read.table(old.name(tables.RUNS)).columns


def test_every_higher_contract_can_be_reached() -> None:
    steps = {(step.table.name, step.version) for step in migrations.STEPS}
    assert steps == {(t.name, v) for t in tables.ALL for v in range(2, t.contract + 1)}
