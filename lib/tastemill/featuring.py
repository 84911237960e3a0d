"""What the features of a pass are made of, and how they are measured and chosen.

The transforms are in `features/`; here is what has to read a little before it can go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import Row as SparkRow
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.columns import as_array
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.features.by_unit import mean_labels, shares_taken
from tastemill.features.config import FeaturesConfig
from tastemill.features.extract import Extracted
from tastemill.features.figures import Row, selection_rows, stats_of_indices, stats_of_numbers
from tastemill.features.known import Known, Side, item_side, user_side
from tastemill.features.layout import layout_of
from tastemill.features.measure import drawn, summary, sums
from tastemill.features.own import CALENDAR
from tastemill.features.past import Kinds
from tastemill.features.selection import Test, select
from tastemill.features.tally import taken_apart
from tastemill.features.units import p_of_attributes, p_of_pairs
from tastemill.features.vocabulary import FIRST
from tastemill.tables import (
    FEATURE_SELECTION,
    FEATURE_STATS,
    ITEM_INDEX,
    ITEMS,
    USER_INDEX,
    USERS,
    Table,
)


def kinds_of(past: DataFrame, cfg: Config, as_of: datetime) -> Kinds:
    """What the past is told apart by: its most frequent types, and what is configured.

    Args:
        past: events that features see.
        cfg: windows, attributes and the like.
        as_of: the end of the past.
    """
    counted = past.groupBy("event_type").count().orderBy(F.desc("count"), "event_type")
    types = [row["event_type"] for row in counted.limit(cfg.features.max_types).collect()]
    return Kinds(
        as_of=as_of,
        types=tuple(sorted(types)),
        days=tuple(sorted(set(cfg.features.windows_days))),
        prior=cfg.features.prior_events,
        attributes=("category", "price_bucket", *cfg.features.item_attributes),
        num_categories=cfg.profiles.num_categories,
        ordered=not cfg.dataset.allow_missing_time,
    )


def sides(warehouse: Warehouse, cfg: Config, learned: DataFrame, as_of: datetime) -> list[Side]:
    """Users and items with what was known of them.

    Args:
        warehouse: with users, items and their indexes.
        cfg: which attributes.
        learned: events that are learned from.
        as_of: what the source changed later isn't known yet, and missing.
    """
    users = warehouse.read(USER_INDEX).join(warehouse.read_or_empty(USERS), "user_id", "left")
    items = warehouse.read(ITEM_INDEX).join(warehouse.read_or_empty(ITEMS), "item_id", "left")
    users, items = _known_by(users, as_of), _known_by(items, as_of)
    return [user_side(users, learned, cfg.features), item_side(items, learned, cfg.features)]


def _known_by(rows: DataFrame, as_of: datetime) -> DataFrame:
    known = F.col("updated_at").isNull() | (F.col("updated_at") <= F.lit(as_of))
    keys = ("user_id", "user_idx", "item_id", "item_idx")
    told = [F.when(known, F.col(name)).alias(name) for name in rows.columns if name not in keys]
    return rows.select(*(name for name in rows.columns if name in keys), *told)


@dataclass(frozen=True)
class Judged:
    """Rows of `feature_stats` and of `feature_selection`, but for the purpose."""

    stats: DataFrame
    selection: DataFrame
    summary: str


def tests_by_unit(
    rows: DataFrame, made: Extracted, users: Known, items: Known, task: str
) -> dict[str, Test]:
    """Tests of what rows can't be taken for: attributes of users and items, and a user's past.

    Args:
        rows: of the table `features`, those that models learn from.
        made: the features in them.
        users: attributes of users.
        items: attributes of items.
        task: rating or implicit.
    """
    of_items = p_of_attributes(_by_value(mean_labels(rows, items)), len(items.names))
    found = {name: Test("items", p) for name, p in zip(items.features, of_items, strict=True)}
    if task == "rating":
        of_users = p_of_attributes(_by_value(mean_labels(rows, users)), len(users.names))
        named = zip(users.features, of_users, strict=True)
        return found | {name: Test("users", p) for name, p in named}
    taken = rows.where("n = 0")
    shares = {
        ((row[0], row[1]), (row[2], row[3])): _sums(row)
        for row in shares_taken(taken, users, items).collect()
    }
    pairs = p_of_pairs(shares, _by_value(mean_labels(taken, users)))
    for place, name in enumerate(users.features):
        of_user = [p for (user, _), p in pairs.items() if user == place]
        p = min(1.0, min(of_user, default=1.0) * len(of_user))
        found[name] = Test("users", p, alone=False)
    # A user's past is the same for a positive and its negatives; it counts with the item's.
    own = [f.name for f in made.numeric if f.name.startswith("user_") and f.family != "affinity"]
    return found | {name: Test("users", None, alone=False) for name in own}


def _by_value(rows: DataFrame) -> dict[tuple[int, int], tuple[float, float, float]]:
    return {(row["place"], row["index"]): _sums(row) for row in rows.collect()}


def _sums(row: SparkRow) -> tuple[float, float, float]:
    return float(row["units"]), float(row["total"]), float(row["squares"])


def judge(
    rows: DataFrame,
    made: Extracted,
    vocabulary: DataFrame,
    tests: Mapping[str, Test],
    cfg: FeaturesConfig,
) -> Judged:
    """Measure all features and decide which are kept.

    What reaches the driver grows with the features and their bins, not with the rows.

    Args:
        rows: of the table `features`, those that models learn from; one at least.
        made: the features in them.
        vocabulary: of the categorical ones.
        tests: what `tests_by_unit` found.
        cfg: bins and gates.
    """
    measured = [row.asDict() for row in summary(rows).orderBy("feature").collect()]
    num_rows = measured[0]["rows"]
    sample = rows.where(drawn(num_rows, cfg.sample_rows, cfg.seed)).select("numeric", "label")
    table = sample.toArrow().combine_chunks()
    layout = layout_of(
        as_array(table["numeric"].combine_chunks(), "numeric", gaps=True),
        table["label"].to_numpy(),
        [(row["low"], row["high"]) for row in measured],
        _sizes(made.categorical, vocabulary),
        num_bins=cfg.num_bins,
        rows=num_rows,
    )
    counted = sums(rows, layout).toArrow()
    vector = np.zeros(sum(layout.parts), dtype=np.int64)
    vector[counted["place"].to_numpy()] = counted["amount"].to_numpy()
    tally = taken_apart(layout, vector)
    names = [*(feature.name for feature in made.numeric), *made.categorical]
    figures = [{k: v for k, v in row.items() if k != "feature"} for row in measured]
    stats = [
        *stats_of_numbers(made.numeric, figures, layout, tally),
        *stats_of_indices(made.categorical, layout, tally),
    ]
    chosen = select(names, tally, tests, cfg.selection)
    return Judged(
        _frame(rows.sparkSession, stats, FEATURE_STATS),
        _frame(rows.sparkSession, selection_rows(chosen), FEATURE_SELECTION),
        f"{sum(each.kept for each in chosen)} of {len(chosen)} features kept",
    )


def _frame(spark: SparkSession, rows: list[Row], table: Table) -> DataFrame:
    """Rows of a table whose slice is still to be named."""
    return spark.createDataFrame(
        rows, T.StructType([f for f in table.schema if f.name != table.slice_by])
    )


def _sizes(names: Sequence[str], vocabulary: DataFrame) -> list[int]:
    """How many indices each categorical feature has."""
    largest = vocabulary.groupBy("feature").agg(F.max("index").alias("index")).collect()
    sizes = {row["feature"]: row["index"] + 1 for row in largest}
    return [CALENDAR.get(name) or sizes.get(name, FIRST) for name in names]
