"""Examples: labels, weights, negatives, split, and profiles as of just before each event."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.config import DatasetConfig, Purpose, Section
from tastemill.profiles.before import with_item_history, with_item_vector, with_user_vector
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import Moment, fit_overall
from tastemill.sources.cleaning import as_table
from tastemill.splits import is_past
from tastemill.tables import EXAMPLES
from tastemill.times import ORDER, Times, taken

ATTEMPTS = 4  # draws per negative; a user who has taken all four goes without that negative
POPULARITY, MAX_TICKETS = 0.75, 8_000_000


class ExamplesConfig(Section):
    """How negatives are drawn (implicit task only)."""

    num_negatives: int = Field(4, ge=0, description="Negatives per positive.")
    negatives: Literal["uniform", "popularity"] = Field(
        "uniform", description="Every item alike, or by the 0.75th power of how often it was met."
    )
    seed: int = Field(1, ge=0, description="Seed of the draw.")


@dataclass(frozen=True)
class Recipe:
    """All that decides what the examples are, beside the tables."""

    purpose: Purpose
    times: Times
    dataset: DatasetConfig
    profiles: ProfilesConfig
    examples: ExamplesConfig

    @property
    def moment(self) -> Moment:
        """Where history stops adding up: the cut of a backtest, as_of in production."""
        return Moment(self.times.of(self.purpose))


def build_examples(events: DataFrame, shares: DataFrame, recipe: Recipe) -> DataFrame:
    """Rows of `examples` for one purpose.

    Args:
        events: the table `events` with user_idx, item_idx and split; searches left out.
        shares: item_id, item_idx, category shares and released_on of every item.
        recipe: purpose, times and settings.
    """
    cfg, dataset = recipe.profiles, recipe.dataset
    overall = fit_overall(events.where(is_past()))
    ordered = not dataset.allow_missing_time
    # Narrow rows go through the windows; vectors are joined at the end, to examples alone.
    rows = events.crossJoin(F.broadcast(overall))
    rows = rows.withColumns({"n": F.lit(0), "is_example": is_labelled(dataset)})
    shares_of_item = shares.select("item_id", "shares")
    known = rows.join(shares_of_item, "item_id", "left")
    users = with_user_vector(known, recipe.moment, cfg, dataset.positive_min, ordered=ordered)
    users = users.where("is_example").select("event_id", "user_vector")
    if dataset.task == "implicit" and recipe.examples.num_negatives:
        rows = rows.unionByName(draw_negatives(rows, shares, recipe))
    rows = with_item_history(rows, F.col("n") == 0, ordered=ordered)
    rows = rows.where("is_example").join(shares_of_item, "item_id", "left")
    rows = with_item_vector(rows, cfg).join(users, "event_id")
    return as_table(
        rows.withColumns(
            {
                "purpose": F.lit(recipe.purpose),
                "label": label(dataset),
                "weight": weight(dataset),
            }
        ),
        EXAMPLES,
    )


def is_labelled(dataset: DatasetConfig) -> Column:
    """Whether an event is an example: a rating with stars, or something taken."""
    rated = F.col("value").isNotNull()
    return rated if dataset.task == "rating" else taken(dataset.positive_min)


def label(dataset: DatasetConfig) -> Column:
    """Stars, or 1 for what was taken and 0 for what was not."""
    return F.col("value") if dataset.task == "rating" else (F.col("n") == 0).cast("double")


def weight(dataset: DatasetConfig) -> Column:
    """What an example counts: the weight of its event type, 1 for ratings and negatives."""
    if dataset.task == "rating":
        return F.lit(1.0)
    return F.when(F.col("n") == 0, type_weight(dataset)).otherwise(1.0)


def type_weight(dataset: DatasetConfig) -> Column:
    """The weight of an event's type: 1 where the dataset names none."""
    if not dataset.event_weights:
        return F.lit(1.0)
    pairs = [F.lit(x) for pair in dataset.event_weights.items() for x in pair]
    return F.coalesce(F.try_element_at(F.create_map(*pairs), F.col("event_type")), F.lit(1.0))


def draw_negatives(rows: DataFrame, items: DataFrame, recipe: Recipe) -> DataFrame:
    """Items drawn at random for every example: none that its user had taken or nobody could, yet.

    What the test holds of a user counts as taken for other examples of the test only. Of a user
    who has taken all that was drawn for a negative, this negative is missing.

    The draw is a hash of (seed, event_id, n, attempt): the same whatever the partitioning. Items
    are drawn from all that models of the pass know.
    """
    first_taken = (
        rows.where("is_example")
        .groupBy("user_id", F.col("item_idx").alias("drawn"))
        .agg(
            F.min(F.when(is_past(), F.struct(*ORDER))).alias("taken_in_past"),
            F.min(F.struct(*ORDER)).alias("taken_at"),
        )
    )
    numbers = [F.explode(F.sequence(F.lit(1), F.lit(recipe.examples.num_negatives))).alias("_n")]
    attempts = F.explode(F.sequence(F.lit(0), F.lit(ATTEMPTS - 1))).alias("attempt")
    hashed = F.xxhash64(F.lit(recipe.examples.seed), "event_id", "_n", "attempt")
    asked = rows.where("is_example").withColumn("day", F.to_date("event_time"))
    tickets = _tickets(rows, items, recipe.examples.negatives)
    draws = (
        asked.join(F.broadcast(_open_tickets(tickets, asked)), "day", "left")
        .select("event_id", "user_id", *ORDER, is_past().alias("is_past"), "open", *numbers)
        .select("*", attempts)
        .crossJoin(F.broadcast(_in_order(tickets)))
        # Of unknown time: nothing is known to come later.
        .withColumn("open", F.nullif(F.coalesce("open", F.size("tickets")), F.lit(0)))
        .withColumn("drawn", F.get("tickets", F.pmod(hashed, "open").cast("int")))
        .join(first_taken, ["user_id", "drawn"], "left")
        .withColumn("taken_at", F.expr("if(is_past, taken_in_past, taken_at)"))
        .where(F.col("taken_at").isNull() | (F.col("taken_at") > F.struct(*ORDER)))
        .groupBy("event_id", F.col("_n").alias("n"))
        .agg(F.min_by("drawn", "attempt").alias("item_idx"))
    )
    kept = [c for c in rows.columns if c not in ("n", "item_id", "item_idx")]
    ids = items.select("item_idx", "item_id")
    return rows.select(*kept).join(draws, "event_id").join(ids, "item_idx")


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
