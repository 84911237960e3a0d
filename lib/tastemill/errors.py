"""Every error a user can meet: what was expected, what was found, what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches


class TastemillError(Exception):
    """A failure with a message for people; the CLI prints it without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, expected: str = "", found: str = "", fix: str = "") -> None:
        self.message, self.expected, self.found, self.fix = message, expected, found, fix
        parts = [message]
        parts += [f"  {k}: {v}" for k, v in (("expected", expected), ("found", found)) if v]
        parts += [f"  next step: {fix}"] if fix else []
        super().__init__("\n".join(parts))

    @property
    def parts(self) -> dict[str, str | None]:
        """The same for programs; what isn't told is null."""
        told = {"expected": self.expected, "found": self.found, "fix": self.fix}
        return {"error": self.message, **{key: value or None for key, value in told.items()}}


class UsageError(TastemillError):
    """Wrong command line or configuration."""

    exit_code = 2


class DataError(TastemillError):
    """Input data that can't be read or breaks its contract."""


class ContractError(TastemillError):
    """A table whose columns, keys or owner differ from what its contract states."""


class BusyError(TastemillError):
    """Another run works on the warehouse, or has taken over from this one."""


class TrainingError(TastemillError):
    """Training stopped: the first line is the worker's own exception."""


class FeedError(TastemillError):
    """A feed whose rows differ from its manifest."""


class SetupError(TastemillError):
    """The machine lacks something: Java, JARs, slots, a GPU."""


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The next step after a name that isn't known: the nearest one that is, if one is near."""
    by_letters = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), list(by_letters), n=1)
    return f"did you mean {by_letters[near[0]]}?" if near else otherwise
