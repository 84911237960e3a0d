"""What a user took last: the items of a few moments before, and how like them another one is.

Items are alike as far as their vectors point one way. Vectors are whole numbers, so that sums and
products are exact, and the same in batches of any size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window as W

from tastemill.columns import list_parts
from tastemill.features.config import Pooling
from tastemill.features.feature import Feature
from tastemill.features.one_pass import Batches

CATEGORY, TEXT = "category", "text"  # kinds of vectors
LENGTH = 1024  # of a vector
Vectors = NDArray[np.int16]
Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Recent:
    """What is worked out of a user's last items.

    Args:
        most: items at most.
        vectors: `(items, d)` of each kind (category, text), of length `LENGTH`, or of zeros.
        pooled: which vectors of those items are kept beside the figures: their mean, their max.
    """

    most: int
    vectors: Mapping[str, Vectors]
    pooled: tuple[Pooling, ...] = ()

    def features(self) -> list[Feature]:
        """What `with_recent` packs into `of_recent`, in its order."""
        moments = f"items of the user's last {self.most} moments, each once"
        others = f"the {moments}, the item itself left out"
        told: list[tuple[str, str, str, tuple[str, ...]]] = [
            ("user_recent_items", "count", moments, ())
        ]
        for kind in self.vectors:
            name, goes_by = f"user_recent_{kind}", (f"item_{kind}",)
            words = f"cosine of the item's {kind} vector with"
            told.append((f"{name}_mean", "recent", f"{words} the mean of {others}", goes_by))
            told.append((f"{name}_nearest", "recent", f"largest {words} one of {others}", goes_by))
        return [
            Feature(name, family, words, F.get("of_recent", F.lit(place)), goes_by)
            for place, (name, family, words, goes_by) in enumerate(told)
        ]


@dataclass(frozen=True)
class Shared:
    """The same on its way to the workers: its vectors are as long as the catalogue."""

    recent: Recent
    sent: Broadcast[Recent]


def unit_vectors(rows: Floats) -> Vectors:
    """Rows as whole numbers of length `LENGTH`; rows of zeros stay zeros."""
    length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    scaled = np.divide(rows * LENGTH, length, out=np.zeros_like(rows), where=length > 0)
    vectors: Vectors = np.rint(scaled).astype(np.int16)
    return vectors


def recent_items(past: DataFrame, asked: DataFrame, most: int) -> DataFrame:
    """(user_idx, at, recent array<int>) of each moment that is asked about, the newest item first.

    Items of the user's last `most` moments strictly before, each once; of one moment with many
    items, `most` of them.

    Args:
        past: user_idx, item_idx and at.
        asked: user_idx and at. A moment without an item takes the place of one with some, so
            it should be the last of its user's, as that of candidates is.
        most: items at most.
    """
    met = past.where("item_idx IS NOT NULL").select("user_idx", "at", "item_idx")
    both = met.unionByName(asked.select("user_idx", "at"), allowMissingColumns=True)
    of_moment = F.slice(F.sort_array(F.collect_set("item_idx")), 1, most)
    moments = both.groupBy("user_idx", "at").agg(of_moment.alias("items"))
    before = W.partitionBy("user_idx").orderBy("at").rowsBetween(-most, -1)
    newest_first = F.flatten(F.reverse(F.collect_list("items").over(before)))
    recent = F.slice(F.array_distinct(newest_first), 1, most)
    return moments.select("user_idx", "at", recent.alias("recent"))


def with_recent(rows: DataFrame, past: DataFrame, asked: DataFrame, shared: Shared) -> DataFrame:
    """Add recent array<int>, of_recent array<float> and pooled array<float>.

    Args:
        rows: with user_idx, at and item_idx.
        past: user_idx, item_idx and at.
        asked: user_idx and at of all rows.
        shared: what is worked out.
    """
    floats = T.ArrayType(T.FloatType())
    added = [T.StructField(name, floats) for name in ("of_recent", "pooled")]
    met, sent = recent_items(past, asked, shared.recent.most), shared.sent
    known = rows.join(met, ["user_idx", "at"])

    def worked_out(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            lists = [_as_lists(values) for values in _figures(batch, sent.value)]
            names = [*batch.schema.names, *(field.name for field in added)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *lists], names)

    # mapInArrow: vectors of a catalogue joined to each of a row's items would be shuffled.
    return known.mapInArrow(worked_out, T.StructType([*known.schema.fields, *added]))


def _figures(batch: pa.RecordBatch, recent: Recent) -> tuple[Floats, Floats]:
    """`(n, 1 + 2 kinds)`, how many items and both cosines of each kind; and `(n, d)` pooled."""
    items, known = _padded(batch.column("recent"), recent.most)
    asked = batch.column("item_idx").to_numpy(zero_copy_only=False)
    figures: list[Floats] = [known.sum(axis=1).astype(np.float64)]
    # See `others`: of the row's own item nothing is told.
    known &= items != asked[:, None]
    number, pooled = known.sum(axis=1), [np.empty((len(asked), 0))]
    for vectors in recent.vectors.values():
        each = _of_kind(vectors, asked, items, known)
        figures += each.cosines
        pools = {"mean": each.total / np.maximum(number, 1)[:, None], "max": each.largest}
        pooled += [pools[name] / LENGTH for name in recent.pooled]
    return np.column_stack(figures), np.column_stack(pooled)


@dataclass(frozen=True)
class _OfKind:
    """What n rows' recent items are by vectors of one kind.

    Args:
        cosines: `(n,)` with the mean, and with the nearest; NaN where there are none.
        total: `(n, d)`, their sum.
        largest: `(n, d)`, place by place.
    """

    cosines: list[Floats]
    total: Whole
    largest: Whole


def _of_kind(vectors: Vectors, asked: Indices, items: Indices, known: NDArray[np.bool_]) -> _OfKind:
    own = vectors[asked].astype(np.int64)
    length = _lengths(own)
    total, largest = np.zeros_like(own), np.zeros_like(own)
    nearest, met = np.full(len(asked), np.nan), np.zeros((len(asked), 1), dtype=bool)
    # Item by item: a gather of all at once would be as large as the batch times `most`.
    for place in range(items.shape[1]):
        there = known[:, place, None]
        each = vectors[items[:, place]].astype(np.int64) * there
        largest = np.where(there & ((each > largest) | ~met), each, largest)
        met |= there
        total += each
        nearest = np.fmax(nearest, _cosine((each * own).sum(axis=1), _lengths(each), length))
    mean = _cosine((total * own).sum(axis=1), _lengths(total), length)
    return _OfKind([mean, nearest], total, largest)


def _padded(column: pa.Array, most: int) -> tuple[Indices, NDArray[np.bool_]]:
    """Lists as `(n, most)` and which of them is there."""
    values, lengths = list_parts(column)
    known = np.arange(most) < lengths[:, None]
    items = np.zeros(known.shape, dtype=np.int32)
    items[known] = values
    return items, known


def _as_lists(values: Floats) -> pa.Array:
    """`(n, d)` as lists of float32; NaN is null."""
    flat = pa.array(values.astype(np.float32).reshape(-1), from_pandas=True)
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def _lengths(vectors: Whole) -> Floats:
    lengths: Floats = np.sqrt(np.square(vectors).sum(axis=1).astype(np.float64))
    return lengths


def _cosine(product: Whole, one: Floats, other: Floats) -> Floats:
    both = one * other
    return np.divide(product, both, out=np.full(len(both), np.nan), where=both > 0)
