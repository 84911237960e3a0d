"""From a table version and settings to a trained network: the feed, the record, the launch."""

import json
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tastemill import models
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.deep.registry import NETWORKS
from tastemill.delta import Warehouse
from tastemill.errors import FeedError
from tastemill.tables import TRAINING_HISTORY
from tastemill.training.config import OF_IDS, DeepConfig
from tastemill.training.feeds import Feeds
from tastemill.training.launch import LaunchConfig, launch
from tastemill.training.ranking import best_epoch
from tastemill.training.spec import TrainResult, TrainSpec

GPU: Mapping[str, Any] = {"auto": "auto", "yes": True, "no": False}
# What a network is, and not where or how fast it is fitted.
PARAMS = (
    "embedding_dim",
    "hidden",
    "id_dropout",
    "temperature",
    "max_length",
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "sparse",
    "feed",
    "objective",
    "schedule_epochs",
    "checkpoint_steps",
    "accumulate",
    "warmup",
    "decay",
    "max_norm",
    "validate_epochs",
    "validate_users",
    "patience",
    "num_processes",
    "precision",
    "compiled",
)
PARAMS_OF_SEQUENCES = ("num_blocks", "num_heads", "dropout", "batch_users", "sampled_items")
PARAMS_OF_IDS = ("negatives",)


def params_of(cfg: DeepConfig) -> dict[str, Any]:
    """What a model's row tells of the settings of one network."""
    names = set(PARAMS)
    if cfg.is_sequence:
        names.update(PARAMS_OF_SEQUENCES)
    if cfg.model in OF_IDS:
        names.update(PARAMS_OF_IDS)
    return cfg.model_dump(mode="json", include=names)


def fit_model(
    warehouse: Warehouse, cfg: Config, recipe: models.Recipe, feeds: Feeds, data: Mapping[str, Any]
) -> models.Fitted:
    """Train the network of `cfg.deep` and write its history; its row is still to be saved.

    Args:
        warehouse: where the history goes.
        cfg: `deep` being the settings of one network.
        recipe: what the model is.
        feeds: what it reads.
        data: see `fit_network`.
    """
    start = time.monotonic()
    objective = cfg.deep.objective_of(cfg.dataset.task)
    folder = paths.artifacts(cfg) / "models" / recipe.model_id
    result = fit_network(warehouse.spark, cfg.deep, feeds, data, objective, folder)
    seconds = time.monotonic() - start
    history = as_history(warehouse.spark, recipe.model_id, result)
    warehouse.overwrite_slice(TRAINING_HISTORY, history, recipe.model_id)
    return models.Fitted(recipe, seconds, artifact=result.artifact, metrics=figures_of(result))


def fit_network(
    spark: SparkSession,
    cfg: DeepConfig,
    feeds: Feeds,
    data: Mapping[str, Any],
    objective: str,
    folder: Path,
) -> TrainResult:
    """Train the configured network.

    Args:
        spark: the session that starts the processes.
        cfg: network, optimizer, processes.
        feeds: what it reads.
        data: what the network has to know of it: num_users and num_items of the indexes, or what
            `FeaturesConfig` tells of features.
        objective: what it is trained for.
        folder: where the network and its checkpoints go.
    """
    train = feeds.train
    for name, size in (("user_idx", "num_users"), ("item_idx", "num_items")):
        if (high := train.column(name).high) >= data.get(size, high + 1):
            raise FeedError(
                "the feed holds an index beyond the vocabulary",
                expected=f"{name} below {data[size]}",
                found=str(high),
                fix="run build_examples again",
            )
    known = {
        **cfg.network(),
        **data,
        "user_dim": train.column("user_vector").width,
        "item_dim": train.column("item_vector").width,
        "output_bias": train.mean_label if objective == "mse" else 0.0,
    }
    network = {
        field.name: known[field.name]
        for field in fields(NETWORKS[cfg.model][0])
        if field.name in known
    }
    spec = TrainSpec(
        train=train,
        valid=feeds.valid,
        users=feeds.users,
        items=feeds.items,
        begin=feeds.begin,
        parts=feeds.parts,
        checkpoint_dir=str(folder / "checkpoints"),
        artifact_dir=str(folder / "network"),
        network=cfg.model,
        params=json.dumps(network),
        objective=objective,
        negatives=cfg.drawn,
        epochs=cfg.epochs,
        batch_size=cfg.rows_per_step,
        learning_rate=cfg.learning_rate,
        weight_decay=cfg.weight_decay,
        accumulate=cfg.accumulate,
        warmup=cfg.warmup,
        decay=cfg.decay,
        schedule_epochs=cfg.schedule_epochs,
        max_norm=cfg.max_norm,
        patience=cfg.patience,
        checkpoint_steps=cfg.checkpoint_steps,
        seed=cfg.seed,
        num_threads=cfg.num_threads,
        timeout_s=cfg.timeout_seconds,
        feed=cfg.feed,
        precision=cfg.precision,
        compiled=cfg.compiled,
    )
    where = LaunchConfig(
        num_processes=cfg.num_processes,
        local_mode=cfg.local_mode,
        use_gpu=GPU[cfg.use_gpu],
        retries=cfg.retries,
        timeout_s=cfg.timeout_seconds,
        slots_wait_s=cfg.slots_wait_seconds,
    )
    return launch(spec, spark, where)


def as_history(spark: SparkSession, model_id: str, result: TrainResult) -> DataFrame:
    """Rows of the table `training_history`."""
    rows = [(model_id, epoch, metric, float(value)) for epoch, metric, value in result.history]
    return spark.createDataFrame(rows, TRAINING_HISTORY.schema)


def figures_of(result: TrainResult) -> dict[str, float]:
    """The figures of the epoch whose weights the network has, and the speed of all."""
    history = list(result.history)
    best = best_epoch(history)
    kept = history[-1][0] if best is None else best
    figures = {metric: value for epoch, metric, value in history if epoch == kept}
    return {**figures, "epoch": float(kept), "rows_per_second": result.rows_per_second}
