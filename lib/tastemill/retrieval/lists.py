"""From fitted models to lists: scorers, the users to serve, and rows for the list tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.config import DatasetConfig
from tastemill.config.load import Config
from tastemill.models import Model
from tastemill.retrieval.scorers import FactorScorer, Scorer, StaticScorer
from tastemill.times import taken
from tastemill.training.config import FACTORIZING, OF_IDS, SEQUENCES

FALLBACK = "popularity"  # what users without a history are shown
FACTORIZATIONS = ("als", "als_explicit", *FACTORIZING)
# What a list says of itself, by the kind of the model that made it.
REASONS: Mapping[str, str] = {
    "popularity": "taken by many people",
    "recent_popularity": "taken by many people lately",
    "bias": "rated above the average",
    "als": "taken by people with a taste like yours",
    "als_explicit": "rated well by people with a taste like yours",
    **dict.fromkeys(("embedding_mlp", "two_tower"), "fits your profile and the item's"),
    **dict.fromkeys(SEQUENCES, "follows what you took last"),
    **dict.fromkeys(OF_IDS, "taken by people with a taste like yours"),
}


@dataclass(frozen=True)
class Catalogue:
    """What may be shown, and what is known of it: arrays over the item index.

    Attributes:
        eligible: `(m,)`, items with enough events before the model's moment.
        popularity: `(m,)`, users that took the item: the order for those without a history.
    """

    eligible: NDArray[np.bool_]
    popularity: NDArray[np.float32]


def num_items_of(index: DataFrame) -> int:
    """How long arrays over the item index are: one more than its largest number."""
    return 1 + int(index.agg(F.max("item_idx")).collect()[0][0])


def dense(factors: DataFrame, num_items: int) -> NDArray[np.float32]:
    """(idx, vector) as `(num_items, d)`; rows that are missing are NaN.

    The item side of a model lives on the driver and is sent to every worker: it has to fit there.
    """
    table = factors.select("idx", "vector").toArrow()
    vectors = table["vector"].combine_chunks()
    width = len(vectors[0]) if len(vectors) else 1
    rows = np.full((num_items, width), np.nan, dtype=np.float32)
    rows[table["idx"].to_numpy()] = vectors.flatten().to_numpy().reshape(-1, width)
    return rows


def catalogue(past: DataFrame, dataset: DatasetConfig, num_items: int) -> Catalogue:
    """Count, per item, the events and the users that took it."""
    by_item = past.where(taken(dataset.positive_min)).groupBy("item_idx")
    counts = by_item.agg(F.count("*").alias("events"), F.count_distinct("user_idx").alias("users"))
    table = counts.toArrow()
    places = table["item_idx"].to_numpy()
    num_events = np.zeros(num_items, dtype=np.int64)
    num_users = np.zeros(num_items, dtype=np.float32)
    num_events[places] = table["events"].to_numpy()
    num_users[places] = table["users"].to_numpy()
    return Catalogue(num_events >= dataset.min_item_events, num_users)


def scorer_of(model: Model, items: NDArray[np.float32], pool: Catalogue) -> Scorer:
    """The scorer of a model.

    Args:
        model: a row of `models`.
        items: the item side: `(m, d)` factors, `(m, 1)` scores, or for networks `(m, Pi)` profile
            vectors; rows of items that the model doesn't know are NaN.
        pool: gives users without a history their order.
    """
    if model.kind in FACTORIZATIONS:
        return factor_scorer(items, pool)
    if model.artifact is not None:
        from tastemill.retrieval import networks  # noqa: PLC0415 - torch is an extra

        columns: tuple[str, ...] = networks.BY_PROFILE
        if model.kind in SEQUENCES:
            columns = networks.BY_HISTORY
        elif model.kind in OF_IDS:
            columns = networks.BY_ID
        return networks.NetworkScorer(
            model.artifact, np.nan_to_num(items), pool.popularity, columns=columns
        )
    return StaticScorer(np.nan_to_num(items[:, 0]) + _barred(items))


def factor_scorer(items: NDArray[np.float32], pool: Catalogue) -> FactorScorer:
    """Dot products with `(m, d)` factors; rows of NaN are never shown."""
    return FactorScorer(np.nan_to_num(items), fallback=pool.popularity, item_bias=_barred(items))


def _barred(items: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(m,)`: −inf for the items that the model doesn't know, else 0."""
    return np.where(np.isnan(items).any(axis=1), -np.inf, 0.0).astype(np.float32)


def seen_by_user(past: DataFrame, cfg: Config) -> DataFrame:
    """(user_idx, seen): what each user has had, by recommend.seen."""
    counts = F.lit(True) if cfg.recommend.seen == "any" else taken(cfg.dataset.positive_min)
    by_user = past.where(counts).groupBy("user_idx")
    return by_user.agg(F.sort_array(F.collect_set("item_idx")).alias("seen"))


def ids_by_index(index: DataFrame, num_items: int) -> DataFrame:
    """One row, `ids`: item_id at place item_idx; null where a forgotten id left a hole."""
    places = index.sparkSession.range(num_items).select(F.col("id").cast("int").alias("item_idx"))
    all_ids = places.join(index, "item_idx", "left").agg(
        F.array_sort(F.collect_list(F.struct("item_idx", "item_id"))).alias("pairs")
    )
    return all_ids.select(F.col("pairs.item_id").alias("ids"))


@dataclass(frozen=True)
class Stamp:
    """What every row of a run's lists carries."""

    surface: str
    model: Model
    run_seq: int


def as_lists(lists: DataFrame, users: DataFrame, item_ids: DataFrame, stamp: Stamp) -> DataFrame:
    """Rows of `recommendations` or `backtest_lists`.

    Also empty ones: for users who have seen everything since they were last given a list.

    Args:
        lists: what `recommend_top_k` returned.
        users: user_id and user_idx.
        item_ids: what `ids_by_index` returned.
        stamp: surface, model and run.
    """
    kind = F.when(F.col("fallback"), FALLBACK).otherwise(stamp.model.kind)
    reason = F.when(F.col("fallback"), REASONS.get(FALLBACK)).otherwise(
        REASONS.get(stamp.model.kind)
    )
    items = F.transform(
        F.arrays_zip("items", "scores"),
        lambda pair, rank: F.struct(
            (rank + 1).cast("int").alias("rank"),
            F.get("ids", pair["items"]).alias("item_id"),
            pair["scores"].cast("float").alias("score"),
            F.col("kind").alias("source"),
            F.col("reason").alias("reason"),
        ),
    )
    rows = lists.withColumns({"kind": kind, "reason": reason})
    rows = rows.crossJoin(F.broadcast(item_ids)).withColumn("items", items)
    return rows.join(users, "user_idx").select(
        F.lit(stamp.surface).alias("surface"),
        "user_id",
        "items",
        F.lit(stamp.model.model_id).alias("model_id"),
        F.lit(stamp.model.as_of).alias("as_of"),
        F.lit(stamp.run_seq).cast("long").alias("run_seq"),
        F.sha2(F.to_json("items"), 256).alias("list_hash"),
        F.lit(datetime.now(UTC)).alias("generated_at"),
    )
