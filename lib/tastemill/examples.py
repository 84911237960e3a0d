"""Examples: labels, weights, negatives, split, and profiles as of just before each event."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.config import DatasetConfig, Purpose
from tastemill.negatives import ExamplesConfig, draw_negatives, with_presence
from tastemill.profiles.before import with_item_history, with_item_vector, with_user_vector
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import Moment, fit_overall
from tastemill.sources.cleaning import as_table
from tastemill.splits import is_past
from tastemill.tables import EXAMPLES
from tastemill.times import Times, taken


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
    is_taken = is_labelled(dataset, recipe.examples.types)
    rows = rows.withColumns({"n": F.lit(0), "is_taken": is_taken, "is_example": is_taken})
    draws = dataset.task == "implicit" and recipe.examples.num_negatives > 0
    if draws:
        rows = with_presence(rows, shares)
    shares_of_item = shares.select("item_id", "shares")
    known = rows.join(shares_of_item, "item_id", "left")
    users = with_user_vector(known, recipe.moment, cfg, dataset.positive_min, ordered=ordered)
    users = users.where("is_example").select("event_id", "user_vector")
    if draws:
        rows = rows.unionByName(draw_negatives(rows, shares, recipe.examples))
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


def is_labelled(dataset: DatasetConfig, types: Sequence[str]) -> Column:
    """Whether an event is an example: a rating with stars, or something taken; of these types."""
    rated = F.col("value").isNotNull()
    counts = rated if dataset.task == "rating" else taken(dataset.positive_min)
    return counts & F.col("event_type").isin(*types) if types else counts


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
