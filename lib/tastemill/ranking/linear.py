"""Logistic or linear regression over binned features, by Spark MLlib.

Each number becomes one of the bins that it was measured in, each index a column of its own, so
that a weight is learned for each: a generalized additive model of steps (Hastie and Tibshirani
1986). Missing, infinite and far values need no rule, and the order of magnitude none either.
"""

import math
from collections.abc import Sequence

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Bucketizer, OneHotEncoder, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import LinearRegression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.errors import DataError
from tastemill.features.pools import Pool
from tastemill.ranking.config import RankerConfig

Edges = Sequence[Sequence[float]]
INFINITY = float("inf")


def fit(rows: DataFrame, pool: Pool, edges: Edges, task: str, cfg: RankerConfig) -> PipelineModel:
    """Fit on rows of `features`.

    Args:
        rows: with numeric, categorical, label and weight.
        pool: which features.
        edges: of each numeric one, ascending.
        task: rating or implicit.
        cfg: parameters.

    Raises:
        DataError: the pool is empty, there are no rows, or the label has one class.
    """
    if not pool.members:
        raise DataError(
            f"pool {pool.name} has no feature to learn from",
            fix="tastemill features tells why each was not kept",
        )
    low, high = rows.agg(F.min("label"), F.max("label")).collect()[0]
    if low is None or low == high:
        found = "no rows" if low is None else f"{low:g} in every row"
        raise DataError(
            "nothing to learn from the label",
            expected="two values at least",
            found=found,
            fix="draw negatives (examples.num_negatives), or lower split.test_fraction",
        )
    kind = LinearRegression if task == "rating" else LogisticRegression
    last = kind(
        featuresCol="ones",
        weightCol="weight",
        regParam=cfg.reg,
        maxIter=cfg.max_iter,
        standardization=False,  # zeros and ones are on one scale already
    )
    learned = _columns(rows, pool).persist()
    try:
        return Pipeline(stages=[*_as_ones(pool, edges), last]).fit(learned)
    finally:
        learned.unpersist()


def score(rows: DataFrame, pool: Pool, model: PipelineModel) -> DataFrame:
    """Rows of `features` but for arrays, with `prediction` double: a probability, or a value."""
    kept = [name for name, kind in rows.dtypes if not kind.startswith("array")]
    scored = model.transform(_columns(rows, pool))
    if "probability" in scored.columns:
        scored = scored.withColumn("prediction", vector_to_array(F.col("probability"))[1])
    return scored.select(*kept, "prediction")


def _columns(rows: DataFrame, pool: Pool) -> DataFrame:
    """Rows of `features` with a column for each feature."""
    picked = [
        # A bucketizer has a bin for NaN, and passes null on.
        F.coalesce(F.get(kind, F.lit(each.from_place)).cast("double"), F.lit(math.nan)).alias(
            f"{kind}_{at}"
        )
        for kind in ("numeric", "categorical")
        for at, each in enumerate(pool.of_kind(kind))
    ]
    return rows.select(*rows.columns, *picked)


def _as_ones(pool: Pool, edges: Edges) -> list[Bucketizer | OneHotEncoder | VectorAssembler]:
    """Bins, then a column for each bin and each index."""
    numbers, indices = (
        [f"{kind}_{at}" for at in range(len(pool.of_kind(kind)))]
        for kind in ("numeric", "categorical")
    )
    bins = [f"{name}_bin" for name in numbers]
    ones = [f"{name}_ones" for name in (*bins, *indices)]
    # A constant has no edge, and a bucketizer wants one.
    splits = [[-INFINITY, *(of_one or [0.0]), INFINITY] for of_one in edges]
    keep = {"handleInvalid": "keep"}
    return [
        *(
            [Bucketizer(splitsArray=splits, inputCols=numbers, outputCols=bins, **keep)]
            if bins
            else []
        ),
        OneHotEncoder(inputCols=[*bins, *indices], outputCols=ones, dropLast=False, **keep),
        VectorAssembler(inputCols=ones, outputCol="ones"),
    ]
