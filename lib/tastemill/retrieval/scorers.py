"""Scorers: what turns a block of users into a score for every item of the catalogue.

A scorer is any picklable object with the protocol below; it travels to the workers in one
broadcast. Networks bring their own, beside their own code.
"""

import math
from collections.abc import Mapping
from copy import copy
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tastemill.errors import DataError
from tastemill.retrieval.topk import FloatArray

Columns = Mapping[str, NDArray[Any]]


class Scorer(Protocol):
    """Scores all items for a block of users."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a user that `score` needs."""

    @property
    def num_items(self) -> int:
        """m, the length of a score row; item indices are 0 … m − 1."""

    def score(self, columns: Columns) -> FloatArray:
        """Scores `(n, m)` float32 of n users.

        Args:
            columns: per name an array of n rows: `(n,)` for a number, `(n, d)` for lists of d.
                Null is NaN in floats and −1 in integers, a null list a row of them. Lists that
                are all null have d = 1.

        Returns:
            An array the caller may overwrite, and the scorer too at its next call.
        """

    def of_items(self, items: NDArray[np.int64]) -> "Scorer":
        """The same for these items alone: item i of the new one is items[i] of this one."""


class FactorScorer:
    """Dot products of user vectors with item factors, plus the item's bias.

    The same to the last bit on every machine, whoever shares the block: BLAS sums in an order that
    depends on the processor and on a user's place in the block. Vectors are rounded to so few bits
    that sums of doubles are exact, in any order, and only the result becomes a float32.

    A user whose `vector` is null gets the `fallback` row, say log popularity.

    Args:
        item_factors: `(m, d)`.
        fallback: `(m,)` scores for users without a vector; all −inf leaves them without a list.
        item_bias: `(m,)`, none by default.
    """

    columns: tuple[str, ...] = ("vector",)

    def __init__(
        self, item_factors: ArrayLike, *, fallback: ArrayLike, item_bias: ArrayLike | None = None
    ) -> None:
        factors = np.asarray(item_factors, dtype=np.float32)
        self.num_items, self.rank = factors.shape
        self._fallback = _row(fallback, self.num_items, "fallback")
        self._bias = None if item_bias is None else _row(item_bias, self.num_items, "bias")
        self._factors = exactly_summed(factors)
        self._product: NDArray[np.float64] | None = None

    def score(self, columns: Columns) -> FloatArray:
        """Scores `(n, m)`; see `Scorer`."""
        vectors = columns["vector"]
        missing = np.isnan(vectors).any(axis=1)
        if vectors.shape[1] != self.rank and not missing.all():
            found = f"{vectors.shape[1]}"
            raise DataError("bad vector length", expected=str(self.rank), found=found)
        rows = np.zeros((len(vectors), self.rank), dtype=np.float32)
        if not missing.all():
            rows[~missing] = vectors[~missing]
        product = np.dot(exactly_summed(rows), self._factors.T, out=self._buffer(len(rows)))
        scores: FloatArray = product.astype(np.float32)
        if self._bias is not None:
            scores += self._bias
        scores[missing] = self._fallback
        return scores

    def of_items(self, items: NDArray[np.int64]) -> "FactorScorer":
        """See `Scorer`."""
        part = copy(self)
        part.num_items = len(items)
        part._factors, part._fallback = self._factors[items], self._fallback[items]
        part._bias = None if self._bias is None else self._bias[items]
        part._product = None
        return part

    def _buffer(self, num_users: int) -> NDArray[np.float64]:
        # Blocks have one size, so one buffer serves them all: fresh pages cost much time.
        if self._product is None or len(self._product) != num_users:
            self._product = np.empty((num_users, self.num_items))
        return self._product

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_product": None}


def exactly_summed(vectors: FloatArray) -> NDArray[np.float64]:
    """The vectors `(n, d)`, each rounded to whole steps of one power of two, as doubles.

    Of d products of two such vectors a double holds every sum exactly: as many bits as fit, at
    most the 24 of a float32, beside the largest number of the vector.
    """
    bits = min(24, (53 - math.ceil(math.log2(max(2, vectors.shape[1])))) // 2)
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    step = np.ldexp(1.0, np.frexp(largest)[1] - bits)[:, None]
    rounded: NDArray[np.float64] = np.rint(vectors / step) * step
    return rounded


class StaticScorer:
    """The same scores for everybody: popularity, or a day's editorial order.

    Args:
        scores: `(m,)`.
    """

    columns: tuple[str, ...] = ("user_idx",)  # only their number counts

    def __init__(self, scores: ArrayLike) -> None:
        row = np.asarray(scores, dtype=np.float32)
        self._row = _row(row, row.size, "scores")
        self.num_items = row.size

    def score(self, columns: Columns) -> FloatArray:
        """Scores `(n, m)`, all rows alike; see `Scorer`."""
        return np.tile(self._row, (len(columns["user_idx"]), 1))

    def of_items(self, items: NDArray[np.int64]) -> "StaticScorer":
        """See `Scorer`."""
        return StaticScorer(self._row[items])


def _row(values: ArrayLike, num_items: int, name: str) -> FloatArray:
    row = np.asarray(values, dtype=np.float32)
    if row.shape != (num_items,):
        raise DataError(f"bad {name} row", expected=f"({num_items},)", found=str(row.shape))
    if np.isnan(row).any():
        raise DataError(f"NaN in the {name} row", expected="scores or −inf", found=str(row))
    return row
