"""Networks over the features of a pool, trained as all networks are: Wide & Deep, DCN-v2, DLRM."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.deep.feature_input import UNKNOWN
from tastemill.features.pools import Member, Pool
from tastemill.retrieval.networks import predict_pairs

COLUMNS = ("numeric", "categorical")


def inputs(rows: DataFrame, pool: Pool) -> DataFrame:
    """Rows of `features`, their arrays holding what is of the pool; of a kind that it lacks, one.

    That one is a number that is missing everywhere, or an index that is 0 everywhere.
    """
    numeric = _picked("numeric", pool.of_kind("numeric")).cast("array<float>")
    categorical = _picked("categorical", pool.of_kind("categorical")).cast("array<int>")
    known = F.transform(categorical, lambda index: F.coalesce(index, F.lit(0)))
    return rows.withColumns({"numeric": numeric, "categorical": known})


def described(pool: Pool, numbers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a network has to know of its features: see `FeaturesConfig`.

    Args:
        pool: the features.
        numbers: `mean` and `deviation` of each number; None where it has no value.
    """
    sizes = [max(each.size or 0, UNKNOWN + 1) for each in pool.of_kind("categorical")]
    return {
        "means": [each["mean"] or 0.0 for each in numbers] or [0.0],
        "deviations": [each["deviation"] or 0.0 for each in numbers] or [0.0],
        "sizes": sizes or [UNKNOWN + 1],
    }


def score(rows: DataFrame, pool: Pool, artifact: str, task: str) -> DataFrame:
    """Rows of `features` but for arrays, with `prediction` double: a probability, or a value."""
    kept = [name for name, kind in rows.dtypes if not kind.startswith("array")]
    taken = inputs(rows, pool).select(*kept, *COLUMNS)
    scored = predict_pairs(taken, artifact, COLUMNS).drop(*COLUMNS)
    if task == "rating":
        return scored
    return scored.withColumn("prediction", 1 / (1 + F.exp(-F.col("prediction"))))


def _picked(kind: str, members: Sequence[Member]) -> Column:
    values = [F.get(kind, F.lit(each.from_place)) for each in members]
    return F.array(*(values or [F.lit(None)]))
