"""Random numbers as hashes of (seed, what, ids): the same for a row wherever it is made.

So rows don't depend on partitions, and a number that two tables need is worked out in both.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, log, sqrt

from pyspark.sql import Column
from pyspark.sql import functions as F

UNIT = 2.0**-53
SQRT3 = sqrt(3)


@dataclass(frozen=True)
class Draws:
    """The random numbers of one seed. `what` names a draw; ids are bigint columns."""

    seed: int

    def hashed(self, what: str, *ids: Column) -> Column:
        """64 bits."""
        told = hashlib.sha256(f"{self.seed}:{what}".encode()).digest()
        salt = int.from_bytes(told[:8], "big", signed=True)
        return F.xxhash64(F.lit(salt), *ids)

    def uniform(self, what: str, *ids: Column) -> Column:
        """A double strictly between 0 and 1."""
        return (F.shiftrightunsigned(self.hashed(what, *ids), 11) + F.lit(0.5)) * UNIT

    def below(self, n: int, what: str, *ids: Column) -> Column:
        """A bigint from 0 to n - 1, all alike."""
        return F.floor(self.uniform(what, *ids) * float(n))

    def one_of(self, values: Sequence[object], what: str, *ids: Column) -> Column:
        """One of the values, all alike."""
        return at(values, self.below(len(values), what, *ids))

    def gumbel(self, what: str, *ids: Column) -> Column:
        """Standard Gumbel: the largest of log w + gumbel falls on each with probability w / Σw."""
        return -F.log(-F.log(self.uniform(what, *ids)))

    def bell(self, what: str, *ids: Column) -> Column:
        """About standard normal: four uniforms (Irwin-Hall), from -3.5 to 3.5."""
        parts = [self.uniform(f"{what} {n}", *ids) for n in range(4)]
        return (parts[0] + parts[1] + parts[2] + parts[3] - 2.0) * SQRT3


def at(values: Sequence[object], place: Column) -> Column:
    """The value at a place (from 0) of a short constant list."""
    return F.get(F.array(*(F.lit(value) for value in values)), place.cast("int"))


def zipf_rank(uniform: Column, count: Column | int, log_range: Column | float, q: float) -> Column:
    """A rank below count with density 1 / (rank + q): Zipf-Mandelbrot, by its inverse.

    Args:
        uniform: between 0 and 1.
        count: number of ranks.
        log_range: `zipf_log_range` of count and q.
        q: the larger, the flatter the head.
    """
    rank = F.floor(q * (F.exp(uniform * log_range) - 1.0))
    return F.least(rank, F.lit(count) - 1 if isinstance(count, int) else count - 1)


def zipf_log_range(count: int, q: float) -> float:
    """The integral of the density 1 / (rank + q) over [0, count)."""
    return log((count + q) / q)


def scrambler(*counts: int) -> int:
    """A factor a so that rank → (a · rank) mod count is one to one and far from order.

    Near the golden section of the first count and coprime to all.
    """
    factor = max(1, round(counts[0] * 0.6180339887))
    while any(gcd(factor, count) > 1 for count in counts):
        factor += 1
    return factor
