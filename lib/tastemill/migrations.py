"""Tables written under an older contract become today's: one step per version, never back.

A step only adds columns that may be null, so every release that reads the new contract can read
what an older one wrote. What more a step has to do is added here when the first one needs it.
"""

from dataclasses import dataclass

from tastemill import tables
from tastemill.contracts import CONTRACT, check_owner, check_table, column_ddl, contract_of
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.tables import Table


@dataclass(frozen=True)
class Step:
    """How a table comes to one version of its contract from the one before."""

    table: Table
    version: int
    adds: tuple[str, ...]


STEPS = (
    Step(tables.RUNS, 2, adds=("environment",)),
    Step(tables.FEATURE_STATS, 2, adds=("collisions",)),
    Step(tables.FEATURE_STATS, 3, adds=("later", "psi", "ks")),
    Step(tables.FEATURE_STATS, 4, adds=("goes_by",)),
    Step(tables.FEATURE_STATS, 5, adds=("skewness", "kurtosis", "quantiles", "top")),
    Step(tables.MODELS, 2, adds=("mlflow_run",)),
    Step(tables.FEATURES, 2, adds=("recent", "pooled")),
)


def migrate(warehouse: Warehouse) -> list[str]:
    """Bring every table of a warehouse to today's contract; return a line per step taken.

    A step that was cut off is done again from its beginning, which changes nothing twice.

    Raises:
        ContractError: a table is newer than this release, of another dataset, or so old that no
            step leads from it. Tables before it have been migrated, it and those after it not.
    """
    done = []
    for table in tables.ALL:
        if not warehouse.exists(table):
            continue
        properties = warehouse.properties(table)
        check_owner(table, properties, warehouse.dataset)
        stored = contract_of(properties)
        if stored < table.contract:
            done += [_take(warehouse, step) for step in _steps(table, stored)]
        schema = warehouse.spark.read.table(warehouse.name(table)).schema
        check_table(table, schema, warehouse.properties(table), warehouse.dataset)
    return done


def _steps(table: Table, stored: int) -> list[Step]:
    """The steps from a stored version to today's, in order, none missing."""
    steps = {step.version: step for step in STEPS if step.table is table}
    wanted = range(stored + 1, table.contract + 1)
    if missing := [version for version in wanted if version not in steps]:
        raise ContractError(
            f"no way leads from contract {stored} of table {table.name} to {missing[0]}",
            fix="make a new warehouse with this release: tastemill run --warehouse NEW",
        )
    return [steps[version] for version in wanted]


def _take(warehouse: Warehouse, step: Step) -> str:
    name, table = warehouse.name(step.table), step.table
    has = warehouse.spark.read.table(name).columns
    fresh = [column_ddl(f) for f in table.schema if f.name in step.adds and f.name not in has]
    if fresh:
        warehouse.spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({', '.join(fresh)})")
    warehouse.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('{CONTRACT}' = '{step.version}')")
    return f"{table.name}: contract {step.version}, with {', '.join(step.adds)}"
