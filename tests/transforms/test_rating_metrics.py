"""RMSE and MAE worked by hand, missing predictions, order of rows."""

import numpy as np
import pytest
from pyspark.sql import SparkSession

from tastemill.evaluation.ratings import rating_errors, rating_summary

PREDICTIONS = "model_id string, user_idx int, segment string, label double, prediction double"


def test_sums_and_summary_worked_by_hand(spark: SparkSession) -> None:
    rows = [
        ("m", 0, "s", 4.0, 3.0),  # error −1
        ("m", 0, "s", 2.0, 4.0),  # error 2
        ("m", 1, "s", 5.0, 5.0),  # error 0
        ("m", 2, None, 1.0, 2.5),  # error 1.5
    ]
    errors = rating_errors(spark.createDataFrame(rows, PREDICTIONS))
    sums = {(r.user_idx, r.metric): (r.n, r.total) for r in errors.collect()}
    assert sums == {
        (0, "squared_error"): (2, 5.0), (0, "absolute_error"): (2, 3.0),
        (1, "squared_error"): (1, 0.0), (1, "absolute_error"): (1, 0.0),
        (2, "squared_error"): (1, 2.25), (2, "absolute_error"): (1, 1.5),
    }  # fmt: skip
    summary = {(r.segment, r.metric): (r.value, r.users) for r in rating_summary(errors).collect()}
    # Segment s: (1 + 4 + 0)/3 and (1 + 2 + 0)/3, over ratings and not over users.
    assert summary[("s", "rmse")] == (pytest.approx((5 / 3) ** 0.5, abs=1e-6), 2)
    assert summary[("s", "mae")] == (1.0, 2)
    assert summary[(None, "rmse")] == (1.5, 1)


def test_missing_predictions_are_left_out_and_n_tells(spark: SparkSession) -> None:
    rows = [
        ("m", 0, "s", 4.0, None),
        ("m", 0, "s", 4.0, float("nan")),
        ("m", 0, "s", None, 4.0),
        ("m", 0, "s", 4.0, 3.0),
        ("m", 1, "s", 4.0, None),
    ]
    errors = rating_errors(spark.createDataFrame(rows, PREDICTIONS)).collect()
    assert {(r.user_idx, r.n, r.total) for r in errors} == {(0, 1, 1.0)}
    empty = rating_errors(spark.createDataFrame([], PREDICTIONS))
    assert rating_summary(empty).collect() == []


def test_equals_numpy_in_any_partitioning(spark: SparkSession) -> None:
    rng = np.random.default_rng(3)
    label, prediction = rng.integers(1, 6, 500).astype(float), rng.normal(3, 1, 500)
    users = rng.integers(0, 40, 500).tolist()
    rows = list(zip(users, label.tolist(), prediction.tolist(), strict=True))
    frame = spark.createDataFrame([("m", u, "s", a, b) for u, a, b in rows], PREDICTIONS)
    one, many = (rating_summary(rating_errors(frame.repartition(p))) for p in (1, 5))
    values = {r.metric: r.value for r in one.collect()}
    assert values == {r.metric: r.value for r in many.collect()}  # equal to the bit
    error = prediction - label
    assert values == pytest.approx(
        {"rmse": np.sqrt((error**2).mean()), "mae": np.abs(error).mean()}, abs=1e-6
    )
