"""What the commands print: Rich tables for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable

LOG_WIDTH = 120  # of what goes to a file or a pipe and not to a terminal
UNBOUNDED = 10_000


def _console() -> Console:
    is_log = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=LOG_WIDTH if is_log else None)


out = _console()
err = Console(stderr=True)
Rows = Sequence[Mapping[str, Any]]

MAX_NAME = 32  # texts up to this length never fold: every model's id can be copied


def show(
    title: str, rows: Rows, *, as_json: bool = False, only_in_json: tuple[str, ...] = ()
) -> None:
    """Print rows as a table, or as a JSON array; some columns are too long for a table."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        out.print(f"{title}: none")
        return
    table = RichTable(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n not in only_in_json]
    # By name: rows may lack a column or hold theirs in another order.
    cells = [[text(row.get(name)) for name in names] for row in rows]
    for place, name in enumerate(names):
        numeric = all(isinstance(r.get(name), int | float | None) for r in rows)
        heading = name.replace("@", "\n@")
        longest = max(map(len, [*heading.split("\n"), *(line[place] for line in cells)]))
        # In a narrow terminal long texts fold, numbers and names of models don't.
        whole = longest <= MAX_NAME
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=whole,
            min_width=longest if whole else None,
        )
    for line in cells:
        table.add_row(*line)
    # A terminal too narrow for even that wraps the lines, which loses no digit.
    least = Measurement.get(out, out.options.update(max_width=UNBOUNDED), table).minimum
    Console(file=out.file, width=max(out.width, least)).print(table)


def print_json(value: object) -> None:
    """Print what a program can read: one JSON value on one line."""
    print(json.dumps(value, default=str, ensure_ascii=False))


def text(value: object) -> str:
    """A value as a person would write it."""
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case _:
            return str(value).replace("[", r"\[")
