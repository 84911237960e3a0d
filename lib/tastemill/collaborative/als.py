"""Alternating least squares by Spark MLlib: implicit (Hu, Koren, Volinsky 2008) and explicit."""

from dataclasses import dataclass

from pydantic import Field
from pyspark.ml.recommendation import ALS
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.config import Section
from tastemill.errors import DataError
from tastemill.times import ORDER, taken


class AlsConfig(Section):
    """Parameters of both variants; regularization is scaled by the number of ratings (MLlib)."""

    models: tuple[str, ...] = Field(
        ("als", "als_explicit"), description="Kinds to fit in the backtest."
    )
    rank: int = Field(32, ge=1, description="Length of the factors.")
    reg: float = Field(0.1, ge=0, description="Regularization.")
    alpha: float = Field(1.0, gt=0, description="Implicit: confidence is 1 + alpha × weight.")
    max_iter: int = Field(15, ge=1, description="Iterations.")
    num_blocks: int = Field(2, ge=1, description="Blocks of users and of items.")
    seed: int = Field(1, ge=0, description="Of the first factors.")
    checkpoint_interval: int = Field(
        10, ge=1, description="Iterations between checkpoints, which cut Spark's growing lineage."
    )


@dataclass(frozen=True)
class Factors:
    """What a factorization is: (idx, vector) of users and of items."""

    users: DataFrame
    items: DataFrame


def implicit_ratings(past: DataFrame, positive_min: float, weight: Column) -> DataFrame:
    """(user_idx, item_idx, value): summed weights of what a user took."""
    positives = past.where(taken(positive_min))
    return positives.groupBy("user_idx", "item_idx").agg(F.sum(weight).cast("float").alias("value"))


def explicit_ratings(past: DataFrame) -> DataFrame:
    """(user_idx, item_idx, value): the last value a user gave an item."""
    rated = past.where(F.col("value").isNotNull())
    return rated.groupBy("user_idx", "item_idx").agg(
        F.max_by("value", F.struct(*ORDER)).cast("float").alias("value")
    )


def fit_als(ratings: DataFrame, cfg: AlsConfig, *, implicit: bool, checkpoints: str) -> Factors:
    """Fit and return the factors.

    Args:
        ratings: (user_idx, item_idx, value), one row per pair.
        cfg: parameters.
        implicit: values are weights of what was taken, not ratings to be met.
        checkpoints: a folder every worker sees; without one MLlib ignores checkpoint_interval
            and about 60 iterations end in a StackOverflowError.
    """
    spark = ratings.sparkSession
    if spark.sparkContext.getCheckpointDir() is None:
        spark.sparkContext.setCheckpointDir(checkpoints)
    # Sorted within hash partitions: the same ratings always reach the same block in one order.
    ratings = ratings.repartition(cfg.num_blocks, "user_idx")
    ratings = ratings.sortWithinPartitions("user_idx", "item_idx").persist()
    try:
        if ratings.isEmpty():
            what = "events that count as taken" if implicit else "events with a value"
            raise DataError(
                f"no {what} before as_of to fit ALS on",
                fix="tastemill datasets check shows what the mapping makes of the source",
            )
        model = ALS(
            rank=cfg.rank,
            maxIter=cfg.max_iter,
            regParam=cfg.reg,
            alpha=cfg.alpha,
            implicitPrefs=implicit,
            numUserBlocks=cfg.num_blocks,
            numItemBlocks=cfg.num_blocks,
            seed=cfg.seed,
            checkpointInterval=cfg.checkpoint_interval,
            userCol="user_idx",
            itemCol="item_idx",
            ratingCol="value",
        ).fit(ratings)
    finally:
        ratings.unpersist()
    return Factors(_named(model.userFactors), _named(model.itemFactors))


def _named(factors: DataFrame) -> DataFrame:
    return factors.select(F.col("id").alias("idx"), F.col("features").alias("vector"))
