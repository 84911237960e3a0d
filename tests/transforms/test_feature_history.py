"""Sums of the past: those of a slow count over all pairs of rows, and blind to what comes later."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.features.history import DAY, Past
from tastemill.features.others import with_last_of_others

ROWS = 400
DAYS = (1, 7)
USER, PAIR = Past("user", ("user",)), Past("pair", ("user", "item"))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Events and questions, many of them at one moment, some just at the edge of a window."""
    random = np.random.default_rng(11)
    at = random.integers(0, 40, ROWS) * DAY // 2
    at[:40] += 1
    at[40:80] -= 1
    return pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "user": random.integers(0, 5, ROWS),
            "item": random.integers(0, 3, ROWS),
            "at": at,
            "amount": random.integers(1, 10, ROWS),
            "is_past": random.random(ROWS) < 0.7,
        }
    )


def counted(table: pd.DataFrame, keys: Sequence[str], days: int | None) -> list[int]:
    """For each row the sum of amounts of the rows before it, one pair of rows after another."""
    found = []
    for _, row in table.iterrows():
        others = table[table["is_past"] & (table["at"] < row["at"])]
        if days is not None:
            others = others[others["at"] >= row["at"] - days * DAY]
        for key in keys:
            others = others[others[key] == row[key]]
        found.append(int(others["amount"].sum()))
    return found


def summed(frame: DataFrame) -> pd.DataFrame:
    amounts = {"amount": F.col("amount"), "large": F.when(F.col("amount") > 5, 1)}
    frame = PAIR.with_sums(USER.with_sums(frame, amounts, DAYS), amounts, DAYS)
    frame = USER.with_last(frame, {"any": F.lit(True)})
    frame = with_last_of_others(frame, USER, {"other": F.col("amount") > 2}, "item")
    totals = [
        past.total("amount", days).alias(f"{past.name}_amount_{days}")
        for past in (USER, PAIR)
        for days in (None, *DAYS)
    ]
    return frame.select("*", *totals).orderBy("row").toPandas()


@pytest.fixture(scope="module")
def found(spark: SparkSession, rows: pd.DataFrame) -> pd.DataFrame:
    return summed(spark.createDataFrame(rows))


@pytest.mark.parametrize("past", [USER, PAIR], ids=lambda past: past.name)
@pytest.mark.parametrize("days", [None, *DAYS])
def test_equal_to_a_slow_count(
    rows: pd.DataFrame, found: pd.DataFrame, past: Past, days: int | None
) -> None:
    assert found[f"{past.name}_amount_{days}"].tolist() == counted(rows, past.keys, days)


def test_seconds_since_the_last(rows: pd.DataFrame, found: pd.DataFrame) -> None:
    for _, row in found.sample(50, random_state=1).iterrows():
        past = rows[rows["is_past"] & (rows["user"] == row["user"]) & (rows["at"] < row["at"])]
        if past.empty:
            assert np.isnan(row["user_any_seconds"])
        else:
            assert row["user_any_seconds"] == (row["at"] - past["at"].max()) / 1e6


def test_seconds_since_the_last_of_others(rows: pd.DataFrame, found: pd.DataFrame) -> None:
    """Runs of one item's rows, ties between items, rows that don't count, rows that ask only."""
    own = 0
    for _, row in found.iterrows():
        past = rows[rows["is_past"] & (rows["user"] == row["user"]) & (rows["at"] < row["at"])]
        counts = past[past["amount"] > 2]
        others = counts[counts["item"] != row["item"]]
        own += len(counts) and counts["at"].max() > others["at"].max()
        if others.empty:
            assert np.isnan(row["user_other_seconds"])
        else:
            assert row["user_other_seconds"] == (row["at"] - others["at"].max()) / 1e6
    assert own > 20


@pytest.mark.parametrize("t", [0, 7 * DAY, 7 * DAY + 1, 15 * DAY])
def test_what_comes_after_changes_nothing_before(
    spark: SparkSession, rows: pd.DataFrame, found: pd.DataFrame, t: int
) -> None:
    changed = rows.copy()
    later = changed["at"] > t
    changed.loc[later, "amount"] *= 1000
    changed.loc[later, "is_past"] = ~changed.loc[later, "is_past"]
    changed.loc[later, "user"] = (changed.loc[later, "user"] + 1) % 5
    again = summed(spark.createDataFrame(changed.sample(frac=1.0, random_state=2)))
    features = [c for c in found.columns if c.startswith(("user_", "pair_"))]
    pd.testing.assert_frame_equal(again[~later][features], found[~later][features])


def test_keys_that_go_on_are_not_shuffled_again(spark: SparkSession, rows: pd.DataFrame) -> None:
    amounts = {"amount": F.col("amount")}
    frame = USER.with_sums(spark.createDataFrame(rows), amounts, DAYS)
    frame = PAIR.with_sums(frame, amounts, DAYS)
    plan = frame._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange hashpartitioning") == 1
