"""Holds a table or a frame against its contract: names, types, owner, version."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from tastemill.errors import ContractError
from tastemill.tables import Table

OWNER, CONTRACT = "tastemill.dataset", "tastemill.contract"  # table properties
RETENTION_DAYS = 30


def create_sql(name: str, table: Table, dataset: str) -> str:
    """The statement that makes a table: columns, comments, checks and properties."""
    properties = {
        OWNER: dataset,
        CONTRACT: str(table.contract),
        **retention(RETENTION_DAYS),
        **{f"delta.constraints.{k}": v for k, v in table.checks.items()},
    }
    columns = ", ".join(column_ddl(f) for f in table.schema)
    listed = ", ".join(f"'{k}' = '{quoted(v)}'" for k, v in properties.items())
    cluster = f"CLUSTER BY ({', '.join(table.cluster_by)})" if table.cluster_by else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING DELTA {cluster} "
        f"COMMENT '{quoted(table.row)}' TBLPROPERTIES ({listed})"
    )


def retention(days: float) -> dict[str, str]:
    """The properties by which Delta keeps old versions so long, and lets them be read.

    Of the hours that VACUUM itself is told Delta heeds none but 0.
    """
    kept = f"interval {round(days * 24)} hours"
    return {f"delta.{name}RetentionDuration": kept for name in ("log", "deletedFile")}


def quoted(text: str) -> str:
    """A text for use between single quotes in SQL."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def check_frame(table: Table, rows: DataFrame) -> None:
    """Raise unless the frame has exactly the contract's columns and types, in any order."""
    _check_columns(table, rows.schema, f"rows for {table.name}")


def check_table(
    table: Table, schema: T.StructType, properties: Mapping[str, str], dataset: str
) -> None:
    """Raise unless a stored table has the contract's columns, version and owner."""
    check_owner(table, properties, dataset)
    stored = contract_of(properties)
    if stored < table.contract:
        raise ContractError(
            f"table {table.name} was written under an older version of its contract",
            expected=f"version {table.contract}",
            found=f"version {stored or 'unknown'}",
            fix=f"tastemill migrate --dataset {dataset} brings all tables to today's",
        )
    if stored > table.contract:
        raise ContractError(
            f"table {table.name} was written under a newer version of its contract",
            expected=f"version {table.contract}",
            found=f"version {stored}",
            fix="install the tastemill release that wrote it, or name a new warehouse",
        )
    _check_columns(table, schema, f"table {table.name}")


def check_owner(table: Table, properties: Mapping[str, str], dataset: str) -> None:
    """Raise when the table belongs to another dataset."""
    owner = properties.get(OWNER, dataset)
    if owner != dataset:
        raise ContractError(
            f"the warehouse holds another dataset (table {table.name})",
            expected=dataset,
            found=owner,
            fix="name another folder with --warehouse, or run with --dataset " + owner,
        )


def contract_of(properties: Mapping[str, str]) -> int:
    """The version of the contract that a stored table says it keeps; 0 where it says none."""
    text = properties.get(CONTRACT, "")
    return int(text) if text.isdigit() else 0


def _check_columns(table: Table, found: T.StructType, what: str) -> None:
    wanted = {f.name: f.dataType.simpleString() for f in table.schema}
    has = {f.name: f.dataType.simpleString() for f in found}
    if wanted == has:
        return
    problems = [f"no column {n}" for n in wanted if n not in has]
    problems += [f"unknown column {n}" for n in has if n not in wanted]
    problems += [
        f"{n} is {has[n]}, not {wanted[n]}" for n in wanted if n in has and has[n] != wanted[n]
    ]
    raise ContractError(
        f"{what}: the columns break the contract",
        expected=", ".join(f"{n} {t}" for n, t in wanted.items()),
        found="; ".join(problems),
        fix="compare with tastemill tables " + table.name,
    )


def column_ddl(column: T.StructField) -> str:
    """A column as CREATE TABLE and ADD COLUMNS take it."""
    null = "" if column.nullable else " NOT NULL"
    comment = quoted(str(column.metadata.get("comment", "")))
    return f"`{column.name}` {column.dataType.simpleString()}{null} COMMENT '{comment}'"
