"""build_features on a small data set with planted tastes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from tastemill import tables
from tastemill.cli import app
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.jobs import build_examples, build_features, build_profiles, ingest
from tastemill.testing.toy import write_movielens

pytestmark = pytest.mark.slow
SETTINGS = ("dataset.task=implicit", "dataset.positive_min=4", "features.windows_days=[7,30]")
MADE = (
    tables.FEATURES,
    tables.FEATURE_VOCABULARY,
    tables.FEATURE_STATS,
    tables.FEATURE_SELECTION,
)


@pytest.fixture(scope="module")
def cfg(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("features")
    write_movielens(folder / "data")
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    cfg = load_config(Request("movielens-100k", settings=(*SETTINGS, *place)))
    for job in (ingest, build_profiles, build_examples, build_features):
        job.run(spark, cfg)
    return cfg


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, cfg: Config) -> Warehouse:
    return Warehouse(spark, cfg.run.warehouse, "movielens-100k")


def table_of(warehouse: Warehouse, table: tables.Table) -> pd.DataFrame:
    return warehouse.read(table).orderBy(*table.keys).toPandas()


def test_every_example_has_its_features(warehouse: Warehouse) -> None:
    features, stats = (table_of(warehouse, t) for t in (tables.FEATURES, tables.FEATURE_STATS))
    assert len(features) == warehouse.read(tables.EXAMPLES).count() > 500
    sizes = stats.groupby("kind").size().to_dict()
    assert set(features.numeric.map(len)) == {sizes["numeric"]}
    assert set(features.categorical.map(len)) == {sizes["categorical"]}
    for kind in sizes:
        places = stats[stats.kind == kind].place
        assert sorted(places) == list(range(len(places)))
    learned = features[features.split == "train"]
    assert set(stats.rows) == {len(learned)}
    assert all(sum(counts) == len(learned) for counts in stats.counts)


def test_planted_tastes_are_found_and_constants_are_not_kept(warehouse: Warehouse) -> None:
    chosen = table_of(warehouse, tables.FEATURE_SELECTION).set_index("feature")
    best = chosen[chosen.kept].told.sort_values(ascending=False)
    # Half of the users take items of one genre, half of another.
    assert {"user_category_affinity", "user_category_share"} & set(best.index[:3])
    assert chosen.reason["user_occupation"].startswith("constant")
    assert chosen.reason["item_price"].startswith("missing in 100.0%")
    assert (chosen.reason == "").equals(chosen.kept)


def test_the_command_lists_kept_ones_first_and_says_why_not(cfg: Config) -> None:
    command = ("features", "--dataset", "movielens-100k", "--warehouse", cfg.run.warehouse)
    told = CliRunner().invoke(app, [*command, "--json"])
    rows = json.loads(told.stdout)
    assert [row["kept"] for row in rows] == sorted((row["kept"] for row in rows), reverse=True)
    assert all(row["definition"] and row["kept"] == (not row["reason"]) for row in rows)
    kept = CliRunner().invoke(app, [*command, "--kept"])
    assert "user_category_affinity" in kept.stdout
    assert "user_occupation" not in kept.stdout


@contextmanager
def partitions(spark: SparkSession, number: int) -> Iterator[None]:
    """So many shuffle partitions for a while."""
    key = "spark.sql.shuffle.partitions"
    before = spark.conf.get(key)
    spark.conf.set(key, str(number))
    yield
    spark.conf.set(key, str(before))


def test_equal_to_the_byte_under_another_partitioning(
    spark: SparkSession, cfg: Config, warehouse: Warehouse
) -> None:
    before = {table.name: table_of(warehouse, table) for table in MADE}
    with partitions(spark, 7):
        build_features.run(spark, cfg)
    for table in MADE:
        again = table_of(Warehouse(spark, cfg.run.warehouse, "movielens-100k"), table)
        pd.testing.assert_frame_equal(again, before[table.name], check_exact=True)
