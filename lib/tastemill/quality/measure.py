"""One aggregate over a table for all that is expected of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, nextafter

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.quality.config import Expectation

NUM_BINS, DAY = 10, 86_400
Edges = Mapping[str, Sequence[float]]
"""Of the bins in which a column's drift is measured, by column, ascending."""


@dataclass(frozen=True)
class Check:
    """What has to hold of enough rows.

    Args:
        column: the column or columns that it is about.
        name: known, range, one_of or unique.
        expected: in words.
        asked: aggregate: of how many rows it has to hold.
        held: aggregate: of how many it does.
        share: of those asked, the smallest that is enough.
    """

    column: str
    name: str
    expected: str
    asked: Column
    held: Column
    share: float


@dataclass(frozen=True)
class Newest:
    """A column of times, the newest of which may not be older than some days."""

    column: str
    days: int

    @property
    def expected(self) -> str:
        """In words."""
        return f"newest {self.days} days old at most"

    def oldest(self, now: datetime) -> float:
        """The oldest that is new enough, in seconds since 1970."""
        return now.timestamp() - self.days * DAY


def checks(expected: Sequence[Expectation]) -> list[Check]:
    """What has to hold of rows, in the order of the expectations."""
    return [check for each in expected for check in _of(each)]


def newest(expected: Sequence[Expectation]) -> list[Newest]:
    """What has to be new."""
    return [Newest(each.column, each.fresh_days) for each in expected if each.fresh_days]


def measured(
    rows: DataFrame,
    wanted: Sequence[Check],
    times: Sequence[Newest],
    edges: Edges,
    drifting: Sequence[str],
) -> DataFrame:
    """One row with all that was measured.

    `rows`; asked_n and held_n of the nth check; newest_n of the nth time, in seconds; c_bins of
    each column with edges; c_quantiles of each that is to be compared with the next run.
    """
    numbers: dict[str, Column] = {}
    for place, check in enumerate(wanted):
        numbers |= {f"asked_{place}": check.asked, f"held_{place}": check.held}
    for place, time in enumerate(times):
        latest = F.max(F.col(time.column).cast("timestamp"))
        numbers[f"newest_{place}"] = F.unix_micros(latest) / 1e6
    numbers |= {f"{name}_bins": _bins(name, of) for name, of in edges.items()}
    shares = [n / NUM_BINS for n in range(NUM_BINS + 1)]
    for name in drifting:
        value = F.col(name).cast("double")
        known = F.when(~F.isnan(value), value)
        numbers[f"{name}_quantiles"] = F.percentile_approx(known, shares)
    return rows.agg(
        F.count("*").alias("rows"), *[value.alias(name) for name, value in numbers.items()]
    )


def counted(rows: DataFrame, edges: Edges) -> DataFrame:
    """One row: c_bins of each column with edges.

    A value falls into bin i where i edges are at or below it; the last bin is for missing ones.
    """
    return rows.agg(*[_bins(name, of).alias(f"{name}_bins") for name, of in edges.items()])


def edges_of(quantiles: Sequence[float] | None) -> tuple[float, ...]:
    """Edges of bins of about one size, from the least value, tenths and the greatest.

    A value that fills a tenth has a bin to itself, and so has what lies outside.
    """
    if not quantiles:
        return ()
    inner = quantiles[1:-1]
    heavy = {value for value in inner if inner.count(value) > 1}
    ends = {nextafter(value, inf) for value in (*heavy, quantiles[-1])}
    return tuple(sorted({*quantiles, *ends}))


def _of(each: Expectation) -> list[Check]:
    name, column = each.column, F.col(each.column) if each.column else F.lit(None)
    every, known = F.count("*"), F.count(column)
    found = []
    if each.known is not None:
        found.append(
            Check(name, "known", f"known in {_part(each.known)}", every, known, each.known)
        )
    if each.at_least is not None or each.at_most is not None:
        low = F.lit(True) if each.at_least is None else column >= F.lit(each.at_least)
        high = F.lit(True) if each.at_most is None else column <= F.lit(each.at_most)
        ends = (each.at_least, "at least"), (each.at_most, "at most")
        limits = " and ".join(f"{word} {end:.10g}" for end, word in ends if end is not None)
        words = f"{limits} in {_part(each.share)}"
        held = F.count_if(low & high & ~F.isnan(column))
        found.append(Check(name, "range", words, known, held, each.share))
    if each.one_of:
        words = f"one of {', '.join(each.one_of)} in {_part(each.share)}"
        held = F.count_if(column.cast("string").isin(*each.one_of))
        found.append(Check(name, "one_of", words, known, held, each.share))
    if each.unique:
        held = F.count_distinct(F.struct(*each.unique))
        found.append(Check(", ".join(each.unique), "unique", "no two rows alike", every, held, 1.0))
    return found


def _part(share: float) -> str:
    return "all rows" if share == 1 else f"{share:.6g} of the rows"


def _bins(name: str, edges: Sequence[float]) -> Column:
    """array<bigint> of counts."""
    number = F.col(name).cast("double")
    is_known = number.isNotNull() & ~F.isnan(number)
    place = sum((F.when(number >= edge, 1).otherwise(0) for edge in edges), F.lit(0))
    counts = [F.count_if(is_known & (place == n)) for n in range(len(edges) + 1)]
    return F.array(*counts, F.count_if(~is_known))
