"""Item profiles: popularity, value, price and categories as of a moment."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import (
    Moment,
    as_vector,
    fit_overall,
    history_aggregates,
    history_features,
)
from tastemill.sources.cleaning import as_table
from tastemill.tables import ITEM_PROFILES

PRICE_EDGES = [n / 10 for n in range(1, 10)]


def build_item_profiles(
    past: DataFrame,
    shares: DataFrame,
    items: DataFrame,
    moment: Moment,
    cfg: ProfilesConfig,
) -> DataFrame:
    """One row of `item_profiles` for every item of the index.

    Args:
        past: events that profiles may see.
        shares: item_id and its category shares, for every item.
        items: item_id, item_idx and price of every item of the index.
        moment: the end of what they may see.
        cfg: length of vectors, prior.
    """
    past = past.where(F.col("item_id").isNotNull())
    overall = fit_overall(past)
    counted = (
        past.crossJoin(F.broadcast(overall))
        .groupBy("item_id")
        .agg(*history_aggregates(moment), F.count_distinct("user_id").alias("num_users"))
    )
    counts = ("num_events", "num_users", "num_events_7d", "num_events_30d", "num_events_90d")
    joined = (
        items.join(shares, "item_id")
        .join(counted, "item_id", "left")
        .crossJoin(F.broadcast(overall))
        .crossJoin(F.broadcast(fit_price_edges(items)))
        .withColumns({c: F.coalesce(c, F.lit(0)) for c in counts})
    )
    log_events, mean = history_features(
        F.col("num_events"), F.col("num_values"), F.col("centred"), cfg.prior_events
    )
    return as_table(
        joined.withColumns(
            {
                "categories_vector": F.col("shares"),
                "item_vector": as_vector(F.col("shares"), [log_events, mean]),
                "value_mean": F.when(F.col("num_values") > 0, F.col("overall_mean") + mean),
                "price_bucket": price_bucket(F.col("price"), F.col("price_edges")),
                "as_of": F.lit(moment.as_of),
                "ds": F.lit(moment.as_of.date()),
            }
        ),
        ITEM_PROFILES,
    )


def fit_price_edges(items: DataFrame) -> DataFrame:
    """One row: the nine inner deciles of price, null where no item has one."""
    return items.agg(F.percentile("price", PRICE_EDGES).alias("price_edges"))


def price_bucket(price: Column, edges: Column) -> Column:
    """0 to 9: how many inner deciles lie below the price; null without a price."""
    return F.when(price.isNotNull(), F.size(F.filter(edges, lambda edge: edge < price)))
