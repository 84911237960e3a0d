"""Whole numbers counted over all rows in one pass: partitions send their sums, and no row moves."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SUMS = "place long, amount long"
Batches = Iterable[pa.RecordBatch]
Whole = NDArray[np.int64]
Count = Callable[[pa.RecordBatch], Whole]
"""The vector of a batch of rows."""


def counted(rows: DataFrame, length: int, count: Count) -> DataFrame:
    """(place, amount): the vector of all rows, without zeros.

    Args:
        rows: the columns that are counted.
        length: of the vector.
        count: adds up to the same however rows are split.
    """
    parts = rows.mapInArrow(of_partition(length, count), SUMS)
    return parts.groupBy("place").agg(F.sum("amount").alias("amount"))


def of_partition(length: int, count: Count) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    """A function for mapInArrow: a partition's vector as (place, amount), without zeros."""

    def added_up(batches: Batches) -> Iterator[pa.RecordBatch]:
        total: Whole = np.zeros(length, dtype=np.int64)
        for batch in batches:
            total += count(batch)
        places = np.flatnonzero(total)
        yield pa.RecordBatch.from_pydict({"place": places, "amount": total[places]})

    return added_up


def as_vector(sums: pa.Table | pa.RecordBatch, length: int) -> Whole:
    """The vector `(length,)` of what was counted."""
    vector: Whole = np.zeros(length, dtype=np.int64)
    vector[sums["place"].to_numpy()] = sums["amount"].to_numpy()
    return vector
