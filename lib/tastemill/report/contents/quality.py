"""How good the models are: metrics, comparison, predictions."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured mean with its 95 % interval, if it has one, over so many users."""

    value: float
    low: float | None
    high: float | None
    users: int


@dataclass(frozen=True)
class MetricsTable:
    """The models under each other in one segment (all, warm or cold), best first.

    `rows` maps kind to metric to figure; `k` is the length of list, None for ratings.
    """

    segment: str
    k: int | None
    rows: Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True)
class Difference:
    """By how much a model's metric exceeds the reference's, on the same users.

    The interval holds 95 %; the p-value is two-sided and corrected for all models tested (Holm).
    """

    kind: str
    value: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Every model against the strongest list that is the same for everybody, best first."""

    reference: str
    metric: str
    k: int
    users: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Spread:
    """The predictions for everything that was given so many stars."""

    stars: float
    num_ratings: int
    mean: float
    quantiles: tuple[float, ...]  # 10, 25, 75 and 90 %


@dataclass(frozen=True)
class Decile:
    """A tenth of the examples, by predicted probability, and what share of it was taken."""

    num_examples: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Prediction:
    """Predicted against actual of one model: spreads (rating task) or deciles (implicit task)."""

    kind: str
    spreads: tuple[Spread, ...] = ()
    deciles: tuple[Decile, ...] = ()
