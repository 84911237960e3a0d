"""What users are shown and what is known of them: lists, profiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from tastemill.report.contents.data import Bin


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
