"""Reads the tables for the commands that show something: small results, as plain rows."""

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.errors import DataError
from tastemill.models import find

Rows = list[dict[str, Any]]
RANKING = ("ndcg", "recall", "hit", "map", "mrr", "precision", "coverage")
RATINGS, LABELS = ("rmse", "mae"), ("auc", "gauc", "log_loss")
COMPARED = ("ndcg", "recall", "hit", "rmse", "auc")  # of models beside each other


def metrics(warehouse: Warehouse, models: Mapping[str, str], segment: str, k: int) -> Rows:
    """A row per model: ranking metrics at k and rating errors, best NDCG first."""
    wanted = F.col("model_id").isin(list(models.values())) & (F.col("segment") == segment)
    stored = warehouse.read_or_empty(tables.METRICS).where(wanted)
    stored = stored.where(F.col("k").isNull() | (F.col("k") == k))
    found: dict[str, dict[str, Any]] = {model_id: {} for model_id in models.values()}
    for row in stored.collect():
        found[row["model_id"]][row["metric"]] = row["value"]
        if row["metric"] == "ndcg":
            found[row["model_id"]] |= {"low": row["low"], "high": row["high"]}
    names = [n for n in (*RANKING, *RATINGS) if any(n in f for f in found.values())]
    rows = [
        {"model": kind, **{label(n, k): found[model_id].get(n) for n in names}}
        for kind, model_id in models.items()
    ]
    return sorted(rows, key=lambda row: -(row.get(label("ndcg", k)) or 0.0))


def label(metric: str, k: int | None) -> str:
    """As people write it: ndcg@10, rmse."""
    return metric if k is None or metric in (*RATINGS, *LABELS) else f"{metric}@{k}"


def example_lists(warehouse: Warehouse, num_users: int, length: int) -> Rows:
    """The first items, with titles, of a few users' recommendations."""
    lists = warehouse.read(tables.RECOMMENDATIONS)
    # Users in the order of a hash: the same few on every call, and no special ones.
    few = lists.orderBy(F.xxhash64("user_id")).limit(num_users)
    return _with_titles(warehouse, few.select("user_id", "items"), length)


def list_of(warehouse: Warehouse, user_id: str, length: int) -> Rows:
    """What one user would be shown.

    Raises:
        DataError: the user has no list.
    """
    lists = warehouse.read(tables.RECOMMENDATIONS).where(F.col("user_id") == user_id)
    rows = _with_titles(warehouse, lists.select("user_id", "items"), length)
    if not rows:
        raise DataError(
            f"no recommendations for user {user_id}",
            fix="check the id (as in the source), or publish lists with tastemill run",
        )
    return rows


def _with_titles(warehouse: Warehouse, lists: Any, length: int) -> Rows:  # noqa: ANN401
    items = warehouse.read(tables.ITEMS).select("item_id", "title")
    shown = lists.select("user_id", F.explode(F.slice("items", 1, length)).alias("i"))
    named = shown.select("user_id", "i.*").join(items, "item_id", "left")
    rows = named.orderBy("user_id", "rank").collect()
    columns = ("user_id", "rank", "item_id", "title", "score", "source", "reason")
    return [{name: row[name] for name in columns} for row in rows]


def table_list(warehouse: Warehouse) -> Rows:
    """A row per table that exists: rows, version, what a row is."""
    there = [table for table in tables.ALL if warehouse.exists(table)]
    return [
        {
            "table": table.name,
            "rows": warehouse.read(table).count(),
            "version": warehouse.history(table)[0].version,
            "a row is": table.row,
        }
        for table in there
    ]


def table_detail(warehouse: Warehouse, table: tables.Table) -> tuple[Rows, Rows]:
    """The columns of a table with their meaning, and its last commits."""
    columns = [
        {
            "column": field.name,
            "type": field.dataType.simpleString(),
            "null": "yes" if field.nullable else "no",
            "meaning": field.metadata.get("comment", ""),
        }
        for field in table.schema
    ]
    commits = [
        {"version": c.version, "operation": c.operation, "slices": ", ".join(c.slices)}
        for c in warehouse.history(table)[:10]
    ]
    return columns, commits


def feature_list(warehouse: Warehouse, purpose: str) -> Rows:
    """Every feature: kept ones first, the most telling first, then the others and why not.

    Raises:
        DataError: no features were built for this purpose.
    """
    stats, chosen, pools = (
        warehouse.read_or_empty(table).where(F.col("purpose") == purpose)
        for table in (tables.FEATURE_STATS, tables.FEATURE_SELECTION, tables.FEATURE_POOLS)
    )
    named = F.concat_ws(", ", F.sort_array(F.collect_set("pool"))).alias("pools")
    in_pools = pools.groupBy("feature").agg(named)
    kinds = stats.select("feature", "kind", "family", "psi", "definition")
    rows = chosen.join(kinds, "feature").join(in_pools, "feature", "left")
    rows = rows.orderBy(F.desc("kept"), F.desc("told"), "feature")
    figures = ("missing", "mutual_information", "told", "p_corrected", "psi")
    columns = ("feature", "kind", "family", *figures, "kept", "reason", "pools")
    found = [{name: row[name] for name in (*columns, "definition")} for row in rows.collect()]
    if not found:
        raise DataError(f"no {purpose} features", fix="make them with tastemill job build_features")
    return found


def model_list(warehouse: Warehouse, k: int) -> Rows:
    """Every model, newest first, with what its backtest found; null where it wasn't judged."""
    rows = warehouse.read_or_empty(tables.MODELS).orderBy(F.desc("created_at")).collect()
    stored = warehouse.read_or_empty(tables.METRICS).where("segment = 'all'")
    stored = stored.where(F.col("k").isNull() | (F.col("k") == k))
    figures: dict[str, dict[str, float]] = {}
    for row in stored.where(F.col("metric").isin(*COMPARED)).collect():
        figures.setdefault(row["model_id"], {})[row["metric"]] = row["value"]
    names = [name for name in COMPARED if any(name in found for found in figures.values())]
    first, last = ("model_id", "purpose", "alias"), ("seconds", "as_of", "created_at", "params")
    return [
        {
            **{name: row[name] for name in first},
            **{label(n, k): figures.get(row["model_id"], {}).get(n) for n in names},
            **{name: row[name] for name in last},
        }
        for row in rows
    ]


def model_detail(warehouse: Warehouse, model_id: str) -> tuple[dict[str, Any], Rows]:
    """A model's parameters, and a row for each epoch of its training, from 1; ALS has none.

    Raises:
        ContractError: no such model.
    """
    params = dict(find(warehouse, model_id).params)
    stored = warehouse.read_or_empty(tables.TRAINING_HISTORY).where(F.col("model_id") == model_id)
    epochs: dict[int, dict[str, Any]] = {}
    for row in stored.orderBy("epoch", "metric").collect():
        epochs.setdefault(row["epoch"], {"epoch": row["epoch"] + 1})[row["metric"]] = row["value"]
    return params, list(epochs.values())


def epochs_of(warehouse: Warehouse, models: Iterable[str], metric: str) -> dict[str, list[float]]:
    """Model_id to a figure of its training by epoch; without models that have none."""
    history = warehouse.read_or_empty(tables.TRAINING_HISTORY)
    wanted = F.col("model_id").isin(list(models)) & (F.col("metric") == metric)
    found: dict[str, list[float]] = {}
    for row in history.where(wanted).orderBy("model_id", "epoch").collect():
        found.setdefault(row["model_id"], []).append(row["value"])
    return found


def run_list(warehouse: Warehouse, limit: int) -> Rows:
    """The last stages, newest first."""
    stored = warehouse.read_or_empty(tables.RUNS)
    rows = stored.orderBy(F.desc("run_seq"), F.desc("started_at")).limit(limit).collect()
    columns = ("run_seq", "run_id", "stage", "purpose", "status", "rows", "seconds", "error")
    return [{name: row[name] for name in columns} for row in rows]


def backtest_models(warehouse: Warehouse) -> dict[str, str]:
    """Kind to model_id of the last backtest whose evaluation was done."""
    stored = warehouse.read_or_empty(tables.RUNS).where("stage = 'evaluate'")
    row = stored.where("status <> 'failed'").orderBy(F.desc("run_seq")).limit(1).collect()
    return dict(row[0]["models"]) if row else {}
