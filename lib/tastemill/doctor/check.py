"""One thing that was looked at, and what came of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "missing"]


@dataclass(frozen=True)
class Check:
    """What was found against what is expected; `missing` is what Tastemill can't do without."""

    name: str
    status: Status
    found: str
    expected: str = ""
    fix: str = ""

    @property
    def row(self) -> dict[str, str]:
        """The same as a row of a table."""
        told = {"check": self.name, "status": self.status, "found": self.found}
        return {**told, "expected": self.expected, "fix": self.fix}


def healthy(checks: Iterable[Check]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(check.status != "missing" for check in checks)


def tried(name: str, look: Callable[[], Check | list[Check]]) -> list[Check]:
    """The checks, or one that says why it couldn't be told."""
    try:
        seen = look()
    # Whatever is broken on the machine, the other checks are to be seen.
    except Exception as error:
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        return [Check(name, "warn", f"could not be looked at: {words}")]
    return seen if isinstance(seen, list) else [seen]
