"""Every command's help, its completions and its errors, in processes without Spark."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tastemill import completion, tables
from tastemill.cli import app
from tastemill.config.load import known_datasets
from tastemill.line.stages import ALONE, BACKTEST
from tastemill.protocols import PROTOCOLS


def commands(
    group: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words, of groups those inside."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield (*path, name), command


ALL = dict(commands())
NAMES = [" ".join(words) for words in ALL]


def tastemill(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tastemill", *args],
        env={**os.environ, "COLUMNS": "100", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_there_are_commands() -> None:
    assert {"run", "job", "datasets", "datasets init", "tables", "doctor"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_each_command_has_an_example_of_it(name: str) -> None:
    command = ALL[tuple(name.split())]
    help_text = " ".join(command.help.split())
    assert f"Example: tastemill {name}" in help_text
    example = help_text.split("Example: ")[1].split()
    known = {option for parameter in command.params for option in parameter.opts}
    if name != "job":  # its options are the job's own
        assert {word for word in example if word.startswith("--")} <= known


@pytest.mark.parametrize("name", NAMES)
def test_each_command_takes_json(name: str) -> None:
    command = ALL[tuple(name.split())]
    takes = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in takes or name == "job"  # which hands it on


def test_help_is_printed_without_spark() -> None:
    ended = tastemill("tables", "--help")
    assert ended.returncode == 0
    assert "Example:" in ended.stdout


@pytest.mark.parametrize(
    ("module", "slow"),
    [
        ("tastemill.cli", {"pyspark", "torch"}),
        ("tastemill.config.load", {"pandas", "scipy.stats", "torch"}),
    ],
)
def test_what_is_slow_to_import_is_imported_when_it_is_needed(module: str, slow: set[str]) -> None:
    loaded = f"import {module}, sys; print({slow} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"


def test_without_spark_a_command_says_where_to_look(tmp_path: Path) -> None:
    """The wheel brings no Spark: this is what a plain install comes to."""
    without = "import sys; sys.modules['pyspark'] = None; from tastemill.cli import main; main()"
    for args in ([], ["--json"]):
        ended = subprocess.run(
            [sys.executable, "-c", without, "run", "--dataset", "completejourney", *args],
            env={**os.environ, "TASTEMILL_LOGS": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        assert "pyspark" in ended.stderr + ended.stdout
        assert "tastemill doctor" in ended.stderr + ended.stdout
        assert "Traceback" not in ended.stderr


def test_names_to_complete_are_those_of_the_code() -> None:
    assert tuple(tables.BY_NAME) == completion.TABLES
    assert completion.STAGES == BACKTEST
    assert (*BACKTEST, *ALONE) == completion.JOBS
    assert completion.datasets("") == known_datasets()
    assert completion.protocols("") == list(PROTOCOLS)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tastemill run --dataset movielens-1", {"movielens-1m", "movielens-100k"}),
        ("tastemill run --from train_a", {"train_als"}),
        ("tastemill run --to ev", {"evaluate"}),
        ("tastemill job main", {"maintain_tables"}),
        ("tastemill tables --dataset movielens-1m recomm", {"recommendations"}),
        ("tastemill benchmark P", {"P1", "P2", "P5", "P6", "P6-100k"}),
        ("tastemill doc", {"doctor"}),
    ],
)
def test_tab_completes_names(words: str, offered: set[str]) -> None:
    ended = tastemill(
        _TASTEMILL_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )
    assert set(ended.stdout.split()) == offered, ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(shell: str) -> None:
    ended = tastemill(_TASTEMILL_COMPLETE=f"source_{shell}")
    assert "_TASTEMILL_COMPLETE=complete_" in ended.stdout, ended.stderr
    assert ended.returncode == 0


def test_datasets_as_json() -> None:
    ended = tastemill("datasets", "--json")
    assert [row["dataset"] for row in json.loads(ended.stdout)] == known_datasets()
    assert ended.stderr == ""


ML = "--dataset movielens-1m"
BAD_USAGE = [
    ("run --dataset movielens1m", "unknown dataset movielens1m", "did you mean movielens-1m?"),
    (f"run {ML} --set als.rnak=3", "unknown key als.rnak in --set", "did you mean rank?"),
    (f"run {ML} --from train_asl", "no stage train_asl", "did you mean train_als?"),
    (f"tables {ML} event", "no table event", "did you mean events?"),
    (f"job ingset {ML}", "no job ingset", "did you mean ingest?"),
    ("benchmark p1 --data-root x", "no protocol p1", "did you mean P1?"),
    ("run", "Missing option '--dataset'.", "tastemill COMMAND --help"),
    ("job ingest", "the following arguments are required: --dataset", "ingest --help"),
    (f"runs {ML} --limit many", "Invalid value for '--limit'", "--help"),
    (f"run {ML} --lenght 3", "No such option: --lenght", "--help"),
]


@pytest.mark.parametrize(("line", "error", "fix"), BAD_USAGE)
def test_bad_usage_is_told_to_people_and_to_programs(
    line: str, error: str, fix: str, tmp_path: Path
) -> None:
    args = line.split()
    ended = tastemill(*args, "--json", TASTEMILL_LOGS=str(tmp_path))
    assert ended.returncode == 2
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    assert set(told) == {"error", "expected", "found", "fix", "log"}
    assert error in told["error"]
    assert fix in told["fix"]
    assert told["log"] is None
    ended = tastemill(*args, TASTEMILL_LOGS=str(tmp_path))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert error.split("'", maxsplit=1)[0] in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())  # nothing to keep: the message says it all
