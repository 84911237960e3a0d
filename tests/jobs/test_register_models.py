"""Champion and candidates in `models` and in MLflow, which name each other."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from pyspark.sql import SparkSession

from tastemill import tables, views
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
    register_models,
    train_baselines,
    train_deep,
)
from tastemill.registry.place import mlflow_place
from tastemill.testing.toy import write_movielens

pytestmark = pytest.mark.slow
SETTINGS = (
    *("dataset.task=implicit", "dataset.positive_min=4", "baselines.models=['popularity']"),
    *("deep.model=embedding_mlp", "deep.more=['sasrec']", "deep.epochs=15", "deep.hidden=[16]"),
    *("deep.num_processes=1", "deep.embedding_dim=8", "deep.batch_size=64", "deep.batch_users=8"),
    *("deep.learning_rate=0.02", "deep.id_dropout=0.02", "deep.max_length=12"),
    *("recommend.top_k=5", "recommend.model=popularity", "registry.enabled=true"),
    "evaluation.ks=[5]",
)
NAME = "tastemill-movielens-100k"


def settings(folder: Path, *more: str) -> Config:
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    return load_config(Request("movielens-100k", settings=(*SETTINGS, *place, *more)))


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registry")
    write_movielens(folder / "data", users=60)
    cfg = settings(folder)
    fits = (train_baselines, train_deep)
    for job in (ingest, build_profiles, build_examples, *fits, recommend, evaluate):
        job.run(spark, cfg)
    return folder


def aliases(spark: SparkSession, cfg: Config) -> pd.DataFrame:
    """(kind, alias, mlflow_run) of all models, by model_id."""
    stored = Warehouse(spark, cfg.run.warehouse, "movielens-100k").read(tables.MODELS)
    columns = ("model_id", "kind", "alias", "mlflow_run")
    return stored.select(*columns).toPandas().set_index("model_id")


def test_the_published_model_gives_way_to_one_that_is_surely_better(
    spark: SparkSession, folder: Path
) -> None:
    """Half of the users like even items, half odd ones: popularity can't tell them apart."""
    cfg = settings(folder)
    told = register_models.run(spark, cfg)
    found = aliases(spark, cfg)
    champion = found[found.alias == "champion"].kind.item()
    assert champion in ("embedding_mlp", "sasrec")
    assert told.detail == f"{champion} takes the place of popularity as champion"
    assert set(found[found.kind != champion].alias) == {"candidate"}
    client = MlflowClient(mlflow_place(cfg).uri)
    for model_id, row in found.iterrows():
        run = client.get_run(row.mlflow_run)
        assert run.data.tags["tastemill.model_id"] == model_id
        assert [tag for tag in run.data.tags if tag.startswith("delta.")]
        assert run.data.tags["env.torch"]
        (ndcg,) = (v for name, v in run.data.metrics.items() if name.startswith("ndcg_at_"))
        assert 0 < ndcg < 1
    (network,) = found.index[found.kind == "sasrec"]
    losses = client.get_metric_history(found.loc[network].mlflow_run, "train_loss")
    assert [metric.step for metric in losses] == list(range(15))
    assert losses[-1].value < losses[0].value
    version, other = (
        client.get_model_version_by_alias(NAME, alias) for alias in ("champion", "candidate")
    )
    assert found.loc[version.tags["tastemill.model_id"]].kind == champion
    assert other.version != version.version
    place = Warehouse(spark, cfg.run.warehouse, "movielens-100k")
    listed = views.model_list(place, 5)
    best = max(listed, key=lambda row: row["ndcg@5"])
    assert found.loc[best["model_id"]].kind == champion
    params, epochs = views.model_detail(place, network)
    assert params["epochs"] == 15
    assert [row["epoch"] for row in epochs] == list(range(1, 16))
    assert [row["train_loss"] for row in epochs] == [metric.value for metric in losses]

    # Again: nothing is told twice, and the champion stays.
    again = register_models.run(spark, cfg)
    assert (again.rows, again.detail) == (0, f"{champion} stays champion")
    assert len(client.search_runs([client.get_run(run.info.run_id).info.experiment_id])) == 3
    assert len(client.search_model_versions(f"name = '{NAME}'")) == 2


def test_a_registered_network_scores_as_its_weights_do(spark: SparkSession, folder: Path) -> None:
    cfg = settings(folder)
    register_models.run(spark, cfg)
    uri = mlflow_place(cfg).uri
    client = MlflowClient(uri)
    stored = Warehouse(spark, cfg.run.warehouse, "movielens-100k").read(tables.MODELS).toPandas()
    artifact = stored.set_index("model_id").artifact
    mlflow.set_tracking_uri(uri)
    try:
        for version in client.search_model_versions(f"name = '{NAME}'"):
            loaded = mlflow.pyfunc.load_model(f"models:/{NAME}/{version.version}")
            model_id = version.tags["tastemill.model_id"]
            network = load_network(artifact[model_id])
            rows, batch = rows_of(network)
            with torch.no_grad():
                expected = network(batch).numpy()
            np.testing.assert_allclose(loaded.predict(rows), expected, rtol=1e-5)
            files = {
                p.suffix for p in Path(client.download_artifacts(version.run_id, "")).rglob("*")
            }
            assert not files & {".pkl", ".pt", ".bin"}
    finally:
        mlflow.set_tracking_uri(None)


def rows_of(network: torch.nn.Module) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """Three rows of the signature, and the batch that they are."""
    if "history" in network.inputs:
        rows = {"history": [[1, 2], [3], [4, 5]], "item_idx": [0, 1, 2]}
        last = network.config.num_items
        batch = {**rows, "history": [[1, 2], [3, last], [4, 5]]}
        return pd.DataFrame(rows), {k: torch.tensor(v) for k, v in batch.items()}
    rng = np.random.default_rng(1)
    wide = {"user_vector": network.config.user_dim, "item_vector": network.config.item_dim}
    vectors = {k: rng.random((3, n), dtype=np.float32) for k, n in wide.items()}
    ids = {"user_idx": [0, 1, 2], "item_idx": [2, 1, 0]}
    rows = {**ids, **{name: list(values) for name, values in vectors.items()}}
    return pd.DataFrame(rows), {k: torch.tensor(np.array(v)) for k, v in (ids | vectors).items()}


def test_a_run_that_was_cut_off_is_made_anew(spark: SparkSession, folder: Path) -> None:
    cfg = settings(folder)
    register_models.run(spark, cfg)
    before = aliases(spark, cfg).mlflow_run
    client = MlflowClient(mlflow_place(cfg).uri)
    client.update_run(before.iloc[0], status="RUNNING")
    register_models.run(spark, cfg)
    after = aliases(spark, cfg).mlflow_run
    assert list(after != before) == [True, False, False]


def test_what_is_fitted_again_keeps_its_alias(spark: SparkSession, folder: Path) -> None:
    cfg = settings(folder)
    register_models.run(spark, cfg)
    before = aliases(spark, cfg)
    train_deep.run(spark, cfg)
    assert aliases(spark, cfg).sort_index().equals(before.sort_index())


def test_a_champion_that_was_not_fitted_again(spark: SparkSession, folder: Path) -> None:
    cfg = settings(folder)
    register_models.run(spark, cfg)
    found = aliases(spark, cfg)
    others = {r.kind: model_id for model_id, r in found.iterrows() if r.alias != "champion"}
    run = cfg.run.model_copy(update={"models": others})
    with pytest.raises(ContractError, match="isn't among the models of this backtest"):
        register_models.run(spark, cfg.model_copy(update={"run": run}))
