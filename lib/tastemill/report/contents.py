"""What the page shows, as plain values: no Spark, no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
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
    repro: str | None = None  # the command that does the run's backtest again
    served: str | None = None  # the kind that production serves
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
    score: float | None = None  # of a recommendation: the model's own, comparable within a list


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
class Bin:
    """How many lie in low ≤ x < high."""

    low: float
    high: float
    number: int


@dataclass(frozen=True)
class EventType:
    """The events of one type; `name` None stands for the rarer types together."""

    name: str | None
    events: int
    values: int  # of these carry a value
    value_mean: float | None
    first: date | None
    last: date | None


@dataclass(frozen=True)
class Timeline:
    """Events by calendar unit and type; `series` are as long as `bins`, which leave none out."""

    unit: str
    bins: tuple[date, ...]
    series: tuple[tuple[str | None, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Activity:
    """How much users do: quartiles and a histogram of events per user with an event."""

    users: int
    quartiles: tuple[float, ...]
    most: int
    pairs: int  # of a user and an item that the user had to do with
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Tail:
    """The share of events that the most frequent share of items holds, smallest share first."""

    items: int
    points: tuple[tuple[float, float], ...]

    def held_by(self, share: float) -> float | None:
        """What that share of items holds; None where it is not measured, or below one item."""
        return dict(self.points).get(share) if self.items * share >= 1 else None


@dataclass(frozen=True)
class Known:
    """In how many rows of a table a column is known."""

    column: str
    known: int
    rows: int


@dataclass(frozen=True)
class Shape:
    """What the events, users and items of the warehouse are like."""

    types: tuple[EventType, ...]
    without_time: int
    timeline: Timeline | None
    activity: Activity | None
    tail: Tail | None
    known: Mapping[str, tuple[Known, ...]]  # by table

    @property
    def density(self) -> float | None:
        """The share of all pairs of a user and an item that occur in an event."""
        if not self.activity or not self.tail:
            return None
        return self.activity.pairs / (self.activity.users * self.tail.items)


@dataclass(frozen=True)
class Rejected:
    """The rows that one rule rejected, and the first of them, cut short."""

    reason: str
    rows: int
    example: str
    file: str
    line: int | None


@dataclass(frozen=True)
class Quarantine:
    """The rejected rows by reason, the most frequent first; `rows` counts also rarer reasons."""

    rows: int
    reasons: tuple[Rejected, ...]


@dataclass(frozen=True)
class Quantity:
    """One number of the profiles: for how many users it is known, and its quantiles."""

    name: str
    known: int
    quantiles: tuple[float, ...]  # 10, 25, 50, 75 and 90 %


@dataclass(frozen=True)
class Card:
    """What is known of one user: None and nothing where the source tells nothing."""

    user_id: str
    facts: Mapping[str, str]
    numbers: Mapping[str, float]
    events_by_type: Mapping[str, int]
    interests: tuple[tuple[str | None, float], ...]  # category (None: the others) and share
    recent: tuple[ShownItem, ...] = ()


@dataclass(frozen=True)
class Profiles:
    """The user profiles of a day; interests are means over users that have any."""

    day: date
    users: int
    with_interests: int
    quantities: tuple[Quantity, ...]
    visits: tuple[Bin, ...]
    interests: tuple[tuple[str | None, float], ...]
    card: Card | None = None


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
    comparison: Comparison | None = None
    curves: tuple[Curve, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    lists: Lists | None = None
    profiles: Profiles | None = None
    shape: Shape | None = None
    quarantine: Quarantine | None = None
    stages: tuple[Stage, ...] = ()
    versions: tuple[TableVersions, ...] = ()
