"""Negatives: items that the user of an example had not taken, and could have.

All draws are hashes of (seed, event_id, …): the same whatever the partitioning.
"""

from typing import Literal, Self

from pydantic import Field, model_validator
from pyspark.sql import Column, DataFrame
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.config import Section
from tastemill.splits import is_past

ATTEMPTS = 4  # draws per negative; a user who has taken all four goes without that negative
POPULARITY, MAX_TICKETS = 0.75, 2_000_000
EXPOSURES = 20  # of one user and day, the first ones, so that busy users cost no more
HOUR = 3600


class ExamplesConfig(Section):
    """Which events are examples, and (implicit task only) how negatives are drawn."""

    types: tuple[str, ...] = Field(
        (), description="Types of events that are examples; empty: whatever was taken or rated."
    )
    num_negatives: int = Field(4, ge=0, description="Negatives per positive.")
    negatives: Literal["uniform", "popularity", "exposure"] = Field(
        "uniform",
        description="Every item alike, by the 0.75th power of how often it was met, or what the "
        "user met by events of other types and hadn't taken (where that is too few, uniform). "
        "An item is there from its release on, or from the hour after it was first met.",
    )
    exposure_days: int = Field(
        7, ge=0, description="By exposure: on how many days before its own an item was met."
    )
    seed: int = Field(1, ge=0, description="Seed of the draw.")

    @model_validator(mode="after")
    def _others_are_exposures(self) -> Self:
        if self.negatives == "exposure" and not self.types:
            raise ValueError(
                'negatives = "exposure" needs types, those that are taken: ["purchase"]; '
                "events of other types say what was met"
            )
        return self


def with_presence(rows: DataFrame, items: DataFrame) -> DataFrame:
    """Rows of which `is_example` only where the item was there, and could have been drawn.

    What nobody has ever met can't be recommended; and an item that no negative can be would tell
    by that alone that it was taken.

    Args:
        rows: see `draw_negatives`.
        items: the same.
    """
    since = _there(rows, items).withColumn("_met", F.lit(True))
    at = _hour(F.col("event_time"))
    there = F.col("since").isNull() | F.col("event_time").isNull() | (F.col("since") <= at)
    found = rows.join(since, "item_idx", "left")
    is_there = F.coalesce(F.col("_met") & there, F.lit(False))
    return found.withColumn("is_example", F.col("is_example") & is_there).drop("since", "_met")


def draw_negatives(rows: DataFrame, items: DataFrame, cfg: ExamplesConfig) -> DataFrame:
    """Items for every example: none that its user had taken, or took with it, or nobody could yet.

    What the test holds of a user counts as taken for other examples of the test only. Of a user
    who has taken all that was drawn for a negative, this negative is missing; so are those of
    the first hour of a log, when nothing was there to be taken. What comes after an example
    changes none of its negatives.

    Args:
        rows: events with an item, `is_taken`, `is_example` (of these, negatives are drawn for) and
            split.
        items: item_id, item_idx and released_on of all that models of the pass know.
        cfg: how many, and how.
    """
    taken = (
        rows.where("is_taken")
        .groupBy("user_id", F.col("item_idx").alias("drawn"))
        .agg(
            # In structs, of which those with unknown times come first.
            F.min(F.when(is_past(), F.struct("event_time"))).alias("taken_in_past"),
            F.min(F.struct("event_time")).alias("taken_at"),
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
    """Those that the user took later than the example or never; draws have event_time, is_past."""
    joined = draws.join(taken, ["user_id", "drawn"], "left")
    at = F.when(F.col("is_past"), F.col("taken_in_past")).otherwise(F.col("taken_at"))
    return joined.where(at.isNull() | (at["event_time"] > F.col("event_time")))


def _drawn(rows: DataFrame, items: DataFrame, taken: DataFrame, cfg: ExamplesConfig) -> DataFrame:
    """(event_id, n, item_idx): of all items, each alike or by popularity."""
    numbers = [F.explode(F.sequence(F.lit(1), F.lit(cfg.num_negatives))).alias("_n")]
    attempts = F.explode(F.sequence(F.lit(0), F.lit(ATTEMPTS - 1))).alias("attempt")
    hashed = F.xxhash64(F.lit(cfg.seed), "event_id", "_n", "attempt")
    asked = rows.where("is_example").withColumn("hour", _hour(F.col("event_time")))
    tickets = _tickets(rows, items, cfg.negatives)
    draws = (
        asked.join(F.broadcast(_open_tickets(tickets, asked)), "hour", "left")
        .select("event_id", "user_id", "event_time", is_past().alias("is_past"), "open", *numbers)
        .select("*", attempts)
        .crossJoin(F.broadcast(_in_order(tickets)))
        # Of unknown time: nothing is known to come later.
        .withColumn("open", F.nullif(F.coalesce("open", F.size("tickets")), F.lit(0)))
        .withColumn("drawn", F.get("tickets", F.pmod(hashed, "open").cast("int")))
    )
    by_number = _not_taken(draws, taken).groupBy("event_id", F.col("_n").alias("n"))
    return by_number.agg(F.min_by("drawn", "attempt").alias("item_idx"))


def _exposed(rows: DataFrame, taken: DataFrame, cfg: ExamplesConfig) -> DataFrame:
    """(event_id, n, item_idx): what the user met shortly before, by no event that took it.

    Of a user and a day the first `EXPOSURES` items. Events of unknown time are met by nobody.
    """
    day = F.to_date("event_time").alias("day")
    met = rows.where("NOT is_taken AND event_time IS NOT NULL")
    met = met.groupBy("user_id", day, "item_idx").agg(F.min("event_time").alias("met_at"))
    one = F.struct("met_at", F.col("item_idx").alias("drawn"))
    of_day = met.groupBy("user_id", "day").agg(
        F.slice(F.sort_array(F.collect_list(one)), 1, EXPOSURES).alias("met")
    )
    first = F.date_sub(F.to_date("event_time"), cfg.exposure_days)
    days = F.explode(F.sequence(first, F.to_date("event_time"))).alias("day")
    asked = rows.where("is_example AND event_time IS NOT NULL")
    asked = asked.select("event_id", "user_id", "event_time", is_past().alias("is_past"), days)
    each = asked.join(of_day, ["user_id", "day"]).select("*", F.inline("met"))
    before = each.where(F.col("met_at") < F.col("event_time"))
    found = _not_taken(before, taken).select("event_id", "drawn").distinct()
    drawn = W.partitionBy("event_id").orderBy(
        F.xxhash64(F.lit(cfg.seed), "event_id", "drawn"), "drawn"
    )
    numbered = found.select("event_id", F.row_number().over(drawn).alias("n"), "drawn")
    wanted = numbered.where(F.col("n") <= cfg.num_negatives)
    return wanted.select("event_id", "n", F.col("drawn").alias("item_idx"))


def _there(rows: DataFrame, items: DataFrame) -> DataFrame:
    """(item_idx, since): items of the past, and the hour from which on each is there.

    From its release on, or from the hour after its first event where that was earlier; one with an
    event of unknown time always was.
    """
    met = rows.where(is_past()).groupBy("item_idx")
    lost = F.bool_or(F.col("event_time").isNull()).alias("lost")
    first = met.agg((_hour(F.min("event_time")) + 1).alias("hour"), lost)
    known = first.join(items.select("item_idx", "released_on"), "item_idx")
    since = F.least("hour", _hour(F.col("released_on")))
    return known.select("item_idx", F.when(~F.col("lost"), since).alias("since"))


def _tickets(rows: DataFrame, items: DataFrame, negatives: str) -> DataFrame:
    """(item_idx, since, tickets): items that can be drawn, from which hour on, and how easily.

    An item has a ticket from when it is there; by popularity about as many as the 0.75th power of
    its events so far (Mikolov et al. 2013), so that each hour may add some. Fewer where all
    together would be too many for a broadcast.
    """
    there = _there(rows, items)
    if negatives != "popularity":
        return there.withColumn("tickets", F.lit(1))
    past = rows.where(is_past())
    hour = F.when(F.col("event_time").isNotNull(), _hour(F.col("event_time")) + 1).alias("hour")
    met = past.groupBy("item_idx", hour).agg(F.count("*").alias("rows"))
    all_of = past.groupBy("item_idx").agg(F.pow(F.count("*"), F.lit(POPULARITY)).alias("of"))
    total = all_of.agg(F.sum("of").alias("total"))
    scale = F.least(F.lit(1.0), MAX_TICKETS / F.col("total"))

    def number(events: Column) -> Column:
        weight = F.round(F.pow(events, F.lit(POPULARITY)) * scale)
        return F.when(events > 0, F.greatest(F.lit(1), weight)).otherwise(0)

    in_order = W.partitionBy("item_idx").orderBy(F.asc_nulls_first("hour"))
    so_far = F.sum("rows").over(in_order.rowsBetween(W.unboundedPreceding, W.currentRow))
    before = so_far - F.col("rows")
    more = (number(so_far) - number(before)).cast("int").alias("tickets")
    added = met.crossJoin(F.broadcast(total)).select(
        "item_idx", "hour", more, before.alias("before")
    )
    opens = F.when(F.col("before") == 0, F.col("since")).otherwise(F.col("hour")).alias("since")
    known = added.where("tickets > 0").join(there, "item_idx")
    return known.select("item_idx", opens, "tickets")


def _hour(time: Column) -> Column:
    """Hours since 1970."""
    return F.floor(F.unix_timestamp(time.cast("timestamp")) / HOUR)


def _in_order(tickets: DataFrame) -> DataFrame:
    """One row with an item number for each ticket: those that were always there, then by hour.

    A ticket takes four bytes, so a million items are 4 MB, and by popularity 12 MB at most.
    """
    one = F.struct("since", "item_idx", "tickets")
    every = F.sort_array(F.collect_list(one))
    each = F.transform(every, lambda item: F.array_repeat(item["item_idx"], item["tickets"]))
    return tickets.agg(F.flatten(each).alias("tickets"))


def _open_tickets(tickets: DataFrame, asked: DataFrame) -> DataFrame:
    """(hour, open): how many of the tickets in order are of items that are there in an hour.

    All hours in one window: there are as many as hours with a new ticket or an event.
    """
    new = tickets.groupBy(F.col("since").alias("hour")).agg(F.sum("tickets").alias("tickets"))
    hours = asked.where("hour IS NOT NULL").select("hour").distinct()
    both = new.unionByName(hours.withColumn("tickets", F.lit(0).cast("long")))
    by_hour = both.groupBy("hour").agg(F.sum("tickets").alias("tickets"))
    so_far = F.sum("tickets").over(W.orderBy(F.asc_nulls_first("hour")))
    return by_hour.select("hour", so_far.alias("open")).where("hour IS NOT NULL")
