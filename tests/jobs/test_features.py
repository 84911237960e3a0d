"""build_features on a small data set with planted tastes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from scipy.stats import skew
from typer.testing import CliRunner

from tastemill import models, tables
from tastemill.cli import app
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import ContractError, UsageError
from tastemill.featuring.pools import read_pool
from tastemill.jobs import build_examples, build_features, build_profiles, ingest, train_ranker
from tastemill.ranking.score import score
from tastemill.testing.toy import write_movielens

pytestmark = pytest.mark.slow
CROSSES = "{of = ['weekday', 'item_category']}, {of = ['user_gender', 'user_age'], buckets = 8}"
SETTINGS = (
    "dataset.task=implicit",
    "dataset.positive_min=4",
    "features.windows_days=[7,30]",
    f"features.crosses=[{CROSSES}]",
    "features.search_crosses=2",
    "features.encode=['item_category', 'user_gender']",
    "features.pooled=['mean']",
    "features.recent_items=5",
    "features.pools.items={include = ['item_*'], only_kept = false}",
    "ranker.models=['linear','dcn','wide_deep','dlrm']",
    "deep.batch_size=64",
    "deep.epochs=8",
    "deep.validate_epochs=true",
    "deep.patience=3",
    "deep.by_model.dlrm.embedding_dim=8",
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
    kept = set(best.index)
    assert {"user_recent_category_mean", "user_category_share", "user_gender:item_category"} <= kept
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


def test_what_a_user_took_last(warehouse: Warehouse) -> None:
    features, stats = (table_of(warehouse, t) for t in (tables.FEATURES, tables.FEATURE_STATS))
    place = stats[stats.kind == "numeric"].set_index("feature").place
    recent = features.recent.map(list)
    assert recent.map(len).max() == 5
    number = features.numeric.map(lambda row: row[place["user_recent_items"]])
    assert (number == recent.map(len)).all()
    # Twenty slots of categories (movielens-100k) and the buckets of titles.
    assert set(features.pooled.map(len)) == {20 + 128}
    kept = table_of(warehouse, tables.FEATURE_SELECTION).set_index("feature").told
    assert kept["user_recent_category_mean"] > 0.01
    words = table_of(warehouse, tables.FEATURE_VOCABULARY).query("feature == 'item_text'")
    assert {"film", "1990"} <= set(words.value)
    assert words.set_index("value").rows["film"] == 30


def test_values_as_numbers(warehouse: Warehouse) -> None:
    features, stats = (table_of(warehouse, t) for t in (tables.FEATURES, tables.FEATURE_STATS))
    figures = stats.set_index("feature")
    assert list(figures.goes_by["item_category_target"]) == ["item_category"]
    # A user is met as often with a label of 1 as with four of 0, whoever it is.
    at = int(figures.place["user_gender_target"])
    late = features[features.split == "test"].numeric.map(lambda row: row[at])
    assert late.between(0.15, 0.3).all()


def test_what_values_are_met_most(warehouse: Warehouse) -> None:
    features, stats = (table_of(warehouse, t) for t in (tables.FEATURES, tables.FEATURE_STATS))
    learned, figures = features[features.split == "train"], stats.set_index("feature")
    (most, share), *_ = figures.top["user_gender"]
    assert most in {"F", "M"}
    at = int(figures.place["user_gender"])
    assert share == pytest.approx(learned.categorical.map(lambda row: row[at] == 2).mean())
    at = int(figures.place["user_event_count_7d"])
    counts = learned.numeric.map(lambda row: row[at])
    (number, often), *_ = figures.top["user_event_count_7d"]
    assert (float(number), often) == (counts.mode()[0], (counts == counts.mode()[0]).mean())
    assert figures.quantiles["user_event_count_7d"][2] == counts.median()
    assert figures.skewness["user_event_count_7d"] == pytest.approx(skew(counts), abs=1e-6)


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
    assert "user_category_share" in kept.stdout
    assert "user_occupation" not in kept.stdout


@pytest.fixture(scope="module")
def rankers(spark: SparkSession, cfg: Config) -> dict[str, models.Model]:
    fitted = train_ranker.run(spark, cfg).models
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    return {kind: models.find(warehouse, model_id) for kind, model_id in fitted.items()}


@pytest.fixture(scope="module")
def ranker(rankers: dict[str, models.Model]) -> models.Model:
    return rankers["ranker"]


@pytest.mark.parametrize("kind", ["ranker", "dcn", "wide_deep", "dlrm"])
def test_a_ranker_learns_from_a_pool(
    warehouse: Warehouse, rankers: dict[str, models.Model], kind: str
) -> None:
    ranker = rankers[kind]
    pool = read_pool(warehouse, "backtest", "kept")
    chosen = table_of(warehouse, tables.FEATURE_SELECTION)
    assert {each.feature for each in pool.members} == set(chosen[chosen.kept].feature)
    assert ranker.params["pool_version"] == pool.version
    assert ranker.metrics["test_auc"] > max(0.7, ranker.metrics["test_auc_of_popularity"])
    assert ranker.metrics["test_log_loss"] < 0.5
    # It makes no lists, so none of the jobs that make them takes it for a model of theirs.
    assert kind not in models.newest(warehouse, "backtest")
    rows = warehouse.read(tables.FEATURES, where="backtest").where("split = 'test'")
    scored = score(warehouse, "backtest", rows, ranker).toPandas()
    assert len(scored) == rows.count()
    assert scored.prediction.between(0, 1).all()
    liked = scored.groupby("label").prediction.mean()
    assert liked[1] > liked[0] + 0.1


def test_a_pool_is_what_its_patterns_say(warehouse: Warehouse) -> None:
    items = read_pool(warehouse, "backtest", "items")
    assert {each.feature for each in items.members} >= {"item_price", "item_category"}
    assert all(each.feature.startswith("item_") for each in items.members)
    with pytest.raises(UsageError, match="did you mean items"):
        read_pool(warehouse, "backtest", "item")


def test_a_ranker_scores_with_no_other_pool(warehouse: Warehouse, ranker: models.Model) -> None:
    other = replace(ranker, params={**ranker.params, "pool": "items"})
    rows = warehouse.read(tables.FEATURES, where="backtest")
    with pytest.raises(ContractError, match="can't score with pool items"):
        score(warehouse, "backtest", rows, other)


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
    pools = [read_pool(warehouse, "backtest", name) for name in ("kept", "items")]
    with partitions(spark, 7):
        build_features.run(spark, cfg)
    again = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    for table in MADE:
        pd.testing.assert_frame_equal(table_of(again, table), before[table.name], check_exact=True)
    assert [read_pool(again, "backtest", pool.name) for pool in pools] == pools


def test_pools_of_features_that_were_written_without_them_are_refused(
    warehouse: Warehouse, ranker: models.Model
) -> None:
    """The last test of this warehouse: positions may be of other features now."""
    rows = warehouse.read(tables.FEATURES, where="backtest")
    warehouse.overwrite_slice(tables.FEATURES, rows.localCheckpoint(), "backtest")
    with pytest.raises(ContractError, match="build_features again"):
        score(warehouse, "backtest", rows, ranker)


def test_a_leak_is_caught(spark: SparkSession, tmp_path: Path) -> None:
    write_movielens(tmp_path / "data", users=20, items=20)
    # Whoever rates, and whenever: the genre alone says with how many stars.
    lines = [line.split("\t") for line in (tmp_path / "data" / "u.data").read_text().splitlines()]
    told = (f"{user}\t{item}\t{2 + 3 * (int(item) % 2)}\t{at}" for user, item, _, at in lines)
    (tmp_path / "data" / "u.data").write_text("\n".join(told) + "\n")
    place = (f"run.data='{tmp_path}/data'", f"run.warehouse='{tmp_path}/warehouse'")
    cfg = load_config(Request("movielens-100k", settings=("features.windows_days=[7]", *place)))
    for job in (ingest, build_profiles, build_examples, build_features):
        job.run(spark, cfg)
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    chosen = table_of(warehouse, tables.FEATURE_SELECTION).set_index("feature")
    assert chosen.reason["item_category"] == "leak: it tells 100% of the label"
    # What the item was given before tells almost as much, and is no leak.
    kept = {each.feature for each in read_pool(warehouse, "backtest", "kept").members}
    assert "item_value_mean" in kept
    assert "item_category" not in kept
