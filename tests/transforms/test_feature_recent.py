"""What a user met last, and how like it an item is: worked out slowly, without the future."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.features.recent import (
    LENGTH,
    Recent,
    Shared,
    recent_items,
    unit_vectors,
    with_recent,
)

MOST, ITEMS = 3, 12
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1e6)
ROWS = "user_idx int, item_idx int, at long"


def history(seed: int = 2, rows: int = 150) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_idx": random.integers(0, 5, rows).astype("int32"),
            "item_idx": random.integers(0, ITEMS, rows).astype("int32"),
            "at": START + random.integers(0, 30, rows) * 10**9,
        }
    )


@pytest.fixture(scope="module")
def past() -> pd.DataFrame:
    return history()


@pytest.fixture(scope="module")
def recent() -> Recent:
    random = np.random.default_rng(3)
    text = random.normal(size=(ITEMS, 7))
    text[4] = 0.0  # an item without a text
    of_category = np.eye(3)[random.integers(0, 3, ITEMS)]
    kinds = {"category": unit_vectors(of_category), "text": unit_vectors(text)}
    return Recent(MOST, kinds, ("mean", "max"))


def frame(spark: SparkSession, table: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(table[["user_idx", "item_idx", "at"]], ROWS)


def slowly(past: pd.DataFrame, user: int, at: int) -> list[int]:
    found: list[int] = []
    earlier = past[(past.user_idx == user) & (past["at"] < at)]
    moments = sorted(earlier["at"].unique(), reverse=True)[:MOST]
    for moment in moments:
        items = sorted(earlier[earlier["at"] == moment].item_idx.unique())[:MOST]
        found += [item for item in items if item not in found]
    return found[:MOST]


def figured(spark: SparkSession, past: pd.DataFrame, recent: Recent) -> pd.DataFrame:
    sent = spark.sparkContext.broadcast(recent)
    asked = frame(spark, past)
    made = with_recent(asked, asked, asked, Shared(recent, sent)).toPandas()
    sent.destroy()
    return made.sort_values(["user_idx", "at", "item_idx"], ignore_index=True)


@pytest.fixture(scope="module")
def found(spark: SparkSession, past: pd.DataFrame, recent: Recent) -> pd.DataFrame:
    return figured(spark, past, recent)


def test_the_newest_come_first(past: pd.DataFrame, found: pd.DataFrame) -> None:
    assert len(found) == len(past)
    for row in found.itertuples():
        assert list(row.recent) == slowly(past, row.user_idx, row.at)


def test_candidates_of_one_moment_see_all_of_the_past(
    spark: SparkSession, past: pd.DataFrame
) -> None:
    later = START + 10**12
    asked = spark.createDataFrame([(user, 0, later) for user in (0, 1, 99)], ROWS)
    made = recent_items(frame(spark, past), asked, MOST).where(f"at = {later}").collect()
    assert {row.user_idx: list(row.recent) for row in made} == {
        0: slowly(past, 0, later),
        1: slowly(past, 1, later),
        99: [],
    }


def test_cosines_and_pools_worked_out_slowly(found: pd.DataFrame, recent: Recent) -> None:
    names = [feature.name for feature in recent.features()]
    for row in found.itertuples():
        figures = dict(zip(names, row.of_recent, strict=True))
        assert figures["user_recent_items"] == len(row.recent)
        pooled: list[float] = []
        for kind, vectors in recent.vectors.items():
            others = [item for item in row.recent if item != row.item_idx]
            own, met = vectors[row.item_idx] / LENGTH, vectors[others] / LENGTH
            cosines = [c for each in met if (c := cosine(each, own)) is not None]
            nearest = figures[f"user_recent_{kind}_nearest"]
            assert_equal(nearest, max(cosines, default=None))
            assert_equal(figures[f"user_recent_{kind}_mean"], cosine(met.sum(axis=0), own))
            pooled += list(met.mean(axis=0)) if len(met) else [0.0] * len(own)
            pooled += list(met.max(axis=0)) if len(met) else [0.0] * len(own)
        np.testing.assert_allclose(row.pooled, pooled, atol=1e-6)


def cosine(one: np.ndarray, other: np.ndarray) -> float | None:
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / length) if length > 0 else None


def assert_equal(found: float | None, wanted: float | None) -> None:
    if wanted is None:
        assert found is None or np.isnan(found)
    else:
        assert found == pytest.approx(wanted, abs=1e-6)


def test_what_comes_after_changes_nothing_before(
    spark: SparkSession, past: pd.DataFrame, recent: Recent, found: pd.DataFrame
) -> None:
    cut = START + 15 * 10**9
    later = history(seed=9)
    changed = pd.concat([past[past["at"] <= cut], later[later["at"] > cut]])
    again = figured(spark, changed, recent)
    before, after = (table[table["at"] <= cut].reset_index(drop=True) for table in (found, again))
    assert len(before) > 30
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_equal_to_the_bit_in_batches_of_one(
    spark: SparkSession, past: pd.DataFrame, recent: Recent, found: pd.DataFrame
) -> None:
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    spark.conf.set(key, "1")
    try:
        again = figured(spark, past, recent)
    finally:
        spark.conf.set(key, str(before))
    pd.testing.assert_frame_equal(again, found, check_exact=True)
