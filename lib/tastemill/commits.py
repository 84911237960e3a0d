"""What Delta says of commits: which rows they may have changed, and when two came into conflict."""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

# Commits that leave the rows as they were, so that no stage has to run again for them.
UPKEEP = (
    "CREATE TABLE",
    "ADD COLUMNS",
    "OPTIMIZE",
    "VACUUM",
    "SET TBL",
    "UNSET TBL",
    "ADD CONS",
    "CLUSTER BY",
)
# Through py4j the named exceptions may surface as plain text only.
CONFLICTS = (
    "io.delta.exceptions.Concurrent",
    "DELTA_CONCURRENT",
    "MetadataChangedException",
    "ProtocolChangedException",  # two make one table
)
# Of a table that another writer makes, a folder stands before its first commit.
IN_THE_MAKING = ("DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION", "DELTA_TABLE_NOT_FOUND")
MAX_ATTEMPTS = 6
R = TypeVar("R")


@dataclass(frozen=True)
class Commit:
    """One version of a table and the slices it touched (none named: all of it)."""

    version: int
    operation: str
    slices: tuple[str, ...]

    def touches(self, where: str | None) -> bool:
        """Whether the commit may have changed rows of this slice (None: of any)."""
        if self.operation.startswith(UPKEEP):
            return False
        return where is None or not self.slices or where in self.slices


def last_touch(commits: Sequence[Commit], where: str | None) -> int | None:
    """The newest of the commits, newest first, that may have changed rows of the slice."""
    return next((c.version for c in commits if c.touches(where)), None)


def slices_named(metadata: str | None) -> tuple[str, ...]:
    """The slices that a commit's metadata says it touched."""
    try:
        return tuple(json.loads(metadata or "{}").get("slices", ()))
    except (ValueError, AttributeError):
        return ()  # a commit of somebody else's: it may have touched anything


def with_retries(write: Callable[[], R], marks: Sequence[str] = CONFLICTS) -> R:
    """Run a write again when another writer came first; it must re-read what it builds on."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return write()
        except Exception as error:
            if not is_conflict(error, marks) or attempt == MAX_ATTEMPTS:
                raise
            time.sleep(random.uniform(0.1, 0.4) * 2**attempt)
    raise AssertionError("unreachable")


def is_conflict(error: Exception, marks: Sequence[str] = CONFLICTS) -> bool:
    """Whether another writer's commit came first."""
    return any(mark in str(error) for mark in marks)
