"""All features of all examples, each as of just before its event."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.errors import DataError
from tastemill.features.crosses import Cross, with_crosses
from tastemill.features.encoding import Encodings, with_encodings
from tastemill.features.feature import Feature, packed
from tastemill.features.kinds import Kinds
from tastemill.features.known import DESCRIBED, Known
from tastemill.features.own import CALENDAR, calendar, own_features
from tastemill.features.past import with_item_past, with_user_past
from tastemill.features.recent import Shared, with_recent
from tastemill.times import taken

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

    def __post_init__(self) -> None:
        """Refuse two features of one name.

        Raises:
            DataError: an attribute, or a type of events, is called like another feature.
        """
        if twice := [name for name, times in Counter(self.names).items() if times > 1]:
            raise DataError(
                f"two features would be called {twice[0]}",
                expected="attributes and types of events by names of their own",
                fix="give the type another name in the mapping (type.map), or leave the attribute "
                "out of features.item_attributes",
            )

    @property
    def names(self) -> list[str]:
        """Of all features, numeric ones first."""
        return [*(feature.name for feature in self.numeric), *self.categorical]


def describe(examples: DataFrame, users: Known, items: Known) -> Described:
    """Look up what is known of the user and the item of each example.

    Rows of unknown time are left out: no one can say what they came before.

    Args:
        examples: rows of `examples` for one purpose.
        users: what is known of users.
        items: what is known of items.
    """
    indices = (calendar(), items.all_of("indices"), users.all_of("user_indices"))
    timed = examples.where("event_time IS NOT NULL")
    rows = users.looked_up(
        timed.select(*EXAMPLE), F.col("indices").alias("user_indices"), at="event_time"
    )
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
        shared: vectors of items, where what a user took last is wanted.
    """
    at = F.unix_micros(F.least("event_time", F.lit(kinds.as_of))).alias("at")
    own = [kinds.shapes.of(each) for each in (*own_features(), *described.numbers)]
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
        was_taken = with_item.where(taken(kinds.positive_min))
        rows = with_recent(rows, was_taken, moments, shared)
        of_recent = [kinds.shapes.of(each) for each in shared.recent.features()]
        rows = rows.withColumn("of_recent", packed(of_recent))
    parts = ("of_user", "of_item", "of_row", *(["of_recent"] if of_recent else []))
    numeric = F.concat(*parts).alias("numeric")
    return Extracted(
        rows.select(*EXAMPLE, numeric, "categorical", "recent", "pooled"),
        (*of_user, *of_item, *own, *of_recent),
        described.names,
    )


def _union(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other, allowMissingColumns=True)
