"""Trained networks as scorers: loaded once per Python worker, from the folder they lie in."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from tastemill.columns import as_array, as_lists
from tastemill.deep.registry import load_network
from tastemill.retrieval.scorers import Columns
from tastemill.retrieval.topk import FloatArray
from tastemill.training.spec import GAPS

# By `known`: null for users of whom a network of ids learned nothing.
BY_PROFILE, BY_HISTORY, BY_ID = ("user_idx", "user_vector"), ("history",), ("user_idx", "known")
BLOCK_ROWS = 1024  # users, items or pairs that a network is given at once
PAIR_COLUMNS = ("user_idx", "item_idx", "user_vector", "item_vector")


class NetworkScorer:
    """Scores of a whole catalogue by a network with `score_all`.

    Args:
        artifact: folder of model.json and model.safetensors, on a file system all workers see.
        item_vectors: `(m, Pi)` profile vectors, a row for each item.
        fallback: `(m,)` scores for users of whom a column is null, who have no history.
        items: `(m,)` which items of the network these are; all of it by default.
        columns: what it takes of users.
    """

    def __init__(
        self,
        artifact: str,
        item_vectors: NDArray[np.float32],
        fallback: NDArray[np.float32],
        items: NDArray[np.int64] | None = None,
        columns: tuple[str, ...] = BY_PROFILE,
    ) -> None:
        self.artifact, self.columns = artifact, columns
        self.fallback = fallback
        self.item_vectors = item_vectors
        self.num_items = len(item_vectors)
        self.items = np.arange(self.num_items) if items is None else items

    def score(self, columns: Columns) -> FloatArray:
        """Scores `(n, m)`; see `Scorer`."""
        told = columns[self.columns[-1]]
        told = told.reshape(len(told), -1)
        missing = (np.isnan(told) if told.dtype.kind == "f" else told < 0).any(axis=1)
        if missing.all():
            return np.tile(self.fallback, (len(told), 1))
        users = {name: _filled(columns[name]) for name in self.columns}
        items = {
            "item_idx": torch.from_numpy(self.items),
            "item_vector": torch.from_numpy(self.item_vectors),
        }
        loaded = network(self.artifact)
        known: FloatArray = loaded.score_all(users, items).numpy()
        # What it learned by its number alone is unknown to it where that came up after training.
        if "item_vector" not in loaded.inputs:
            known[:, self.items >= loaded.config.num_items] = -np.inf
        known[missing] = self.fallback
        return known

    def of_items(self, items: NDArray[np.int64]) -> "NetworkScorer":
        """See `Scorer`."""
        parts = self.item_vectors[items], self.fallback[items], self.items[items]
        return NetworkScorer(self.artifact, *parts, columns=self.columns)


def _filled(values: NDArray[Any]) -> torch.Tensor:
    """As tensors, with something in the rows of nulls, whose scores are replaced."""
    if values.dtype.kind == "f":
        return torch.from_numpy(np.nan_to_num(values))
    return torch.from_numpy(np.where(values < 0, 0, values).astype(np.int64))


@lru_cache(maxsize=2)
def network(artifact: str) -> Any:  # noqa: ANN401 - networks share a protocol, not a base class
    """The network of a folder, loaded once per process."""
    torch.set_num_threads(1)  # Spark runs one worker per core
    return load_network(artifact)


def predict_pairs(
    pairs: DataFrame, artifact: str, columns: tuple[str, ...] = PAIR_COLUMNS
) -> DataFrame:
    """Add `prediction` (double) to rows with the columns that the network takes."""
    schema = pairs.schema.simpleString()[len("struct<") : -1] + ",prediction:double"

    def predicted(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for batch in _blocks(batches):
            with torch.no_grad():
                scores = network(artifact)(_inputs(batch, columns))[: batch.num_rows]
            made = pa.array(scores.numpy().astype(np.float64))
            names = [*batch.schema.names, "prediction"]
            yield pa.RecordBatch.from_arrays([*batch.columns, made], names=names)

    # mapInArrow: a network has no native Spark function, and Arrow buffers reach it without a copy.
    return pairs.mapInArrow(predicted, schema)


def vectors_of(rows: DataFrame, artifact: str, side: Literal["user", "item"]) -> DataFrame:
    """(idx, vector) of a side's rows, by a network whose scores are products of such vectors.

    Args:
        rows: user_idx or item_idx, with the vector of the profile where the network takes it.
        artifact: folder of the network, on a file system all workers see.
        side: whose rows these are.
    """

    def made(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for batch in _blocks(batches):
            loaded = network(artifact)
            vectors_of_side = loaded.user_vectors if side == "user" else loaded.item_vectors
            with torch.no_grad():
                vectors = vectors_of_side(_inputs(batch, batch.schema.names))
            found = vectors[: batch.num_rows].numpy()
            lists = as_lists(found, np.ones(found.shape, dtype=bool))
            yield pa.RecordBatch.from_arrays([batch[f"{side}_idx"], lists], names=["idx", "vector"])

    # mapInArrow: as above.
    return rows.mapInArrow(made, "idx int, vector array<float>")


def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows in blocks of BLOCK_ROWS at most."""
    for batch in batches:
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            yield batch.slice(start, BLOCK_ROWS)


def _inputs(block: pa.RecordBatch, columns: Sequence[str]) -> dict[str, torch.Tensor]:
    """Tensors of BLOCK_ROWS rows, the block's last one repeated.

    BLAS picks its kernel by their number, and what is made of a row must not depend, to the last
    bit, on who shares the block.
    """
    places = torch.arange(BLOCK_ROWS).clamp(max=block.num_rows - 1)
    return {name: as_tensor(block[name], name)[places] for name in columns}


def as_tensor(column: pa.Array, name: str) -> torch.Tensor:
    """A number column as (B,), a list column as (B, width)."""
    values = as_array(column, name, gaps=name in GAPS)
    kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float32
    return torch.from_numpy(np.ascontiguousarray(values, dtype=kind))
