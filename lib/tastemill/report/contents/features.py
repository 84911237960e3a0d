"""What tells of the label: features, and which of them are kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Telling:
    """A feature: what share of the label's entropy it tells; the reason is empty if it is kept."""

    name: str
    told: float
    reason: str


@dataclass(frozen=True)
class Features:
    """The features of a backtest.

    `best` are those that tell most, the first first; `reasons` is how many each gate held back, and
    `skewed` are kept ones that lie elsewhere in the test than in what is learned from.
    """

    total: int
    kept: int
    best: tuple[Telling, ...]
    reasons: tuple[tuple[str, int], ...]
    skewed: tuple[str, ...]
