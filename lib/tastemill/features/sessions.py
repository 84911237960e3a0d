"""Visits of a user: how many so far, how deep they were, and how far the present one is.

A visit ends where nothing follows for `profiles.session_gap_minutes`. The present one is that of
the last event before a row, if that isn't longer ago.
"""

import operator
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.features.feature import Feature
from tastemill.features.history import DAY, EVENT, Past
from tastemill.features.kinds import Kinds

SESSION = "session"
MINUTE = DAY // 1440
LOOKS = ("view", "click")  # types that make a visit deep


def with_sessions(rows: DataFrame, user: Past, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add what the features are worked out of.

    Args:
        rows: see `Past.with_sums`.
        user: whose past; `with_sums` has counted its events, of all types and of each.
        kinds: windows, types, and how long a pause ends a visit.

    Returns:
        the rows, and features of them.
    """
    events, gap = user.total(EVENT), int(kinds.gap_minutes * MINUTE)
    before = W.partitionBy(*user.keys).orderBy("at").rowsBetween(W.unboundedPreceding, -1)
    is_past, at = F.col("is_past"), F.col("at")
    rows = rows.withColumn("_before", F.max(F.when(is_past, at)).over(before))
    begins = is_past & (F.col("_before").isNull() | (at - F.col("_before") > gap))
    # Of events of one moment one alone begins a visit: which one, makes no difference.
    so_far = F.count(F.when(is_past, 1)).over(before)
    rows = rows.withColumns({"_begins": begins, "_events": so_far})
    rows = user.with_sums(rows, {SESSION: F.when(F.col("_begins"), 1)}, kinds.days)
    began = F.when(F.col("_begins"), F.struct("at", "_events"))
    newest = {"_began": began, "_last": F.when(is_past, at)}
    rows = rows.withColumns({name: F.max(of).over(user.earlier()) for name, of in newest.items()})
    goes_on = F.coalesce(at - F.col("_last") <= gap, F.lit(False))
    inside = F.when(goes_on, events - F.col("_began")["_events"]).otherwise(0)
    seconds = F.when(goes_on, (at - F.col("_began")["at"]) / 1e6).otherwise(0)
    visits = user.total(SESSION)
    looks = [user.total(name) for name in LOOKS if name in kinds.types]
    features = [
        _feature("count_lifetime", "count", "visits of the user so far", visits),
        *(_count(user, days) for days in kinds.days),
        _feature("events_mean", "mean", "events a visit so far", F.try_divide(events, visits)),
        _feature("events", "session", "events so far in the present visit", inside),
        _feature("seconds", "session", "seconds since the present visit began; 0 without", seconds),
    ]
    if looks:
        depth = F.try_divide(reduce(operator.add, looks), visits)
        features.append(_feature("depth_mean", "mean", "views and clicks a visit so far", depth))
    return rows, features


def _count(user: Past, days: int) -> Feature:
    words = f"visits of the user in {days} days before"
    return _feature(f"count_{days}d", "count", words, user.total(SESSION, days))


def _feature(name: str, family: str, words: str, value: Column) -> Feature:
    return Feature(f"user_session_{name}", family, words, value)
