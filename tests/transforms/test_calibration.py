"""Predictions in bins: what is missing is left out, and nothing is weighed twice."""

import pytest
from pyspark.sql import SparkSession

from tastemill.evaluation.calibration import binned


def test_stars_by_what_was_given(spark: SparkSession) -> None:
    rows = [
        ("m", 4.0, 3.0),
        ("m", 4.0, 5.0),
        ("m", 3.7, 1.0),
        ("m", 4.0, None),
        ("m", 4.0, float("nan")),
    ]
    predicted = spark.createDataFrame(rows, "model_id string, label double, prediction double")
    found = binned(predicted, "rating").orderBy("bin").collect()
    assert [(r["bin"], r["rows"], r["predicted"]) for r in found] == [(3.5, 1, 1.0), (4.0, 2, 4.0)]
    assert found[0]["actual"] == 3.7
    assert found[1]["quantiles"] == pytest.approx([3.2, 3.5, 4.5, 4.8])


def test_equal_to_the_bit_in_any_partitioning(spark: SparkSession) -> None:
    scores = spark.range(5_000).selectExpr(
        "'m' AS model_id",
        "CAST(id % 9 / 2 + 1 AS double) AS label",
        "rand(3) * 1.7 AS weight",
        "sin(id) * 4 AS prediction",
    )
    scores = scores.persist()
    for task in ("rating", "implicit"):
        one = binned(scores.coalesce(1), task).orderBy("bin").collect()
        assert binned(scores.repartition(7), task).orderBy("bin").collect() == one
        assert len(one) > 8


def test_scores_in_bins_of_one_width(spark: SparkSession) -> None:
    rows = [
        ("m", 1.0, 2.0, 0.0),
        ("m", 0.0, 1.0, 0.01),
        ("m", 1.0, 1.0, 99.0),
        ("m", 1.0, 1.0, None),
        ("m", 1.0, 0.0, -5.0),  # which weighs nothing
    ]
    schema = "model_id string, label double, weight double, prediction double"
    found = binned(spark.createDataFrame(rows, schema), "implicit").orderBy("bin").collect()
    assert [(r["bin"], r["rows"], r["weight"]) for r in found] == [(0.0, 2, 3.0), (12.0, 1, 1.0)]
    assert found[0]["actual"] == pytest.approx(2 / 3)
    assert found[0]["predicted"] == pytest.approx((2 * 0.5 + 0.5025) / 3, abs=1e-4)
    assert found[0]["quantiles"] is None
