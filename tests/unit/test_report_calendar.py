"""Calendar units of the report, and the command that does a run again."""

import shlex
from datetime import date, timedelta

import pytest
from pyspark.sql import Row

from tastemill.config.load import Config, Request, load_config
from tastemill.report.calendar import MAX_BINS, timeline, unit_of, units_between
from tastemill.report.commands import repro_command

FIRST = date(2019, 12, 30)  # a Monday


@pytest.mark.parametrize(
    ("days", "unit"),
    [
        (1, "day"),
        (149, "day"),
        (150, "week"),
        (1_000, "week"),
        (1_100, "month"),
        (5_000, "quarter"),
        (20_000, "year"),
    ],
)
def test_the_finest_unit_that_can_be_drawn(days: int, unit: str) -> None:
    last = FIRST + timedelta(days=days - 1)
    assert unit_of(FIRST, last) == unit
    assert len(list(units_between(FIRST, last, unit))) <= MAX_BINS


def test_no_unit_without_a_date() -> None:
    assert unit_of(None, None) is None
    assert timeline("day", [], ["view"]) is None


def test_days_without_events_are_shown_as_such() -> None:
    rows = [
        Row(begin=date(2020, 11, 1), event_type="buy", n=3),
        Row(begin=date(2021, 2, 1), event_type="view", n=4),
    ]
    found = timeline("month", rows, ["view", "buy"])
    assert found is not None
    assert found.bins == (date(2020, 11, 1), date(2020, 12, 1), date(2021, 1, 1), date(2021, 2, 1))
    assert found.series == (("view", (0, 0, 0, 4)), ("buy", (3, 0, 0, 0)))


def stage(command: str, **other: object) -> Row:
    usual = {"purpose": "backtest", "status": "done", "models": {"als": "als-1"}}
    return Row(**usual | other | {"command": command})


def config(*settings: str) -> Config:
    return load_config(Request("completejourney", settings=settings))


def test_the_command_that_does_a_run_again() -> None:
    said = "tastemill run --dataset completejourney --warehouse ./my --set als.rank=9"
    there = config("run.warehouse='/data/my tables'")
    assert shlex.split(repro_command(there, "run-1", [stage(said)]) or "") == [
        *("tastemill", "run", "--dataset", "completejourney"),
        *("--warehouse", "/data/my tables", "--repro", "run-1"),
    ]
    again = repro_command(config(), "run-1", [stage(said)])
    assert again == "tastemill run --dataset completejourney --repro run-1"


def test_it_names_files_and_places_that_the_records_do_not_know() -> None:
    said = "tastemill run --dataset='my sets/mine.toml' --env cluster --conf here --force"
    again = repro_command(config(), "r", [stage(said)])
    assert (
        again == "tastemill run --dataset 'my sets/mine.toml' --env cluster --conf here --repro r"
    )


def test_a_command_of_an_older_release_has_no_quotes() -> None:
    again = repro_command(config(), "r", [stage("tastemill run --data /home/Bob's --env cluster")])
    assert again == "tastemill run --dataset completejourney --env cluster --repro r"


@pytest.mark.parametrize("other", [{"status": "failed"}, {"purpose": "production"}, {"models": {}}])
def test_nothing_can_be_done_again_that_made_no_model(other: dict[str, object]) -> None:
    assert repro_command(config(), "r", [stage("tastemill run", **other)]) is None
    assert repro_command(config(), "r", []) is None
