"""How much several categorical features tell together: many choices of them in one pass.

Each choice of features has a table of buckets by classes of the label. Where the combinations of
their indices are more than there are buckets, they are hashed, which tells a little less.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.columns import as_array
from tastemill.features.association import Association, association
from tastemill.features.bins import Floats, codes

CELLS = 1 << 22  # counted by each task at most, but for very many choices
SUMS = "place long, amount long"
Batches = Iterable[pa.RecordBatch]
Choice = tuple[int, ...]
"""Features by their places, ascending."""
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """What is counted.

    Args:
        choices: of features.
        sizes: number of indices of each feature.
        label_edges: of the classes of the label.
    """

    choices: tuple[Choice, ...]
    sizes: tuple[int, ...]
    label_edges: Floats

    @property
    def num_classes(self) -> int:
        """Of the label."""
        return len(self.label_edges) + 1

    @property
    def buckets(self) -> int:
        """Of each choice: a power of two, 1,024 to 65,536, and fewer the more is counted."""
        each = CELLS // max(1, len(self.choices) * self.num_classes)
        return 1 << min(16, max(10, each.bit_length() - 1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Choices, buckets, classes."""
        return len(self.choices), self.buckets, self.num_classes


def counted_together(rows: DataFrame, tables: Tables) -> DataFrame:
    """(place, amount): the tables of all rows under each other, without zeros.

    Args:
        rows: `categorical` array<int> and `label`.
        tables: what to count.
    """
    parts = rows.select("categorical", "label").mapInArrow(_counts(tables), SUMS)
    return parts.groupBy("place").agg(F.sum("amount").alias("amount"))


def associations(tables: Tables, places: Whole, amounts: Whole) -> dict[Choice, Association]:
    """What each choice has to do with the label, from what was counted."""
    counts = np.zeros(math.prod(tables.shape), dtype=np.int64)
    counts[places] = amounts
    by_choice = counts.reshape(tables.shape)
    return {
        choice: association(table) for choice, table in zip(tables.choices, by_choice, strict=True)
    }


def buckets_of(categorical: Whole, choice: Choice, sizes: Sequence[int], buckets: int) -> Whole:
    """`(rows,)` below `buckets`: the combination of indices, or a hash of it.

    Args:
        categorical: `(rows, features)`.
        choice: of features.
        sizes: of all features.
        buckets: how many there are.
    """
    combined = np.zeros(len(categorical), dtype=np.uint64)
    exact = math.prod(sizes[place] for place in choice) <= buckets
    for place in choice:
        index = categorical[:, place].astype(np.uint64)
        combined = combined * np.uint64(sizes[place]) + index if exact else _mixed(combined + index)
    return (combined % np.uint64(buckets)).astype(np.int64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's step (Steele et al. 2014)."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _counts(tables: Tables) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    def added_up(batches: Batches) -> Iterator[pa.RecordBatch]:
        choices, buckets, classes = tables.shape
        total: Whole = np.zeros((choices, buckets * classes), dtype=np.int64)
        for batch in batches:
            categorical = as_array(batch.column("categorical"), "categorical")
            label = codes(as_array(batch.column("label"), "label"), tables.label_edges)
            for number, choice in enumerate(tables.choices):
                bucket = buckets_of(categorical, choice, tables.sizes, buckets)
                total[number] += np.bincount(bucket * classes + label, minlength=buckets * classes)
        places = np.flatnonzero(total)
        yield pa.RecordBatch.from_pydict({"place": places, "amount": total.ravel()[places]})

    return added_up
