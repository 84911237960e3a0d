"""What each user took, in order: the rows that sequence networks learn from and score by."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.times import ORDER


def histories(taken: DataFrame, length: int, padding: int) -> DataFrame:
    """(user_idx, known, history): the items that each user took last, the oldest first.

    One shuffle, by user. Items of one moment lie as in the source; those of unknown time come
    before all others.

    Args:
        taken: user_idx, item_idx and the columns of `ORDER`; no null but in event_time.
        length: of every history; older items are left out.
        padding: fills up what is shorter, at the end.
    """
    in_order = F.sort_array(F.collect_list(F.struct(*ORDER, "item_idx")))
    items = F.col("steps.item_idx")
    first = F.greatest(F.size(items) - (length - 1), F.lit(1))
    newest = F.slice(items, first, F.lit(length))
    filled = F.concat(newest, F.array_repeat(F.lit(padding), F.lit(length) - F.size(newest)))
    by_user = taken.groupBy("user_idx").agg(in_order.alias("steps"))
    return by_user.select("user_idx", F.size(newest).alias("known"), filled.alias("history"))
