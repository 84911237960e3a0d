"""Category slots, and items as vectors over them.

A profile vector has `num_categories` positions: the most frequent categories before as_of, and one
last position for every other category.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W


def fit_category_slots(events: DataFrame, items: DataFrame, num_categories: int) -> DataFrame:
    """Give slots to the categories that were chosen most: (slot, category, events).

    Args:
        events: events before as_of.
        items: the table `items`.
        num_categories: length of the vectors; the last slot has a null category.
    """
    chosen = (
        events.join(items.select("item_id", "categories"), "item_id")
        .select(F.explode(F.array_distinct("categories")).alias("category"))
        .groupBy("category")
        .agg(F.count("*").alias("events"))
    )
    # As many rows as there are categories: one partition ranks them.
    order = W.partitionBy(F.lit(0)).orderBy(F.desc("events"), "category")
    ranked = chosen.withColumn("rank", F.row_number().over(order) - 1)
    last = num_categories - 1
    kept = F.col("rank") < last
    return (
        ranked.select(
            F.least("rank", F.lit(last)).alias("slot"),
            F.when(kept, F.col("category")).alias("category"),
            "events",
        )
        .groupBy("slot")
        .agg(F.max("category").alias("category"), F.sum("events").alias("events"))
    )


def with_category_shares(items: DataFrame, slots: DataFrame, num_categories: int) -> DataFrame:
    """Items as (item_id, shares array<double>): 1/n in each of its n categories' slots, or zeros.

    Args:
        items: item_id and categories, which may be null; item_id is unique.
        slots: what `fit_category_slots` returned.
        num_categories: length of the vectors.
    """
    counts = category_counts(items, "item_id", slots, num_categories).groupBy("item_id")
    parts = counts.agg(F.map_from_entries(F.collect_list(F.struct("slot", "n"))).alias("counts"))
    joined = items.select("item_id").join(parts, "item_id", "left")
    shares = normalized(over_slots("counts", num_categories))
    return joined.select("item_id", shares.alias("shares"))


def category_counts(items: DataFrame, key: str, slots: DataFrame, num_categories: int) -> DataFrame:
    """(key, slot, n): in how many of its categories' slots an item is; none for no category.

    Args:
        items: the key and categories, which may be null.
        key: item_id or item_idx, unique.
        slots: what `fit_category_slots` returned.
        num_categories: length of the vectors.
    """
    named = slots.where("category IS NOT NULL").select("category", "slot")
    each = items.select(key, F.explode(F.array_distinct("categories")).alias("category"))
    placed = each.join(F.broadcast(named), "category", "left")
    slot = F.coalesce("slot", F.lit(num_categories - 1)).alias("slot")
    return placed.select(key, slot).groupBy(key, "slot").agg(F.count("*").alias("n"))


def over_slots(amounts: str, num_categories: int) -> Column:
    """A map from slot to amount as an array<double> over all slots, 0 where the map has none."""
    return F.transform(
        F.sequence(F.lit(0), F.lit(num_categories - 1)),
        lambda slot: F.coalesce(F.try_element_at(amounts, slot), F.lit(0)).cast("double"),
    )


def normalized(vector: Column) -> Column:
    """A vector divided by its sum; zeros stay zeros."""

    def divided(numbers: Column) -> Column:
        total = F.aggregate(numbers, F.lit(0.0), lambda so_far, x: so_far + x)
        return once(
            total, lambda t: F.when(t > 0, F.transform(numbers, lambda x: x / t)).otherwise(numbers)
        )

    return once(vector, divided)


def once(value: Column, use: Callable[[Column], Column]) -> Column:
    """What `use` makes of a value that is worked out once, however often it is named.

    Spark writes an expression out wherever it is named. Within a lambda it is then worked out for
    each element: the sum of a vector of 64 by which each of them is divided, 64 times.
    """
    return F.get(F.transform(F.array(value), use), 0)
