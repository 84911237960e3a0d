"""Networks of every kind through the line: a feed, a training, lists."""

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.deep.registry import load_network
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.jobs import (
    build_examples,
    build_profiles,
    evaluate,
    ingest,
    recommend,
    train_als,
    train_deep,
)
from tastemill.models import find
from tastemill.testing.toy import write_movielens
from tastemill.training.config import FACTORIZING

pytestmark = pytest.mark.slow
SMALL = (
    *("deep.num_processes=1", "deep.embedding_dim=8", "deep.hidden=[16]", "deep.batch_size=64"),
    *("deep.learning_rate=0.02", "deep.epochs=20", "deep.id_dropout=0.02", "deep.dropout=0.1"),
    *("deep.batch_users=8", "deep.max_length=12", "recommend.top_k=5"),
)


def settings(folder: Path, kind: str) -> Config:
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    task = ("dataset.task=implicit", "dataset.positive_min=4", f"deep.model={kind}")
    return load_config(Request("movielens-100k", settings=(*place, *task, *SMALL)))


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deep")
    write_movielens(folder / "data", users=60)
    cfg = settings(folder, "embedding_mlp")
    for job in (ingest, build_profiles, build_examples):
        job.run(spark, cfg)
    return folder


@pytest.mark.parametrize("kind", ["embedding_mlp", "neumf", "deep_mf", "two_tower", "sasrec"])
def test_lists_are_of_the_users_taste(spark: SparkSession, folder: Path, kind: str) -> None:
    cfg = settings(folder, kind)
    (model_id,) = train_deep.run(spark, cfg).models.values()
    recommend.run(spark, cfg)
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    history = warehouse.read(tables.TRAINING_HISTORY, where=model_id).toPandas()
    losses = history[history.metric == "train_loss"].sort_values("epoch")["value"].tolist()
    assert losses[-1] < 0.9 * losses[0]
    factors = warehouse.read_or_empty(tables.USER_FACTORS).where(F.col("model_id") == model_id)
    assert factors.isEmpty() == (kind not in FACTORIZING)
    lists = warehouse.read(tables.BACKTEST_LISTS, where=model_id).toPandas()
    assert len(lists) > 20
    shown = pd.DataFrame(
        [(row.user_id, item["item_id"]) for row in lists.itertuples() for item in row.items],
        columns=["user_id", "item_id"],
    )
    # Half of the users like even items, half odd ones.
    alike = (shown.user_id.astype(int) % 2) == (shown.item_id.astype(int) % 2)
    print(f"{kind}: {alike.mean():.2f} of {len(shown)} are of the user's taste")
    assert alike.mean() > 0.75
    past = warehouse.read(tables.EVENTS).where(F.col("event_time") < lists.as_of[0])
    seen = past.where("value >= 4").select("user_id", "item_id").toPandas()
    assert shown.merge(seen).empty


def test_a_feed_holds_what_its_pass_sees(spark: SparkSession, folder: Path) -> None:
    """Production learns from everything, a backtest from what came before its cut."""
    cfg = settings(folder, "gmf")
    cfg = cfg.model_copy(update={"deep": cfg.deep.model_copy(update={"epochs": 1})})
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    liked = warehouse.read(tables.EVENTS).where("value >= 4").count()
    recommend_by = cfg.recommend.model_copy(update={"model": "gmf"})
    learned = {}
    for purpose in ("backtest", "production"):
        run = cfg.run.model_copy(update={"purpose": purpose})
        own = cfg.model_copy(update={"run": run, "recommend": recommend_by})
        learned[purpose] = train_deep.run(spark, own).rows
    by_folds = load_config(
        Request("movielens-100k", settings=("split.by=k_fold", "split.num_folds=2"))
    )
    learned["folds"] = train_deep.run(spark, cfg.model_copy(update={"split": by_folds.split})).rows
    assert learned["production"] == liked
    assert learned["backtest"] < liked
    assert 0.3 * liked < learned["folds"] < 0.7 * liked < learned["backtest"]


def test_a_network_begins_with_the_factors_of_another(spark: SparkSession, folder: Path) -> None:
    cfg = load_config(
        Request(
            "movielens-100k",
            settings=(
                *(f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'", *SMALL),
                *("dataset.task=implicit", "dataset.positive_min=4", "deep.model=gmf"),
                *("deep.init_from=als", "als.rank=4", "als.max_iter=3", "als.models=['als']"),
            ),
        )
    )
    with pytest.raises(ContractError, match="no factors of als for gmf"):
        train_deep.run(spark, cfg)
    (first,) = train_als.run(spark, cfg).models.values()
    (model_id,) = train_deep.run(spark, cfg).models.values()
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    assert find(warehouse, model_id).params["init_from"] == first

    # Or takes them beside the profiles: in training, in lists and in predictions.
    own = {"model": "embedding_mlp", "init_from": "", "inputs_from": "als", "epochs": 2}
    cfg = cfg.model_copy(update={"deep": cfg.deep.model_copy(update=own)})
    (model_id,) = train_deep.run(spark, cfg).models.values()
    model = find(warehouse, model_id)
    assert model.params["inputs_from"] == first
    profile = warehouse.read(tables.ITEM_PROFILES).first()
    assert profile is not None
    config = load_network(str(model.artifact)).config
    assert config.item_dim == len(profile["item_vector"]) + 4
    run = cfg.run.model_copy(update={"models": {"embedding_mlp": model_id}})
    cfg = cfg.model_copy(update={"run": run})
    recommend.run(spark, cfg)
    evaluate.run(spark, cfg)
    assert not warehouse.read(tables.BACKTEST_LISTS, where=model_id).isEmpty()
    judged = warehouse.read(tables.METRICS).where(F.col("model_id") == model_id)
    assert not judged.where("metric = 'auc'").isEmpty()


def test_production_trains_as_long_as_was_best(spark: SparkSession, folder: Path) -> None:
    cfg = settings(folder, "gmf")
    own = {"validate_epochs": True, "patience": 1, "epochs": 40, "learning_rate": 0.1}
    recommend_by = cfg.recommend.model_copy(update={"model": "gmf"})
    changed = {"deep": cfg.deep.model_copy(update=own), "recommend": recommend_by}
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    made = {}
    for purpose in ("backtest", "production"):
        run = cfg.run.model_copy(update={"purpose": purpose})
        fitted = train_deep.run(spark, cfg.model_copy(update={**changed, "run": run})).models
        made[purpose] = find(warehouse, fitted["gmf"])
    best = made["backtest"].metrics["epoch"]
    assert best < 39
    assert made["production"].metrics["epoch"] == best
    assert made["production"].params["epochs"] == best + 1
    assert made["production"].params["schedule_epochs"] == 40


def test_neumf_goes_on_from_gmf_and_mlp(spark: SparkSession, folder: Path) -> None:
    cfg = settings(folder, "neumf")
    own = {"pretrained": True, "by_model": {"neumf": {"epochs": 1, "learning_rate": 1e-6}}}
    cfg = cfg.model_copy(update={"deep": cfg.deep.model_copy(update=own)})
    made = train_deep.run(spark, cfg).models
    assert list(made) == ["gmf", "mlp", "neumf"]
    warehouse = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    assert find(warehouse, made["neumf"]).params["parts"] == [made["gmf"], made["mlp"]]

    def losses(kind: str) -> list[float]:
        history = warehouse.read(tables.TRAINING_HISTORY, where=made[kind]).toPandas()
        return list(history[history.metric == "train_loss"].sort_values("epoch")["value"])

    # Where its parts ended, and not where they began.
    assert losses("neumf")[0] < 0.9 * min(losses("gmf")[0], losses("mlp")[0])
