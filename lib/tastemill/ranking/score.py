"""A fitted ranker on rows of `features`: with the pool that it learned from, or not at all."""

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


def edges_of(
    warehouse: Warehouse, purpose: Purpose, pool: Pool, bins: str = "edges"
) -> list[list[float]]:
    """The `edges` in which each of the pool's numbers was counted, or its `cuts` by the label."""
    stats = warehouse.read(FEATURE_STATS, where=purpose).where("kind = 'numeric'")
    edges = {row["feature"]: row[bins] for row in stats.select("feature", bins).collect()}
    return [edges[each.feature] for each in pool.of_kind("numeric")]


def place_of(warehouse: Warehouse, purpose: Purpose, feature: str) -> int:
    """Where a number stands in `numeric`."""
    stats = warehouse.read(FEATURE_STATS, where=purpose).where(F.col("feature") == feature)
    return int(stats.select("place").collect()[0]["place"])


def moments_of(
    warehouse: Warehouse, purpose: Purpose, pool: Pool
) -> list[tuple[float | None, float | None]]:
    """Mean and standard deviation of each of the pool's numbers."""
    stats = warehouse.read(FEATURE_STATS, where=purpose).where("kind = 'numeric'")
    rows = stats.select("feature", "mean", "deviation").collect()
    moments = {row["feature"]: (row["mean"], row["deviation"]) for row in rows}
    return [moments[each.feature] for each in pool.of_kind("numeric")]


def score(warehouse: Warehouse, purpose: Purpose, rows: DataFrame, model: Model) -> DataFrame:
    """Rows of `features` without their arrays, and `prediction`.

    Raises:
        ContractError: the pool is not the one that the model learned from.
    """
    pool = read_pool(warehouse, purpose, str(model.params["pool"]))
    pool.must_be(model.params, model.model_id)
    if model.kind in OF_FEATURES:
        from tastemill.ranking import networks  # noqa: PLC0415 - torch: an extra

        return networks.score(rows, pool, str(model.artifact), str(model.params["task"]))
    return linear.score(rows, pool, PipelineModel.load(str(model.artifact)))
