"""What `units` tests: mean labels item by item, and what each user takes, summed by attribute.

Rows are added up per item or per user first, so that only as many as there are of these move.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.known import Known
from tastemill.features.units import MICRO

WIDE = "decimal(38,0)"  # squares of millionths outgrow 64 bits
OF_VALUE = ("place", "index")
OF_PAIR = ("user_place", "user_index", "item_place", "item_index")


def mean_labels(rows: DataFrame, known: Known) -> DataFrame:
    """(place, index, units, total, squares) of each value of each attribute.

    How many items (or users) have it, and sums over their mean labels.

    Args:
        rows: examples with user_idx, item_idx and label.
        known: the attributes of items or of users.
    """
    label = F.sum(F.round(F.col("label") * MICRO).cast("long"))
    means = rows.groupBy(known.key).agg(F.round(label / F.count("*")).cast("long").alias("mean"))
    values = F.posexplode(known.all_of("indices")).alias(*OF_VALUE)
    of_each = means.join(known.table, known.key).select("mean", values)
    return of_each.groupBy(*OF_VALUE).agg(*_sums(F.col("mean")))


def shares_taken(rows: DataFrame, users: Known, items: Known) -> DataFrame:
    """(user_place, user_index, item_place, item_index, units, total, squares) of each pair.

    Of a value of an attribute of users, and one of items: how many of these users took such items,
    and sums over the shares of such items in all that each of them took. The other users' shares
    are 0; `mean_labels` of the same rows tells how many users there are.

    Args:
        rows: examples of what was taken, with user_idx and item_idx.
        users: attributes of users.
        items: attributes of items.
    """
    kinds = F.posexplode(items.all_of("indices")).alias("item_place", "item_index")
    taken = rows.join(items.table, items.key).select(users.key, kinds)
    counted = taken.groupBy(users.key, "item_place", "item_index").agg(F.count("*").alias("n"))
    totals = rows.groupBy(users.key).agg(F.count("*").alias("of_all"))
    share = F.round(F.col("n") * MICRO / F.col("of_all")).cast("long").alias("share")
    values = F.posexplode(users.all_of("indices")).alias("user_place", "user_index")
    of_each = counted.join(totals.join(users.table, users.key), users.key)
    of_each = of_each.select("item_place", "item_index", share, values)
    return of_each.groupBy(*OF_PAIR).agg(*_sums(F.col("share")))


def _sums(amount: Column) -> list[Column]:
    wide = amount.cast(WIDE)
    return [
        F.count("*").alias("units"),
        F.sum(amount).alias("total"),
        F.sum((wide * wide).cast(WIDE)).alias("squares"),
    ]
