"""Features measured over all rows: what `tally` and `summary` count, per partition and added up.

Rows have `numeric` array<float> (null where a value is missing), `categorical` array<int> and
`label`. No row is shuffled: partitions send their sums.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.columns import as_array
from tastemill.features.one_pass import Batches, Whole, counted
from tastemill.features.tally import Layout, bins_met, tally

SUMMARY = "feature int, rows long, missing long, infinite long, zeros long, low double, high double"


def summary(rows: DataFrame) -> DataFrame:
    """Of each numeric feature, by its position: rows, missing, infinite, zeros, low and high.

    Low and high are of finite values, null where there is none.
    """
    parts = rows.select("numeric").mapInArrow(_summaries, SUMMARY)
    amounts = [F.sum(name).alias(name) for name in ("rows", "missing", "infinite", "zeros")]
    return parts.groupBy("feature").agg(
        *amounts, F.min("low").alias("low"), F.max("high").alias("high")
    )


def sums(rows: DataFrame, layout: Layout) -> DataFrame:
    """The vector of sums of all rows as (place, amount), without zeros."""

    def count(batch: pa.RecordBatch) -> Whole:
        numeric = as_array(batch.column("numeric"), "numeric", gaps=True)
        categorical = as_array(batch.column("categorical"), "categorical")
        return tally(layout, numeric, categorical, as_array(batch.column("label"), "label"))

    return counted(rows.select("numeric", "categorical", "label"), sum(layout.parts), count)


def met(rows: DataFrame, layout: Layout) -> DataFrame:
    """How often rows meet each bin of each feature, as (place, amount), without zeros."""

    def count(batch: pa.RecordBatch) -> Whole:
        numeric = as_array(batch.column("numeric"), "numeric", gaps=True)
        return bins_met(layout, numeric, as_array(batch.column("categorical"), "categorical"))

    return counted(rows.select("numeric", "categorical"), sum(layout.num_bins), count)


def drawn(num_rows: int, at_most: int, seed: int) -> Column:
    """Whether a row is in a sample of about so many: by a hash of its key, however split."""
    steps = 1 << 30
    share = min(1.0, at_most / max(num_rows, 1))
    return F.pmod(F.xxhash64(F.lit(seed), "event_id", "n"), F.lit(steps)) < int(share * steps)


def _summaries(batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        numeric = as_array(batch.column("numeric"), "numeric", gaps=True)
        finite = np.where(np.isfinite(numeric), numeric, np.nan).astype(np.float64)
        rows, features = numeric.shape
        figures = {
            "feature": np.arange(features, dtype=np.int32),
            "rows": np.full(features, rows),
            "missing": np.isnan(numeric).sum(axis=0),
            "infinite": np.isinf(numeric).sum(axis=0),
            "zeros": (numeric == 0).sum(axis=0),
            "low": np.fmin.reduce(finite, initial=np.nan),
            "high": np.fmax.reduce(finite, initial=np.nan),
        }
        yield pa.RecordBatch.from_pydict(
            {name: pa.array(values, from_pandas=True) for name, values in figures.items()}
        )
