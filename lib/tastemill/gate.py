"""Measures a table, holds it against what is expected of it, and keeps what was found.

The transforms are in `quality/`; here is what reads and writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.delta import Warehouse
from tastemill.errors import UsageError, did_you_mean
from tastemill.quality.config import Expectation
from tastemill.quality.drift import Bins, ks, psi
from tastemill.quality.measure import checks, counted, edges_of, measured, newest
from tastemill.tables import QUALITY, Table

DISTANCES = {"psi": psi, "ks": ks}
SUITABLE = {
    "range": (T.NumericType,),
    "psi": (T.NumericType,),
    "ks": (T.NumericType,),
    "fresh": (T.TimestampType, T.DateType),
}
"""Types of columns that a check is for; others take any."""


@dataclass(frozen=True)
class Verdict:
    """What was expected, what was found, and whether it holds.

    `broken` counts rows, where rows are asked.
    """

    table: str
    column: str
    check: str
    expected: str
    found: float | None
    broken: int | None
    holds: bool

    @property
    def words(self) -> str:
        """One line about it."""
        told = in_words(self.check, self.found, self.broken)
        return f"{self.table}.{self.column}: {self.check}: expected {self.expected}, found {told}"


@dataclass(frozen=True)
class Account:
    """What was found of one table.

    Args:
        table: that was measured.
        rows: how many it has.
        verdicts: on it.
        before: bins by column, of the last run that was accepted.
        now: bins by column, in edges of their own.
    """

    table: Table
    rows: int
    verdicts: tuple[Verdict, ...]
    before: dict[str, Bins]
    now: dict[str, Bins]


def in_words(check: str, found: float | None, broken: int | None) -> str:
    """What was found, as people read it."""
    if found is None:
        return "nothing"
    if check == "fresh":
        return f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M}"
    return f"{found:.4g}" if broken is None else f"{broken:,} otherwise"


def check_columns(table: Table, expected: Sequence[Expectation]) -> None:
    """Raise UsageError where a table can't be asked what is expected of it."""
    where = f"[[quality.tables.{table.name}]]"
    for each in expected:
        for name in (each.column, *each.unique):
            if name and name not in table.columns:
                fix, known = did_you_mean(name, table.columns), ", ".join(table.columns)
                raise UsageError(f"{where} names {name}, which it lacks", expected=known, fix=fix)
        for check, column in each.says:
            suitable = SUITABLE.get(check)
            kind = table.schema[column].dataType if suitable else None
            if suitable and not isinstance(kind, suitable):
                names = " or ".join(one.__name__.removesuffix("Type").lower() for one in suitable)
                found = kind.simpleString() if kind else ""
                raise UsageError(f"{where} {check} of {column}", expected=names, found=found)
        maps = [name for name in each.unique if isinstance(table.schema[name].dataType, T.MapType)]
        if maps:
            raise UsageError(f"{where} unique {maps[0]}", expected="no map", found="a map")


def account_of(
    warehouse: Warehouse, table: Table, rows: DataFrame, expected: Sequence[Expectation]
) -> Account:
    """Measure a table in one pass; where drift is expected, in two.

    Args:
        warehouse: with what was found before.
        table: what is measured.
        rows: the table, or the slice of it that the line goes on with.
        expected: of it.
    """
    before = _bins_before(warehouse, table)
    drifting = list(dict.fromkeys(each.column for each in expected if each.drifts))
    edges = {name: before[name].edges for name in drifting if name in before}
    wanted, times = checks(expected), newest(expected)
    (found,) = measured(rows, wanted, times, edges, drifting).collect()
    fresh = {name: edges_of(found[f"{name}_quantiles"]) for name in drifting}
    now = counted(rows, fresh).collect()[0] if drifting else None
    verdicts = []
    for place, check in enumerate(wanted):
        asked, held = found[f"asked_{place}"], found[f"held_{place}"]
        share = held / asked if asked else None
        holds = share is None or share >= check.share
        what = (check.column, check.name, check.expected, share, asked - held, holds)
        verdicts.append(Verdict(table.name, *what))
    for place, time in enumerate(times):
        latest = found[f"newest_{place}"]
        is_new = latest is not None and latest >= time.oldest(datetime.now(UTC))
        verdicts.append(
            Verdict(table.name, time.column, "fresh", time.expected, latest, None, is_new)
        )
    for each in expected:
        verdicts += _drift(table, each, found, before)
    return Account(
        table,
        found["rows"],
        tuple(verdicts),
        before,
        {name: Bins(fresh[name], tuple(now[f"{name}_bins"])) for name in drifting if now},
    )


def keep(warehouse: Warehouse, account: Account, run_id: str, *, accepted: bool) -> None:
    """Rewrite a table's rows of `quality`.

    Args:
        warehouse: where it is kept.
        account: what was found.
        run_id: the run that found it.
        accepted: whether the next run is held against this one, or still against the one before.
    """
    bins = account.now if accepted else account.before
    rows = []
    for v in account.verdicts:
        own = bins.get(v.column) if v.check in DISTANCES else None
        kept = (list(own.edges), list(own.counts)) if own else (None, None)
        what = (run_id, v.table, v.column, v.check, v.expected, v.found, v.broken, v.holds)
        rows.append((*what, account.rows, *kept))
    frame = warehouse.spark.createDataFrame(rows, QUALITY.schema)
    warehouse.overwrite_slice(QUALITY, frame, account.table.name)


def _bins_before(warehouse: Warehouse, table: Table) -> dict[str, Bins]:
    """Bins by column, of the last run that was accepted; none of a column without values."""
    stored = warehouse.read_or_empty(QUALITY).where(F.col("table_name") == table.name)
    rows = stored.where("edges IS NOT NULL").collect()
    found = {r["column_name"]: Bins(tuple(r["edges"]), tuple(r["counts"])) for r in rows}
    return {name: bins for name, bins in found.items() if bins.known}


def _drift(table: Table, each: Expectation, found: Row, before: dict[str, Bins]) -> list[Verdict]:
    """How far a column lies from where it lay; in the first run nothing is expected."""
    limits = {"psi": each.max_psi, "ks": each.max_ks}
    then, verdicts = before.get(each.column), []
    for name, limit in limits.items():
        if limit is None:
            continue
        far = None
        if then:
            far = DISTANCES[name](then, Bins(then.edges, tuple(found[f"{each.column}_bins"])))
        holds = far is None or far <= limit
        what = (each.column, name, f"{limit:g} at most", far, None, holds)
        verdicts.append(Verdict(table.name, *what))
    return verdicts
