"""Values as their mean label and share so far: against a slow count, and without the future."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from tastemill.features.encoding import Encodings, with_encodings

START = datetime(2024, 1, 1, tzinfo=UTC)
CUT = START + timedelta(days=20, hours=7)
NAMES = ("item_brand", "user_age")
ENCODINGS = Encodings(("user_age", "item_brand"), 3.0)
ROWS = "id int, n int, label double, split string, event_time timestamp, categorical array<int>"


def examples(seed: int = 5, rows: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    at = [START + timedelta(hours=int(h)) for h in random.integers(0, 30 * 24, rows)]
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "n": random.integers(0, 3, rows),
            "label": random.choice([0.0, 1.0, 3.5], rows),
            "split": ["test" if moment >= CUT else "train" for moment in at],
            "event_time": at,
            "categorical": random.integers(0, 4, (rows, 2)).tolist(),
        }
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return examples()


def encoded(spark: SparkSession, table: pd.DataFrame) -> pd.DataFrame:
    rows = spark.createDataFrame(table, ROWS)
    made = with_encodings(rows, NAMES, ENCODINGS, CUT)
    named = made.select("id", *(f.value.alias(f.name) for f in ENCODINGS.features()))
    return named.toPandas().set_index("id").sort_index()


@pytest.fixture(scope="module")
def found(spark: SparkSession, table: pd.DataFrame) -> pd.DataFrame:
    return encoded(spark, table)


def day(at: datetime) -> int:
    return (min(at, CUT) - START).days


def test_figures_worked_out_slowly(table: pd.DataFrame, found: pd.DataFrame) -> None:
    days = table.event_time.map(day)
    assert len(found) == len(table)
    for row in table.itertuples():
        earlier = table[(days < day(row.event_time)) & (table.split == "train")]
        for name, place in (("item_brand", 0), ("user_age", 1)):
            target, frequency = found.loc[row.id, [f"{name}_target", f"{name}_frequency"]]
            if earlier.empty:
                assert np.isnan(target)
                assert np.isnan(frequency)
                continue
            own = earlier[earlier.categorical.map(lambda x: x[place]) == row.categorical[place]]  # noqa: B023 - used at once
            mean = (own.label.sum() + 3 * earlier.label.mean()) / (len(own) + 3)
            assert target == pytest.approx(mean, abs=1e-9)
            share = (own.n == 0).sum() / max((earlier.n == 0).sum(), 1)
            assert frequency == pytest.approx(share, abs=1e-12)


def test_no_row_sees_a_label_of_its_own_day_or_later(
    spark: SparkSession, table: pd.DataFrame, found: pd.DataFrame
) -> None:
    for at in (5, 12, 20):
        days = table.event_time.map(day)
        changed = table.assign(label=table.label.where(days < at, 100.0))
        again = encoded(spark, changed)
        same = table.id[days <= at]
        pd.testing.assert_frame_equal(again.loc[same], found.loc[same], check_exact=True)


def test_no_row_of_the_test_counts(
    spark: SparkSession, table: pd.DataFrame, found: pd.DataFrame
) -> None:
    changed = table.assign(label=table.label.where(table.split == "train", 100.0))
    pd.testing.assert_frame_equal(encoded(spark, changed), found, check_exact=True)


def test_what_each_goes_by_is_told() -> None:
    assert [(f.name, f.goes_by) for f in ENCODINGS.features()][:2] == [
        ("user_age_target", ("user_age",)),
        ("user_age_frequency", ("user_age",)),
    ]
