"""What networks over features are given of a pool."""

import pytest
from pyspark.sql import SparkSession

from tastemill.features.pools import Member, Pool
from tastemill.ranking.networks import described, inputs

NUMBERS = (Member("age", "numeric", 2, None, ""), Member("price", "numeric", 0, None, ""))
INDICES = (Member("genre", "categorical", 1, 7, ""),)


@pytest.mark.parametrize(
    ("members", "numeric", "categorical", "told"),
    [
        ((*NUMBERS, *INDICES), [None, 0.5], [4], ([30.0, 0.0], [9.0, 0.0], [7])),
        (NUMBERS, [None, 0.5], [0], ([30.0, 0.0], [9.0, 0.0], [2])),
        (INDICES, [None], [4], ([0.0], [0.0], [7])),
    ],
)
def test_what_is_of_the_pool_in_its_order(
    spark: SparkSession,
    members: tuple[Member, ...],
    numeric: list[float | None],
    categorical: list[int],
    told: tuple[list[float], list[float], list[int]],
) -> None:
    pool = Pool("some", members)
    numbers = "array(cast(0.5 as float), cast(7 as float), null)"
    rows = spark.sql(f"select {numbers} numeric, array(3, 4) categorical")
    found = inputs(rows, pool).collect()[0]
    assert (list(found["numeric"]), list(found["categorical"])) == (numeric, categorical)
    stats = [{"mean": 30.0, "deviation": 9.0}, {"mean": None, "deviation": None}]
    assert tuple(described(pool, stats[: len(pool.of_kind("numeric"))]).values()) == told


def test_an_index_that_is_missing_counts_as_missing(spark: SparkSession) -> None:
    rows = spark.sql("select array(cast(1 as float)) numeric, array(3) categorical")
    assert inputs(rows, Pool("some", INDICES)).collect()[0]["categorical"] == [0]
