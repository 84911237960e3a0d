"""Texts as indices: frequent ones first, the rest together, missing ones apart."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.features.vocabulary import MISSING, OTHER, fit_vocabulary, with_index

BRANDS = "item_idx int, rows long, brand string, colour string"
ITEMS = [
    (1, 10, "oak", "red"),
    (2, 10, "elm", "red"),
    (3, 10, "ash", None),
    (4, 10, "oak", "🎨"),
    (5, 10, None, None),
    (6, 1, "new", "blue"),
]


@pytest.fixture(scope="module")
def items(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(ITEMS, BRANDS)


@pytest.fixture(scope="module")
def vocabulary(items: DataFrame) -> DataFrame:
    features = {name: F.col(name) for name in ("brand", "colour")}
    return fit_vocabulary(items, features, at_most=2, min_rows=2).persist()


def found(items: DataFrame, vocabulary: DataFrame, name: str) -> dict[int, int]:
    indexed = with_index(items.drop("colour"), name, F.col("brand"), vocabulary)
    return {row["item_idx"]: row[name] for row in indexed.collect()}


def test_the_most_frequent_come_first_and_equal_ones_in_order(vocabulary: DataFrame) -> None:
    rows = {(r["feature"], r["value"]): (r["index"], r["rows"]) for r in vocabulary.collect()}
    assert rows == {
        ("brand", "oak"): (2, 20),
        ("brand", "ash"): (3, 10),  # elm is as frequent, and one too many
        ("colour", "red"): (2, 20),
        ("colour", "🎨"): (3, 10),  # blue is met once
    }


def test_unknown_and_missing_values_have_indices_of_their_own(
    items: DataFrame, vocabulary: DataFrame
) -> None:
    assert found(items, vocabulary, "brand") == {
        1: 2,
        2: OTHER,
        3: 3,
        4: 2,
        5: MISSING,
        6: OTHER,
    }


def test_a_value_that_comes_up_later_changes_no_index(
    spark: SparkSession, items: DataFrame, vocabulary: DataFrame
) -> None:
    later = items.union(spark.createDataFrame([(7, 1000, "aaa", None)], BRANDS))
    again = found(later, vocabulary, "brand")
    assert again.pop(7) == OTHER
    assert again == found(items, vocabulary, "brand")


def test_ten_million_values_are_ranked_without_sorting_them_all(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    many = spark.range(10).selectExpr("id AS rows", "cast(id AS string) AS word")
    fit_vocabulary(many, {"word": F.col("word")}, at_most=3, min_rows=1).explain()
    assert "WindowGroupLimit" in capsys.readouterr().out


@pytest.mark.slow
def test_ten_million_different_values(spark: SparkSession) -> None:
    often = F.when(F.col("id") % 200_000 == 7, 100 + F.col("id") / 200_000).otherwise(5)
    items = spark.range(10_000_000, numPartitions=8).select(
        F.concat(F.lit("value-"), "id").alias("brand"), often.cast("long").alias("rows")
    )
    fitted = fit_vocabulary(items, {"brand": F.col("brand")}, at_most=40, min_rows=5).collect()
    found = {row["value"]: (row["index"], row["rows"]) for row in fitted}
    # Fifty values stand out, the later ones more.
    assert found == {f"value-{n * 200_000 + 7}": (51 - n, 100 + n) for n in range(10, 50)}
