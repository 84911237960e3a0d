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
CROSSES = "{of = ['weekday', 'item_category']}, {of = ['user_gender', 'user_age'], buckets = 8}"
SETTINGS = (
    "dataset.task=implicit",
    "dataset.positive_min=4",
    "features.windows_days=[7,30]",
    f"features.crosses=[{CROSSES}]",
    "features.search_crosses=2",
)
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


def test_a_pair_that_tells_together_is_found(warehouse: Warehouse) -> None:
    chosen = table_of(warehouse, tables.FEATURE_SELECTION).set_index("feature")
    # Women take items of one genre and men of another, alone neither tells anything.
    pair = chosen.loc["user_gender:item_category"]
    assert pair.kept
    assert pair.unit == "users"
    assert pair.told > max(chosen.told["item_category"], chosen.told["user_gender"]) + 0.05
    assert chosen.reason["weekday:item_category"]
    words = table_of(warehouse, tables.FEATURE_VOCABULARY)
    pairs = words[words.feature == "user_gender:item_category"]
    assert {tuple(json.loads(value)) for value in pairs.value} == {
        (gender, genre) for genre in ("Action", "Adventure") for gender in "FM"
    }


def test_a_hashed_cross_says_how_much_falls_together(warehouse: Warehouse) -> None:
    stats = table_of(warehouse, tables.FEATURE_STATS).set_index("feature")
    hashed = stats.loc["user_gender:user_age"]
    assert (hashed.family, hashed["size"]) == ("cross", 10)
    assert 0 < hashed.collisions <= 1
    assert stats.collisions.drop("user_gender:user_age").isna().all()
    assert stats.definition["weekday:item_category"].startswith("each combination of weekday and")


def test_how_far_the_test_lies_from_what_is_learned_from(warehouse: Warehouse) -> None:
    features, stats = (table_of(warehouse, t) for t in (tables.FEATURES, tables.FEATURE_STATS))
    rows = int((features.split == "test").sum())
    assert rows
    assert all(sum(later) == rows for later in stats.later)
    figures = stats.set_index("feature")
    assert figures.psi["item_price"] == 0  # nowhere known
    # What is counted from the beginning goes on growing.
    assert figures.psi["item_event_count_lifetime"] > 0.25
    assert 0.2 < figures.ks["item_event_count_lifetime"] <= 1
    assert figures.ks[figures.kind == "categorical"].isna().all()


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
