"""Texts as small numbers: of each categorical feature the values that are met most.

Index 0 is a missing value and 1 any value that isn't in the vocabulary, as of a brand that came
up later; known values follow, the most frequent first.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

MISSING, OTHER, FIRST = 0, 1, 2


def long_form(table: DataFrame, key: str, features: Mapping[str, Column]) -> DataFrame:
    """(key, feature, value) of every value that is there."""
    pairs = [F.struct(F.lit(name).alias("f"), value.alias("v")) for name, value in features.items()]
    pair = F.explode(F.array(*pairs)).alias("pair")
    long = table.select(key, pair).select(key, F.col("pair.f").alias("feature"), "pair.v")
    return long.where(F.col("v").isNotNull()).withColumnRenamed("v", "value")


def fit_vocabulary(long: DataFrame, met: DataFrame, key: str, at_most: int) -> DataFrame:
    """(feature, value, index, rows): the values met most, of equal ones the first in order.

    Args:
        long: (key, feature, value).
        met: (key, rows): how often each user or item is met before the cut.
        key: user_idx or item_idx.
        at_most: values of one feature that are told apart.
    """
    counted = long.join(met, key).groupBy("feature", "value").agg(F.sum("rows").alias("rows"))
    order = W.partitionBy("feature").orderBy(F.desc("rows"), "value")
    ranked = counted.withColumn("index", F.row_number().over(order) + (FIRST - 1))
    return ranked.where(F.col("index") < FIRST + at_most)


def indices(long: DataFrame, vocabulary: DataFrame, key: str, names: Sequence[str]) -> DataFrame:
    """(key, indices array<int>) in the order of names, of every key with any value.

    Args:
        long: (key, feature, value).
        vocabulary: what `fit_vocabulary` found.
        key: user_idx or item_idx.
        names: of the features.
    """
    known = F.broadcast(vocabulary.select("feature", "value", "index"))
    found = long.join(known, ["feature", "value"], "left")
    entry = F.struct("feature", F.coalesce("index", F.lit(OTHER)).alias("index"))
    by_name = found.groupBy(key).agg(F.map_from_entries(F.collect_list(entry)).alias("found"))
    return by_name.select(key, F.array(*[_or_missing(name) for name in names]).alias("indices"))


def _or_missing(name: str) -> Column:
    return F.coalesce(F.try_element_at("found", F.lit(name)), F.lit(MISSING))
