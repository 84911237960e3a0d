"""Calendar units: fine enough to see something, and few enough to be drawn."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from pyspark.sql import Row

from tastemill.report.contents.data import Timeline

MAX_BINS = 150
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAYS = {"day": 1, "week": 7, "month": 30.4, "quarter": 91.3, "year": 365.25}


def unit_of(first: date | None, last: date | None) -> str | None:
    """The finest unit with at most MAX_BINS from first to last; None without a date.

    Its name is one that Spark's date_trunc knows. A span of more than 150 years is cut into years.
    """
    if first is None or last is None:
        return None
    days = (last - first).days + 1
    # A span may begin and end within a unit.
    return next((unit for unit, size in DAYS.items() if days / size <= MAX_BINS - 1), "year")


def units_between(first: date, last: date, unit: str) -> Iterator[date]:
    """The first day of each unit, from that which begins at `first` to that which holds `last`."""
    begin = first
    while begin <= last:
        yield begin
        begin = next_begin(begin, unit)


def timeline(unit: str, rows: Iterable[Row], types: Sequence[str]) -> Timeline | None:
    """Counted (begin, event_type, n) as series without gaps, in the order of the types.

    Types that are none of `types` come last, as one.
    """
    counts: dict[str | None, dict[date, int]] = defaultdict(dict)
    for row in rows:
        counts[row["event_type"]][row["begin"]] = row["n"]
    begins = [begin for of_type in counts.values() for begin in of_type]
    if not begins:
        return None
    bins = tuple(units_between(min(begins), max(begins), unit))
    series = tuple(
        (name, tuple(counts[name].get(begin, 0) for begin in bins))
        for name in (*types, None)
        if name in counts
    )
    return Timeline(unit, bins, series)


def next_begin(begin: date, unit: str) -> date:
    """The first day of the unit after the one that begins here."""
    if unit in MONTHS:
        month = begin.month - 1 + MONTHS[unit]
        return date(begin.year + month // 12, month % 12 + 1, 1)
    return begin + timedelta(days=int(DAYS[unit]))
