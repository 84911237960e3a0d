"""Factors of one model as inputs of another: behind the profile vectors that a network takes."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.delta import Warehouse
from tastemill.models import Model
from tastemill.tables import ITEM_FACTORS, USER_FACTORS

INPUTS_FROM = "inputs_from"  # of a model's params: the model whose factors it takes


def with_inputs_of(model: Model, rows: DataFrame, warehouse: Warehouse) -> DataFrame:
    """The rows as a model takes them."""
    first = model.params.get(INPUTS_FROM)
    return with_factors(rows, warehouse, str(first)) if first else rows


def with_factors(rows: DataFrame, warehouse: Warehouse, model_id: str) -> DataFrame:
    """Put a model's factors at the ends of user_vector and item_vector.

    Args:
        rows: has one of these or both, each with user_idx or item_idx.
        warehouse: holds the factors.
        model_id: whose they are; zeros for whom it doesn't know.
    """
    for side, table in (("user", USER_FACTORS), ("item", ITEM_FACTORS)):
        vector, idx = f"{side}_vector", f"{side}_idx"
        if vector not in rows.columns:
            continue
        stored = warehouse.read(table, where=model_id)
        factors = stored.select(F.col("idx").alias(idx), F.col("vector").alias("factors"))
        length = stored.select(F.size("vector")).limit(1).collect()[0][0]
        zeros = F.array_repeat(F.lit(0.0).cast("float"), length)
        longer = F.concat(vector, F.coalesce("factors", zeros))
        rows = rows.join(factors, idx, "left").withColumn(vector, longer).drop("factors")
    return rows
