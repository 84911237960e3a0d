"""How far a run is: estimates on a terminal, plain lines elsewhere."""

import io
import logging

import pytest
from rich.console import Console

from tastemill import console
from tastemill.line.books import Record
from tastemill.progress import Remaining, StageProgress


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_what_is_left_is_what_stages_took_before() -> None:
    clock = Clock()
    left = Remaining(clock)
    assert left.words() == ""
    left.planned([10.0, 65.0, 50.0])
    assert left.words() == "at most 2:05 left"
    clock.at = 4
    assert left.seconds() == 121
    left.started(2)  # the first one was over sooner, or had nothing to do
    assert left.seconds() == 115
    clock.at = 4 + 100  # slower than before: what comes after it is still to be done
    assert left.seconds() == 50
    left.started(3)
    clock.at += 60
    assert left.words() == ""  # no 0:00 that stands there for minutes


@pytest.mark.parametrize("seconds", [[None], [3.0, None], [None, 3.0], []])
def test_nothing_is_said_where_a_stage_was_never_done(seconds: list[float | None]) -> None:
    left = Remaining(Clock())
    left.planned(seconds)
    assert left.words() == ""


def test_a_stage_that_was_never_done_is_known_not_to_come_again() -> None:
    left = Remaining(Clock())
    left.planned([None, 3.0])
    left.started(2)
    assert left.words() == "at most 0:03 left"


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def err(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Console:
    made = Console(file=io.StringIO(), width=200, force_terminal=request.param)
    monkeypatch.setattr(console, "err", made)
    return made


def shown(err: Console, *, quiet: bool = False) -> str:
    with StageProgress(quiet=quiet) as progress:
        progress.planned([20.0, 100.0])
        progress.started("ingest", "backtest", 1, 2)
        progress.progress.refresh()
        progress.finished("ingest", "backtest", Record("done", "key", rows=1234, seconds=5.0))
        progress.started("train_als", "backtest", 2, 2)
        progress.progress.refresh()
        progress.finished("train_als", "backtest", Record("failed", "key", error="no luck"))
    assert isinstance(err.file, io.StringIO)
    return err.file.getvalue()


def test_a_line_per_stage_and_on_a_terminal_a_bar(err: Console) -> None:
    printed = shown(err)
    assert "1,234 rows" in printed
    if err.is_terminal:
        assert "at most 2:00 left" in printed or "at most 1:59 left" in printed
        assert "1/2" in printed
        return
    assert [line.split() for line in printed.splitlines()] == [
        ["✓", "ingest", "backtest", "1,234", "rows", "5.0", "s"],
        ["✗", "train_als", "backtest", "0.0", "s", "no", "luck"],
    ]
    assert "\x1b" not in printed


def test_what_a_stage_tells_stands_beside_it_or_in_lines_now_and_then(
    err: Console, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tastemill.progress.LINE_EVERY_S", 0.0)
    log = logging.getLogger("tastemill.progress")
    with StageProgress() as progress:
        progress.started("train_deep", "backtest", 1, 1)
        log.info("sasrec: epoch %d of 60", 3)
        progress.progress.refresh()
    log.info("nobody hears this")
    assert isinstance(err.file, io.StringIO)
    printed = err.file.getvalue()
    beside = "train_deep (backtest) sasrec: epoch 3 of 60"
    assert (beside if err.is_terminal else "  sasrec: epoch 3 of 60\n") in printed
    assert "nobody" not in printed
    assert not caplog.records  # none of it is told a second time


def test_a_quiet_one_says_nothing(err: Console) -> None:
    assert shown(err, quiet=True) == ""
