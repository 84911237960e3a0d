"""Sums item by item and user by user: those of pandas."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.features import by_unit
from tastemill.features.by_unit import mean_labels, shares_taken, users_by_value
from tastemill.features.known import Known
from tastemill.features.units import MICRO

ALWAYS = (None, None)
USERS = [(n, *ALWAYS, [2 + n % 2, 2]) for n in range(5)]  # user 5 is known by nothing
ITEMS = [(n, *ALWAYS, [2 + n % 3]) for n in range(6)]


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
    schema = "{}_idx int, since timestamp, until timestamp, indices array<int>"
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


def test_shares_taken(
    spark: SparkSession,
    table: pd.DataFrame,
    known: tuple[Known, Known],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_unit, "MIN_UNITS", 4)
    rows = spark.createDataFrame(table[table.label == 1]).repartition(3)
    found = shares_taken(rows, *known).toPandas()
    taken = table[table.label == 1].assign(kind=lambda rows: 2 + rows.item_idx % 3)
    of_user = pd.crosstab(taken.user_idx, taken.kind, normalize="index").loc[:4]
    attributes = {0: of_user.index % 2, 1: of_user.index * 0}
    assert len(found) == 2 * 3
    for row in found.itertuples():
        shares = (of_user[row.item_index] * MICRO).round()
        assert (row.item_place, row.units) == (0, (shares > 0).sum())
        assert row.total == shares.sum()
        assert int(row.squares) == (shares**2).sum()
        groups = shares.groupby(attributes[row.user_place])
        assert float(row.of_groups) == pytest.approx((groups.sum() ** 2 / groups.size()).sum())
    users = {row.user_place: row for row in users_by_value(rows, known[0]).collect()}
    assert [(users[place].groups, users[place].units) for place in (0, 1)] == [(2, 5), (1, 5)]


def test_kinds_that_few_have_taken_are_not_asked_about(
    spark: SparkSession, table: pd.DataFrame, known: tuple[Known, Known]
) -> None:
    assert len(USERS) < by_unit.MIN_UNITS
    assert shares_taken(spark.createDataFrame(table), *known).isEmpty()


def test_results_do_not_depend_on_partitions(
    spark: SparkSession, table: pd.DataFrame, known: tuple[Known, Known]
) -> None:
    rows: DataFrame = spark.createDataFrame(table)
    one, other = (mean_labels(rows.repartition(n), known[0]).toPandas() for n in (1, 6))
    keys = ["place", "index"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True)
    )
