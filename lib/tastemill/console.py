"""What the commands print: Rich tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from tastemill.config import Purpose
from tastemill.line.runner import Record

out = Console()
err = Console(stderr=True)
Rows = Sequence[Mapping[str, Any]]

MAX_NAME = 20  # texts up to this length never fold
MARKS = {"done": "[green]✓[/]", "skipped": "[dim]·[/]", "failed": "[red]✗[/]"}


def show(title: str, rows: Rows, *, as_json: bool = False) -> None:
    """Print rows as a table, or as a JSON array."""
    if as_json:
        print(json.dumps(list(rows), default=str, ensure_ascii=False))
        return
    if not rows:
        out.print(f"{title}: none")
        return
    table = RichTable(title=title, title_justify="left", title_style="bold")
    names = list(dict.fromkeys(name for row in rows for name in row))
    # By name: rows may lack a column or hold theirs in another order.
    cells = [[text(row.get(name)) for name in names] for row in rows]
    for place, name in enumerate(names):
        numeric = all(isinstance(r.get(name), int | float | None) for r in rows)
        # In a narrow terminal long texts fold, names of models and tables don't.
        whole = max(len(line[place]) for line in cells) <= MAX_NAME
        table.add_column(
            name, justify="right" if numeric else "left", overflow="fold", no_wrap=whole
        )
    for line in cells:
        table.add_row(*line)
    out.print(table)


def text(value: object) -> str:
    """A value as a person would write it."""
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value).replace("[", r"\[")


class StageProgress:
    """A bar over the stages, and a line for each that is over."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=quiet,
        )
        self.task = self.progress.add_task("starting", total=None)

    def __enter__(self) -> "StageProgress":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def started(self, stage: str, purpose: Purpose, number: int, total: int) -> None:
        """Show what is under way."""
        label = f"{stage} ({purpose})"
        self.progress.update(self.task, description=label, completed=number - 1, total=total)

    def finished(self, stage: str, purpose: Purpose, record: Record) -> None:
        """Leave a line of what was done."""
        if self.progress.disable:
            return
        rows = "" if record.rows is None else f"{record.rows:>10,} rows"
        self.progress.console.print(
            f"{MARKS[record.status]} {stage:<16} {purpose:<10} {rows:>15} "
            f"{record.seconds:>7.1f} s  [dim]{record.detail or record.error or ''}[/]",
            highlight=False,
        )
