"""Tables for people: every value under its own name."""

import io
from datetime import datetime

import pytest
from rich.console import Console

from tastemill import console


def test_rows_with_other_orders_and_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Console(file=io.StringIO(), width=80)
    monkeypatch.setattr(console, "out", out)
    console.show("Models", [{"model": "als", "hit": 1}, {"hit": 2, "model": "bias", "mrr": 3}])
    assert isinstance(out.file, io.StringIO)
    rows = [line.strip("│┃").split() for line in out.file.getvalue().splitlines()]
    words = [[word for word in row if word not in "│┃"] for row in rows]
    assert ["model", "hit", "mrr"] in words
    assert ["als", "1", "–"] in words
    assert ["bias", "2", "3"] in words


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_digit_is_lost_in_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Console(file=io.StringIO(), width=width)
    monkeypatch.setattr(console, "out", out)
    metrics = {f"metric{n}@10": n + 0.1234 for n in range(9)}
    console.show("Backtest", [{"model": "recent_popularity", **metrics, "note": "long " * 30}])
    assert isinstance(out.file, io.StringIO)
    printed = out.file.getvalue()
    assert all(f"{n + 0.1234:.4f}" in printed for n in range(9))
    assert all(f"metric{n}" in printed for n in range(9))
    assert "recent_popularity" in printed


def test_ids_can_be_copied_and_moments_are_told_to_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Console(file=io.StringIO(), width=40)
    monkeypatch.setattr(console, "out", out)
    model_id, moment = "recent_popularity-a6c24d6f40d8", datetime(2026, 11, 29, 4, 6, 27, 641470)
    rows = [{"model_id": model_id, "as_of": moment, "note": "long " * 30, "params": "{}"}]
    console.show("Models", rows, only_in_json=("params",))
    assert isinstance(out.file, io.StringIO)
    (line,) = (line for line in out.file.getvalue().splitlines() if model_id in line)
    assert line.split()[1:3] == ["2026-11-29", "04:06:27"]
    assert "params" not in out.file.getvalue()
