"""All features of all examples, each as of just before its event."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.features.crosses import Cross, with_crosses
from tastemill.features.feature import Feature, packed
from tastemill.features.known import Known
from tastemill.features.own import CALENDAR, calendar, category_affinity, own_features
from tastemill.features.past import Kinds, with_item_past, with_user_past

EXAMPLE = ("event_id", "n", "user_idx", "item_idx", "event_time", "label", "weight", "split")
BEHAVIOUR = ("event_type", "value", "dwell_seconds")


@dataclass(frozen=True)
class Described:
    """Examples of known times with what is known of their users and items, whatever was before.

    Args:
        rows: with `categorical` array<int>.
        names: of the features in it.
    """

    rows: DataFrame
    names: tuple[str, ...]

    def crossed(self, crosses: Sequence[Cross], fitted: DataFrame) -> "Described":
        """With combinations of features as further features."""
        rows = with_crosses(self.rows, "categorical", self.names, crosses, fitted)
        return Described(rows, (*self.names, *(cross.name for cross in crosses)))


@dataclass(frozen=True)
class Extracted:
    """Examples with `numeric` array<float> and `categorical` array<int>, and what these hold."""

    rows: DataFrame
    numeric: tuple[Feature, ...]
    categorical: tuple[str, ...]


def describe(examples: DataFrame, users: Known, items: Known, num_categories: int) -> Described:
    """Look up what is known of the user and the item of each example.

    Rows of unknown time are left out: no one can say what they came before.

    Args:
        examples: rows of `examples` for one purpose.
        users: what is known of users.
        items: what is known of items.
        num_categories: length of the category part of profile vectors.
    """
    of_users = users.table.select("user_idx", F.col("indices").alias("user_indices"))
    indices = (calendar(), items.all_of("indices"), users.all_of("user_indices"))
    rows = (
        examples.where("event_time IS NOT NULL")
        .select(*EXAMPLE, category_affinity(num_categories))
        .join(of_users, "user_idx", "left")
        .join(items.table, "item_idx", "left")
        .withColumn("categorical", F.concat(*indices))
        .drop("user_indices")
    )
    return Described(rows, (*CALENDAR, *items.features, *users.features))


def extract(events: DataFrame, described: Described, items: Known, kinds: Kinds) -> Extracted:
    """Work out every feature of every example.

    Args:
        events: the past, with user_idx and, but for searches, item_idx; events of unknown time
            are left out.
        described: the examples.
        items: what is known of items.
        kinds: what the past is told apart by, and where it ends.
    """
    at = F.unix_micros(F.least("event_time", F.lit(kinds.as_of))).alias("at")
    own = own_features(kinds)
    alike = [
        items.told_apart(name).alias(f"alike_{place}")
        for place, name in enumerate(kinds.attributes)
    ]
    timed = events.where("event_time IS NOT NULL")
    timed = timed.select(F.lit(True).alias("is_past"), at, "user_idx", "item_idx", *BEHAVIOUR)
    # Searches have no item: in a join, or as a past of items, they would be one huge key.
    searches = timed.where("item_idx IS NULL")
    with_item = timed.where("item_idx IS NOT NULL")
    past = with_item.join(items.table.select("item_idx", *alike), "item_idx", "left")
    asked = described.rows.select(
        F.lit(False).alias("is_past"),
        at,
        *EXAMPLE,
        *alike,
        packed(own).alias("of_row"),
        "categorical",
    )
    rows = reduce(_union, (past, searches, asked))
    rows, of_user = with_user_past(rows, kinds)
    rows, of_item = with_item_past(rows.where("item_idx IS NOT NULL"), kinds)
    numeric = F.concat("of_user", "of_item", "of_row").alias("numeric")
    return Extracted(
        rows.where("NOT is_past").select(*EXAMPLE, numeric, "categorical"),
        (*of_user, *of_item, *own),
        described.names,
    )


def _union(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other, allowMissingColumns=True)
