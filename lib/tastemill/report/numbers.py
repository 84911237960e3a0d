"""How the page writes numbers, times and parameters."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

MISSING = "–"


def decimals(values: Iterable[float]) -> int:
    """Decimals of a column such that its largest value shows three digits that mean something."""
    largest = max((abs(v) for v in values), default=0.0)
    return 3 if largest >= 0.1 or largest == 0 else 4 if largest >= 0.01 else 5


def count(value: int | None) -> str:
    """A whole number with a mark for thousands."""
    return MISSING if value is None else f"{value:,}"


def seconds(value: float) -> str:
    """A span of time in the two units that matter."""
    if 0 < value < 0.05:
        return "< 0.1 s"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(at: datetime | None) -> str:
    """A time to the minute; a midnight is a day."""
    if at is None:
        return MISSING
    return (
        f"{at:%Y-%m-%d}" if not (at.hour or at.minute or at.second) else f"{at:%Y-%m-%d %H:%M} UTC"
    )


def number(value: float) -> str:
    """A number without needless digits."""
    return f"{value:,.6g}"


def parameter(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """A parameter as it would stand in a settings file."""
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def versions(found: Iterable[int]) -> str:
    """Versions of a table."""
    return ", ".join(map(str, found)) or MISSING


def percent(share: float) -> str:
    """A share with two or three digits that mean something."""
    per_cent = 100 * share
    places = 0 if per_cent >= 99.95 or per_cent == 0 else 1 if per_cent >= 1 else 2
    if 0 < per_cent < 0.01:
        return "< 0.01\u202f%"
    return f"{per_cent:.{places}f}\u202f%"


def signed(value: float, places: int = 3) -> str:
    """A difference with its sign; what rounds to nothing has none."""
    written = f"{value:+.{places}f}"
    return written.replace("-", "−") if float(written) else f"{0:.{places}f}"


def p_value(value: float) -> str:
    """A p-value as one writes it in a sentence."""
    return (
        "p\u00a0<\u00a00.001"
        if value < 0.001
        else f"p\u00a0=\u00a0{value:.{3 if value < 0.1 else 2}f}"
    )


def short(value: float) -> str:
    """A measured quantity with three digits."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"


def score(value: float) -> str:
    """A model's score with three digits, so that those of a list stand alike."""
    return f"{value:#.3g}".rstrip(".").replace("-", "−")
