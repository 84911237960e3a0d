"""How far what fell into bins lies from what fell into the same bins before."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

LEAST_SHARE = 1e-4  # of a bin: what is empty on one side alone would make the index infinite


@dataclass(frozen=True)
class Bins:
    """Rows by bin of a column, those without a value last."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def known(self) -> int:
        """Rows with a value."""
        return sum(self.counts[:-1])


def psi(before: Bins, now: Bins) -> float:
    """The population stability index: Σ (p - q) ln(p / q) over the bins (Siddiqi 2006)."""
    pairs = zip(_shares(before.counts), _shares(now.counts), strict=True)
    floored = ((max(p, LEAST_SHARE), max(q, LEAST_SHARE)) for p, q in pairs)
    return sum((p - q) * log(p / q) for p, q in floored)


def ks(before: Bins, now: Bins) -> float:
    """The Kolmogorov-Smirnov distance of known values, as far as bins tell."""
    one, other, apart = 0.0, 0.0, 0.0
    known = _shares(before.counts[:-1]), _shares(now.counts[:-1])
    for p, q in zip(*known, strict=True):
        one, other = one + p, other + q
        apart = max(apart, abs(one - other))
    return apart


def _shares(counts: Sequence[int]) -> list[float]:
    return [count / max(sum(counts), 1) for count in counts]
