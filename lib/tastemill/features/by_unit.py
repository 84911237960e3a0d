"""What `units` tests: mean labels item by item, and what each user takes, summed by attribute.

Rows are added up per item or per user first, so that only as many as there are of these move.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.known import Known
from tastemill.features.units import MICRO

WIDE = "decimal(38,0)"  # squares of millionths outgrow 64 bits
OF_GROUP = "decimal(38,6)"
OF_VALUE = ("place", "index")
OF_KIND = ("user_place", "item_place", "item_index")
MIN_UNITS = 20  # users that have to have taken a kind of item for it to be asked about


def mean_labels(rows: DataFrame, known: Known, further: Sequence[Column] = ()) -> DataFrame:
    """(place, index, units, total, squares) of each value of each attribute.

    How many items (or users) have it, and sums over their mean labels.

    Args:
        rows: examples with user_idx, item_idx and label.
        known: the attributes of items or of users.
        further: whole numbers of its table that are held against the label as attributes are.
    """
    label = F.sum(F.round(F.col("label") * MICRO).cast("long"))
    means = rows.groupBy(known.key).agg(F.round(label / F.count("*")).cast("long").alias("mean"))
    numbers = F.array(*[F.coalesce(number, F.lit(-1)) for number in further])
    values = F.posexplode(F.concat(known.all_of("indices"), numbers)).alias(*OF_VALUE)
    of_each = means.join(known.last, known.key).select("mean", values)
    return of_each.groupBy(*OF_VALUE).agg(*_sums(F.col("mean")))


def shares_taken(rows: DataFrame, users: Known, items: Known) -> DataFrame:
    """(user_place, item_place, item_index, units, total, of_groups, squares) of each kind of item.

    Of the shares of such items in all that each user took: what an analysis of variance between
    the values of an attribute of users asks. Users who took none have a share of 0; kinds that
    fewer than `MIN_UNITS` took are left out. As many rows as there are values of items' attributes
    for each attribute of users.

    Args:
        rows: examples of what was taken, with user_idx and item_idx.
        users: attributes of users.
        items: attributes of items.
    """
    kinds = F.posexplode(items.all_of("indices")).alias("item_place", "item_index")
    taken = rows.join(items.last, items.key).select(users.key, kinds)
    counted = taken.groupBy(users.key, "item_place", "item_index").agg(F.count("*").alias("n"))
    totals = rows.groupBy(users.key).agg(F.count("*").alias("of_all")).join(users.last, users.key)
    values = F.posexplode(users.all_of("indices")).alias("user_place", "user_index")
    by_index = totals.select(values).groupBy("user_place", "user_index")
    sizes = by_index.agg(F.count("*").alias("size"))
    share = F.round(F.col("n") * MICRO / F.col("of_all")).cast("long").alias("share")
    of_each = counted.join(totals, users.key).select("item_place", "item_index", share, values)
    by_value = of_each.groupBy(*OF_KIND, "user_index").agg(*_sums(F.col("share")))
    by_value = by_value.join(F.broadcast(sizes), ["user_place", "user_index"])
    wide = F.col("total").cast(WIDE)
    of_group = ((wide * wide).cast(WIDE) / F.col("size")).cast(OF_GROUP)
    added = [F.sum(name).alias(name) for name in ("units", "total", "squares")]
    met = by_value.groupBy(*OF_KIND).agg(*added, F.sum(of_group).alias("of_groups"))
    return met.where(F.col("units") >= MIN_UNITS)


def users_by_value(rows: DataFrame, users: Known) -> DataFrame:
    """(user_place, groups, units): of each attribute, its values and how many users took."""
    values = F.posexplode(users.all_of("indices")).alias("user_place", "user_index")
    there = rows.select(users.key).distinct().join(users.last, users.key).select(values)
    counts = (F.count_distinct("user_index").alias("groups"), F.count("*").alias("units"))
    return there.groupBy("user_place").agg(*counts)


def _sums(amount: Column) -> list[Column]:
    wide = amount.cast(WIDE)
    return [
        F.count("*").alias("units"),
        F.sum(amount).alias("total"),
        F.sum((wide * wide).cast(WIDE)).alias("squares"),
    ]
