"""From a table version and settings to a trained network: the feed, the record, the launch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.errors import FeedError
from tastemill.tables import TRAINING_HISTORY
from tastemill.training.config import DeepConfig
from tastemill.training.launch import LaunchConfig, launch
from tastemill.training.materialize import materialize
from tastemill.training.spec import FeedSpec, TrainResult, TrainSpec, digest

GPU: Mapping[str, Any] = {"auto": "auto", "yes": True, "no": False}
ORDER = ("event_id", "n")
# What a network is, and not where or how fast it is fitted.
PARAMS = (
    "embedding_dim",
    "hidden",
    "id_dropout",
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "feed",
    "validate_epochs",
    "num_processes",
)


def make_feeds(
    examples: DataFrame, folder: Path, meta: Mapping[str, str], cfg: DeepConfig
) -> tuple[FeedSpec, FeedSpec | None]:
    """The rows to learn from and, where asked for, those kept back to validate on."""

    def feed(*splits: str) -> FeedSpec:
        named = {**meta, "splits": ",".join(splits)}
        return materialize(
            examples.where(F.col("split").isin(*splits)),
            str(folder / digest(named)[:16]),
            num_processes=cfg.num_processes,
            meta=named,
            order_by=ORDER,
        )

    # In production nothing is kept back: it has no valid split.
    if cfg.validate_epochs and not examples.where("split = 'valid'").isEmpty():
        return feed("train"), feed("valid")
    return feed("train", "valid"), None


def fit_network(
    spark: SparkSession,
    cfg: DeepConfig,
    feeds: tuple[FeedSpec, FeedSpec | None],
    sizes: tuple[int, int],
    loss: str,
    folder: Path,
) -> TrainResult:
    """Train the configured network.

    Args:
        spark: the session that starts the processes.
        cfg: network, optimizer, processes.
        feeds: rows to learn from and to validate on.
        sizes: users and items of the indexes.
        loss: `mse` or `bce`.
        folder: where the network and its checkpoints go.
    """
    train, valid = feeds
    if train.max_user_idx >= sizes[0] or train.max_item_idx >= sizes[1]:
        raise FeedError(
            "the feed holds an index beyond the vocabulary",
            expected=f"users below {sizes[0]}, items below {sizes[1]}",
            found=f"{train.max_user_idx} and {train.max_item_idx}",
            fix="run build_examples again",
        )
    network = {
        **cfg.network(),
        "num_users": sizes[0],
        "num_items": sizes[1],
        "user_dim": train.user_width,
        "item_dim": train.item_width,
        "output_bias": train.mean_label if loss == "mse" else 0.0,
    }
    spec = TrainSpec(
        train=train,
        valid=valid,
        checkpoint_dir=str(folder / "checkpoints"),
        artifact_dir=str(folder / "network"),
        network=cfg.model,
        params=json.dumps(network),
        loss=loss,
        epochs=cfg.epochs,
        batch_size=cfg.batch_size,
        learning_rate=cfg.learning_rate,
        weight_decay=cfg.weight_decay,
        seed=cfg.seed,
        num_threads=cfg.num_threads,
        timeout_s=cfg.timeout_seconds,
        feed=cfg.feed,
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


def last_epoch(result: TrainResult) -> dict[str, float]:
    """The figures of the last epoch, and the speed of all."""
    newest = max(epoch for epoch, _, _ in result.history)
    figures = {metric: value for epoch, metric, value in result.history if epoch == newest}
    return {**figures, "rows_per_second": result.rows_per_second}
