"""What the values of a column look like: times, numbers, prices, lists in one text, prose."""

import re
from collections.abc import Iterable
from datetime import datetime

from tastemill.sources.guess.sample import Sample, is_number
from tastemill.sources.texts import OFFSET

PATTERNS = {  # a pattern of Spark, and the same for Python
    "yyyy-MM-dd HH:mm:ss": "%Y-%m-%d %H:%M:%S",
    "dd/MM/yyyy HH:mm:ss": "%d/%m/%Y %H:%M:%S",
    "dd/MM/yyyy HH:mm": "%d/%m/%Y %H:%M",
    "MM/dd/yyyy HH:mm:ss": "%m/%d/%Y %H:%M:%S",
    "MM/dd/yyyy HH:mm": "%m/%d/%Y %H:%M",
    "dd.MM.yyyy HH:mm:ss": "%d.%m.%Y %H:%M:%S",
    "dd.MM.yyyy HH:mm": "%d.%m.%Y %H:%M",
    "dd/MM/yyyy": "%d/%m/%Y",
    "MM/dd/yyyy": "%m/%d/%Y",
    "dd.MM.yyyy": "%d.%m.%Y",
    "yyyyMMdd": "%Y%m%d",
    "d-MMM-yyyy": "%d-%b-%Y",
}
LIKELY_YEARS = (1990, 2040)
MOST = 0.95
COMMA = re.compile(r"[+-]?\d+,\d+")


def time_format(values: list[str]) -> str | None:
    """The format in which nearly all values are times, if there is one."""
    if not values:
        return None
    if most(is_number(v) for v in values):
        return _unix(values)
    if most(_is_iso(v) for v in values):
        return "iso"
    for pattern, python in PATTERNS.items():
        if most(_parses(v, python) for v in values):
            is_short = "MMM" not in pattern and any(map(_has_one_digit, values))
            return _short(pattern) if is_short else pattern
    return None


def has_zone(times: list[str], form: str | None) -> bool:
    """Whether times say themselves in which zone they are, as those since 1970 do."""
    return str(form).startswith("unix") or most(":" in t and re.search(OFFSET, t) for t in times)


def times_in(sample: Sample, columns: Iterable[str]) -> dict[str, str]:
    """Those of the columns that hold times, and their formats; numbers, which may be ids, last."""
    times = {c: form for c in columns if (form := time_format(sample.values(c)))}
    return dict(sorted(times.items(), key=lambda t: t[1].startswith("unix") or t[1] == "yyyyMMdd"))


def separator_within(values: list[str]) -> str | None:
    """What parts the texts of a column into several short ones, if anything does."""
    for mark in ("|", ";", " / ", "/", ","):
        parted = [v.split(mark) for v in values if mark in v]
        short = all(len(part) < 40 for parts in parted for part in parts)
        if len(parted) > 0.2 * len(values) and short:
            return mark
    return None


def variety(values: list[str]) -> float:
    """How many different parts there are in the texts of a column, for each that there is."""
    mark = separator_within(values)
    parts = [part for value in values for part in (value.split(mark) if mark else [value])]
    return len(set(parts)) / max(len(parts), 1)


def decimal_of(prices: list[str]) -> str | None:
    """What stands before the cents of prices like 8,50 €; None where they are no such prices."""
    for mark, thousands in ((",", "."), (".", "")):
        cents = re.compile(rf"\D{{0,4}}\d[\d{thousands}]*\{mark}\d\d\D{{0,4}}")
        if most(cents.fullmatch(price) for price in prices):
            return mark
    return None


def _unix(values: list[str]) -> str | None:
    """Seconds, or thousandths or millionths of one, since 1970."""
    low, high = (datetime(year, 1, 1).timestamp() for year in LIKELY_YEARS)
    for name, ticks in (("unix_seconds", 1), ("unix_millis", 1_000), ("unix_micros", 1_000_000)):
        if most(low <= float(v) / ticks <= high for v in values if is_number(v)):
            return name
    return "yyyyMMdd" if most(_parses(v, "%Y%m%d") and len(v) == 8 for v in values) else None


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return not text.isdigit()


def _parses(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)
    except ValueError:
        return False
    return True


def _has_one_digit(time: str) -> bool:
    """Whether a day, month or hour is written with one digit."""
    return bool(re.search(r"(?<!\d)\d(?!\d)", time))


def _short(pattern: str) -> str:
    """The pattern that takes one digit as well; Spark's reads `dd` as two and no less."""
    return pattern.replace("dd", "d").replace("MM", "M").replace("HH", "H")


def most(tests: Iterable[object]) -> bool:
    """Whether nearly all hold; false of none."""
    found = list(tests)
    return bool(found) and sum(map(bool, found)) >= MOST * len(found)


def are_numbers(values: list[str]) -> bool:
    """Whether nearly all are."""
    return most(is_number(v) for v in values)


def are_stars(values: list[str]) -> bool:
    """Whether nearly all are numbers, of either decimal sign."""
    return are_numbers(values) or have_comma(values)


def have_comma(values: list[str]) -> bool:
    """Whether nearly all are numbers, some with a comma before their decimals, as 4,5."""
    return any(map(COMMA.fullmatch, values)) and are_numbers([as_number(v) for v in values])


def as_number(text: str) -> str:
    """With a point, where a comma stands before its decimals."""
    return text.replace(",", ".") if COMMA.fullmatch(text) else text


def is_prose(values: list[str]) -> bool:
    """Whether these are texts for people and no ids."""
    return sum(" " in v for v in values) > 0.3 * len(values)
