"""What others did: the past of an item without what the user of a row did with it.

A drawn negative is an item that its user has never taken. What a user did with the very item would
tell which rows were drawn, and nothing of taste; so no feature has any of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from tastemill.features.history import Past, quoted


@dataclass(frozen=True)
class Without:
    """A past without a part of it.

    Args:
        whole: an item's; `with_sums` and `with_last_of_others` were called for it.
        part: a user's with the item; `with_sums` was called on it.
    """

    whole: Past
    part: Past

    @property
    def name(self) -> str:
        """That of the whole."""
        return self.whole.name

    def total(self, amount: str, days: int | None = None) -> Column:
        """What the part hasn't of the whole."""
        return self.whole.total(amount, days) - self.part.total(amount, days)

    def seconds(self, which: str) -> Column:
        """Since the last of others."""
        return self.whole.seconds(which)


def with_last_of_others(
    rows: DataFrame, past: Past, which: Mapping[str, Column], own: str
) -> DataFrame:
    """Add what `Past.with_last` adds, of rows in which a column has another value.

    The last row that counts may have the same value, at the end of a run of such rows; so each
    row of a run carries along what stands before its run. One sort, whatever the number of names.

    Args:
        rows: see `Past.with_sums`.
        past: whose past.
        which: rows that count, by name.
        own: the column, never null.
    """
    in_order = W.partitionBy(*past.keys).orderBy("at", own)
    before, until = (in_order.rowsBetween(W.unboundedPreceding, end) for end in (-1, 0))
    counted = {name: F.col("is_past") & counts for name, counts in which.items()}
    steps: list[dict[str, Column]] = [{}, {}, {}, {}]
    for place, (name, counts) in enumerate(counted.items()):
        was, other_at, last = (f"_{what}_{place}" for what in ("was", "other_at", "last"))
        steps[0][was] = F.last(F.when(counts, F.struct("at", own)), ignorenulls=True).over(before)
        run_begins = counts & (F.col(was)[own] != F.col(own))
        steps[1][other_at] = F.max(F.when(run_begins, F.col(was)["at"])).over(until)
        told = F.struct("at", own, F.col(other_at).alias("other_at"))
        steps[2][last] = F.max(F.when(counts, told)).over(past.earlier())
        is_other = F.col(last)[own] != F.col(own)
        at = F.when(is_other, F.col(last)["at"]).otherwise(F.col(last)["other_at"])
        steps[3][past.name_of_seconds(name)] = (F.col("at") - at) / 1e6
    kept = rows.columns
    for step in steps:
        rows = rows.withColumns(step)
    return rows.select(*map(quoted, (*kept, *steps[3])))
