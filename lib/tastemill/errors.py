"""Every error a user can meet: what was expected, what was found, what to do next."""


class TastemillError(Exception):
    """A failure with a message for people; the CLI prints it without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, expected: str = "", found: str = "", fix: str = "") -> None:
        parts = [message]
        parts += [f"  {k}: {v}" for k, v in (("expected", expected), ("found", found)) if v]
        parts += [f"  next step: {fix}"] if fix else []
        super().__init__("\n".join(parts))


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
