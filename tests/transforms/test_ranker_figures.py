"""How well predictions tell labels: as scikit-learn has it, part by part."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import log_loss, roc_auc_score

from tastemill.ranking.figures import figures


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 300).astype(float)
    return pd.DataFrame(
        {
            "split": random.choice(["train", "valid", "test"], 300),
            "label": label,
            "prediction": np.clip(0.3 * label + random.random(300) * 0.7, 0, 1).round(2),
            "popularity": random.integers(0, 9, 300).astype(float),
        }
    )


def test_two_classes(spark: SparkSession, table: pd.DataFrame) -> None:
    found = figures(spark.createDataFrame(table).repartition(4), "implicit")
    wanted = {}
    for split, rows in table[table.split != "train"].groupby("split"):
        wanted[f"{split}_auc"] = roc_auc_score(rows.label, rows.prediction)
        wanted[f"{split}_auc_of_popularity"] = roc_auc_score(rows.label, rows.popularity)
        wanted[f"{split}_log_loss"] = log_loss(rows.label, rows.prediction.clip(1e-12, 1 - 1e-12))
    assert found == pytest.approx(wanted)


def test_one_class_has_no_auc_and_a_part_without_rows_no_figure(
    spark: SparkSession, table: pd.DataFrame
) -> None:
    rows = table[table.split == "test"].assign(label=1.0)
    found = figures(spark.createDataFrame(rows), "implicit")
    assert found.keys() == {"test_log_loss"}
    assert figures(spark.createDataFrame(rows).limit(0), "implicit") == {}


def test_stars(spark: SparkSession, table: pd.DataFrame) -> None:
    rows = table[table.split == "valid"]
    found = figures(spark.createDataFrame(rows), "rating")
    rmse = ((rows.prediction - rows.label) ** 2).mean() ** 0.5
    assert found == {"valid_rmse": pytest.approx(rmse)}
