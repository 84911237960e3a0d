"""Sequences without their padding: what works position by position works on those that are there.

On MovieLens 1M with 200 positions half of them are padding.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Which of B × L positions hold something; packed, they follow one another row by row.

    Attributes:
        shape: B and L.
        places: (N,) int64, positions counted through all rows.
    """

    shape: tuple[int, int]
    places: Tensor

    @classmethod
    def of(cls, known: Tensor) -> "Packing":
        """By a mask (B, L)."""
        return cls((known.shape[0], known.shape[1]), known.flatten().nonzero().squeeze(1))

    def packed(self, x: Tensor) -> Tensor:
        """(N, …) of x (B, L, …)."""
        return x.flatten(0, 1)[self.places]

    def padded(self, x: Tensor) -> Tensor:
        """(B, L, d) of x (N, d), 0 where nothing is."""
        rows, length = self.shape
        wide = x.new_zeros(rows * length, x.shape[1])
        return wide.index_copy(0, self.places, x).view(rows, length, x.shape[1])
