"""AUC, GAUC and log loss: worked by hand, against scikit-learn, in any order of rows."""

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import log_loss, roc_auc_score

from tastemill.evaluation import golden
from tastemill.evaluation.backtest import label_rows
from tastemill.evaluation.config import EvaluationConfig
from tastemill.evaluation.labels import label_errors, overall_auc

SCORES = "model_id string, user_idx int, segment string, label double, prediction double"
CFG = EvaluationConfig(num_replicates=20)


def values(scores: DataFrame, segment: str = "all") -> dict[str, float]:
    rows = label_rows(scores, CFG).where(f"segment = '{segment}'").collect()
    return {row["metric"]: row["value"] for row in rows}


def test_the_example_of_the_page(spark: SparkSession) -> None:
    pairs = zip(golden.LABELS, golden.LOGITS, strict=True)
    rows = spark.createDataFrame([("m", 0, "warm", *pair) for pair in pairs], SCORES)
    expected = {name: golden.WORKED[name][1] for name in ("auc", "gauc", "log_loss")}
    assert values(rows) == pytest.approx(expected, abs=1e-6)


def test_equals_scikit_learn_in_any_partitioning(spark: SparkSession) -> None:
    rng = np.random.default_rng(3)
    users = rng.integers(0, 30, 900)
    label = rng.integers(0, 2, 900).astype(float)
    # A hundredth apart, and often equal.
    prediction = np.round(rng.normal(label, 1.0), 1) + 0.005
    rows = list(zip(users.tolist(), label.tolist(), prediction.tolist(), strict=True))
    frame = spark.createDataFrame([("m", u, "warm", a, b) for u, a, b in rows], SCORES)
    one, many = (values(frame.repartition(n)) for n in (1, 5))
    assert one == many
    of_user = {
        user: (
            np.sum(users == user),
            roc_auc_score(label[users == user], prediction[users == user]),
        )
        for user in set(users.tolist())
    }
    weights, areas = zip(*of_user.values(), strict=True)
    assert one == pytest.approx(
        {
            "auc": roc_auc_score(label, prediction),
            "gauc": np.average(areas, weights=weights),
            "log_loss": log_loss(label, 1 / (1 + np.exp(-prediction))),
        },
        abs=2e-6,
    )


def test_users_of_one_kind_have_no_area(spark: SparkSession) -> None:
    rows = [("m", 0, "warm", 1.0, 2.0), ("m", 0, "warm", 1.0, -1.0), ("m", 1, "cold", 0.0, 800.0)]
    frame = spark.createDataFrame(rows, SCORES)
    found = {
        (row["user_idx"], row["metric"]): row["total"] for row in label_errors(frame).collect()
    }
    assert set(found) == {(0, "log_loss"), (1, "log_loss")}
    assert found[1, "log_loss"] == pytest.approx(800)
    areas = {row["segment"]: row["value"] for row in overall_auc(frame).collect()}
    assert areas == {"all": 0.0}


def test_what_has_no_prediction_is_left_out(spark: SparkSession) -> None:
    rows = [("m", 0, "warm", 1.0, None), ("m", 0, "warm", 0.0, float("nan"))]
    frame = spark.createDataFrame(rows, SCORES)
    assert label_errors(frame).collect() == overall_auc(frame).collect() == []
