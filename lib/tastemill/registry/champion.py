"""Champion and candidates: a model takes the champion's place only where it is surely better.

Both are fitted in the same backtest and judged on the same users, on what came after the cut; what
is compared is the kind of model, fitted anew on the same past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.delta import Warehouse
from tastemill.models import Model
from tastemill.tables import MODELS

CHAMPION, CANDIDATE = "champion", "candidate"
SURE = 0.05


@dataclass(frozen=True)
class Difference:
    """A model's NDCG minus the champion's.

    Attributes:
        model_id: The model.
        value: Above 0 where it is better.
        p_value: Of no difference, corrected for all models compared.
    """

    model_id: str
    value: float
    p_value: float


def champion_kind(warehouse: Warehouse, default: str) -> str:
    """The kind of the champion of earlier backtests; the default where there was none."""
    stored = warehouse.read_or_empty(MODELS).where(F.col("alias") == CHAMPION)
    rows = stored.orderBy(F.desc("created_at")).limit(1).collect()
    return str(rows[0]["kind"]) if rows else default


def decided(champion: str, differences: Sequence[Difference]) -> str:
    """The model_id of the champion from now on: the best of those that are surely better.

    Args:
        champion: model_id of the present one, as it was fitted in this backtest.
        differences: of all others.
    """
    better = [d for d in differences if d.value > 0 and d.p_value <= SURE]
    return max(better, key=lambda d: (d.value, d.model_id)).model_id if better else champion


def aliased(
    warehouse: Warehouse, chosen: Sequence[Model], champion: str, runs: Mapping[str, str]
) -> DataFrame:
    """Rows of `models` whose alias or MLflow run is another now; earlier aliases are taken away.

    Args:
        warehouse: with `models`.
        chosen: models of this backtest.
        champion: model_id of the champion.
        runs: model_id to MLflow's run, of those that it was told of.
    """
    ids = [model.model_id for model in chosen]
    own = F.col("model_id").isin(ids)
    alias = F.when(F.col("model_id") == champion, CHAMPION).when(own, CANDIDATE)
    stored = (
        warehouse.read(MODELS).where("purpose = 'backtest'").where(own | F.col("alias").isNotNull())
    )
    if not runs:
        return stored.withColumn("alias", alias)
    named = F.create_map(*(F.lit(text) for pair in runs.items() for text in pair))
    run = F.coalesce(F.try_element_at(named, "model_id"), "mlflow_run")
    return stored.withColumns({"alias": alias, "mlflow_run": run})
