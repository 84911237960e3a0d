"""Crosses: combinations of categorical features as features of their own.

Exact, the combinations that are met most have an index each, by a vocabulary; hashed, each falls
into one of so many buckets (Weinberger et al., "Feature hashing for large scale multitask
learning", ICML 2009). Where a part is missing, so is the cross.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.own import CALENDAR
from tastemill.features.vocabulary import FIRST, MISSING, OTHER, most_met


@dataclass(frozen=True)
class Cross:
    """One combination of features.

    Args:
        parts: names of categorical features.
        buckets: into which combinations are hashed; 0: they have a vocabulary.
    """

    parts: tuple[str, ...]
    buckets: int = 0

    @property
    def name(self) -> str:
        """The parts, as formulas of statistics name their interaction."""
        return ":".join(self.parts)

    @property
    def side(self) -> str | None:
        """User or item, where the cross is an attribute of it like any other."""
        sides = {part.partition("_")[0] for part in self.parts}
        return sides.pop() if len(sides) == 1 and sides <= {"user", "item"} else None

    def of_side(self, side: str) -> str:
        """The parts that are about a user or an item, named as a cross of these; may be empty."""
        return ":".join(part for part in self.parts if part.startswith(f"{side}_"))

    def combination(self, indices: Column, names: Sequence[str]) -> Column:
        """array<int> of the parts' indices; null where one is missing.

        Args:
            indices: array<int> of categorical features.
            names: of these.
        """
        parts = F.array(*[F.get(indices, names.index(part)) for part in self.parts])
        return F.when(~F.array_contains(parts, MISSING), parts)

    def bucket(self, combination: Column) -> Column:
        """The index of a hashed combination."""
        hashed = F.pmod(F.xxhash64(combination), F.lit(self.buckets)).cast("int")
        return F.when(combination.isNotNull(), hashed + FIRST).otherwise(MISSING)


def combinations_met(
    table: DataFrame, column: str, names: Sequence[str], crosses: Sequence[Cross]
) -> DataFrame:
    """(feature, of array<int>, rows): how often each combination is met.

    Args:
        table: what is learned from, with `rows`, how often each row of it counts.
        column: array<int> of categorical features.
        names: of these.
        crosses: at least one.
    """
    told = [
        F.struct(
            F.lit(cross.name).alias("feature"),
            cross.combination(F.col(column), names).alias("of"),
        )
        for cross in crosses
    ]
    pairs = table.select("rows", F.explode(F.array(*told)).alias("pair"))
    met = pairs.select("rows", "pair.*").where("of IS NOT NULL")
    return met.groupBy("feature", "of").agg(F.sum("rows").alias("rows"))


def fit_crosses(met: DataFrame, crosses: Sequence[Cross], at_most: int, min_rows: int) -> DataFrame:
    """(feature, of, index, rows) of exact crosses: the combinations met most.

    Args:
        met: what `combinations_met` returned.
        crosses: hashed ones are passed over.
        at_most: combinations of one cross that are told apart.
        min_rows: how often one has to be met.
    """
    exact = [cross.name for cross in crosses if not cross.buckets]
    return most_met(met.where(F.col("feature").isin(exact)), "of", at_most, min_rows)


def collisions(met: DataFrame, crosses: Sequence[Cross]) -> DataFrame:
    """(feature, share): of combinations met, how many share a bucket with another one.

    Args:
        met: what `combinations_met` returned.
        crosses: exact ones are passed over.
    """
    hashed = [cross for cross in crosses if cross.buckets]
    bucket = F.coalesce(
        F.lit(None).cast("int"),
        *(F.when(F.col("feature") == c.name, c.bucket(F.col("of"))) for c in hashed),
    )
    numbered = met.withColumn("bucket", bucket).where("bucket IS NOT NULL")
    filled = numbered.groupBy("feature", "bucket").agg(F.count("*").alias("n"))
    crowded = F.sum(F.when(F.col("n") > 1, F.col("n")).otherwise(0))
    return filled.groupBy("feature").agg((crowded / F.sum("n")).alias("share"))


def with_crosses(
    table: DataFrame,
    column: str,
    names: Sequence[str],
    crosses: Sequence[Cross],
    vocabulary: DataFrame,
) -> DataFrame:
    """Append an index for each cross to the array.

    Args:
        table: with the array.
        column: array<int> of categorical features.
        names: of these.
        crosses: what to append, in this order.
        vocabulary: what `fit_crosses` returned; small, and sent to all.
    """
    kept = table.columns
    indices = []
    for place, cross in enumerate(crosses):
        combination = cross.combination(F.col(column), names)
        if cross.buckets:
            indices.append(cross.bucket(combination))
            continue
        own = vocabulary.where(F.col("feature") == cross.name)
        own = own.select(F.col("of").alias(f"_of_{place}"), F.col("index").alias(f"_at_{place}"))
        table = table.join(F.broadcast(own), combination == F.col(f"_of_{place}"), "left")
        known = F.coalesce(f"_at_{place}", F.lit(OTHER))
        indices.append(F.when(combination.isNull(), MISSING).otherwise(known))
    whole = F.concat(column, F.array(*indices).cast("array<int>")) if indices else F.col(column)
    return table.withColumn(column, whole).select(*kept)


def in_words(fitted: DataFrame, crosses: Sequence[Cross], vocabulary: DataFrame) -> DataFrame:
    """(feature, value, index, rows): combinations as JSON arrays of the parts' values.

    A value that isn't in its vocabulary is null.

    Args:
        fitted: what `fit_crosses` returned.
        crosses: that it is of.
        vocabulary: (feature, value, index) of the parts.
    """
    of = F.coalesce(
        *(F.when(F.col("feature") == c.name, F.array(*map(F.lit, c.parts))) for c in crosses)
    )
    paired = F.arrays_zip(of.alias("part"), F.col("of").alias("at"))
    each = fitted.select("feature", "of", "index", "rows", F.posexplode(paired).alias("n", "one"))
    known = vocabulary.select(
        F.col("feature").alias("part"), F.col("value").alias("text"), F.col("index").alias("at")
    )
    each = each.select("feature", "of", "index", "rows", "n", "one.part", "one.at")
    joined = each.join(F.broadcast(known), ["part", "at"], "left")
    of_time = F.col("part").isin(list(CALENDAR))
    text = F.when(of_time, (F.col("at") - FIRST).cast("string")).otherwise(F.col("text"))
    told = F.sort_array(F.collect_list(F.struct("n", text.alias("text"))))
    whole = joined.groupBy("feature", "of", "index", "rows").agg(told.alias("told"))
    return whole.select("feature", F.to_json("told.text").alias("value"), "index", "rows")
