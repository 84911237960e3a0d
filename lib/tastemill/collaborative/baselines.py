"""The baselines every table must hold: popularity, recent popularity, user and item means.

Each is a score per item (and per user), kept as a vector of length 1 in the factor tables.
"""

from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.config import Section
from tastemill.profiles.history import FIXED_POINT, Moment
from tastemill.times import taken


class BaselinesConfig(Section):
    """Which baselines are fitted, and their few parameters."""

    models: tuple[str, ...] = Field(
        ("popularity", "recent_popularity", "bias"), description="Kinds to fit in the backtest."
    )
    recent_half_life_days: float = Field(
        7.0, gt=0, description="Days after which an event counts half in recent_popularity."
    )
    bias_item_prior: float = Field(
        25.0, ge=0, description="Ratings at the mean added to an item's own (Koren 2010, eq. 4)."
    )
    bias_user_prior: float = Field(10.0, ge=0, description="The same for a user.")


def popularity(past: DataFrame, positive_min: float) -> DataFrame:
    """(idx, score): how many users took the item."""
    return (
        past.where(taken(positive_min))
        .groupBy(F.col("item_idx").alias("idx"))
        .agg(F.count_distinct("user_idx").cast("double").alias("score"))
    )


def recent_popularity(
    past: DataFrame, moment: Moment, positive_min: float, half_life_days: float
) -> DataFrame:
    """(idx, score): events before the moment, each halved for every half-life that has passed.

    An event of unknown time counts nothing but keeps its item in the catalogue.
    """
    weight = moment.recency(half_life_days, F.col("event_time"))
    counted = F.when(F.col("event_time").isNotNull(), weight).otherwise(0.0)
    total = F.sum(F.round(counted * FIXED_POINT).cast("long")) / FIXED_POINT
    positives = past.where(taken(positive_min))
    return positives.groupBy(F.col("item_idx").alias("idx")).agg(total.alias("score"))


def rating_mean(ratings: DataFrame) -> DataFrame:
    """One row: the mean value of all ratings."""
    return ratings.agg((_sum(F.col("value")) / F.count("value")).alias("mean"))


def item_bias(ratings: DataFrame, mean: DataFrame, prior: float) -> DataFrame:
    """(idx, score): shrunk mean of (value - mean) per item."""
    centred = ratings.crossJoin(F.broadcast(mean))
    total = _sum(F.col("value") - F.col("mean"))
    return centred.groupBy(F.col("item_idx").alias("idx")).agg(
        (total / (F.count("*") + F.lit(prior))).alias("score")
    )


def user_bias(ratings: DataFrame, mean: DataFrame, items: DataFrame, prior: float) -> DataFrame:
    """(idx, score): shrunk mean of (value - mean - item bias) per user."""
    of_item = items.select(F.col("idx").alias("item_idx"), F.col("score").alias("of_item"))
    rest = ratings.crossJoin(F.broadcast(mean)).join(of_item, "item_idx")
    total = _sum(F.col("value") - F.col("mean") - F.col("of_item"))
    return rest.groupBy(F.col("user_idx").alias("idx")).agg(
        (total / (F.count("*") + F.lit(prior))).alias("score")
    )


def as_factors(scores: DataFrame) -> DataFrame:
    """(idx, vector): a score as a vector of length 1."""
    return scores.select("idx", F.array(F.col("score")).cast("array<float>").alias("vector"))


def _sum(value: Column) -> Column:
    """A sum in fixed point, the same whatever the partitioning."""
    return F.sum(F.round(value * 1e6).cast("long")) / 1e6
