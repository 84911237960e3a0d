"""Tables of several categorical features with the label, many of them counted in one pass.

Each choice of features has a table of buckets by classes of the label. Where the combinations of
their indices are more than there are buckets, they are hashed, which tells a little less.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from tastemill.columns import as_array
from tastemill.features.bins import Floats, codes
from tastemill.features.one_pass import Count, Whole, as_vector, counted
from tastemill.splitmix import GAMMA, mixed

CELLS = 1 << 23  # counted by each task at most, but for very many choices
STEPS = 32
Choice = tuple[int, ...]
"""Features by their places, ascending."""


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
    def buckets(self) -> int:
        """Of each choice: a power of two, 1,024 to 65,536, and fewer the more is counted."""
        each = CELLS // max(1, len(self.choices) * (len(self.label_edges) + 1))
        return 1 << min(16, max(10, each.bit_length() - 1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Choices, buckets, classes of the label."""
        return len(self.choices), self.buckets, len(self.label_edges) + 1

    def of_batch(self, categorical: Whole, label: Whole) -> Whole:
        """`shape` counts of a batch of rows, by their indices and classes."""
        _, buckets, classes = self.shape
        return np.array(
            [
                np.bincount(self.bucket(categorical, choice) * classes + label,
                            minlength=buckets * classes)
                for choice in self.choices
            ]
        ).reshape(self.shape)  # fmt: skip

    def bucket(self, categorical: Whole, choice: Choice) -> Whole:
        """`(rows,)` buckets of the combinations of a choice's indices."""
        return buckets_of(categorical, choice, self.sizes, self.buckets)


@dataclass(frozen=True)
class Scores:
    """Pairs of choices counted together, each as what it told: in so many steps of a score.

    Args:
        tables: how their buckets are made.
        pairs: of choices.
        steps: of each choice, the step of every bucket.
    """

    tables: Tables
    pairs: tuple[tuple[Choice, Choice], ...]
    steps: Mapping[Choice, NDArray[np.int8]]

    @property
    def label_edges(self) -> Floats:
        """Of the classes of the label."""
        return self.tables.label_edges

    @property
    def shape(self) -> tuple[int, int, int]:
        """Pairs, steps of the one by steps of the other, classes of the label."""
        return len(self.pairs), STEPS * STEPS, len(self.label_edges) + 1

    def of_batch(self, categorical: Whole, label: Whole) -> Whole:
        """`shape` counts of a batch of rows, by their indices and classes."""
        classes = self.shape[2]
        step = {
            choice: steps[self.tables.bucket(categorical, choice)].astype(np.int64)
            for choice, steps in self.steps.items()
        }
        return np.array(
            [
                np.bincount((step[one] * STEPS + step[other]) * classes + label,
                            minlength=STEPS * STEPS * classes)
                for one, other in self.pairs
            ]
        ).reshape(self.shape)  # fmt: skip


Counted = Tables | Scores


def steps_of(counts: Whole) -> NDArray[np.int8]:
    """`(buckets,)` steps by the share of the last class, of about as many rows where these differ.

    Args:
        counts: `(buckets, classes)`; a bucket without rows is in step 0.
    """
    rows = counts.sum(axis=1)
    mean = counts[:, -1].sum() / max(rows.sum(), 1)
    # A few rows more of the mean, lest a bucket of one row have the highest score.
    scores = (counts[:, -1] + mean * STEPS) / (rows + STEPS)
    # Equal scores share a step: where a step ends must not tell two names of one feature apart.
    _, score = np.unique(scores, return_inverse=True)
    with_score = np.bincount(score, weights=rows)
    below = np.cumsum(with_score) - with_score
    steps: NDArray[np.int8] = (below * STEPS / max(rows.sum(), 1)).astype(np.int8)[score]
    return np.where(rows > 0, steps, 0).astype(np.int8)


def counted_together(rows: DataFrame, what: Counted) -> DataFrame:
    """(place, amount): the tables of all rows under each other, without zeros.

    Args:
        rows: `categorical` array<int> and `label`.
        what: to count.
    """
    return counted(rows.select("categorical", "label"), math.prod(what.shape), count_of(what))


def count_of(what: Counted) -> Count:
    """Counts a batch of rows."""

    def count(batch: pa.RecordBatch) -> Whole:
        categorical = as_array(batch.column("categorical"), "categorical")
        label = codes(as_array(batch.column("label"), "label"), what.label_edges)
        return what.of_batch(categorical, label).ravel()

    return count


def tables_of(what: Counted, sums: pa.Table | pa.RecordBatch) -> Whole:
    """`shape` counts, from what `counted_together` returned."""
    return as_vector(sums, math.prod(what.shape)).reshape(what.shape)


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
        combined = (
            combined * np.uint64(sizes[place]) + index if exact else mixed(combined + index + GAMMA)
        )
    return (combined % np.uint64(buckets)).astype(np.int64)
