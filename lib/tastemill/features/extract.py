"""All features of all examples, each as of just before its event."""

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.features.feature import Feature, packed
from tastemill.features.known import Known
from tastemill.features.own import CALENDAR, calendar, category_affinity, own_features
from tastemill.features.past import Kinds, with_item_past, with_user_past

EXAMPLE = ("event_id", "n", "user_idx", "item_idx", "event_time", "label", "weight", "split")
BEHAVIOUR = ("event_type", "value", "dwell_seconds")


@dataclass(frozen=True)
class Extracted:
    """Examples with `numeric` array<float> and `categorical` array<int>, and what these hold."""

    rows: DataFrame
    numeric: tuple[Feature, ...]
    categorical: tuple[str, ...]


def extract(
    events: DataFrame,
    examples: DataFrame,
    users: Known,
    items: Known,
    kinds: Kinds,
) -> Extracted:
    """Work out every feature of every example.

    Rows of unknown time are left out of both sides: no one can say what they came before.

    Args:
        events: the past, with user_idx and, but for searches, item_idx.
        examples: rows of `examples` for one purpose.
        users: what is known of users.
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
    of_users = users.table.select("user_idx", F.col("indices").alias("user_indices"))
    of_items = items.table.withColumn("item_indices", F.col("indices"))
    described = (
        examples.where("event_time IS NOT NULL")
        .select(*EXAMPLE, category_affinity(kinds.num_categories))
        .join(of_users, "user_idx", "left")
        .join(of_items, "item_idx", "left")
    )
    indices = (calendar(), items.all_of("item_indices"), users.all_of("user_indices"))
    asked = described.select(
        F.lit(False).alias("is_past"),
        at,
        *EXAMPLE,
        *alike,
        packed(own).alias("of_row"),
        F.concat(*indices).alias("categorical"),
    )
    rows = reduce(_union, (past, searches, asked))
    rows, of_user = with_user_past(rows, kinds)
    rows, of_item = with_item_past(rows.where("item_idx IS NOT NULL"), kinds)
    numeric = F.concat("of_user", "of_item", "of_row").alias("numeric")
    return Extracted(
        rows.where("NOT is_past").select(*EXAMPLE, numeric, "categorical"),
        (*of_user, *of_item, *own),
        (*CALENDAR, *items.features, *users.features),
    )


def _union(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other, allowMissingColumns=True)
