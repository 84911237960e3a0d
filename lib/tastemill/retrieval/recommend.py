"""Exact top-k lists for all users of a frame: broadcast the items, stream the users.

Per block of users: scores of all eligible items in one matrix product, seen ones masked to −inf,
the k best kept. Nothing of size users × items is ever shuffled or stored.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from tastemill.columns import as_array, as_lists, list_parts, nulls
from tastemill.errors import ContractError, DataError
from tastemill.retrieval.scorers import Scorer
from tastemill.retrieval.topk import NO_ITEM, FloatArray, top_k

LISTS_SCHEMA = "user_idx int, items array<int>, scores array<float>, fallback boolean"
BLOCK_BYTES = 16 * 1024 * 1024  # of scores: larger blocks leave the cache, and gain nothing
MAX_BLOCK_ROWS = 1024  # a partition of few users still pays for a whole block


def recommend_top_k(
    users: DataFrame,
    scorer: Scorer,
    k: int,
    *,
    eligible: NDArray[np.bool_] | None = None,
    block_rows: int | None = None,
    after: ExitStack | None = None,
) -> DataFrame:
    """The k best unseen items of every user, best first, equal scores by item index.

    Args:
        users: user_idx int, seen array<int> (null: nothing; indices outside the catalogue are
            ignored), and the scorer's columns.
        scorer: sent to the workers in one broadcast.
        k: the length of a list; shorter where fewer items are left, empty where none is.
        eligible: `(m,)`, false for items that may not be shown; all may by default.
        block_rows: users per matrix product, by default what fills `BLOCK_BYTES` of scores.
        after: its end deletes what was sent to the workers; Spark itself never does. The lists
            have to be computed by then.

    Returns:
        A row per user: `LISTS_SCHEMA`; fallback is true where one of the scorer's columns is null,
        so that the list isn't the user's own.
    """
    _check(users, scorer, k, eligible)
    catalogue = np.arange(scorer.num_items)
    if eligible is not None and not eligible.all():
        catalogue = np.flatnonzero(eligible)
        scorer = scorer.of_items(catalogue)
    rows = block_rows or default_block_rows(scorer.num_items)
    plan = users.sparkSession.sparkContext.broadcast(_Plan(scorer, k, catalogue, rows))
    if after is not None:
        after.callback(plan.destroy)

    def lists_of(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        return (plan.value.lists(batch) for batch in batches if batch.num_rows)

    needed = dict.fromkeys(("user_idx", "seen", *scorer.columns))
    # mapInArrow: a matrix product with a whole catalogue has no native Spark function, and Arrow
    # buffers reach numpy without a copy.
    return users.select(*needed).mapInArrow(lists_of, LISTS_SCHEMA)


def default_block_rows(num_items: int) -> int:
    """Users whose float32 scores fill `BLOCK_BYTES`."""
    return max(1, min(MAX_BLOCK_ROWS, BLOCK_BYTES // (4 * max(1, num_items))))


@dataclass(frozen=True)
class _Plan:
    """What the workers need to turn a batch of users into lists.

    The scorer's item i is item catalogue[i], which ascend.
    """

    scorer: Scorer
    k: int
    catalogue: NDArray[np.int64]
    block_rows: int

    def lists(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The lists of a batch of users, a row each."""
        blocks = range(0, batch.num_rows, self.block_rows)
        parts = [self._block(batch.slice(start, self.block_rows)) for start in blocks]
        items = np.concatenate([part[0] for part in parts])
        scores = np.concatenate([part[1] for part in parts])
        kept = items != NO_ITEM
        fallback = np.zeros(batch.num_rows, dtype=np.bool_)
        for name in self.scorer.columns:
            fallback |= nulls(batch.column(name))
        arrays = [batch.column("user_idx"), as_lists(items, kept), as_lists(scores, kept)]
        names = ["user_idx", "items", "scores", "fallback"]
        return pa.RecordBatch.from_arrays([*arrays, pa.array(fallback)], names)

    def _block(self, users: pa.RecordBatch) -> tuple[NDArray[np.int32], FloatArray]:
        columns = {name: self._padded(users.column(name), name) for name in self.scorer.columns}
        scores = self.scorer.score(columns)[: users.num_rows]
        mask_seen(scores, users.column("seen"), self.catalogue)
        places, best = top_k(scores, self.k)
        if not len(self.catalogue):
            return places, best
        items = np.where(places == NO_ITEM, NO_ITEM, self.catalogue[places])
        return items.astype(np.int32), best

    def _padded(self, column: pa.Array, name: str) -> NDArray[Any]:
        # Every block has the same shape (the last row repeats): BLAS picks its kernel by shape, and
        # a user's scores must not depend, to the last bit, on who shares the block.
        array = as_array(column, name)
        return array.take(np.arange(self.block_rows), axis=0, mode="clip")


def mask_seen(scores: FloatArray, seen: pa.Array, catalogue: NDArray[np.int64]) -> None:
    """Set to −inf, in place, the seen items of each row of `(n, m)` scores.

    Args:
        scores: of item catalogue[i] in column i.
        seen: a list of items for each row; others than those of the catalogue don't count.
        catalogue: `(m,)`, ascending.
    """
    items, lengths = list_parts(seen)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = np.minimum(np.searchsorted(catalogue, items), max(len(catalogue) - 1, 0))
    known = catalogue[places] == items if len(catalogue) else np.zeros(len(items), dtype=np.bool_)
    scores[rows[known], places[known]] = -np.inf


def _check(users: DataFrame, scorer: Scorer, k: int, eligible: NDArray[np.bool_] | None) -> None:
    missing = {"user_idx", "seen", *scorer.columns} - set(users.columns)
    if missing:
        found = ", ".join(users.columns)
        raise ContractError("users lack columns", expected=", ".join(sorted(missing)), found=found)
    if k < 1:
        raise DataError("bad list length", expected="k of at least 1", found=str(k))
    if eligible is not None and eligible.shape != (scorer.num_items,):
        expected, found = f"({scorer.num_items},)", str(eligible.shape)
        raise DataError("bad mask of eligible items", expected=expected, found=found)
