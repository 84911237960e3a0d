"""Features of the past of whom or what an example is about: counts, shares, means, recency, trends.

`with_user_past` and `with_item_past` pack what was into one array per row and say what stands in
it. What a user did with the very item isn't among it (see `others`).
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.feature import Feature, packed
from tastemill.features.history import EVENT, Figures, Past
from tastemill.features.kinds import Kinds
from tastemill.features.others import Without, with_last_of_others
from tastemill.features.sessions import with_sessions
from tastemill.times import taken

USER, ITEM = Past("user", ("user_idx",)), Past("item", ("item_idx",))
OWN = Past("own", ("item_idx", "user_idx"))  # the user's with the item
OTHERS = Without(ITEM, OWN)
WHOSE = {"user": "the user", "item": "others with the item"}
DWELL, SEARCH, TAKEN = "dwell", "search_of_category", "taken"
MICRO = 1e6  # sums of values are sums of whole millionths
FAR = 1e6  # a value beyond counts as this: nine million of them can be summed


def with_user_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_user`: the user's past, and how much of it was with items like this one.

    Each attribute by which items are alike costs a sort of each user's rows, and no shuffle.
    """
    kept = rows.columns
    rows = USER.with_last(_with_amounts(rows, USER, kinds), _kinds_of_events(kinds))
    rows, visits = with_sessions(rows, USER, kinds)
    for past in (USER, OWN, *map(_alike, range(len(kinds.attributes)))):
        rows = past.with_sums(rows, _taken(kinds))
    affinities = [
        _affinity(place, name, kinds.prior) for place, name in enumerate(kinds.attributes)
    ]
    features = [*_features(USER, kinds), *visits, *affinities]
    if kinds.searched:
        rows, sought = _with_searches(rows, kinds.prior)
        features.append(sought)
    return _asked(rows, kept, features, "of_user", kinds)


def _alike(place: int) -> Past:
    """The user's past with items that have the same value of an attribute."""
    return Past(f"alike_{place}", ("user_idx", f"alike_{place}"))


def _affinity(place: int, name: str, prior: float) -> Feature:
    # Of an item that has changed, the user's earlier events may have been of another value.
    others = F.greatest(_alike(place).total(TAKEN) - OWN.total(TAKEN), F.lit(0))
    share = others / (USER.total(TAKEN) - OWN.total(TAKEN) + F.lit(prior))
    words = (
        f"share of items of the same {name} in what the user took so far, the item itself left "
        f"out, {prior:g} more presumed"
    )
    known = F.when(F.col(f"alike_{place}").isNotNull(), share)
    return Feature(f"user_{name}_share", "affinity", words, known, (f"item_{name}",))


def _with_searches(rows: DataFrame, prior: float) -> tuple[DataFrame, Feature]:
    """How many of the user's searches so far were after the category of the item."""
    alike = _alike(0)
    sought = F.when(F.col("item_idx").isNull() & F.col("alike_0").isNotNull(), 1)
    rows = USER.with_sums(alike.with_sums(rows, {SEARCH: sought}), {SEARCH: sought})
    share = alike.total(SEARCH) / (USER.total(SEARCH) + F.lit(prior))
    known = F.when(F.col("alike_0").isNotNull(), share)
    words = f"share of the user's searches so far whose words are of the item's category, {prior:g}"
    goes_by = ("item_category", "item_text")
    name = "user_search_category_share"
    return rows, Feature(name, "affinity", f"{words} more presumed", known, goes_by)


def with_item_past(rows: DataFrame, kinds: Kinds) -> tuple[DataFrame, list[Feature]]:
    """Add `of_item`: the item's past with all other users."""
    kept = rows.columns
    for past in (ITEM, OWN):
        rows = _with_amounts(rows, past, kinds)
    rows = with_last_of_others(rows, ITEM, _kinds_of_events(kinds), "user_idx")
    features = _features(OTHERS, kinds)
    return _asked(rows, kept, features, "of_item", kinds)


def _asked(
    rows: DataFrame, kept: Sequence[str], features: list[Feature], name: str, kinds: Kinds
) -> tuple[DataFrame, list[Feature]]:
    """Features of the rows that are asked about, in one array; rows of the past stay narrow."""
    shaped = [kinds.shapes.of(feature) for feature in features]
    values = F.when(~F.col("is_past"), packed(shaped))
    return rows.select(*kept, values.alias(name)), shaped


def _with_amounts(rows: DataFrame, past: Past, kinds: Kinds) -> DataFrame:
    """Sums of which counts, shares and means are made."""
    ones = {name: F.when(is_so, 1) for name, is_so in kinds.of_type.items()}
    rows = past.with_sums(rows, {EVENT: F.lit(1), **ones}, kinds.days)
    return past.with_sums(rows, _parts(kinds))


def _taken(kinds: Kinds) -> dict[str, Column]:
    is_taken = F.col("item_idx").isNotNull() & taken(kinds.positive_min)
    return {TAKEN: F.when(is_taken, 1)}


def _kinds_of_events(kinds: Kinds) -> dict[str, Column]:
    return {EVENT: F.lit(True), **kinds.of_type}


def _means(kinds: Kinds) -> dict[str, tuple[str, Column, str]]:
    """Of what there are means: a type, rows that count, and a column."""
    values = {f"{name}_value": (name, is_so, "value") for name, is_so in kinds.of_type.items()}
    # A value is of its type alone: seconds and stars have no mean.
    values = values or {"value": (EVENT, F.lit(True), "value")}
    return {DWELL: (EVENT, F.lit(True), "dwell_seconds"), **values}


def _features(past: Figures, kinds: Kinds) -> list[Feature]:
    every, windows = (EVENT, *kinds.types), (None, *kinds.days)
    return [
        *(_count(past, name, days) for name in every for days in windows),
        *(_share(past, name, kinds.prior, days) for name in kinds.types for days in windows),
        *(_mean(past, name, of, column) for name, (of, _, column) in _means(kinds).items()),
        *(_recency(past, name) for name in every),
        *(_trend(past, days, kinds.days[-1]) for days in kinds.days[:-1]),
    ]


def _count(past: Figures, name: str, days: int | None) -> Feature:
    words = f"{_events(past, name)} {_when(days)}"
    return Feature(
        f"{past.name}_{name or 'event'}_count_{_window(days)}",
        "count",
        words,
        past.total(name, days),
    )


def _window(days: int | None) -> str:
    return "lifetime" if days is None else f"{days}d"


def _when(days: int | None) -> str:
    return "so far" if days is None else f"in {days} days before"


def _events(past: Figures, name: str) -> str:
    kind = f"events of type {name}" if name else "events"
    return f"{kind} of {WHOSE[past.name]}"


def _share(past: Figures, name: str, prior: float, days: int | None) -> Feature:
    value = past.total(name, days) / (past.total(EVENT, days) + F.lit(prior))
    words = f"share of type {name} in the events of {WHOSE[past.name]} {_when(days)}"
    suffix = "" if days is None else f"_{_window(days)}"
    return Feature(
        f"{past.name}_{name}_share{suffix}", "share", f"{words}, {prior:g} more presumed", value
    )


def _parts(kinds: Kinds) -> dict[str, Column]:
    """What makes up means of a column over the events that count."""
    parts: dict[str, Column] = {}
    for name, (_, counts, column) in _means(kinds).items():
        value = F.when(counts & ~F.isnan(column), F.col(column))
        # least and greatest pass over nulls; null stays null.
        within = F.when(value.isNotNull(), F.greatest(F.least(value, F.lit(FAR)), F.lit(-FAR)))
        parts[f"{name}_sum"] = F.round(within * MICRO).cast("long")
        parts[f"{name}_rows"] = F.when(value.isNotNull(), 1)
    return parts


def _mean(past: Figures, name: str, of: str, column: str) -> Feature:
    mean = F.try_divide(past.total(f"{name}_sum") / MICRO, past.total(f"{name}_rows"))
    words = f"mean {column} of {_events(past, of)} so far; missing before the first"
    return Feature(f"{past.name}_{name}_mean", "mean", words, mean)


def _recency(past: Figures, name: str) -> Feature:
    words = f"seconds since the last of the {_events(past, name)}; missing before the first"
    return Feature(f"{past.name}_{name or 'event'}_recency", "recency", words, past.seconds(name))


def _trend(past: Figures, days: int, longest: int) -> Feature:
    """How the pace of the shorter window compares with that of the longest."""
    expected = past.total(EVENT, longest) * (days / longest)
    pace = F.log((past.total(EVENT, days) + 1) / (expected + 1))
    events = _events(past, EVENT)
    words = f"ln of (1 + {events} in {days} days) by (1 + those in {longest} days, evenly spread)"
    return Feature(f"{past.name}_trend_{days}d", "trend", words, pace)
