"""Features of the past of whom or what an example is about: counts, shares, trends, recency.

`with_user_past` and `with_item_past` add what was to rows, packed into one array, and say what
stands in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.feature import Feature, packed
from tastemill.features.history import LIFETIME, Past, with_last, with_sums

USER, ITEM = Past("user", ("user_idx",)), Past("item", ("item_idx",))
PAIR = Past("user_item", ("user_idx", "item_idx"))
MICRO = 1e6  # sums of values are sums of whole millionths
MEANS = {"value": "value", "dwell": "dwell_seconds"}


@dataclass(frozen=True)
class Kinds:
    """What the past is told apart by.

    Args:
        types: of events, as they occur before the cut.
        days: lengths of windows, ascending.
        prior: events at the mean that are added before a share is taken.
        attributes: of items, by which a user's past is told apart: columns of the rows.
    """

    types: tuple[str, ...]
    days: tuple[int, ...]
    prior: float
    attributes: tuple[str, ...]


def with_user_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_user` array<float>: the user's past, with this item, and with items like it."""
    rows, features = _with_past(rows, USER, kinds)
    rows, of_pair = _with_counts(rows, PAIR, kinds, kinds.days[-1:])
    features += [*of_pair, _since(PAIR, "event", "")]
    rows = with_last(rows, PAIR, {"event": F.lit(True)})
    for name in kinds.attributes:
        alike = Past(f"user_{name}", ("user_idx", name))
        rows = with_sums(rows, alike, {"event": F.lit(1)})
        before = F.col(f"{alike.name}_event_{LIFETIME}")
        share = before / (F.col(f"user_event_{LIFETIME}") + F.lit(kinds.prior))
        words = f"share of the user's events so far with items of the same {name}"
        features.append(Feature(f"{alike.name}_share", "affinity", words, share))
    return _packed(rows, features, "of_user")


def with_item_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_item` array<float>: the item's past with all users."""
    return _packed(*_with_past(rows, ITEM, kinds), "of_item")


def _packed(rows: DataFrame, features: list[Feature], name: str) -> tuple[DataFrame, list[Feature]]:
    """What went into the features is dropped: rows stay narrow on their way through shuffles."""
    made = {column for column in rows.columns if column.startswith(("user_", "item_"))}
    kept = [c for c in rows.columns if c not in made - {"user_idx", "item_idx"}]
    return rows.select(*kept, packed(features).alias(name)), features


def _with_past(rows: DataFrame, past: Past, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    rows, features = _with_counts(rows, past, kinds, kinds.days)
    means = {
        f"{name}_{part}": amount
        for name, column in MEANS.items()
        for part, amount in _mean_parts(F.col(column)).items()
    }
    rows = with_sums(rows, past, means)
    rows = with_last(rows, past, {"event": F.lit(True), **_by_type(kinds.types)})
    features += [
        _since(past, "event", ""),
        *(_since(past, t, f"of type {t} ") for t in kinds.types),
    ]
    for name in kinds.types:
        among = F.col(f"{past.name}_{name}_{LIFETIME}") / (
            F.col(f"{past.name}_event_{LIFETIME}") + F.lit(kinds.prior)
        )
        words = f"share of type {name} among the {past.name}'s events so far"
        features.append(Feature(f"{past.name}_{name}_share", "share", words, among))
    features += [_mean(past, name) for name in MEANS]
    return rows, [*features, *_trend(past, kinds.days)]


def _with_counts(
    rows: DataFrame, past: Past, kinds: Kinds, days: Sequence[int]
) -> tuple[DataFrame, list[Feature]]:
    amounts = {"event": F.lit(1), **{n: F.when(c, 1) for n, c in _by_type(kinds.types).items()}}
    rows = with_sums(rows, past, amounts, days)
    features = []
    for name in amounts:
        what = "events" if name == "event" else f"events of type {name}"
        for window in (LIFETIME, *(f"{length}d" for length in days)):
            span = "so far" if window == LIFETIME else f"in the {window[:-1]} days before"
            column = f"{past.name}_{name}_{window}"
            words = f"{what} of the {past.name.replace('_', ' and ')} {span}"
            features.append(
                Feature(f"{past.name}_{name}_count_{window}", "count", words, F.col(column))
            )
    return rows, features


def _by_type(types: Sequence[str]) -> Mapping[str, Column]:
    return {name: F.col("event_type") == name for name in types}


def _mean_parts(value: Column) -> dict[str, Column]:
    return {"sum": F.round(value * MICRO).cast("long"), "rows": F.when(value.isNotNull(), 1)}


def _mean(past: Past, name: str) -> Feature:
    total, rows = (F.col(f"{past.name}_{name}_{part}_{LIFETIME}") for part in ("sum", "rows"))
    words = f"mean {MEANS[name]} of the {past.name}'s events so far; missing before the first"
    return Feature(f"{past.name}_{name}_mean", "mean", words, F.try_divide(total / MICRO, rows))


def _since(past: Past, name: str, words: str) -> Feature:
    whose = past.name.replace("_", " and ")
    definition = f"seconds since the last event {words}of the {whose}; missing before the first"
    column = F.col(f"{past.name}_{name}_seconds")
    return Feature(f"{past.name}_{name}_recency", "recency", definition, column)


def _trend(past: Past, days: Sequence[int]) -> list[Feature]:
    """How the pace of the shorter window compares with that of the longest."""
    longest = days[-1]
    features = []
    for length in days[:-1]:
        expected = F.col(f"{past.name}_event_{longest}d") * (length / longest)
        pace = F.log((F.col(f"{past.name}_event_{length}d") + 1) / (expected + 1))
        words = f"ln of (1 + events in {length} days) by (1 + those of {longest}, evenly spread)"
        features.append(Feature(f"{past.name}_trend_{length}d", "trend", words, pace))
    return features
