"""What was before: sums over the past of a user, an item, or a pair, as of just before each row.

A row is asked about (an example, or a pair to be scored), or part of the past (an event), or both.
It stands at `at`, microseconds since 1970, and sees what is strictly earlier: of two events of
one moment none sees the other. A window of d days before t is [t - d days, t).

One sort for each kind of key: the windows' sums are differences of running sums, so a row costs
the same however much lies in its windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

DAY = 86_400 * 1_000_000  # in microseconds
LIFETIME = "lifetime"


@dataclass(frozen=True)
class Past:
    """Whose past is summed.

    Args:
        name: begins the names of what is summed.
        keys: columns that say whose it is; where one is null there is no past.
    """

    name: str
    keys: tuple[str, ...]


def with_sums(
    rows: DataFrame, past: Past, amounts: Mapping[str, Column], days: Sequence[int] = ()
) -> DataFrame:
    """Add sums of the past: `<past>_<amount>_lifetime`, and `<past>_<amount>_<d>d` for each window.

    Args:
        rows: with `at` and `is_past`, whether a row adds to the past of later ones.
        past: whose.
        amounts: what a row of the past adds, whole numbers; null adds nothing.
        days: lengths of windows.
    """
    keyed = W.partitionBy(*past.keys).orderBy("at")
    earlier = keyed.rangeBetween(W.unboundedPreceding, -1)
    added: dict[str, Column] = {}
    for name, amount in amounts.items():
        counted = F.when(F.col("is_past"), amount)
        lifetime = F.coalesce(F.sum(counted).over(earlier), F.lit(0))
        added[f"{past.name}_{name}_{LIFETIME}"] = lifetime
        for length in days:
            older = keyed.rangeBetween(W.unboundedPreceding, -length * DAY - 1)
            before = F.coalesce(F.sum(counted).over(older), F.lit(0))
            added[f"{past.name}_{name}_{length}d"] = lifetime - before
    return rows.withColumns(added)


def with_last(rows: DataFrame, past: Past, which: Mapping[str, Column]) -> DataFrame:
    """Add seconds since the last row of the past: `<past>_<name>_seconds`, null without one.

    Args:
        rows: as for `with_sums`.
        past: whose.
        which: the rows that count, by name.
    """
    earlier = W.partitionBy(*past.keys).orderBy("at").rangeBetween(W.unboundedPreceding, -1)
    last = {
        f"{past.name}_{name}_seconds": (
            F.col("at") - F.max(F.when(F.col("is_past") & counts, F.col("at"))).over(earlier)
        )
        / 1e6
        for name, counts in which.items()
    }
    return rows.withColumns(last)
