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


def score(warehouse: Warehouse, purpose: Purpose, rows: DataFrame, model: Model) -> DataFrame:
    """Rows of `features` with `prediction`.

    Raises:
        ContractError: the pool is not the one that the model learned from.
    """
    pool = read_pool(warehouse, purpose, str(model.params["pool"]))
    pool.must_be(model.params, model.model_id)
    fitted = PipelineModel.load(str(model.artifact))
    return linear.score(rows, pool, fitted)
