"""Features of the past of whom or what an example is about: counts, shares, means, recency, trends.

`with_user_past` and `with_item_past` pack what was into one array per row and say what stands in
it. What a user did with the very item isn't among it: negatives are items that the user has never
taken, so it would tell which rows were drawn, and nothing of taste.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.feature import Feature, packed
from tastemill.features.history import Past

USER, ITEM = Past("user", ("user_idx",)), Past("item", ("item_idx",))
EVENT, DWELL, SEARCH = "event", "dwell", "search_of_category"
MICRO = 1e6  # sums of values are sums of whole millionths
FAR = 1e6  # a value beyond counts as this: nine million of them can be summed


@dataclass(frozen=True)
class Kinds:
    """What the past is told apart by, and where it ends.

    Args:
        as_of: a row of a later time sees the past as it was then.
        types: of events, as they occur before the cut.
        days: lengths of windows, ascending.
        prior: events that are added before a share is taken, so that few events tell little.
        attributes: of items, by which a user's past is told apart; rows have the index of the
            nth as `alike_n`, null where it is missing or not in the vocabulary.
        num_categories: length of the category part of profile vectors.
        ordered: whether all times are known.
        searched: whether searches have the category that they are after, as `alike_0`, the first
            of the attributes.
    """

    as_of: datetime
    types: tuple[str, ...]
    days: tuple[int, ...]
    prior: float
    attributes: tuple[str, ...]
    num_categories: int
    ordered: bool = True
    searched: bool = False

    @property
    def of_type(self) -> Mapping[str, Column]:
        """Whether an event is of a type."""
        return {name: F.col("event_type") == name for name in self.types}


def with_user_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_user`: the user's past, and how much of it was with items like this one.

    Each attribute by which items are alike costs a sort of each user's rows, and no shuffle.
    """
    kept = rows.columns
    rows, features = _with_past(rows, USER, kinds)
    for place, name in enumerate(kinds.attributes):
        alike = Past(f"alike_{place}", ("user_idx", f"alike_{place}"))
        rows = alike.with_sums(rows, {EVENT: F.when(F.col("item_idx").isNotNull(), 1)})
        share = alike.total(EVENT) / (USER.total(EVENT) + F.lit(kinds.prior))
        known = F.when(F.col(f"alike_{place}").isNotNull(), share)
        words = f"share of items of the same {name} in the user's events so far"
        goes_by = (f"item_{name}",)
        features.append(Feature(f"user_{name}_share", "affinity", words, known, goes_by))
    if kinds.searched:
        rows, sought = _with_searches(rows, kinds.prior)
        features.append(sought)
    return rows.select(*kept, _asked(features).alias("of_user")), features


def _with_searches(rows: DataFrame, prior: float) -> tuple[DataFrame, Feature]:
    """How many of the user's searches so far were after the category of the item."""
    alike = Past("alike_0", ("user_idx", "alike_0"))
    sought = F.when(F.col("item_idx").isNull() & F.col("alike_0").isNotNull(), 1)
    rows = USER.with_sums(alike.with_sums(rows, {SEARCH: sought}), {SEARCH: sought})
    share = alike.total(SEARCH) / (USER.total(SEARCH) + F.lit(prior))
    known = F.when(F.col("alike_0").isNotNull(), share)
    words = f"share of the user's searches so far whose words are of the item's category, {prior:g}"
    goes_by = ("item_category", "item_text")
    name = "user_search_category_share"
    return rows, Feature(name, "affinity", f"{words} more presumed", known, goes_by)


def with_item_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_item`: the item's past with all users."""
    kept = rows.columns
    rows, features = _with_past(rows, ITEM, kinds)
    return rows.select(*kept, _asked(features).alias("of_item")), features


def _asked(features: list[Feature]) -> Column:
    """Features of the rows that are asked about; rows of the past stay narrow."""
    return F.when(~F.col("is_past"), packed(features))


def _with_past(rows: DataFrame, past: Past, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    rows, features = _with_counts(rows, past, kinds, kinds.days)
    means = {DWELL: (F.lit(True), "dwell_seconds")}
    means |= {f"{name}_value": (is_so, "value") for name, is_so in kinds.of_type.items()}
    rows = past.with_sums(rows, _mean_parts(means))
    rows = past.with_last(rows, {EVENT: F.lit(True), **kinds.of_type})
    return rows, [
        *features,
        *(_share(past, name, kinds.prior) for name in kinds.types),
        *(_mean(past, name, column) for name, (_, column) in means.items()),
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


def _mean_parts(means: Mapping[str, tuple[Column, str]]) -> dict[str, Column]:
    """What makes up means of a column over the events that count."""
    parts: dict[str, Column] = {}
    for name, (counts, column) in means.items():
        value = F.when(counts & ~F.isnan(column), F.col(column))
        # least and greatest pass over nulls; null stays null.
        within = F.when(value.isNotNull(), F.greatest(F.least(value, F.lit(FAR)), F.lit(-FAR)))
        parts[f"{name}_sum"] = F.round(within * MICRO).cast("long")
        parts[f"{name}_rows"] = F.when(value.isNotNull(), 1)
    return parts


def _mean(past: Past, name: str, column: str) -> Feature:
    mean = F.try_divide(past.total(f"{name}_sum") / MICRO, past.total(f"{name}_rows"))
    kind = "" if name == DWELL else f" of type {name.removesuffix('_value')}"
    words = f"mean {column} of the {past.name}'s events{kind} so far; missing before the first"
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
