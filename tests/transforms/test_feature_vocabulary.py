"""Texts as indices: frequent ones first, the rest together, missing ones apart."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.features.vocabulary import MISSING, OTHER, fit_vocabulary, indices, long_form


@pytest.fixture(scope="module")
def long(spark: SparkSession) -> DataFrame:
    rows = [
        (1, "oak", "red"),
        (2, "elm", "red"),
        (3, "ash", None),
        (4, "oak", "🎨"),
        (5, None, None),
        (6, "new", "blue"),
    ]
    table = spark.createDataFrame(rows, "item_idx int, brand string, colour string")
    return long_form(table, "item_idx", {name: F.col(name) for name in ("brand", "colour")})


@pytest.fixture(scope="module")
def vocabulary(spark: SparkSession, long: DataFrame) -> DataFrame:
    # What is met: item 6 never was.
    met = spark.createDataFrame([(n, 10) for n in range(1, 6)], "item_idx int, rows long")
    return fit_vocabulary(long, met, "item_idx", at_most=2).persist()


def test_the_most_frequent_come_first_and_equal_ones_in_order(vocabulary: DataFrame) -> None:
    found = {(r["feature"], r["value"]): (r["index"], r["rows"]) for r in vocabulary.collect()}
    assert found == {
        ("brand", "oak"): (2, 20),
        ("brand", "ash"): (3, 10),  # elm is as frequent, and one too many
        ("colour", "red"): (2, 20),
        ("colour", "🎨"): (3, 10),
    }


def test_unknown_and_missing_values_have_indices_of_their_own(
    long: DataFrame, vocabulary: DataFrame
) -> None:
    rows = indices(long, vocabulary, "item_idx", ["colour", "brand"]).collect()
    found = {r["item_idx"]: r["indices"] for r in rows}
    assert found == {
        1: [2, 2],
        2: [2, OTHER],
        3: [MISSING, 3],
        4: [3, 2],
        6: [OTHER, OTHER],  # 5 has no value at all and no row
    }


def test_a_value_that_comes_up_later_changes_no_index(
    spark: SparkSession, long: DataFrame, vocabulary: DataFrame
) -> None:
    later = spark.createDataFrame(
        [(7, "brand", "aaa")], "item_idx int, feature string, value string"
    )
    found = indices(long.union(later), vocabulary, "item_idx", ["brand"]).collect()
    assert {r["item_idx"]: r["indices"] for r in found}[7] == [OTHER]
    assert {r["item_idx"]: r["indices"] for r in found}[1] == [2]
