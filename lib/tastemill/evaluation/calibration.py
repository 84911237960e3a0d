"""Predicted against actual, in bins: how far a model's predictions can be taken at their word.

Rating task: a bin per half star that was given. Implicit task: a histogram of scores (logits) in
bins of equal width, from which tenths can be put together.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.evaluation.ratings import from_units, in_units
from tastemill.sources.cleaning import as_table
from tastemill.tables import CALIBRATION

QUANTILES = (0.10, 0.25, 0.75, 0.90)
BINS_PER_LOGIT, MAX_LOGIT = 50, 12  # 1,201 bins, narrow where probabilities are small
COLUMNS = ("model_id", "bin", "rows", "weight", "predicted", "actual", "quantiles")


def binned(predictions: DataFrame, task: str) -> DataFrame:
    """Rows of the table `calibration`."""
    bins = star_spreads if task == "rating" else score_histogram
    return as_table(bins(predictions), CALIBRATION)


def star_spreads(predictions: DataFrame) -> DataFrame:
    """Rows of `calibration`: predictions by what was given, in half stars.

    Args:
        predictions: (model_id, label, prediction); those that are missing or NaN are left out.
    """
    stars = (F.round(F.col("label") * 2) / 2).alias("bin")
    known = predictions.where(F.col("prediction").isNotNull() & ~F.isnan("prediction"))
    return (
        known.groupBy("model_id", stars)
        .agg(
            F.count("*").alias("rows"),
            mean(F.col("prediction"), F.lit(1.0)).alias("predicted"),
            mean(F.col("label"), F.lit(1.0)).alias("actual"),
            F.percentile(F.round("prediction", 3), list(QUANTILES)).alias("quantiles"),
        )
        .withColumn("weight", F.col("rows").cast("double"))
        .select(*COLUMNS)
    )


def score_histogram(scores: DataFrame) -> DataFrame:
    """Rows of `calibration`: probabilities and labels by score, weighted as in training.

    Args:
        scores: (model_id, label, weight, prediction), the prediction a logit.
    """
    score, weight = F.col("prediction"), F.col("weight")
    bounded = F.greatest(F.least(score, F.lit(float(MAX_LOGIT))), F.lit(-float(MAX_LOGIT)))
    number = F.floor(bounded * BINS_PER_LOGIT).alias("number")
    binned = (
        scores.where(score.isNotNull() & ~F.isnan(score))
        .groupBy("model_id", number)
        .agg(
            F.count("*").alias("rows"),
            from_units(F.sum(in_units(weight))).alias("weight"),
            mean(1 / (1 + F.exp(-score)), weight).alias("predicted"),
            mean(F.col("label"), weight).alias("actual"),
        )
    )
    # Of bins without weight nothing can be said.
    return binned.where("weight > 0").select(
        "model_id",
        (F.col("number") / BINS_PER_LOGIT).alias("bin"),
        *("rows", "weight", "predicted", "actual"),
        F.lit(None).cast("array<double>").alias("quantiles"),
    )


def mean(value: Column, weight: Column) -> Column:
    """A weighted mean from sums of whole millionths: equal in any partitioning."""
    return F.try_divide(F.sum(in_units(value * weight)), F.sum(in_units(weight)))
