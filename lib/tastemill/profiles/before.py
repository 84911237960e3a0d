"""Profile vectors of every example as of just before its event: running sums, no loops.

A row of the test adds nothing to the history of those that follow. With the split by time it sees
the state at the cut.

Where a user or an item has events of unknown time, the order of its past isn't known, and who came
first may depend on the label (a log may have lost the times of low ratings only). Running sums
would then tell the label. Such rows see the whole past up to as_of instead, without the fifth of
it that the row itself falls into: no row sees its own label, and all of a past is seen alike.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W
from pyspark.sql.window import WindowSpec

from tastemill.profiles.categories import normalized
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import (
    FIXED_POINT,
    Moment,
    as_vector,
    centred,
    history_features,
)
from tastemill.splits import is_past
from tastemill.times import ORDER, taken

NUM_FOLDS = 5
HISTORY = ("_events", "_values", "_centred")


def earlier(key: str) -> WindowSpec:
    """All rows of a key strictly before this one in the total order of events."""
    return W.partitionBy(key).orderBy(*ORDER).rowsBetween(W.unboundedPreceding, -1)


def before(amount: Column, key: str, *, ordered: bool) -> Column:
    """The sum of a number over what came before, 0 where nothing did.

    Args:
        amount: what a row adds, a whole number unless ordered; rows of the test add 0.
        key: user_id or item_id.
        ordered: whether all times are known; else keys with unknown ones are summed by fold.
    """
    running = F.sum(amount).over(earlier(key))
    if ordered:
        return F.coalesce(running, F.lit(0))
    whole, unknown = W.partitionBy(key), F.col("event_time").isNull()
    lost = F.max(is_past() & unknown).over(whole)
    fold = F.pmod(F.xxhash64("event_id"), F.lit(NUM_FOLDS))
    past = F.sum(amount).over(whole)
    rest = past - F.sum(amount).over(W.partitionBy(key, fold))
    seen = (
        F.when(lost & is_past(), rest)
        # The test is no part of any past: it sees all of it.
        .when(~is_past() & (lost | unknown), past)
        .otherwise(running)
    )
    return F.coalesce(seen, F.lit(0))


def with_user_vector(
    rows: DataFrame, moment: Moment, cfg: ProfilesConfig, positive_min: float, *, ordered: bool
) -> DataFrame:
    """Add `user_vector` as of just before each row.

    Args:
        rows: events with `split`, `shares` of their item, `overall_mean`, `oldest`.
        moment: as_of of the pass.
        cfg: length of vectors, half-life, prior.
        positive_min: smallest value that counts as taken.
        ordered: whether all times are known.
    """
    recency = moment.recency(cfg.half_life_days, F.col("oldest"))
    weight = F.when(is_past() & taken(positive_min), recency).otherwise(0.0)

    def in_slot(slot: int) -> Column:
        share = F.coalesce(F.get("shares", slot), F.lit(0.0))
        # A running sum adds in order, so it needs no fixed point, in which old events would vanish.
        amount = weight * share
        whole = amount if ordered else F.round(amount * FIXED_POINT).cast("long")
        return before(whole, "user_id", ordered=ordered).cast("double")

    sums = F.array(*[in_slot(slot) for slot in range(cfg.num_categories)])
    history = _history("user_id", is_past(), ordered=ordered)
    rows = rows.withColumns({"_sums": sums, **history})
    vector = as_vector(normalized(F.col("_sums")), _features(cfg))
    return rows.withColumn("user_vector", vector).drop("_sums", *HISTORY)


def with_item_history(rows: DataFrame, counts: Column, *, ordered: bool) -> DataFrame:
    """Add what an item's vector needs of its history, as of just before each row.

    Args:
        rows: events and negatives with `overall_mean` and `split`.
        counts: whether a row is an event and not a negative.
        ordered: whether all times are known.
    """
    return rows.withColumns(_history("item_id", is_past() & counts, ordered=ordered))


def with_item_vector(rows: DataFrame, cfg: ProfilesConfig) -> DataFrame:
    """Add `item_vector` to rows of `with_item_history` with `shares` of their item."""
    zeros = F.array_repeat(F.lit(0.0), cfg.num_categories)
    vector = as_vector(F.coalesce("shares", zeros), _features(cfg))
    return rows.withColumn("item_vector", vector).drop(*HISTORY)


def _history(key: str, counts: Column, *, ordered: bool) -> dict[str, Column]:
    value = F.col("value")
    amounts = (
        counts.cast("int"),
        (counts & value.isNotNull()).cast("int"),
        F.when(counts, centred()).otherwise(0),
    )
    events, values, total = (before(a, key, ordered=ordered) for a in amounts)
    return {"_events": events, "_values": values, "_centred": total / 1e6}


def _features(cfg: ProfilesConfig) -> list[Column]:
    events, values, total = (F.col(name) for name in HISTORY)
    return history_features(events, values, total, cfg.prior_events)
