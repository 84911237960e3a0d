"""Executes notebooks in Databricks' source format, with what Databricks gives them.

python -m tastemill.testing.notebook FILE [WIDGET=VALUE …] executes one and prints what it shows.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HEAD, CUT, MAGIC = "# Databricks notebook source", "# COMMAND ----------", "# MAGIC"


@dataclass
class Notebook:
    """What came of a notebook: values shown, HTML shown, its text, lines of %pip, exit value."""

    displayed: list[Any] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    installs: list[str] = field(default_factory=list)
    exit_value: str | None = None


class _Exit(Exception):  # noqa: N818 - an end, and no error
    """dbutils.notebook.exit was called."""


class _Widgets:
    """dbutils.widgets: a value given by the caller, else the default."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given, self.values = given, dict[str, str]()

    def text(self, name: str, default: str, label: str = "") -> None:
        self.values[name] = self.given.get(name, default)

    def dropdown(self, name: str, default: str, choices: Sequence[str], label: str = "") -> None:
        self.text(name, default, label)
        for value in (default, self.values[name]):
            if value not in choices:
                raise ValueError(f"widget {name}: {value!r} is none of {', '.join(choices)}")

    def get(self, name: str) -> str:
        return self.values[name]


def execute(path: Path, spark: Any, **widgets: str) -> Notebook:  # noqa: ANN401 - may be none
    """Execute all cells of a notebook in order.

    Args:
        path: the notebook.
        spark: what the notebook finds under this name.
        widgets: values by widget; the others have their defaults.

    Raises:
        ValueError: no such format, a magic that isn't known here, a widget it doesn't have.
    """
    done, asked = Notebook(), _Widgets(widgets)

    def leave(value: str) -> None:
        done.exit_value = value
        raise _Exit

    names = {
        "__name__": "__main__",
        "spark": spark,
        "display": done.displayed.append,
        "displayHTML": done.html.append,
        "dbutils": SimpleNamespace(
            widgets=asked,
            notebook=SimpleNamespace(exit=leave),
            library=SimpleNamespace(restartPython=lambda: None),
        ),
    }
    try:
        for line, cell in cells(path):
            if any(row.startswith(MAGIC) for row in cell.split("\n")):
                _magic(path, line, cell, done)
            else:
                # Blank lines in front: a traceback names the line of the file.
                exec(compile("\n" * (line - 1) + cell, path, "exec"), names)
    except _Exit:
        pass
    if unknown := widgets.keys() - asked.values.keys():
        raise ValueError(f"{path} has no widget {', '.join(sorted(unknown))}")
    return done


def cells(path: Path) -> Iterator[tuple[int, str]]:
    """(number of its first line, source) of every cell that holds anything."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines[:1] != [HEAD]:
        raise ValueError(f"{path} doesn't begin with {HEAD!r}")
    cuts = [0, *(n for n, line in enumerate(lines) if line.rstrip() == CUT), len(lines)]
    for before, after in pairwise(cuts):
        cell = "\n".join(lines[before + 1 : after])
        if cell.strip():
            yield before + 2, cell


def _magic(path: Path, first: int, cell: str, done: Notebook) -> None:
    """Keep the text of a %md cell and the lines of a %pip cell; nothing else is known."""
    marked = [(n, line) for n, line in enumerate(cell.split("\n"), first) if line.strip()]
    for number, line in marked:
        if not line.startswith(MAGIC):
            raise ValueError(f"{path}:{number}: code beside a magic: {line}")
    said = [line.removeprefix(MAGIC).removeprefix(" ") for _, line in marked]
    if said[0].startswith("%md"):
        done.text.append("\n".join(said).removeprefix("%md").strip())
    elif all(line.startswith("%pip ") for line in said):
        done.installs += said
    else:
        raise ValueError(f"{path}:{marked[0][0]}: only %md and %pip are known here: {said[0]}")


def main(argv: Sequence[str]) -> None:
    """Execute a notebook on the local environment's Spark and print what it shows."""
    from tastemill.config.load import Request, load_config  # noqa: PLC0415 - Spark is slow
    from tastemill.session import build_session  # noqa: PLC0415

    widgets = dict(pair.split("=", 1) for pair in argv[1:])
    spark = build_session(load_config(Request()).session, "tastemill notebook")
    done = execute(Path(argv[0]), spark, **widgets)
    for value in done.displayed:
        print(value)
    print(f"{len(done.html)} pages of HTML; exit value: {done.exit_value}")


if __name__ == "__main__":
    main(sys.argv[1:])
