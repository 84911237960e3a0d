"""Holds the lists and predictions of a backtest against what users did in the test part."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.evaluation.config import EvaluationConfig
from tastemill.evaluation.labels import label_errors, overall_auc
from tastemill.evaluation.ranking import coverage, ranking_metrics
from tastemill.evaluation.ratings import rating_errors
from tastemill.evaluation.significance import with_intervals
from tastemill.sources.cleaning import as_table
from tastemill.splits import is_past
from tastemill.tables import METRICS
from tastemill.times import taken

RANKING, RATINGS, LABELS = "full", "ratings", "labels"


def relevant_items(
    events: DataFrame,
    positive_min: float,
    min_item_events: int,
    *,
    item: str = "item_id",
) -> DataFrame:
    """(user_idx, segment, items): what each user took in the test, of the catalogue.

    Items outside the catalogue (too few events in the past) could not have been shown and
    are left out; users with nothing left are left out. Segment: `warm` with a history, else `cold`.
    Items are named by the column `item`.
    """
    positives = events.where(taken(positive_min))
    past = positives.where(is_past())
    known = catalogue_items(past, positive_min, min_item_events)
    warm = past.select("user_idx").distinct().withColumn("segment", F.lit("warm"))
    later = positives.where(~is_past()).join(known, "item_idx", "left_semi")
    wanted = later.groupBy("user_idx").agg(F.collect_set(item).alias("items"))
    segment = F.coalesce("segment", F.lit("cold")).alias("segment")
    return wanted.join(warm, "user_idx", "left").select("user_idx", segment, "items")


def catalogue_items(past: DataFrame, positive_min: float, min_item_events: int) -> DataFrame:
    """(item_idx): items taken often enough to be shown."""
    counts = past.where(taken(positive_min)).groupBy("item_idx").count()
    return counts.where(F.col("count") >= min_item_events).select("item_idx")


def ranking_rows(
    lists: DataFrame, relevant: DataFrame, num_items: int, cfg: EvaluationConfig
) -> DataFrame:
    """Means over users with intervals, and coverage of the catalogue.

    Args:
        lists: (model_id, user_idx, items array of item_id).
        relevant: what `relevant_items` returned.
        num_items: size of the catalogue.
        cfg: list lengths, replicates, seed.
    """
    per_user = ranking_metrics(lists, relevant, cfg.ks)
    means = with_intervals(per_user, cfg.num_replicates, cfg.seed)
    covered = coverage(lists, num_items, cfg.ks).withColumns(
        {
            "segment": F.lit("all"),
            "low": F.lit(None).cast("double"),
            "high": F.lit(None).cast("double"),
        }
    )
    users = lists.groupBy("model_id").agg(F.count("*").alias("users"))
    return means.unionByName(covered.join(F.broadcast(users), "model_id"))


def rating_rows(predictions: DataFrame, cfg: EvaluationConfig) -> DataFrame:
    """RMSE and MAE with intervals over users."""
    return with_intervals(rating_errors(predictions), cfg.num_replicates, cfg.seed)


def label_rows(predictions: DataFrame, cfg: EvaluationConfig) -> DataFrame:
    """Log loss and GAUC with intervals over users, and AUC."""
    means = with_intervals(label_errors(predictions), cfg.num_replicates, cfg.seed)
    return means.unionByName(overall_auc(predictions), allowMissingColumns=True)


def as_metrics(rows: DataFrame, run_id: str, protocol: str) -> DataFrame:
    """Rows of the table `metrics`."""
    named = {"run_id": F.lit(run_id), "protocol": F.lit(protocol), "split": F.lit("test")}
    return as_table(rows.withColumns(named), METRICS)


def union(frames: Sequence[DataFrame]) -> DataFrame:
    """The frames under each other, by name."""
    return reduce(DataFrame.unionByName, frames)
