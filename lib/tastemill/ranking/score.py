"""A fitted ranker on rows of `features`: with the pool that it learned from, or not at all."""

from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.config import Purpose
from tastemill.delta import Warehouse
from tastemill.features.pools import Pool
from tastemill.featuring.pools import read_pool
from tastemill.models import Model
from tastemill.ranking import linear
from tastemill.tables import FEATURE_STATS
from tastemill.training.config import OF_FEATURES


def numbers_of(warehouse: Warehouse, purpose: Purpose, pool: Pool) -> list[dict[str, Any]]:
    """The row of `feature_stats` of each of the pool's numbers, in the pool's order."""
    stats = warehouse.read(FEATURE_STATS, where=purpose).where("kind = 'numeric'")
    rows = stats.select("feature", "edges", "cuts", "mean", "deviation").collect()
    of_feature = {row["feature"]: row.asDict() for row in rows}
    return [of_feature[each.feature] for each in pool.of_kind("numeric")]


def place_of(warehouse: Warehouse, purpose: Purpose, feature: str) -> int:
    """Where a number stands in `numeric`."""
    stats = warehouse.read(FEATURE_STATS, where=purpose).where(F.col("feature") == feature)
    return int(stats.select("place").collect()[0]["place"])


def score(warehouse: Warehouse, purpose: Purpose, rows: DataFrame, model: Model) -> DataFrame:
    """Rows of `features` but for arrays, with `prediction`, by the pool as it stands now.

    Raises:
        ContractError: it is not the one that the model learned from.
    """
    return scored_by(model, read_pool(warehouse, purpose, str(model.params["pool"])), rows)


def scored_by(model: Model, pool: Pool, rows: DataFrame) -> DataFrame:
    """The same, with a pool that was read before."""
    pool.must_be(model.params, model.model_id)
    if model.kind in OF_FEATURES:
        from tastemill.ranking import networks  # noqa: PLC0415 - torch: an extra

        return networks.score(rows, pool, str(model.artifact), str(model.params["task"]))
    return linear.score(rows, pool, PipelineModel.load(str(model.artifact)))
