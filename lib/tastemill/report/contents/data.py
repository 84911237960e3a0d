"""What the data is like: the shape of events, users and items, the rows that were rejected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


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
class Expected:
    """One expectation of a table, what was found in words, and whether it holds."""

    table: str
    column: str
    check: str
    expected: str
    found: str
    holds: bool
