"""Ranking metrics of lists, a row per user, model, metric and k; FORMULAS defines them.

Sources: Järvelin & Kekäläinen 2002 (ndcg, binary gain), Manning et al., Introduction to
Information Retrieval, ch. 8 (map, precision), Liang et al. 2018 (recall_capped).
"""

from collections.abc import Sequence
from itertools import accumulate
from math import log2

from pyspark.sql import Column, DataFrame
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.errors import DataError

FORMULAS = {
    "recall": "hits / |R|",
    "recall_capped": "hits / min(k, |R|)",
    "precision": "hits / k, however short the list",
    "hit": "1 if hits > 0, else 0",
    "ndcg": "Σ_{p ≤ k} 1/log2(p + 1)  /  Σ_{i ≤ min(k, |R|)} 1/log2(i + 1)",
    "map": "Σ_{p ≤ k} (hits up to p)/p  /  min(k, |R|): a perfect list scores 1",
    "mrr": "1/p of the first hit, 0 without one",
}
"""Of one user: R are the relevant items, p the 1-based places of the hits in the list, and
hits = |{p ≤ k}|."""
METRICS = tuple(FORMULAS)
CATALOGUE_FORMULAS = {
    "coverage": "|{i : x_i > 0}| / m",
    "gini": "Σ_{i ≤ m} (2i − m − 1) x_i  /  (m Σ x_i): 0 all items alike, near 1 all on a few",
}
"""Of all lists: m is the size of the catalogue, x_1 ≤ … ≤ x_m how often each item is among the
first k of a list."""


def ranking_metrics(lists: DataFrame, relevant: DataFrame, ks: Sequence[int]) -> DataFrame:
    """Every metric at every k for every user and model.

    Args:
        lists: (model_id string, user_idx int, items best first), unique by model and user. Items
            are numbers or ids, as in `relevant`. An item counts at its first place.
        relevant: (user_idx int, items array, segment string), unique by user. Users without
            a relevant item (null, empty, only nulls) are left out.
        ks: the lengths at which lists are cut.

    Returns:
        (model_id, user_idx, segment, metric, k int, value double). A user without a list counts 0.
    """
    check_ks(ks)
    placed = _with_places(_user_grid(lists, relevant), max(ks))
    values = [value for k in ks for value in _values_at(k)]
    return placed.select("model_id", "user_idx", "segment", F.inline(F.array(*values)))


def check_ks(ks: Sequence[int]) -> None:
    """Raise DataError unless ks are positive and differ."""
    if not ks or min(ks) < 1 or len(set(ks)) < len(ks):
        raise DataError("bad list lengths", expected="distinct k of at least 1", found=str(ks))


def _user_grid(lists: DataFrame, relevant: DataFrame) -> DataFrame:
    """A row per model and user with relevant items: also where the model has no list."""
    wanted = F.array_distinct(F.array_compact("items"))
    users = relevant.select("user_idx", "segment", wanted.alias("relevant"))
    models = F.broadcast(lists.select("model_id").distinct())
    grid = users.where(F.size("relevant") > 0).crossJoin(models)
    shown = lists.select("model_id", "user_idx", "items")
    return grid.join(shown, on=["model_id", "user_idx"], how="left")


def _with_places(grid: DataFrame, longest: int) -> DataFrame:
    """Adds num_relevant and places, the ascending 1-based places of the hits."""
    # array_intersect hashes, and keeps the order of the list: no search of R for each item.
    nothing = F.slice("relevant", 1, 0)  # of the items' own type, be it a number or an id
    items = F.slice(F.coalesce("items", nothing), 1, longest)
    with_hits = grid.withColumns({"items": items, "hits": F.array_intersect(items, "relevant")})
    places = F.transform("hits", lambda item: F.array_position("items", item).cast("int"))
    return with_hits.select(
        "model_id", "user_idx", "segment", F.size("relevant").alias("num_relevant"),
        places.alias("places"),
    )  # fmt: skip


def _values_at(k: int) -> list[Column]:
    """A struct (metric, k, value) for each metric."""
    places = F.filter("places", lambda place: place <= k)
    hits, reachable = F.size(places), F.least(F.lit(k), "num_relevant")
    gains = [1 / log2(place + 1) for place in range(1, k + 1)]
    ideal = F.get(_doubles(list(accumulate(gains))), reachable - 1)
    gain = _total(F.transform(places, lambda place: F.get(_doubles(gains), place - 1)))
    # The i-th hit (from 0) at place p: i + 1 hits among the first p.
    precisions = _total(F.transform(places, lambda place, i: (i + 1) / place))
    values = {
        "recall": hits / F.col("num_relevant"),
        "recall_capped": hits / reachable,
        "precision": hits / k,
        "hit": (hits > 0).cast("double"),
        "ndcg": gain / ideal,
        "map": precisions / reachable,
        "mrr": F.coalesce(1 / F.get(places, 0), F.lit(0.0)),
    }
    return [_struct(metric, k, values[metric]) for metric in METRICS]


def _struct(metric: str, k: int, value: Column) -> Column:
    fields = {"metric": F.lit(metric), "k": F.lit(k), "value": value}
    return F.struct(*(column.alias(name) for name, column in fields.items()))


def _doubles(values: Sequence[float]) -> Column:
    return F.array(*(F.lit(value) for value in values))


def _total(values: Column) -> Column:
    return F.aggregate(values, F.lit(0.0), lambda total, value: total + value)


def coverage(lists: DataFrame, num_items: int, ks: Sequence[int]) -> DataFrame:
    """The share of the catalogue that somebody is shown among the first k.

    Args:
        lists: (model_id, user_idx, items array<int> best first).
        num_items: the size of the catalogue the lists were drawn from.
        ks: the lengths at which lists are cut.

    Returns:
        (model_id, metric = "coverage", k int, value double).
    """
    share = (F.count("*") / F.lit(num_items)).alias("value")
    shown = _exposure(lists, ks).groupBy("model_id", "k").agg(share)
    return shown.select("model_id", F.lit("coverage").alias("metric"), "k", "value")


def gini(lists: DataFrame, num_items: int, ks: Sequence[int]) -> DataFrame:
    """How unequally the first k places are spread: 0 all items alike, near 1 all on a few.

    Args:
        lists: as for `coverage`.
        num_items: m; items that nobody is shown count as 0.
        ks: as for `coverage`.

    Returns:
        (model_id, metric = "gini", k int, value double).
    """
    rarest_last = W.partitionBy("model_id", "k").orderBy(F.desc("times"), "item")
    rank = num_items + 1 - F.row_number().over(rarest_last)  # the items not shown rank below
    weighted = _exposure(lists, ks).withColumn("weight", 2 * rank - num_items - 1)
    value = F.sum(F.col("weight") * F.col("times")) / (num_items * F.sum("times"))
    spread = weighted.groupBy("model_id", "k").agg(value.alias("value"))
    return spread.select("model_id", F.lit("gini").alias("metric"), "k", "value")


def _exposure(lists: DataFrame, ks: Sequence[int]) -> DataFrame:
    """(model_id, k, item, times): how often an item is among the first k, at least once."""
    check_ks(ks)
    first = F.posexplode(F.slice("items", 1, max(ks))).alias("place", "item")
    shown = lists.select("model_id", first).groupBy("model_id", "item")
    within = [
        F.struct(F.lit(k).alias("k"), F.count_if(F.col("place") < k).alias("times")) for k in ks
    ]
    counted = shown.agg(F.array(*within).alias("within"))
    return counted.select("model_id", "item", F.inline("within")).where("times > 0")
