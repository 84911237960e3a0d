"""Measures one table, holds it against what is expected of it, and keeps what was found.

The transforms are in `quality/`; here is what reads and writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.delta import Warehouse
from tastemill.errors import UsageError, did_you_mean
from tastemill.quality.config import Expectation
from tastemill.quality.drift import Bins, ks, psi
from tastemill.quality.measure import checks, fitted_edges, measured
from tastemill.tables import QUALITY, Table

DISTANCES = {"psi": psi, "ks": ks}


@dataclass(frozen=True)
class Verdict:
    """What was expected, what was found, and whether it holds.

    `bins` is what the next run is held against: where the column has drifted too far, the same as
    this one.
    """

    table: str
    column: str
    check: str
    expected: str
    found: float | None
    holds: bool
    rows: int
    bins: Bins | None = None

    @property
    def words(self) -> str:
        """One line about it."""
        told = found_in_words(self.check, self.found)
        return f"{self.table}.{self.column}: {self.check}: expected {self.expected}, found {told}"


def found_in_words(check: str, found: float | None) -> str:
    """What was found, as people read it."""
    if found is None:
        return "nothing"
    if check == "fresh":
        return f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M}"
    return f"{found:.4g}" if check in DISTANCES else f"{found:.4%}"


def check_table(
    warehouse: Warehouse, table: Table, expected: Sequence[Expectation], run_id: str
) -> list[Verdict]:
    """Rewrite a table's rows of `quality` and return them.

    Args:
        warehouse: with the table.
        table: what is measured, in one pass; in the first run that expects no drift, in two.
        expected: of it.
        run_id: the run that checks it.

    Raises:
        UsageError: a column that there is not, or whose drift can't be measured.
    """
    _check_columns(table, expected)
    rows = warehouse.read_or_empty(table)
    before = _bins_before(warehouse, table)
    drifting = [each for each in expected if each.drifts]
    edges = {name: bins.edges for name, bins in before.items()}
    new = [each.column for each in drifting if each.column not in edges]
    if new:
        (fitted,) = fitted_edges(rows, new).collect()
        edges |= {name: tuple(fitted[name] or ()) for name in new}
    edges = {each.column: edges[each.column] for each in drifting}
    wanted = checks(expected, datetime.now(UTC))
    (found,) = measured(rows, wanted, edges).collect()
    values = [found[str(place)] for place in range(len(wanted))]
    verdicts = [
        Verdict(table.name, c.column, c.name, c.expected, value, c.holds(value), found["rows"])
        for c, value in zip(wanted, values, strict=True)
    ]
    for each in drifting:
        bins = Bins(tuple(edges[each.column]), tuple(found[f"{each.column}_bins"]))
        verdicts += _drift(table, each, bins, before.get(each.column), found["rows"])
    warehouse.overwrite_slice(QUALITY, _as_rows(warehouse, verdicts, run_id), table.name)
    return verdicts


def _check_columns(table: Table, expected: Sequence[Expectation]) -> None:
    for each in expected:
        for name in (each.column, *each.unique):
            if name and name not in table.columns:
                raise UsageError(
                    f"[[quality.tables.{table.name}]] names {name}, which it doesn't have",
                    expected=", ".join(table.columns),
                    fix=did_you_mean(name, table.columns),
                )
        if each.drifts and not isinstance(table.schema[each.column].dataType, T.NumericType):
            raise UsageError(
                f"[[quality.tables.{table.name}]] wants the drift of {each.column}",
                expected="a column of numbers",
                found=table.schema[each.column].dataType.simpleString(),
            )


def _bins_before(warehouse: Warehouse, table: Table) -> dict[str, Bins]:
    """Bins by column, of the last run that was accepted."""
    stored = warehouse.read_or_empty(QUALITY).where(F.col("table_name") == table.name)
    rows = stored.where("edges IS NOT NULL").collect()
    return {r["column_name"]: Bins(tuple(r["edges"]), tuple(r["counts"])) for r in rows}


def _drift(
    table: Table, each: Expectation, now: Bins, before: Bins | None, rows: int
) -> list[Verdict]:
    """In the first run nothing is expected."""
    limits = {"psi": each.max_psi, "ks": each.max_ks}
    wanted = {name: limit for name, limit in limits.items() if limit is not None}
    found = {name: DISTANCES[name](before, now) if before else None for name in wanted}
    holds = {name: (found[name] or 0.0) <= limit for name, limit in wanted.items()}
    kept = before if before and not all(holds.values()) else now
    return [
        Verdict(
            table.name,
            each.column,
            name,
            f"{limit:g} at most",
            found[name],
            holds[name],
            rows,
            kept,
        )
        for name, limit in wanted.items()
    ]


def _as_rows(warehouse: Warehouse, verdicts: Sequence[Verdict], run_id: str) -> DataFrame:
    rows = [
        (
            *(run_id, v.table, v.column, v.check, v.expected, v.found, v.holds, v.rows),
            list(v.bins.edges) if v.bins else None,
            list(v.bins.counts) if v.bins else None,
        )
        for v in verdicts
    ]
    return warehouse.spark.createDataFrame(rows, QUALITY.schema)
