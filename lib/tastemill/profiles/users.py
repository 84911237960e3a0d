"""User profiles: interests, behaviour and demographics as of a moment."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.profiles.categories import normalized, over_slots
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import (
    FIXED_POINT,
    Moment,
    as_vector,
    fit_overall,
    history_aggregates,
    history_features,
)
from tastemill.profiles.sessions import with_visits
from tastemill.sources.cleaning import as_table
from tastemill.tables import USER_PROFILES
from tastemill.times import taken

CLICKS = ("view", "click")


def build_user_profiles(
    past: DataFrame,
    shares: DataFrame,
    users: DataFrame,
    moment: Moment,
    cfg: ProfilesConfig,
    positive_min: float,
) -> DataFrame:
    """One row of `user_profiles` for every user with an event.

    Args:
        past: events that profiles may see, with user_idx.
        shares: item_id and its category shares.
        users: the table `users`.
        moment: the end of what they may see.
        cfg: length of vectors, half-life, prior.
        positive_min: smallest value that counts as taken.
    """
    overall = fit_overall(past)
    interests = build_interests(past.where(taken(positive_min)), shares, overall, moment, cfg)
    behaviour = build_behaviour(with_visits(past, cfg.session_gap_minutes), overall, moment)
    zeros = F.array_repeat(F.lit(0.0), cfg.num_categories)
    numbers = history_features(
        F.col("num_events"), F.col("num_values"), F.col("centred"), cfg.prior_events
    )
    joined = behaviour.join(interests, "user_id", "left").join(
        users.select("user_id", "age", "gender", "occupation"), "user_id", "left"
    )
    joined = joined.withColumn("interests", F.coalesce("interests", zeros))
    return as_table(
        joined.withColumns(
            {
                "user_vector": as_vector(F.col("interests"), numbers),
                "as_of": F.lit(moment.as_of),
                "ds": F.lit(moment.as_of.date()),
            }
        ),
        USER_PROFILES,
    )


def build_interests(
    past: DataFrame, shares: DataFrame, overall: DataFrame, moment: Moment, cfg: ProfilesConfig
) -> DataFrame:
    """(user_id, interests array<double>): recency-weighted shares of what the user took."""
    age = moment.recency(cfg.half_life_days, F.col("oldest"))
    # Relative to the user's newest: in fixed point an old history would round to nothing.
    weight = F.try_divide(age, F.max(age).over(W.partitionBy("user_id")))
    by_slot = (
        past.join(shares, "item_id")
        .crossJoin(F.broadcast(overall))
        .select("user_id", "shares", weight.alias("weight"))
        .select("user_id", "weight", F.posexplode("shares").alias("slot", "share"))
        .where("share > 0")
        .groupBy("user_id", "slot")
        .agg(F.sum(F.round(F.col("weight") * F.col("share") * FIXED_POINT).cast("long")).alias("n"))
        .groupBy("user_id")
        .agg(F.map_from_entries(F.collect_list(F.struct("slot", "n"))).alias("sums"))
    )
    sums = over_slots("sums", cfg.num_categories)
    return by_slot.select("user_id", normalized(sums).alias("interests"))


def build_behaviour(past: DataFrame, overall: DataFrame, moment: Moment) -> DataFrame:
    """Counts, visits, dwell and depth per user; `past` comes from `with_visits`."""
    in_visit = F.col("session_id").isNotNull() | F.col("event_time").isNotNull()
    counted = (
        past.crossJoin(F.broadcast(overall))
        .groupBy("user_id")
        .agg(
            F.first("user_idx").alias("user_idx"),
            *history_aggregates(moment),
            F.collect_list("event_type").alias("types"),
            F.count_distinct("event_date").alias("num_active_days"),
            (F.size(F.collect_set("session_id")) + F.count_if("starts_visit")).alias(
                "num_sessions"
            ),
            _mean("dwell_seconds").alias("dwell_seconds_mean"),
            F.count_if(F.col("event_type").isin(*CLICKS) & in_visit).alias("num_clicks"),
            _mean("value").alias("value_mean"),
        )
    )
    weeks = F.greatest(
        (F.unix_timestamp(F.lit(moment.as_of)) - F.unix_timestamp("first_event_time")) / 604_800.0,
        F.lit(1.0),
    )
    return counted.withColumns(
        {
            "num_events_by_type": _counts("types"),
            "visits_per_week": F.when(
                F.col("first_event_time").isNotNull(), F.col("num_sessions") / weeks
            ),
            "click_depth_mean": F.try_divide("num_clicks", "num_sessions"),
        }
    )


def _mean(column: str) -> Column:
    """A mean in fixed point: it doesn't depend on the order of rows."""
    total = F.sum(F.round(F.col(column) * 1e6).cast("long"))
    return F.try_divide(total / 1e6, F.count(column))


def _counts(types: str) -> Column:
    """How often each value stands in a list, as a map."""
    names = F.array_sort(F.array_distinct(types))
    pairs = F.transform(
        names,
        lambda name: F.struct(
            name, F.size(F.filter(types, lambda other: other == name)).cast("long")
        ),
    )
    return F.map_from_entries(pairs)
