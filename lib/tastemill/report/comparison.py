"""Whether the models do better than popularity: paired on the same users, corrected for all tests.

Intervals of two means overlap long before their difference is in doubt, for the same users are
easy or hard for both; so the difference itself is measured, user by user.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.evaluation.backtest import relevant_items
from tastemill.evaluation.ranking import ranking_metrics
from tastemill.evaluation.significance import differences_from, holm
from tastemill.report.contents.quality import Comparison, Difference, MetricsTable
from tastemill.report.events import parted_events

METRIC = "ndcg"
POPULAR = ("popularity", "recent_popularity")
NUM_REPLICATES = 1_000


def reference_of(table: MetricsTable) -> str | None:
    """The kind of the strongest list that is the same for everybody, if there is one."""
    ndcg = {kind: row[METRIC].value for kind, row in table.rows.items() if METRIC in row}
    return max((kind for kind in POPULAR if kind in ndcg), key=lambda k: ndcg[k], default=None)


def collect_comparison(
    warehouse: Warehouse,
    cfg: Config,
    kinds: Mapping[str, str],
    cut: datetime,
    table: MetricsTable | None,
) -> Comparison | None:
    """Every model's NDCG minus that of the strongest popular list, over all users of the test.

    Args:
        warehouse: where lists and events are.
        cfg: how events are parted, what counts as taken, the seed of the draws.
        kinds: model id to kind of the backtest, best first.
        cut: the end of what the models saw.
        table: the metrics of all users; None, or without a popular list: nothing to compare with.
    """
    reference = reference_of(table) if table else None
    if table is None or reference is None or table.k is None:
        return None
    reference_id = next(model_id for model_id, kind in kinds.items() if kind == reference)
    others = [model_id for model_id in kinds if model_id != reference_id]
    per_user = _per_user(warehouse, cfg, list(kinds), cut, table.k)
    seed = cfg.evaluation.seed
    rows = differences_from(per_user, reference_id, NUM_REPLICATES, seed, None).collect()
    found = {r["model_id"]: r for r in rows if r["difference"] is not None}
    order = [model_id for model_id in others if model_id in found]
    corrected = holm([found[model_id]["p_value"] for model_id in order])
    differences = tuple(
        Difference(kinds[r["model_id"]], r["difference"], r["low"], r["high"], p)
        for r, p in zip((found[model_id] for model_id in order), corrected, strict=True)
    )
    users = max((r["users"] for r in rows), default=0)
    return Comparison(reference, METRIC, table.k, users, differences) if differences else None


def _per_user(
    warehouse: Warehouse, cfg: Config, ids: Sequence[str], cut: datetime, k: int
) -> DataFrame:
    """The metric at k of every user and model, as the evaluation takes it, in one segment."""
    dataset = cfg.dataset
    events = parted_events(warehouse, cfg.split, dataset.positive_min, cut, cfg.run.as_of)
    users = warehouse.read_or_empty(tables.USER_INDEX)
    items = warehouse.read_or_empty(tables.ITEM_INDEX)
    numbered = events.join(users, "user_id").join(items, "item_id")
    relevant = relevant_items(numbered, dataset.positive_min, dataset.min_item_events)
    stored = warehouse.read_or_empty(tables.BACKTEST_LISTS).where(F.col("model_id").isin(list(ids)))
    shown = F.slice("items.item_id", 1, k).alias("items")
    lists = stored.join(users, "user_id").select("model_id", "user_idx", shown)
    every = ranking_metrics(lists, relevant, [k]).where(F.col("metric") == METRIC)
    return every.withColumn("segment", F.lit("all"))
