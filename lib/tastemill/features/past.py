"""Features of the past of whom or what an example is about: counts, shares, means, recency, trends.

`with_user_past` and `with_item_past` pack what was into one array per row and say what stands in
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.config import FeaturesConfig
from tastemill.features.feature import Feature, packed
from tastemill.features.history import Past

USER, ITEM = Past("user", ("user_idx",)), Past("item", ("item_idx",))
PAIR = Past("user_item", ("user_idx", "item_idx"))
EVENT = "event"
MEANS = {"value": "value", "dwell": "dwell_seconds"}
MICRO = 1e6  # sums of values are sums of whole millionths


@dataclass(frozen=True)
class Kinds:
    """What the past is told apart by, and where it ends.

    Args:
        as_of: a row of a later time sees the past as it was then.
        types: of events, as they occur before the cut.
        days: lengths of windows, ascending.
        prior: events that are added before a share is taken, so that few events tell little.
        attributes: of items, by which a user's past is told apart: columns of the rows.
        num_categories: length of the category part of profile vectors.
    """

    as_of: datetime
    types: tuple[str, ...]
    days: tuple[int, ...]
    prior: float
    attributes: tuple[str, ...]
    num_categories: int

    @staticmethod
    def of(
        cfg: FeaturesConfig, types: Sequence[str], as_of: datetime, num_categories: int
    ) -> "Kinds":
        """As configured, for a past of these types."""
        alike = ("category", "price_bucket", *cfg.item_attributes)
        days = tuple(sorted(set(cfg.windows_days)))
        return Kinds(as_of, tuple(sorted(types)), days, cfg.prior_events, alike, num_categories)

    @property
    def of_type(self) -> Mapping[str, Column]:
        """Whether an event is of a type."""
        return {name: F.col("event_type") == name for name in self.types}


def with_user_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_user`: the user's past, with this item, and with items like it."""
    kept = rows.columns
    rows, features = _with_past(rows, USER, kinds)
    rows, of_pair = _with_counts(rows, PAIR, kinds, kinds.days[-1:])
    rows = PAIR.with_last(rows, {EVENT: F.lit(True)})
    features += [*of_pair, _recency(PAIR, EVENT)]
    for name in kinds.attributes:
        alike = Past(f"user_{name}", ("user_idx", name))
        rows = alike.with_sums(rows, {EVENT: F.lit(1)})
        share = alike.total(EVENT) / (USER.total(EVENT) + F.lit(kinds.prior))
        share = F.when(F.col(name).isNotNull(), share)
        words = f"share of items of the same {name} in the user's events so far"
        features.append(Feature(f"{alike.name}_share", "affinity", words, share))
    # What went into the features is dropped: rows stay narrow on their way through shuffles.
    return rows.select(*kept, packed(features).alias("of_user")), features


def with_item_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_item`: the item's past with all users."""
    kept = rows.columns
    rows, features = _with_past(rows, ITEM, kinds)
    return rows.select(*kept, packed(features).alias("of_item")), features


def _with_past(rows: DataFrame, past: Past, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    rows, features = _with_counts(rows, past, kinds, kinds.days)
    rows = past.with_sums(rows, _mean_parts())
    rows = past.with_last(rows, {EVENT: F.lit(True), **kinds.of_type})
    return rows, [
        *features,
        *(_share(past, name, kinds.prior) for name in kinds.types),
        *(_mean(past, name) for name in MEANS),
        *(_recency(past, name) for name in (EVENT, *kinds.types)),
        *(_trend(past, length, kinds.days[-1]) for length in kinds.days[:-1]),
    ]


def _with_counts(
    rows: DataFrame, past: Past, kinds: Kinds, days: Sequence[int]
) -> tuple[DataFrame, list[Feature]]:
    ones = {name: F.when(is_so, 1) for name, is_so in kinds.of_type.items()}
    rows = past.with_sums(rows, {EVENT: F.lit(1), **ones}, days)
    features = [
        Feature(
            f"{past.name}_{name}_count_{'lifetime' if length is None else f'{length}d'}",
            "count",
            f"{_events(past, name)} {'so far' if length is None else f'in {length} days before'}",
            past.total(name, length),
        )
        for name in (EVENT, *kinds.types)
        for length in (None, *days)
    ]
    return rows, features


def _events(past: Past, name: str) -> str:
    kind = "events" if name == EVENT else f"events of type {name}"
    return f"{kind} of the {past.name.replace('_', ' and ')}"


def _share(past: Past, name: str, prior: float) -> Feature:
    value = past.total(name) / (past.total(EVENT) + F.lit(prior))
    words = f"share of type {name} in the {past.name}'s events so far, {prior:g} more presumed"
    return Feature(f"{past.name}_{name}_share", "share", words, value)


def _mean_parts() -> dict[str, Column]:
    parts: dict[str, Column] = {}
    for name, column in MEANS.items():
        parts[f"{name}_sum"] = F.round(F.col(column) * MICRO).cast("long")
        parts[f"{name}_rows"] = F.when(F.col(column).isNotNull(), 1)
    return parts


def _mean(past: Past, name: str) -> Feature:
    mean = F.try_divide(past.total(f"{name}_sum") / MICRO, past.total(f"{name}_rows"))
    words = f"mean {MEANS[name]} of the {past.name}'s events so far; missing before the first"
    return Feature(f"{past.name}_{name}_mean", "mean", words, mean)


def _recency(past: Past, name: str) -> Feature:
    words = f"seconds since the last of the {_events(past, name)}; missing before the first"
    return Feature(f"{past.name}_{name}_recency", "recency", words, past.seconds(name))


def _trend(past: Past, days: int, longest: int) -> Feature:
    """How the pace of the shorter window compares with that of the longest."""
    expected = past.total(EVENT, longest) * (days / longest)
    pace = F.log((past.total(EVENT, days) + 1) / (expected + 1))
    words = f"ln of (1 + events in {days} days) by (1 + those in {longest} days, evenly spread)"
    return Feature(f"{past.name}_trend_{days}d", "trend", words, pace)
