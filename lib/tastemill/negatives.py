"""Negatives: items that the user of an example had not taken, and could have.

All draws are hashes of (seed, event_id, …): the same whatever the partitioning.
"""

from typing import Literal, Self

from pydantic import Field, model_validator
from pyspark.sql import DataFrame
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.config import Section
from tastemill.splits import is_past
from tastemill.times import ORDER

ATTEMPTS = 4  # draws per negative; a user who has taken all four goes without that negative
POPULARITY, MAX_TICKETS = 0.75, 8_000_000
EXPOSURES = 20  # of one user and day, so that busy users cost no more


class ExamplesConfig(Section):
    """Which events are examples, and (implicit task only) how negatives are drawn."""

    types: tuple[str, ...] = Field(
        (), description="Types of events that are examples; empty: whatever was taken or rated."
    )
    num_negatives: int = Field(4, ge=0, description="Negatives per positive.")
    negatives: Literal["uniform", "popularity", "exposure"] = Field(
        "uniform",
        description="Every item alike, by the 0.75th power of how often it was met, or what the "
        "user met by events of other types and hadn't taken (where that is too few, uniform).",
    )
    exposure_days: int = Field(7, ge=1, description="By exposure: how long before it was met.")
    seed: int = Field(1, ge=0, description="Seed of the draw.")

    @model_validator(mode="after")
    def _others_are_exposures(self) -> Self:
        if self.negatives == "exposure" and not self.types:
            raise ValueError(
                'negatives = "exposure" needs types, those that are taken: ["purchase"]; '
                "events of other types say what was met"
            )
        return self


def draw_negatives(rows: DataFrame, items: DataFrame, cfg: ExamplesConfig) -> DataFrame:
    """Items for every example: none that its user had taken or nobody could, yet.

    What the test holds of a user counts as taken for other examples of the test only. Of a user
    who has taken all that was drawn for a negative, this negative is missing.

    Args:
        rows: events with an item, `is_example`, and split.
        items: item_id, item_idx and released_on of all that models of the pass know.
        cfg: how many, and how.
    """
    taken = (
        rows.where("is_example")
        .groupBy("user_id", F.col("item_idx").alias("drawn"))
        .agg(
            F.min(F.when(is_past(), F.struct(*ORDER))).alias("taken_in_past"),
            F.min(F.struct(*ORDER)).alias("taken_at"),
        )
    )
    draws = _drawn(rows, items, taken, cfg)
    if cfg.negatives == "exposure":
        exposed = _exposed(rows, taken, cfg).withColumnRenamed("item_idx", "exposed")
        draws = draws.join(exposed, ["event_id", "n"], "full")
        draws = draws.select("event_id", "n", F.coalesce("exposed", "item_idx").alias("item_idx"))
    kept = [c for c in rows.columns if c not in ("n", "item_id", "item_idx")]
    ids = items.select("item_idx", "item_id")
    return rows.select(*kept).join(draws, "event_id").join(ids, "item_idx")


def _not_taken(draws: DataFrame, taken: DataFrame) -> DataFrame:
    """Those that the user hadn't taken when the example was; draws have ORDER and is_past."""
    joined = draws.join(taken, ["user_id", "drawn"], "left")
    at = F.when(F.col("is_past"), F.col("taken_in_past")).otherwise(F.col("taken_at"))
    return joined.where(at.isNull() | (at > F.struct(*ORDER)))


def _drawn(rows: DataFrame, items: DataFrame, taken: DataFrame, cfg: ExamplesConfig) -> DataFrame:
    """(event_id, n, item_idx): of all items, each alike or by popularity."""
    numbers = [F.explode(F.sequence(F.lit(1), F.lit(cfg.num_negatives))).alias("_n")]
    attempts = F.explode(F.sequence(F.lit(0), F.lit(ATTEMPTS - 1))).alias("attempt")
    hashed = F.xxhash64(F.lit(cfg.seed), "event_id", "_n", "attempt")
    asked = rows.where("is_example").withColumn("day", F.to_date("event_time"))
    tickets = _tickets(rows, items, cfg.negatives)
    draws = (
        asked.join(F.broadcast(_open_tickets(tickets, asked)), "day", "left")
        .select("event_id", "user_id", *ORDER, is_past().alias("is_past"), "open", *numbers)
        .select("*", attempts)
        .crossJoin(F.broadcast(_in_order(tickets)))
        # Of unknown time: nothing is known to come later.
        .withColumn("open", F.nullif(F.coalesce("open", F.size("tickets")), F.lit(0)))
        .withColumn("drawn", F.get("tickets", F.pmod(hashed, "open").cast("int")))
    )
    by_number = _not_taken(draws, taken).groupBy("event_id", F.col("_n").alias("n"))
    return by_number.agg(F.min_by("drawn", "attempt").alias("item_idx"))


def _exposed(rows: DataFrame, taken: DataFrame, cfg: ExamplesConfig) -> DataFrame:
    """(event_id, n, item_idx): what the user met shortly before, by no event that is an example.

    Of a user and a day `EXPOSURES` items at most, drawn by a hash. Events of unknown time are met
    by nobody.
    """
    day = F.to_date("event_time").alias("day")
    met = rows.where("NOT is_example AND event_time IS NOT NULL")
    met = met.groupBy("user_id", day, "item_idx").agg(F.min("event_time").alias("met_at"))
    by_hash = F.struct(F.xxhash64(F.lit(cfg.seed), "user_id", "day", "item_idx"), "item_idx")
    one = F.struct(by_hash.alias("by"), F.col("item_idx").alias("drawn"), "met_at")
    of_day = met.groupBy("user_id", "day").agg(
        F.slice(F.sort_array(F.collect_list(one)), 1, EXPOSURES).alias("met")
    )
    first = F.date_sub(F.to_date("event_time"), cfg.exposure_days)
    days = F.explode(F.sequence(first, F.to_date("event_time"))).alias("day")
    asked = rows.where("is_example AND event_time IS NOT NULL")
    asked = asked.select("event_id", "user_id", *ORDER, is_past().alias("is_past"), days)
    each = asked.join(of_day, ["user_id", "day"]).select("*", F.inline("met"))
    since = F.col("event_time") - F.make_dt_interval(F.lit(cfg.exposure_days))
    just = each.where((F.col("met_at") < F.col("event_time")) & (F.col("met_at") >= since))
    found = _not_taken(just, taken).select("event_id", "drawn").distinct()
    drawn = W.partitionBy("event_id").orderBy(
        F.xxhash64(F.lit(cfg.seed), "event_id", "drawn"), "drawn"
    )
    numbered = found.select("event_id", F.row_number().over(drawn).alias("n"), "drawn")
    wanted = numbered.where(F.col("n") <= cfg.num_negatives)
    return wanted.select("event_id", "n", F.col("drawn").alias("item_idx"))


def _tickets(rows: DataFrame, items: DataFrame, negatives: str) -> DataFrame:
    """(item_idx, since date, tickets): the items that can be drawn, from when on, and how easily.

    An item is there from its release on, or from its first event where that was earlier. It has a
    ticket, or by popularity about as many as the 0.75th power of its events before the cut (Mikolov
    et al. 2013), one at least, and fewer where all together would be too many for a broadcast.
    """
    first = F.to_date(F.min("event_time")).alias("first")
    met = rows.where(is_past()).groupBy("item_idx").agg(F.count("*").alias("rows"), first)
    known = met.join(items.select("item_idx", "released_on"), "item_idx", "left")
    since = F.when(F.col("released_on").isNotNull(), F.least("released_on", "first"))
    number = F.lit(1)
    if negatives == "popularity":
        weight = F.pow("rows", F.lit(POPULARITY))
        total = known.agg(F.sum(F.round(weight).cast("long")).alias("total"))
        known = known.crossJoin(F.broadcast(total))
        scaled = weight * F.least(F.lit(1.0), MAX_TICKETS / F.col("total"))
        number = F.greatest(F.lit(1), F.round(scaled).cast("int"))
    return known.select("item_idx", since.alias("since"), number.alias("tickets"))


def _in_order(tickets: DataFrame) -> DataFrame:
    """One row with an item number for each ticket: those that were always there, then by day.

    A ticket takes four bytes, so a million items are 4 MB, and by popularity 36 MB at most.
    """
    one = F.struct("since", "item_idx", "tickets")
    every = F.sort_array(F.collect_list(one))
    each = F.transform(every, lambda item: F.array_repeat(item["item_idx"], item["tickets"]))
    return tickets.agg(F.flatten(each).alias("tickets"))


def _open_tickets(tickets: DataFrame, asked: DataFrame) -> DataFrame:
    """(day, open): how many of the tickets in order are of items that are there on a day.

    All days in one window: there are as many as days of releases and of events.
    """
    new = tickets.groupBy(F.col("since").alias("day")).agg(F.sum("tickets").alias("tickets"))
    days = asked.where("day IS NOT NULL").select("day").distinct()
    both = new.unionByName(days.withColumn("tickets", F.lit(0).cast("long")))
    by_day = both.groupBy("day").agg(F.sum("tickets").alias("tickets"))
    so_far = F.sum("tickets").over(W.orderBy(F.asc_nulls_first("day")))
    return by_day.select("day", so_far.alias("open")).where("day IS NOT NULL")
