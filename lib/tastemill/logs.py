"""The log file of a process: what Spark and its JVM say, and the whole story of a failure.

The JVM writes to the log from its first line on, so a terminal shows Tastemill's words alone. A
program that spark-submit or Databricks started has no such file: its logging is the cluster's.
"""

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from tastemill.host import is_submitted
from tastemill.places import cache_folder

KEPT = 20
"""Logs of this many processes stay; older ones go when a new one is begun."""


def log_file() -> Path | None:
    """The file of this process; None where logging is the cluster's or no folder can be written."""
    return None if is_submitted() else _begun(os.getpid())


def tell(error: BaseException) -> Path | None:
    """Write what is known of an error to the log, with the JVM's own trace; say where that is."""
    path = log_file()
    if path is None:
        return None
    story = "".join(traceback.format_exception(error)) + _java_trace(error)
    with suppress(OSError), path.open("a", encoding="utf-8") as log:  # the disk may be full
        log.write(f"\n{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n{story}\n")
    return path


@cache
def _begun(pid: int) -> Path | None:
    """A new, empty file, to be read by its owner alone: rows of data may stand in it."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{pid}.log"
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sweep(folder)
            (folder / name).touch(mode=0o600)
            return folder / name
    return None


def _folders() -> Iterator[Path]:
    """Where logs may lie, best first; TASTEMILL_LOGS names a folder."""
    if named := os.environ.get("TASTEMILL_LOGS"):
        yield Path(named).expanduser()
    yield cache_folder() / "logs"
    yield Path(tempfile.mkdtemp(prefix="tastemill-logs-"))


def _sweep(folder: Path) -> None:
    """Delete all but the newest, with room for one more; their names begin with a time."""
    for old in sorted(folder.glob("*.log"), reverse=True)[KEPT - 1 :]:
        old.unlink(missing_ok=True)


def _java_trace(error: BaseException) -> str:
    """What PySpark keeps apart from an error's text."""
    return str(getattr(error, "_stackTrace", None) or "")
