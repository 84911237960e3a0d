"""models, factors, profiles, events → backtest_lists, or recommendations (merged).

The k best items of the whole catalogue for every user. A backtest writes what each model would
have shown at the cut; production merges what users are shown, and only lists that changed.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import reduce

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.factors import with_inputs_of
from tastemill.models import Model
from tastemill.retrieval import lists
from tastemill.retrieval.recommend import recommend_top_k
from tastemill.splits import is_past, pairs_of
from tastemill.times import taken
from tastemill.training.config import OF_IDS, SEQUENCES
from tastemill.training.histories import histories

SECTIONS = ("dataset", "split", "recommend")
INPUTS = (
    tables.EVENTS,
    tables.USER_INDEX,
    tables.ITEM_INDEX,
    tables.USER_PROFILES,
    tables.ITEM_PROFILES,
)
OUTPUTS = (tables.BACKTEST_LISTS,)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Make lists of every model of the pass, and write them where they belong."""
    warehouse = job.open_warehouse(spark, cfg)
    chosen = passes.models_of(warehouse, cfg)
    times = passes.times_of(warehouse, cfg)
    events = passes.numbered_events(warehouse, cfg, times).persist()
    index = warehouse.read(tables.ITEM_INDEX)
    num_items = lists.num_items_of(index)
    pool = lists.catalogue(events.where(is_past()), cfg.dataset, num_items)
    ids = lists.ids_by_index(index, num_items)
    users = users_to_serve(warehouse, events, cfg).persist()

    seq = job.run_seq(warehouse, cfg)

    def lists_of(model: Model, after: ExitStack) -> DataFrame:
        if model.kind in (*SEQUENCES, *OF_IDS) and model.kind not in lists.FACTORIZATIONS:
            items = np.zeros((num_items, 1), dtype=np.float32)
            past = events.where(is_past() & taken(cfg.dataset.positive_min))
            told = _with_past(users, past, model, num_items)
        else:
            items = lists.dense(_items(warehouse, model), num_items)
            told = _with_vectors(users, warehouse, model)
        made = recommend_top_k(
            told,
            lists.scorer_of(model, items, pool),
            cfg.recommend.top_k,
            eligible=pool.eligible,
            after=after,
        )
        stamp = lists.Stamp(cfg.recommend.surface, model, seq)
        return lists.as_lists(made, users.select("user_id", "user_idx"), ids, stamp)

    with ExitStack() as after:
        made = reduce(DataFrame.union, [lists_of(model, after) for model in chosen])
        if cfg.run.purpose == "backtest":
            labels = [model.model_id for model in chosen]
            warehouse.overwrite_slice(tables.BACKTEST_LISTS, made, *labels)
            rows, word = users.count() * len(chosen), ""
        else:
            rows = warehouse.merge(tables.RECOMMENDATIONS, made, newer=("as_of", "run_seq"))
            word = f"of {users.count()} lists changed"
    events.unpersist()
    users.unpersist()
    return job.JobResult(rows, {m.kind: m.model_id for m in chosen}, word)


def users_to_serve(warehouse: Warehouse, events: DataFrame, cfg: Config) -> DataFrame:
    """(user_id, user_idx, seen): everybody, or in a backtest who took something in the test."""
    index = warehouse.read(tables.USER_INDEX)
    if cfg.run.purpose == "backtest":
        later = events.where(~is_past() & taken(cfg.dataset.positive_min))
        index = index.join(later.select("user_idx").distinct(), "user_idx", "left_semi")
        if cfg.recommend.candidates:
            return _among_candidates(index, warehouse, cfg.recommend.candidates)
    if not cfg.dataset.exclude_seen:
        return index.withColumn("seen", F.lit(None).cast("array<int>"))
    return index.join(lists.seen_by_user(events.where(is_past()), cfg), "user_idx", "left")


def _among_candidates(index: DataFrame, warehouse: Warehouse, file: str) -> DataFrame:
    """Users who have candidates; all other items count as seen."""
    items = warehouse.read(tables.ITEM_INDEX)
    pairs = pairs_of(index.sparkSession, file).join(index, "user_id").join(items, "item_id")
    everything = F.sequence(F.lit(0), F.lit(lists.num_items_of(items) - 1))
    others = F.array_except(everything, F.collect_set("item_idx"))
    return pairs.groupBy("user_id", "user_idx").agg(others.alias("seen"))


def _items(warehouse: Warehouse, model: Model) -> DataFrame:
    """(idx, vector): the item side of a model."""
    if model.artifact is None or model.kind in lists.FACTORIZATIONS:
        return warehouse.read(tables.ITEM_FACTORS, where=model.model_id)
    profiles = warehouse.read(tables.ITEM_PROFILES, where=str(model.as_of.date()))
    told = with_inputs_of(model, profiles.select("item_idx", "item_vector"), warehouse)
    return told.withColumnsRenamed({"item_idx": "idx", "item_vector": "vector"})


def _with_past(users: DataFrame, past: DataFrame, model: Model, num_items: int) -> DataFrame:
    """Users with what they took; null for those who took nothing."""
    if model.kind in SEQUENCES:
        told = histories(past, int(model.params["max_length"]), num_items)
    else:
        told = past.select("user_idx", F.lit(1).alias("known")).distinct()
    return users.join(told, "user_idx", "left")


def _with_vectors(users: DataFrame, warehouse: Warehouse, model: Model) -> DataFrame:
    """Users with the column that the model's scorer reads; null for those it doesn't know."""
    if model.kind in lists.FACTORIZATIONS:
        factors = warehouse.read(tables.USER_FACTORS, where=model.model_id)
        vectors = factors.select(F.col("idx").alias("user_idx"), "vector")
        return users.join(vectors, "user_idx", "left")
    if model.artifact is not None:
        profiles = warehouse.read(tables.USER_PROFILES, where=str(model.as_of.date()))
        told = with_inputs_of(model, profiles.select("user_idx", "user_vector"), warehouse)
        return users.join(told, "user_idx", "left")
    return users


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("recommend", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
