"""Texts as small numbers: of each categorical feature the values that are met most.

Index 0 is a missing value and 1 any value that isn't in the vocabulary: one that is met too
rarely, or that came up later. Known values follow, the most frequent first.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

MISSING, OTHER, FIRST = 0, 1, 2


def fit_vocabulary(
    table: DataFrame, features: Mapping[str, Column], at_most: int, min_rows: int
) -> DataFrame:
    """(feature, value, index, rows): the values met most, of equal ones the first in order.

    Args:
        table: users or items, and `rows`, how often each is met in what is learned from.
        features: each as a text.
        at_most: values of one feature that are told apart.
        min_rows: how often one has to be met.
    """
    pairs = [
        F.struct(F.lit(name).alias("feature"), value.alias("value"))
        for name, value in features.items()
    ]
    counted = (
        table.select("rows", F.explode(F.array(*pairs)).alias("pair"))
        .select("rows", "pair.*")
        .where("value IS NOT NULL")
        .groupBy("feature", "value")
        .agg(F.sum("rows").alias("rows"))
    )
    return most_met(counted, "value", at_most, min_rows)


def most_met(counted: DataFrame, value: str, at_most: int, min_rows: int) -> DataFrame:
    """(feature, value, index, rows) of the values of each feature that are met most.

    Args:
        counted: (feature, value, rows).
        value: the column's name.
        at_most: as for `fit_vocabulary`.
        min_rows: as for `fit_vocabulary`.
    """
    often = counted.where(F.col("rows") >= min_rows)
    order = W.partitionBy("feature").orderBy(F.desc("rows"), value)
    # Compared as it is, so that Spark keeps the first ones of each partition and sorts no more.
    ranked = often.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= at_most)
    index = F.col("rank") + (FIRST - 1)
    return ranked.select("feature", value, index.alias("index"), "rows")


def with_index(table: DataFrame, name: str, value: Column, vocabulary: DataFrame) -> DataFrame:
    """Add a column of indices, named as the feature; the vocabulary is small and sent to all."""
    own = vocabulary.where(F.col("feature") == name)
    own = own.select(F.col("value").alias("_value"), F.col("index").alias("_index"))
    joined = table.withColumn("_text", value).join(
        F.broadcast(own), F.col("_text") == F.col("_value"), "left"
    )
    index = F.when(F.col("_text").isNull(), MISSING).otherwise(F.coalesce("_index", F.lit(OTHER)))
    return joined.withColumn(name, index).drop("_text", "_value", "_index")
