"""The k-core of a batch of events: users and items with too few are left out until none is left."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

REASON = "below_min_events"
MAX_ROUNDS = 100


def mark_outside_core(events: DataFrame, min_user_events: int, min_item_events: int) -> DataFrame:
    """Give a reason to the sound events of users and items that have too few.

    Each round may make others fall short. It counts, and keeps what it found, so that the next
    round doesn't begin at the files again; what it keeps is freed with the session's caches.

    Args:
        events: raw events with `reason` and `_repeat`: what was rejected, what is told again and
            searches don't count.
        min_user_events: 0 or 1 lets every user in.
        min_item_events: the same for items.
    """
    if min_user_events <= 1 and min_item_events <= 1:
        return events
    left, count = events, -1
    for _ in range(MAX_ROUNDS):
        left = _one_round(left, min_user_events, min_item_events).localCheckpoint(eager=False)
        fallen = left.where(F.col("reason") == REASON).count()
        if fallen == count:
            break
        count = fallen
    return left


def _one_round(events: DataFrame, min_user_events: int, min_item_events: int) -> DataFrame:
    counts = F.col("reason").isNull() & ~F.col("_repeat") & F.col("item_id").isNotNull()
    of_user = F.count_if(counts).over(W.partitionBy("user_id"))
    of_item = F.count_if(counts).over(W.partitionBy("item_id"))
    sized = events.withColumns({"_of_user": of_user}).withColumns({"_of_item": of_item})
    falls = (F.col("_of_user") < min_user_events) | (
        F.col("item_id").isNotNull() & (F.col("_of_item") < min_item_events)
    )
    reason = F.coalesce("reason", F.when(falls, F.lit(REASON)))
    return sized.withColumn("reason", reason).drop("_of_user", "_of_item")
