"""Sums item by item and user by user: those of pandas."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.features.by_unit import mean_labels, shares_taken
from tastemill.features.known import Known
from tastemill.features.units import MICRO

USERS = [(n, [2 + n % 2, 2]) for n in range(5)]  # user 5 is known by nothing
ITEMS = [(n, [2 + n % 3]) for n in range(6)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "user_idx": random.integers(0, 6, 200),
            "item_idx": random.integers(0, 6, 200),
            "label": random.integers(0, 2, 200).astype(float),
        }
    )


@pytest.fixture(scope="module")
def known(spark: SparkSession) -> tuple[Known, Known]:
    schema = "{}_idx int, indices array<int>"
    return (
        Known("user", spark.createDataFrame(USERS, schema.format("user")), ("gender", "age")),
        Known("item", spark.createDataFrame(ITEMS, schema.format("item")), ("kind",)),
    )


def test_mean_labels(spark: SparkSession, table: pd.DataFrame, known: tuple[Known, Known]) -> None:
    found = mean_labels(spark.createDataFrame(table).repartition(5), known[1]).toPandas()
    means = (table.groupby("item_idx").label.mean() * MICRO).round()
    for row in found.itertuples():
        own = means[means.index % 3 == row.index - 2]
        assert (row.place, row.units) == (0, 2)
        assert row.total == own.sum()
        assert int(row.squares) == (own**2).sum()
    assert len(found) == 3


def test_shares_taken(spark: SparkSession, table: pd.DataFrame, known: tuple[Known, Known]) -> None:
    rows = spark.createDataFrame(table[table.label == 1])
    found = shares_taken(rows.repartition(3), *known).toPandas()
    taken = table[table.label == 1].assign(kind=lambda rows: 2 + rows.item_idx % 3)
    of_user = taken.groupby("user_idx").kind.value_counts(normalize=True)
    shares = of_user.rename("share").reset_index()
    shares["share"] = (shares.share * MICRO).round()
    shares = shares[shares.user_idx < 5]
    for row in found[found.user_place == 0].itertuples():
        same = (shares.user_idx % 2 == row.user_index - 2) & (shares.kind == row.item_index)
        own = shares[same].share
        assert (row.item_place, row.units) == (0, len(own))
        assert row.total == own.sum()
    assert set(found.user_place) == {0, 1}
    together = found[found.user_place == 1]
    assert together.units.sum() == len(shares)


def test_results_do_not_depend_on_partitions(
    spark: SparkSession, table: pd.DataFrame, known: tuple[Known, Known]
) -> None:
    rows: DataFrame = spark.createDataFrame(table)
    one, other = (mean_labels(rows.repartition(n), known[0]).toPandas() for n in (1, 6))
    keys = ["place", "index"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True)
    )
