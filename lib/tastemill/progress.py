"""How far a run is: on a terminal a bar with an estimate, and a line per stage that is over."""

import logging
import time
from collections.abc import Callable, Sequence

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from tastemill import console
from tastemill.config import Purpose
from tastemill.line.books import Record

LINE_EVERY_S = 30.0
MARKS = {"done": ("✓", "green"), "skipped": ("·", "dim"), "failed": ("✗", "red")}


def line_of(stage: str, purpose: Purpose, record: Record) -> Text:
    """What is told of a stage that is over."""
    rows = "" if record.rows is None else f"{record.rows:>10,} rows"
    told = f" {stage:<16} {purpose:<10} {rows:>15} {record.seconds:>7.1f} s  "
    detail = record.detail or record.error or ""
    return Text.assemble(MARKS[record.status], told, (detail, "dim"))


class _Heard(logging.Handler):
    """Hands on what stages tell of themselves while they run."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear
        self._log = logging.getLogger("tastemill.progress")

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a message."""
        self._hear(record.getMessage())

    def begin(self) -> None:
        """Listen, alone: a handler of the root would print all of it once more."""
        self._log.addHandler(self)
        self._log.setLevel(logging.INFO)
        self._log.propagate = False

    def end(self) -> None:
        """Listen no more."""
        self._log.removeHandler(self)
        self._log.setLevel(logging.NOTSET)
        self._log.propagate = True


class StageLines:
    """Prints a line for each stage that is over, and what it tells before: for notebooks."""

    def __init__(self) -> None:
        self._heard = _Heard(lambda words: print(f"  {words}"))

    def planned(self, seconds: Sequence[float | None]) -> None:
        """How long stages took before."""

    def started(self, stage: str, purpose: Purpose, number: int, total: int) -> None:
        """A stage begins."""
        self._heard.begin()

    def finished(self, stage: str, purpose: Purpose, record: Record) -> None:
        """Tell what was done."""
        self._heard.end()
        print(line_of(stage, purpose, record).plain.rstrip())


class Remaining:
    """What is left of a run, by how long its stages took before.

    At most that, since a stage may turn out to need nothing; nothing is said where a stage that
    is still to come was never done.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._begun = now()
        self._all: list[float | None] = []
        self._ahead: list[float | None] = []

    def planned(self, seconds: Sequence[float | None]) -> None:
        """Seconds that each stage took, in order."""
        self._all = list(seconds)
        self.started(1)

    def started(self, number: int) -> None:
        """The stage of this number, from 1, begins."""
        self._ahead, self._begun = self._all[number - 1 :], self._now()

    def seconds(self) -> float | None:
        """At most so many are left; None where that isn't known, or was exceeded."""
        known = [took for took in self._ahead if took is not None]
        if not known or len(known) < len(self._ahead):
            return None
        current = known[0] - (self._now() - self._begun)
        return current + sum(known[1:]) if current > 0 else sum(known[1:]) or None

    def words(self) -> str:
        """For a person: `at most 2:05 left`; empty where it isn't known."""
        left = self.seconds()
        if left is None:
            return ""
        minutes, seconds = divmod(round(left), 60)
        return f"at most {minutes}:{seconds:02d} left"


class StageProgress:
    """A bar over the stages, and a line for each that is over."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.remaining = Remaining()
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            _Left(self.remaining),
            console=console.err,
            transient=True,
            # A bar in a file or a pipe is only a line that was never finished.
            disable=quiet or not console.err.is_terminal,
        )
        self.quiet = quiet
        self.task = self.progress.add_task("starting", total=None)
        self._heard, self._label, self._told_at = _Heard(self._hear), "", time.monotonic()

    def __enter__(self) -> "StageProgress":
        self.progress.start()
        self._heard.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._heard.end()
        self.progress.stop()

    def planned(self, seconds: Sequence[float | None]) -> None:
        """How long stages took before."""
        self.remaining.planned(seconds)

    def started(self, stage: str, purpose: Purpose, number: int, total: int) -> None:
        """Show what is under way."""
        self.remaining.started(number)
        self._label = label = f"{stage} ({purpose})"
        self.progress.update(self.task, description=label, completed=number - 1, total=total)

    def finished(self, stage: str, purpose: Purpose, record: Record) -> None:
        """Leave a line of what was done."""
        if not self.quiet:
            self.progress.console.print(line_of(stage, purpose, record), soft_wrap=True)

    def _hear(self, words: str) -> None:
        """Show it beside the stage; in a file or a pipe, a line now and then."""
        if console.err.is_terminal:
            self.progress.update(self.task, description=f"{self._label} {words}")
        elif not self.quiet and time.monotonic() - self._told_at >= LINE_EVERY_S:
            self._told_at = time.monotonic()
            self.progress.console.print(f"  {words}", soft_wrap=True)


class _Left(ProgressColumn):
    """What is left, told anew whenever the bar is drawn."""

    def __init__(self, remaining: Remaining) -> None:
        super().__init__()
        self._remaining = remaining

    def render(self, task: Task) -> Text:
        """The words beside the bar."""
        return Text(self._remaining.words(), style="dim")
