"""What the page shows, as plain values: no Spark, no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Overview:
    """What run it was and what it saw; None where nobody knows."""

    dataset: str
    task: str
    run_id: str
    written_at: datetime
    cut: datetime | None = None
    as_of: datetime | None = None
    started_at: datetime | None = None
    command: str | None = None
    events: int = 0
    users: int = 0
    items: int = 0


@dataclass(frozen=True)
class Model:
    """One model of the backtest."""

    kind: str
    model_id: str
    seed: int
    seconds: float
    params: Mapping[str, Any]


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
class Curve:
    """The loss of one model by epoch: (epoch, loss) of what it learned from and of what not."""

    kind: str
    train: tuple[tuple[int, float], ...]
    valid: tuple[tuple[int, float], ...]


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


@dataclass(frozen=True)
class ShownItem:
    """One line of a list."""

    item_id: str
    title: str
    categories: tuple[str, ...] = ()
    value: float | None = None  # of a past event: stars or quantity
    taken: bool = False  # of a recommendation: whether the user took it later
    reason: str | None = None


@dataclass(frozen=True)
class UserLists:
    """What a user had lately, newest first, beside what they are shown, best first."""

    user_id: str
    history: tuple[ShownItem, ...]
    shown: tuple[ShownItem, ...]


@dataclass(frozen=True)
class Lists:
    """A few users' lists; of a backtest, it is known what they took later."""

    model_id: str
    as_of: datetime
    published: bool
    users: tuple[UserLists, ...]


@dataclass(frozen=True)
class Stage:
    """One stage of the run."""

    name: str
    purpose: str
    status: str
    rows: int | None
    seconds: float
    error: str | None


@dataclass(frozen=True)
class TableVersions:
    """A table, or a slice of it, and the Delta versions of it that were read and written."""

    label: str
    read: tuple[int, ...]
    written: tuple[int, ...]


@dataclass(frozen=True)
class ReportData:
    """Everything on the page; an empty part is left out of it."""

    overview: Overview
    models: tuple[Model, ...] = ()
    metrics: tuple[MetricsTable, ...] = ()
    ratings: tuple[MetricsTable, ...] = ()
    curves: tuple[Curve, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    lists: Lists | None = None
    stages: tuple[Stage, ...] = ()
    versions: tuple[TableVersions, ...] = ()
