"""One aggregate over a table for all that is expected of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.quality.config import Expectation

NUM_BINS, DAY = 10, 86_400
Edges = Mapping[str, Sequence[float]]
"""Of the bins in which a column's drift is measured, by column, ascending."""


@dataclass(frozen=True)
class Check:
    """A number about a table, and what it has to be.

    Args:
        column: the column or columns that it is about.
        name: known, range, one_of, unique or fresh.
        expected: in words.
        value: the aggregate that works it out; null where there is no row to ask.
        least: the smallest it may be; of `fresh`, seconds since 1970.
    """

    column: str
    name: str
    expected: str
    value: Column
    least: float

    def holds(self, found: float | None) -> bool:
        """Whether it is as expected; of no rows all holds but that one is new."""
        return self.name != "fresh" if found is None else found >= self.least


def checks(expected: Sequence[Expectation], now: datetime) -> list[Check]:
    """What is measured for expectations other than drift, in their order."""
    return [check for each in expected for check in _of(each, now)]


def fitted_edges(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """One row: for each column the edges of bins of about one size."""
    inner = [n / NUM_BINS for n in range(1, NUM_BINS)]
    quantiles = [F.percentile_approx(F.col(name).cast("double"), inner) for name in columns]
    distinct = [F.array_sort(F.array_distinct(found)) for found in quantiles]
    return rows.agg(*[found.alias(name) for name, found in zip(columns, distinct, strict=True)])


def measured(rows: DataFrame, wanted: Sequence[Check], edges: Edges) -> DataFrame:
    """One row: `rows`, a number for each check by place, and `<column>_bins` for each with edges.

    A value falls into bin i where i edges are at or below it; the last bin is for missing ones.
    """
    numbers = [check.value.alias(str(place)) for place, check in enumerate(wanted)]
    bins = [_bins(name, of).alias(f"{name}_bins") for name, of in edges.items()]
    return rows.agg(F.count("*").alias("rows"), *numbers, *bins)


def _of(each: Expectation, now: datetime) -> list[Check]:
    name, column = each.column, F.col(each.column) if each.column else F.lit(None)
    found = []
    if each.known is not None:
        value = _share(column.isNotNull(), F.lit(True))
        found.append(Check(name, "known", f"known in {each.known:.2%}", value, each.known))
    if each.at_least is not None or each.at_most is not None:
        number = column.cast("double")
        low = F.lit(True) if each.at_least is None else number >= each.at_least
        high = F.lit(True) if each.at_most is None else number <= each.at_most
        value = _share(low & high & ~F.isnan(number), column.isNotNull())
        ends = (each.at_least, "at least"), (each.at_most, "at most")
        words = " and ".join(f"{word} {end:g}" for end, word in ends if end is not None)
        found.append(Check(name, "range", f"{words} in {each.share:.2%}", value, each.share))
    if each.one_of:
        value = _share(column.cast("string").isin(*each.one_of), column.isNotNull())
        words = f"one of {', '.join(each.one_of)} in {each.share:.2%}"
        found.append(Check(name, "one_of", words, value, each.share))
    if each.fresh_days is not None:
        newest = F.unix_micros(F.max(column.cast("timestamp"))) / 1e6
        words = f"newest {each.fresh_days:g} days old at most"
        oldest = now.timestamp() - each.fresh_days * DAY
        found.append(Check(name, "fresh", words, newest, oldest))
    if each.unique:
        distinct = F.try_divide(F.count_distinct(F.struct(*each.unique)), F.count("*"))
        found.append(Check(", ".join(each.unique), "unique", "no two rows alike", distinct, 1.0))
    return found


def _share(holds: Column, of: Column) -> Column:
    """The share of rows in which something holds, null where there are none to ask."""
    return F.try_divide(F.count_if(of & holds), F.count_if(of))


def _bins(name: str, edges: Sequence[float]) -> Column:
    """array<bigint> of counts."""
    number = F.col(name).cast("double")
    place = sum((F.when(number >= edge, 1).otherwise(0) for edge in edges), F.lit(0))
    counts = [F.count_if(number.isNotNull() & (place == n)) for n in range(len(edges) + 1)]
    return F.array(*counts, F.count_if(number.isNull()))
