"""An observer of the line that shows nothing and remembers what it was told."""

from collections.abc import Sequence

from tastemill.config import Purpose
from tastemill.line.books import Record


class Silent:
    """Keeps (stage, status) of every stage that is over, and the seconds that were expected."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.expected: list[float | None] = []

    def planned(self, seconds: Sequence[float | None]) -> None:
        """How long stages took before."""
        self.expected = list(seconds)

    def started(self, stage: str, purpose: Purpose, number: int, total: int) -> None:
        """A stage begins."""
        assert 1 <= number <= total

    def finished(self, stage: str, purpose: Purpose, record: Record) -> None:
        """A stage is over."""
        self.seen.append((stage, record.status))
