"""Errors of predicted ratings: sums per user, so that users can be resampled; RMSE and MAE."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

SQUARED, ABSOLUTE = "squared_error", "absolute_error"
SUMMARY_NAMES = {SQUARED: "rmse", ABSOLUTE: "mae"}
FORMULAS = {
    "rmse": "√(Σ (prediction − rating)² / n)",
    "mae": "Σ |prediction − rating| / n",
}
"""Of all n ratings of the test that a model predicts."""
UNITS = 1_000_000  # sums are whole numbers of millionths, so no order of adding changes them


def rating_errors(predictions: DataFrame) -> DataFrame:
    """Sums of errors per model and user.

    Args:
        predictions: (model_id, user_idx, segment, label double, prediction double). Rows in which
            the label or the prediction is null or NaN are left out: compare `n` between models.

    Returns:
        (model_id, user_idx, segment, metric "squared_error" or "absolute_error", n bigint ratings,
        total double), exact to a millionth per rating.
    """
    error = F.col("prediction") - F.col("label")
    known = predictions.where(error.isNotNull() & ~F.isnan(error))
    sums = known.groupBy("model_id", "user_idx", "segment").agg(
        F.count("*").alias("n"),
        F.sum(in_units(error * error)).alias(SQUARED),
        F.sum(in_units(F.abs(error))).alias(ABSOLUTE),
    )
    totals = [
        F.struct(F.lit(name).alias("metric"), "n", from_units(F.col(name)).alias("total"))
        for name in (SQUARED, ABSOLUTE)
    ]
    return sums.select("model_id", "user_idx", "segment", F.inline(F.array(*totals)))


def rating_summary(errors: DataFrame) -> DataFrame:
    """RMSE and MAE over all ratings of a model and segment.

    Args:
        errors: what `rating_errors` returns.

    Returns:
        (model_id, segment, metric "rmse" or "mae", value double, users bigint).
    """
    sums = errors.groupBy("model_id", "segment", "metric").agg(
        F.sum(in_units(F.col("total"))).alias("total"),
        F.sum("n").alias("n"),
        F.count("*").alias("users"),
    )
    mean = from_units(F.col("total")) / F.col("n")
    return sums.select(
        "model_id",
        "segment",
        summary_name("metric").alias("metric"),
        summary_value("metric", mean).alias("value"),
        "users",
    )


def summary_name(metric: str) -> Column:
    """The name of a metric's mean: rmse and mae for errors, else the metric's own."""
    named = F.create_map(*(F.lit(name) for pair in SUMMARY_NAMES.items() for name in pair))
    return F.coalesce(F.try_element_at(named, F.col(metric)), F.col(metric))


def summary_value(metric: str, mean: Column) -> Column:
    """The mean, or its root where the metric is a squared error."""
    return F.when(F.col(metric) == SQUARED, F.sqrt(mean)).otherwise(mean)


def in_units(value: Column) -> Column:
    """A double as a whole number of millionths; null stays null."""
    return F.round(value * UNITS).cast("long")


def from_units(units: Column) -> Column:
    """Millionths as a double."""
    return units / F.lit(float(UNITS))
