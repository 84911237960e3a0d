"""What the run was: its header, models with their losses, stages, tables read and written."""

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
class Curve:
    """The loss of one model by epoch: (epoch, loss) of what it learned from and of what not."""

    kind: str
    train: tuple[tuple[int, float], ...]
    valid: tuple[tuple[int, float], ...]


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
