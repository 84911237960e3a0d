"""All features of all examples, each as of just before its event."""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.features.feature import Feature, packed
from tastemill.features.known import Known
from tastemill.features.own import CALENDAR, calendar, own_features
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
        events: the past, with user_idx and item_idx, which searches lack.
        examples: rows of `examples` for one purpose.
        users: what is known of users.
        items: what is known of items.
        kinds: what the past is told apart by, and where it ends.
    """
    at = F.unix_micros(F.least("event_time", F.lit(kinds.as_of))).alias("at")
    alike = [items.index(name) for name in kinds.attributes]
    past = (
        events.where("event_time IS NOT NULL")
        .join(items.table.select("item_idx", *alike), "item_idx", "left")
        .select(
            F.lit(True).alias("is_past"), at, "user_idx", "item_idx", *kinds.attributes, *BEHAVIOUR
        )
    )
    own = own_features(kinds.num_categories)
    of_users = users.table.select("user_idx", F.col("indices").alias("user_indices"))
    of_items = items.table.withColumn("item_indices", F.col("indices"))
    described = (
        examples.where("event_time IS NOT NULL")
        .join(of_users, "user_idx", "left")
        .join(of_items, "item_idx", "left")
    )
    asked = described.select(
        F.lit(False).alias("is_past"),
        at,
        *EXAMPLE,
        *alike,
        packed(own).alias("of_row"),
        F.concat(calendar(), items.all_of("item_indices"), users.all_of("user_indices")).alias(
            "categorical"
        ),
    )
    rows, of_user = with_user_past(past.unionByName(asked, allowMissingColumns=True), kinds)
    # Searches are a past of users only; together they would be one huge item.
    rows = rows.where("item_idx IS NOT NULL")
    rows, of_item = with_item_past(rows, kinds)
    numeric = F.concat("of_user", "of_item", "of_row").alias("numeric")
    return Extracted(
        rows.where("NOT is_past").select(*EXAMPLE, numeric, "categorical"),
        (*of_user, *of_item, *own),
        (*CALENDAR, *items.features, *users.features),
    )
