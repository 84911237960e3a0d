"""A rank's last word: every process leaves a file that says how it ended.

TorchDistributor tells only that something failed, and in local mode not even that if another
rank finished first. The driver believes these files instead.
"""

import json
import os
import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

from tastemill.errors import TastemillError
from tastemill.training.faults import trip
from tastemill.training.loop import train
from tastemill.training.process import end_with_parent, keep_freed_memory
from tastemill.training.spec import TrainResult, TrainSpec

ROOM, LONGEST = 65_536, 10_000  # bytes of a status file, characters of its longest texts
_ECHOES = (
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "connection refused",
    "timed out waiting",
    "watchdog",
    "stopped by sigterm",
)
"""What a rank says when it fails only because another one did."""


@dataclass(frozen=True)
class Status:
    """How a rank ended.

    Attributes:
        rank: From 0.
        ok: It finished.
        time: Seconds since 1970, by the rank's own clock.
        error: `type: message` of its exception, or empty.
        trace: The traceback, or empty.
        final: Another start would end the same way: data or settings are at fault.
    """

    rank: int
    ok: bool
    time: float
    error: str = ""
    trace: str = ""
    final: bool = False

    @property
    def is_echo(self) -> bool:
        """Whether the exception looks like the consequence of another rank's end."""
        return any(words in self.error.lower() for words in _ECHOES)


def train_and_report(spec: TrainSpec) -> TrainResult:
    """`train`, leaving a status file as the last act; what TorchDistributor runs."""
    rank = int(os.environ.get("RANK", "0"))
    keep_freed_memory()
    _take_room(spec, rank)
    try:
        with _word_before_sigterm():
            if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun is the parent
                end_with_parent()
            result = train(spec)
        trip(spec.faults, rank=rank, attempt=spec.attempt, at="end")
    except BaseException as error:
        _leave(spec, _failed(rank, error))
        raise
    finally:
        _clear_launchers_folder()
    _leave(spec, Status(rank, True, time.time()))
    return result


class StoppedError(Exception):
    """The launcher ends this rank, most likely because another one failed."""


@contextmanager
def _word_before_sigterm() -> Iterator[None]:
    """Raise where SIGTERM would end the process without a word.

    A rank that waits for another in native code raises as soon as the wait ends, which the other's
    end brings about.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise StoppedError("stopped by SIGTERM")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _clear_launchers_folder() -> None:
    """Remove the folder for logs that torchrun makes for each start and leaves empty.

    An environment variable could name another one, but no variable of the driver's reaches
    torchrun on a cluster.
    """
    for folder in Path(os.environ.get("TORCHELASTIC_ERROR_FILE", "")).parents:
        if folder.name.startswith("torchelastic_"):
            shutil.rmtree(folder, ignore_errors=True)


def _failed(rank: int, error: BaseException) -> Status:
    return Status(
        rank=rank,
        ok=False,
        time=time.time(),
        error=f"{type(error).__name__}: {error}",
        trace=traceback.format_exc(),
        final=isinstance(error, TastemillError),
    )


def read_statuses(folder: Path) -> dict[int, Status]:
    """The status files of one attempt, by rank."""
    found = [Status(**json.loads(path.read_text())) for path in folder.glob("rank-*.json")]
    return {status.rank: status for status in found}


def _take_room(spec: TrainSpec, rank: int) -> None:
    """Write the file of the last word as blanks, so that a disk that fills up has room for it."""
    if spec.status_dir:
        Path(spec.status_dir).mkdir(parents=True, exist_ok=True)
        _part(spec, rank).write_bytes(b" " * ROOM)


def has_begun(spec: TrainSpec) -> bool:
    """Whether any rank has."""
    return any(Path(spec.status_dir).glob("*rank-*"))


def _leave(spec: TrainSpec, status: Status) -> None:
    if not spec.status_dir:
        return
    short = replace(status, error=status.error[:LONGEST], trace=status.trace[-LONGEST:])
    part = _part(spec, status.rank)
    with part.open("r+b") as file:
        file.write(json.dumps(asdict(short)).encode())  # the blanks after it mean nothing to JSON
    part.replace(Path(spec.status_dir) / f"rank-{status.rank}.json")


def _part(spec: TrainSpec, rank: int) -> Path:
    return Path(spec.status_dir) / f".rank-{rank}.part"
