"""All features of all examples, each as of just before its event."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.features.crosses import Cross, with_crosses
from tastemill.features.encoding import Encodings, with_encodings
from tastemill.features.feature import Feature, packed
from tastemill.features.known import DESCRIBED, Known
from tastemill.features.own import CALENDAR, calendar, category_affinity, own_features
from tastemill.features.past import Kinds, with_item_past, with_user_past
from tastemill.features.recent import Shared, with_recent

EXAMPLE = ("event_id", "n", "user_idx", "item_idx", "event_time", "label", "weight", "split")
UNWANTED = {"recent": "array<int>", "pooled": "array<float>"}
BEHAVIOUR = ("event_type", "value", "dwell_seconds")


@dataclass(frozen=True)
class Described:
    """Examples of known times with what is known of their users and items, whatever was before.

    Args:
        rows: with `categorical` array<int>.
        moments: user_idx and event_time of them, from a plan that is short.
        names: of the features in it.
        numbers: further features, of columns of the rows.
    """

    rows: DataFrame
    moments: DataFrame
    names: tuple[str, ...]
    numbers: tuple[Feature, ...] = ()

    def crossed(self, crosses: Sequence[Cross], fitted: DataFrame) -> "Described":
        """With combinations of features as further features."""
        rows = with_crosses(self.rows, "categorical", self.names, crosses, fitted)
        return replace(self, rows=rows, names=(*self.names, *(cross.name for cross in crosses)))

    def encoded(self, encodings: Encodings, as_of: datetime) -> "Described":
        """With features that became numbers."""
        rows = with_encodings(self.rows, self.names, encodings, as_of)
        return replace(self, rows=rows, numbers=(*self.numbers, *encodings.features()))


@dataclass(frozen=True)
class Extracted:
    """Examples with `numeric` array<float> and `categorical` array<int>, and what these hold.

    Also recent array<int> and pooled array<float>, null where they aren't wanted.
    """

    rows: DataFrame
    numeric: tuple[Feature, ...]
    categorical: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Of all features, numeric ones first."""
        return [*(feature.name for feature in self.numeric), *self.categorical]


def describe(examples: DataFrame, users: Known, items: Known, num_categories: int) -> Described:
    """Look up what is known of the user and the item of each example.

    Rows of unknown time are left out: no one can say what they came before.

    Args:
        examples: rows of `examples` for one purpose.
        users: what is known of users.
        items: what is known of items.
        num_categories: length of the category part of profile vectors.
    """
    indices = (calendar(), items.all_of("indices"), users.all_of("user_indices"))
    timed = examples.where("event_time IS NOT NULL")
    rows = timed.select(*EXAMPLE, category_affinity(num_categories))
    rows = users.looked_up(rows, F.col("indices").alias("user_indices"), at="event_time")
    rows = items.looked_up(rows, "indices", *DESCRIBED["item"], at="event_time")
    rows = rows.withColumn("categorical", F.concat(*indices)).drop("user_indices")
    moments = timed.select("user_idx", "event_time")
    return Described(rows, moments, (*CALENDAR, *items.features, *users.features))


def extract(
    events: DataFrame,
    described: Described,
    items: Known,
    kinds: Kinds,
    shared: Shared | None = None,
) -> Extracted:
    """Work out every feature of every example.

    Args:
        events: the past, with user_idx and, but for searches, item_idx; searches may have what
            they are after (`sought`); events of unknown time are left out.
        described: the examples.
        items: what is known of items.
        kinds: what the past is told apart by, and where it ends.
        shared: vectors of items, where what a user met last is wanted.
    """
    at = F.unix_micros(F.least("event_time", F.lit(kinds.as_of))).alias("at")
    own = [*own_features(kinds), *described.numbers]
    alike = [
        items.told_apart(name).alias(f"alike_{place}")
        for place, name in enumerate(kinds.attributes)
    ]
    timed = events.where("event_time IS NOT NULL")
    sought = [F.col("sought").alias("alike_0")] if kinds.searched else []
    known = (F.lit(True).alias("is_past"), at, "user_idx", "item_idx", *BEHAVIOUR)
    # Searches have no item: in a join, or as a past of items, they would be one huge key.
    searches = timed.where("item_idx IS NULL").select(*known, *sought)
    timed = timed.select(*known)
    with_item = timed.where("item_idx IS NOT NULL")
    # What an event itself tells of its item is known of it when it is past.
    past = items.looked_up(with_item, *alike, at=F.timestamp_micros(F.col("at") + 1))
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
    rows, of_recent = rows.where("NOT is_past"), []
    if shared is None:
        rows = rows.withColumns({name: F.lit(None).cast(kind) for name, kind in UNWANTED.items()})
    else:
        moments = described.moments.select("user_idx", at)
        rows = with_recent(rows, with_item, moments, shared)
        of_recent = shared.recent.features()
    parts = ("of_user", "of_item", "of_row", *(["of_recent"] if of_recent else []))
    numeric = F.concat(*parts).alias("numeric")
    return Extracted(
        rows.select(*EXAMPLE, numeric, "categorical", "recent", "pooled"),
        (*of_user, *of_item, *own, *of_recent),
        described.names,
    )


def _union(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other, allowMissingColumns=True)
