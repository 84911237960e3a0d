"""The baselines worked by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.collaborative import baselines
from tastemill.profiles.history import Moment

AS_OF = datetime(2020, 3, 1, tzinfo=UTC)
MOMENT = Moment(AS_OF)
SCHEMA = "user_idx int, item_idx int, value double, event_time timestamp"


def events(
    spark: SparkSession, *rows: tuple[int, int, float | None, float | None, str | None]
) -> DataFrame:
    """(user, item, value, days before as_of) and a word on the row."""
    timed = [
        (user, item, value, None if days is None else AS_OF - timedelta(days=days))
        for user, item, value, days, _ in rows
    ]
    return spark.createDataFrame(timed, SCHEMA)


def scores(frame: DataFrame) -> dict[int, float]:
    rows = frame.collect()
    assert len({row.idx for row in rows}) == len(rows)
    return {row.idx: row.score for row in rows}


def log(spark: SparkSession) -> DataFrame:
    rows = events(
        spark,
        (0, 7, None, 7, "half a half-life's weight"),
        (0, 7, None, 14, "the same user again: one user, two events"),
        (1, 7, 3.0, 0.001, "taken: as large as it takes"),
        (1, 8, 2.9, 1, "not taken"),
        (2, 9, 5.0, 0, "at as_of: not seen"),
        (2, 9, 5.0, -1, "after it"),
        (3, 6, None, None, "of unknown time"),
        (3, 5, 4.0, 21, "an eighth"),
    )
    return rows.where(MOMENT.before)


def test_popularity_counts_users(spark: SparkSession) -> None:
    found = scores(baselines.popularity(log(spark), 3.0))
    assert found == {7: 2.0, 6: 1.0, 5: 1.0}


def test_recent_popularity_halves(spark: SparkSession) -> None:
    found = scores(baselines.recent_popularity(log(spark), MOMENT, 3.0, 7.0))
    assert set(found) == {7, 6, 5}
    assert found[7] == pytest.approx(0.5 + 0.25 + 1, abs=1e-3)
    assert found[6] == 0.0
    assert found[5] == pytest.approx(0.125, abs=1e-8)


def test_scores_do_not_depend_on_partitions(spark: SparkSession) -> None:
    rows = [(n % 3, n % 2, None if n % 4 else 4.0 + n / 7, n / 10, "") for n in range(200)]
    frame = events(spark, *rows)
    found = [
        scores(baselines.recent_popularity(given, MOMENT, 3.0, 7.0))
        for given in (frame, frame.repartition(7).orderBy("user_idx"))
    ]
    assert found[0] == found[1]


def test_biases_worked_by_hand(spark: SparkSession) -> None:
    ratings = events(
        spark,
        (0, 0, 5.0, 1, ""),
        (0, 1, 3.0, 1, ""),
        (1, 0, 4.0, 1, ""),
        (2, 2, 2.0, 1, ""),
    )
    mean = baselines.rating_mean(ratings)
    assert mean.first().mean == 3.5
    # Item 0: (1.5 + 0.5) / (2 + 2); item 1: -0.5 / 3; item 2: -1.5 / 3.
    items = baselines.item_bias(ratings, mean, 2.0)
    assert scores(items) == pytest.approx({0: 0.5, 1: -0.5 / 3, 2: -0.5}, abs=1e-6)
    # User 0: (1.5 - 0.5) + (-0.5 + 1/6); user 1: 0; user 2: -1.5 + 0.5.
    users = baselines.user_bias(ratings, mean, items, 1.0)
    expected = {0: (1 - 1 / 3) / 3, 1: 0.0, 2: -0.5}
    assert scores(users) == pytest.approx(expected, abs=1e-5)
    assert scores(baselines.item_bias(ratings, mean, 0.0))[2] == -1.5


def test_no_events(spark: SparkSession) -> None:
    none = events(spark)
    mean = baselines.rating_mean(none)
    items = baselines.item_bias(none, mean, 1.0)
    assert mean.first().mean is None
    assert scores(baselines.popularity(none, 0.0)) == {}
    assert scores(baselines.recent_popularity(none, MOMENT, 0.0, 7.0)) == {}
    assert scores(items) == {}
    assert scores(baselines.user_bias(none, mean, items, 1.0)) == {}


def test_a_score_is_a_vector_of_length_1(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(3, 0.5)], "idx int, score double")
    factors = baselines.as_factors(frame)
    assert [f.dataType.simpleString() for f in factors.schema] == ["int", "array<float>"]
    assert [(r.idx, r.vector) for r in factors.collect()] == [(3, [0.5])]
