"""The numpy side of the Poisson bootstrap: weights from hashes, weighted sums of whole numbers."""

from collections.abc import Callable, Iterable
from math import exp, factorial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tastemill.splitmix import GAMMA, mixed

SUMS_SCHEMA = (
    "model_id string, segment string, metric string, k int, "
    "total array<long>, n array<long>, users long"
)
_KEY = ("model_id", "segment", "metric", "k")
_ARROW = pa.schema(
    [
        *((name, pa.string()) for name in _KEY[:3]),
        ("k", pa.int32()),
        *((name, pa.list_(pa.int64())) for name in ("total", "n")),
        ("users", pa.int64()),
    ]
)
_EXACT = 2**53  # whole numbers below it are exact in a double
_CDF = np.cumsum([exp(-1) / factorial(j) for j in range(16)])  # P(w > 15) < 1e-13

Batches = Iterable[pa.RecordBatch]
Longs = NDArray[np.int64]
Key = tuple[str, str | None, str, int | None]


def user_sums(num_replicates: int, overall: str | None) -> Callable[[Batches], Batches]:
    """A function for mapInArrow: rows of users in, a partition's sums per model and metric out.

    In: (model_id, segment, metric, k, total, n, stream). Out: `SUMS_SCHEMA`, where total and n are
    `(num_replicates + 1,)` sums of weight × value, the weight in replicate 0 being 1, and users
    counts rows.
    """

    def sums_of(batches: Batches) -> Batches:
        sums: dict[Key, Longs] = {}
        for batch in batches:
            _add(sums, batch, num_replicates, overall)
        if sums:
            yield _as_batch(sums)

    return sums_of


def poisson_weights(streams: Longs, num_replicates: int) -> NDArray[np.int8]:
    """Weights `(num_replicates, u)` ~ Poisson(1), each set by its stream `(u,)` and replicate.

    SplitMix64, started at the user's hash, gives the uniform number; the
    weight is the number of Poisson probabilities P(w ≤ j) not above it.
    """
    steps = np.arange(1, num_replicates + 1, dtype=np.uint64)[:, None]
    numbers = mixed(streams.astype(np.uint64) + steps * GAMMA)
    uniform = (numbers >> np.uint64(11)) * 2.0**-53
    weights = np.zeros(uniform.shape, dtype=np.int8)
    for probability in _CDF:  # half as long as np.searchsorted
        weights += uniform >= probability
    return weights


def exact_product(left: Longs, right: Longs) -> Longs:
    """`left @ right` of whole numbers, by BLAS in doubles where no sum can reach 2⁵³."""
    bound = float(np.abs(left).max(initial=0)) * float(np.abs(right).sum(axis=0).max(initial=0))
    if bound >= _EXACT:
        return left @ right
    return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.int64)


def _add(
    sums: dict[Key, Longs], batch: pa.RecordBatch, num_replicates: int, overall: str | None
) -> None:
    """Adds a batch's sums: per key `(2, 1 + replicates)` of totals and n, the row count first."""
    keys, codes = _keys(batch)
    streams, users = np.unique(_longs(batch, "stream"), return_inverse=True)
    weights = np.ones((num_replicates + 1, streams.size), dtype=np.int64)
    weights[1:] = poisson_weights(streams, num_replicates)
    shape = (streams.size, len(keys))
    totals, counts = (
        exact_product(weights, _dense(shape, users, codes, _longs(batch, name)))
        for name in ("total", "n")
    )
    rows = np.bincount(codes, minlength=len(keys))
    for i, (model, segment, metric, k) in enumerate(keys):
        new = np.array([[rows[i], *totals[:, i]], [rows[i], *counts[:, i]]])
        # A user without a segment counts in the overall one alone.
        for name in {segment or overall, overall or segment}:
            key = (model, name, metric, k)
            sums[key] = sums[key] + new if key in sums else new


def _keys(batch: pa.RecordBatch) -> tuple[list[Key], NDArray[np.intp]]:
    """The distinct keys of a batch, and which of them each row has, `(rows,)`."""
    codes = np.zeros(batch.num_rows, dtype=np.int64)
    for name in _KEY:
        column = batch.column(name).dictionary_encode(null_encoding="encode")
        codes = codes * len(column.dictionary) + column.indices.to_numpy()
    _, first, rows = np.unique(codes, return_index=True, return_inverse=True)
    found = batch.select(list(_KEY)).take(pa.array(first)).to_pylist()
    return [(key["model_id"], key["segment"], key["metric"], key["k"]) for key in found], rows


def _longs(batch: pa.RecordBatch, name: str) -> Longs:
    values: Longs = batch.column(name).to_numpy()
    return values


def _dense(
    shape: tuple[int, int], users: NDArray[np.intp], codes: NDArray[np.intp], values: Longs
) -> Longs:
    """The batch's values as `(users, keys)`, 0 where a user lacks a key."""
    dense = np.zeros(shape, dtype=np.int64)
    np.add.at(dense, (users, codes), values)
    return dense


def _as_batch(sums: dict[Key, Longs]) -> pa.RecordBatch:
    stacked = np.stack(list(sums.values()))
    columns: list[Any] = [list(values) for values in zip(*sums, strict=True)]
    columns += [list(stacked[:, 0, 1:]), list(stacked[:, 1, 1:]), stacked[:, 0, 0]]
    arrays = [
        pa.array(values, type=field.type) for values, field in zip(columns, _ARROW, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_ARROW)
