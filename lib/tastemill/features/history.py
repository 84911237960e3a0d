"""What was before: sums over the past of a user or an item, as of just before each row.

A row is asked about (an example, or a pair to be scored), or part of the past (an event), or both.
It stands at `at`, microseconds since 1970, and sees what is strictly earlier: of two events of
one moment none sees the other. A window of d days before t is [t - d days, t).

One sort for each kind of key: the windows' sums are differences of running sums, so a row costs
the same however much lies in its windows. All rows of a key pass through one task; those of a
very popular item are spilled to disk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W
from pyspark.sql.window import WindowSpec

DAY = 86_400 * 1_000_000  # in microseconds
EVENT = ""  # all of them, whatever their type: no type is empty


class Figures(Protocol):
    """What has been worked out of a past."""

    @property
    def name(self) -> str:
        """Begins the names of features of it."""

    def total(self, amount: str, days: int | None = None) -> Column:
        """A sum over the days before, or over all that was."""

    def seconds(self, which: str) -> Column:
        """Since the last row that counts; null without one."""


@dataclass(frozen=True)
class Past:
    """Whose past is looked at.

    Args:
        name: begins the names of what is worked out.
        keys: columns that say whose it is.
    """

    name: str
    keys: tuple[str, ...]

    def total(self, amount: str, days: int | None = None) -> Column:
        """What `with_sums` added: of the days before, or of all that was."""
        so_far = F.col(quoted(self._sum(amount)))
        return so_far if days is None else so_far - F.col(quoted(self._sum(amount, days)))

    def seconds(self, which: str) -> Column:
        """What `with_last` added."""
        return F.col(quoted(self.name_of_seconds(which)))

    def name_of_seconds(self, which: str) -> str:
        """The column of `seconds`."""
        return f"{self.name}_{which}_seconds"

    def _sum(self, amount: str, days: int = 0) -> str:
        return f"{self.name}_{amount}_until_{days}d"

    def earlier(self, days: int = 0) -> WindowSpec:
        """All that lies more than so many days before; strictly before, for none."""
        keyed = W.partitionBy(*self.keys).orderBy("at")
        return keyed.rangeBetween(W.unboundedPreceding, -days * DAY - 1)

    def with_sums(
        self, rows: DataFrame, amounts: Mapping[str, Column], days: Sequence[int] = ()
    ) -> DataFrame:
        """Add sums over all that was, and over each window.

        Args:
            rows: with `at` and `is_past`, whether a row adds to the past of later ones.
            amounts: what such a row adds, whole numbers; null adds nothing.
            days: lengths of windows.
        """
        # Spark works a window out as often as an expression names it, so each has a column.
        added = {
            self._sum(name, length): F.coalesce(
                F.sum(F.when(F.col("is_past"), amount)).over(self.earlier(length)), F.lit(0)
            )
            for name, amount in amounts.items()
            for length in (0, *days)
        }
        return rows.withColumns(added)

    def with_last(self, rows: DataFrame, which: Mapping[str, Column]) -> DataFrame:
        """Add seconds since the last of the rows that count, by name; null without one."""
        added = {
            self.name_of_seconds(name): (
                F.col("at")
                - F.max(F.when(F.col("is_past") & counts, F.col("at"))).over(self.earlier())
            )
            / 1e6
            for name, counts in which.items()
        }
        return rows.withColumns(added)


def quoted(column: str) -> str:
    """A column named after a type of events, which may be any text."""
    return f"`{column.replace('`', '``')}`"
