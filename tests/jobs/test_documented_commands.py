"""What README, pages, comments of settings and help tell people to type does what they say."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pyspark.sql import SparkSession
from typer.testing import CliRunner, Result

from tastemill.cli import app
from tastemill.config.load import Request, load_config
from tastemill.sources.guess.draft import draft_of

ROOT = Path(__file__).parents[2]
# A line small enough for a test; what a command itself says still wins.
SMALL = {
    "TASTEMILL__ALS__RANK": "4",
    "TASTEMILL__ALS__MAX_ITER": "2",
    "TASTEMILL__ALS__MODELS": "['als']",
    "TASTEMILL__BASELINES__MODELS": "['popularity']",
    "TASTEMILL__DEEP__ENABLED": "false",
    "TASTEMILL__EVALUATION__NUM_REPLICATES": "5",
}
RUN, PARSE = "run", "parse"

# The first rule whose pattern begins a command says how it is tried; a command without one fails.
RULES = (
    # Whole lines, benchmarks, features have tests of their own: here only their options and keys.
    (r"run .*(--set|completejourney|100k|latest|online|retailrocket|lastfm|synthetic)", PARSE),
    (r"(benchmark|features|synth) ", PARSE),
    (r"run --dataset (movielens-1m|shop)", RUN),
    (r"(datasets|doctor|evaluate|job build_profiles|migrate|models|recommend|runs|tables)\b", RUN),
)
# What a page means, in terms of the warehouse that is prepared here.
MEANT = (
    (r"--dataset (completejourney|movielens-1m)", "--dataset shop.toml"),
    (r"online_retail|logs|DIR", "shop"),
    (r"recommend \d+", "recommend c4"),
    (r"RUN_ID", "{run_id}"),
)


def documented() -> Iterator[tuple[str, str]]:
    """(where, command without `tastemill`) of everything that is told."""
    pages = [p for p in ROOT.rglob("*.md") if not {".venv", "build"} & set(p.parts)]
    assert len(pages) > 5
    for page in pages:
        for block in re.findall(
            r"^```[^\n]*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
        ):
            yield from _lines(page, block)
    for file in sorted((ROOT / "conf").rglob("*.toml")):
        yield from _lines(file, re.sub(r"(?m)^# (?=tastemill )", "", file.read_text()))
    for name, command in _commands(typer.main.get_command(app)):
        example = (command.help or "").partition("Example: ")[2]
        yield from _lines(Path(f"tastemill {name} --help"), " ".join(example.split()))


def _commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path}{name} ")
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield path + name, command


def _lines(place: Path, text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("tastemill "):
            # A remark stands apart, behind # or in brackets.
            yield place.name, re.split(r"\s+#|\s{3,}\(", line)[0].removeprefix("tastemill ")


TOLD = list(dict.fromkeys(documented()))


def rule_of(command: str) -> str | None:
    return next((how for pattern, how in RULES if re.match(pattern, command)), None)


def meaning(command: str) -> str:
    """The command in terms of the warehouse that is prepared here."""
    for pattern, instead in MEANT:
        command = re.sub(pattern, instead, command)
    return command


def to_run() -> list[str]:
    """Each meaning once. A job alone comes last: after it a run would have work to do again."""
    found = {meaning(command) for _, command in TOLD if rule_of(command) == RUN}
    return sorted(found, key=lambda command: (command.startswith("job "), command))


def write_shop(folder: Path) -> None:
    """A shop's own files, in a form that no data set has."""
    folder.mkdir()
    orders = [f"{n % 28 + 1:02d}/{n % 6 + 1:02d}/2024 10:{n % 60:02d}" for n in range(600)]
    lines = [f"{at};c{n % 23};s{n * 7 % 31};{n % 3 + 1}" for n, at in enumerate(orders)]
    (folder / "orders.csv").write_text("\n".join(["when;customer;sku;quantity", *lines]))
    goods = [f"s{n}\tTea no. {n}\thot|green" for n in range(31)]
    (folder / "articles.tsv").write_text("\n".join(["sku\tname\tgenres", *goods]))


def invoke(*args: str) -> Result:
    if args[:2] == ("datasets", "init"):
        Path("shop.toml").unlink(missing_ok=True)  # a draft that is there isn't written over
    result = CliRunner().invoke(app, args)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def run_id(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the run that was done in the folder where commands are tried."""
    folder = tmp_path_factory.mktemp("documented")
    write_shop(folder / "shop")
    (folder / "shop.toml").write_text(draft_of(folder / "shop"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in SMALL.items():
            patch.setenv(name, value)
        told = invoke("run", "--dataset", "shop.toml", "--data", "shop", "--json")
        yield json.loads(told.stdout)["run_id"]


def test_there_is_a_rule_for_every_command() -> None:
    assert {place for place, _ in TOLD} >= {"README.md", "movielens-1m.toml", "P1.toml"}
    without = [f"{place}: tastemill {line}" for place, line in TOLD if rule_of(line) is None]
    assert not without, "say in RULES how to try these"


@pytest.mark.parametrize("command", sorted({command for _, command in TOLD}))
def test_options_and_keys_are_known(command: str) -> None:
    words, found = shlex.split(command), typer.main.get_command(app)
    while words and words[0] in getattr(found, "commands", ()):
        found = found.commands[words.pop(0)]
    known = {option for parameter in found.params for option in parameter.opts}
    if found.name == "job":
        known |= {"--dataset", "--data", "--warehouse", "--env", "--conf", "--params", "--set"}
    assert {word for word in words if word.startswith("--")} <= known
    keys = [after for word, after in pairwise(words) if word == "--set"]
    named = [after for word, after in pairwise(words) if word == "--dataset"]
    known_name = named and not named[0].endswith(".toml")
    load_config(Request(named[0] if known_name else "", settings=tuple(keys)))


@pytest.mark.slow
@pytest.mark.parametrize("command", to_run())
def test_it_does_what_it_says(run_id: str, command: str) -> None:
    args = shlex.split(command.format(run_id=run_id))
    if args[0] != "job":  # which tells programs only
        assert invoke(*[arg for arg in args if arg != "--json"]).stdout.strip()
    if "--repro" not in args:  # a line again would take as long again
        told = invoke(*[*args, *([] if "--json" in args else ["--json"])])
        assert isinstance(json.loads(told.stdout), list | dict)
