"""The only reader and writer of Delta: contracts checked, every write idempotent and atomic."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from tastemill.changes import at_least, bounds, changed_rows, upsert
from tastemill.commits import (
    CONFLICTS,
    IN_THE_MAKING,
    Commit,
    is_conflict,
    last_touch,
    slices_named,
    with_retries,
)
from tastemill.contracts import (
    check_frame,
    check_table,
    create_sql,
    quoted,
    retention,
)
from tastemill.errors import ContractError, UsageError
from tastemill.tables import Table

MISSING = (
    "TABLE_OR_VIEW_NOT_FOUND",
    "PATH_NOT_FOUND",
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_TABLE_NOT_FOUND",
    "is not a D",
)
R = TypeVar("R")


@dataclass(frozen=True)
class Pins:
    """Tables of another warehouse, read as of a version of each and never written."""

    location: str
    versions: Mapping[str, int]


@dataclass(frozen=True)
class Warehouse:
    """All tables of one dataset under one path, URI or `catalog.schema`."""

    spark: SparkSession
    location: str
    dataset: str
    pins: Pins | None = None
    _checked: set[str] = field(default_factory=set, repr=False, compare=False)
    _commits: dict[str, list[Commit]] = field(default_factory=dict, repr=False, compare=False)
    _checks: list[Callable[[], None]] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.location.strip():
            raise UsageError("the warehouse has no name", fix="give a folder with --warehouse")

    @property
    def is_catalog(self) -> bool:
        """Whether the location is `catalog.schema` and not a path."""
        return _is_catalog(self.location)

    def pin(self, table: Table) -> int | None:
        """The version at which a table of another warehouse is read; None for one of its own."""
        return self.pins.versions.get(table.name) if self.pins else None

    def name(self, table: Table) -> str:
        """The table's name in SQL, quoted."""
        place = self._place(table)
        if _is_catalog(place):
            return ".".join(f"`{p}`" for p in (*place.split("."), table.name))
        return "delta.`" + self.path(table).replace("`", "``") + "`"

    def path(self, table: Table) -> str:
        """Where a table of a path warehouse lies."""
        return f"{self._place(table).rstrip('/')}/{table.name}"

    def _place(self, table: Table) -> str:
        return self.pins.location if self.pins and self.pin(table) is not None else self.location

    def exists(self, table: Table) -> bool:
        """Whether the table has been made."""
        if table.name in self._checked:
            return True
        try:
            return bool(self.spark.read.table(self.name(table)).schema)
        except Exception as error:
            if any(mark in str(error) for mark in MISSING):
                return False
            raise

    def read(
        self, table: Table, *, where: str | None = None, version: int | None = None
    ) -> DataFrame:
        """Read a table, or one slice of it, as it stands or as of a version.

        Raises:
            ContractError: the table is missing, of another dataset, or of another contract.
        """
        if not self.exists(table):
            raise ContractError(
                f"table {table.name} does not exist in {self.location}",
                fix="run what makes it: tastemill run, or tastemill job NAME",
            )
        self._check(table)
        rows = self._at(table, self.pin(table) if version is None else version)
        return rows if where is None else rows.where(F.col(str(table.slice_by)) == where)

    def _at(self, table: Table, version: int | None) -> DataFrame:
        # Delta gives nothing older than the retention by number, even what still is the newest.
        newest = version is None or version == self._all_commits(table)[0].version
        pinned = "" if newest else f" VERSION AS OF {version}"
        return self.spark.sql(f"SELECT * FROM {self.name(table)}{pinned}")

    def read_or_empty(self, table: Table) -> DataFrame:
        """Read a table, or an empty frame of its schema where it was never made."""
        if self.exists(table):
            return self.read(table)
        # The limit tells the optimizer that it is empty: joins with it disappear.
        return self.spark.createDataFrame([], table.schema).limit(0)

    def create(self, table: Table) -> bool:
        """Make the table, with its contract, where it isn't there yet; say whether it was not."""
        is_new = not self.exists(table)
        if is_new:
            with_retries(lambda: self._make(table), (*CONFLICTS, *IN_THE_MAKING))
        self._check(table)
        return is_new

    def _make(self, table: Table) -> None:
        self.spark.sql(create_sql(self.name(table), table, self.dataset))
        self._check(table)  # fails while another writer makes it and has not committed yet

    def merge(self, table: Table, rows: DataFrame, *, newer: Sequence[str] = ()) -> int:
        """Insert rows with new keys and replace those whose content differs; return how many.

        Equal rows are dropped first: Delta's own upsert rewrites every file that holds a matching
        key, changed or not. With `newer`, a row replaces another only when these columns, compared
        in order, are at least as large (null is smaller than everything).
        """
        is_new = self.create(table)
        check_frame(table, rows)
        return self._commit(table, lambda: self._merge_once(table, rows, newer, is_new=is_new))

    def _merge_once(
        self, table: Table, rows: DataFrame, newer: Sequence[str], *, is_new: bool
    ) -> int:
        # No commit that wrote rows may also mean that the log forgot it. Whoever finds the table
        # empty appends, so that no MERGE comes between its making and its first rows.
        if is_new or (self.data_version(table) is None and self.read(table).isEmpty()):
            written = self._write_first(table, rows)
            if written is not None:
                return written
        changed = changed_rows(table, rows, self.read(table), newer).persist()
        try:
            # Held again against what the MERGE itself finds: a newer row may just have come in.
            within = bounds(table, changed)
            if within is None:
                return 0
            return upsert(table, self.name(table), changed, at_least(newer), within)
        finally:
            changed.unpersist()

    def _write_first(self, table: Table, rows: DataFrame) -> int | None:
        """Append the rows as the table's first and return how many; None if others came first.

        With nothing to compare with, an append is several times faster than a MERGE. By their
        common txnAppId Delta lets in one writer's first rows only.
        """
        mark = uuid.uuid4().hex
        options = {"txnAppId": "first rows", "txnVersion": "1", "userMetadata": mark}
        self._write(table, self._writer(table, rows).mode("append").options(**options))
        history = self.spark.sql(f"DESCRIBE HISTORY {self.name(table)}")
        ours = history.where(F.col("userMetadata") == mark).select("operationMetrics").first()
        return None if ours is None else int(ours["operationMetrics"]["numOutputRows"])

    def overwrite_slice(self, table: Table, rows: DataFrame, *values: str) -> None:
        """Replace, in one commit, the rows whose slice column is one of `values`."""
        listed = ", ".join(f"'{quoted(v)}'" for v in values)
        writer = self._writer(table, rows).mode("overwrite")
        writer = writer.option("replaceWhere", f"{table.slice_by} IN ({listed})")
        self._save(table, writer.option("userMetadata", json.dumps({"slices": values})))

    def append_once(self, table: Table, rows: DataFrame, app: str, version: int = 1) -> None:
        """Append rows; Delta leaves out a second append under the same (app, version)."""
        writer = self._writer(table, rows).mode("append")
        self._save(table, writer.option("txnAppId", app).option("txnVersion", version))

    def history(self, table: Table) -> list[Commit]:
        """The commits of a table, newest first.

        Read once, and again when this object has written the table. Commits of others in between
        are missed, and a stage that read their rows runs again the next time.
        """
        last = self.pin(table)
        return [c for c in self._all_commits(table) if last is None or c.version <= last]

    def _all_commits(self, table: Table) -> list[Commit]:
        if table.name not in self._commits:
            if not self.exists(table):
                return []
            rows = self.spark.sql(f"DESCRIBE HISTORY {self.name(table)}")
            wanted = rows.select("version", "operation", "userMetadata").collect()
            self._commits[table.name] = [
                Commit(r["version"], r["operation"], slices_named(r["userMetadata"]))
                for r in wanted
            ]
        return self._commits[table.name]

    def data_version(self, table: Table, where: str | None = None) -> int | None:
        """The last version that changed rows of the slice (None: of the table), if any did."""
        return last_touch(self.history(table), where)

    def compare_and_set(self, table: Table, row: DataFrame, unchanged: str) -> bool:
        """Write one row where its key is new, or where the stored row `t` still is as `unchanged`.

        Says whether it was written: not when another writer came first.
        """
        try:
            return bool(upsert(table, self.name(table), row, unchanged))
        except Exception as error:
            if is_conflict(error):
                return False
            raise

    def forget(self) -> None:
        """Read the histories again when they are next asked for: others may have written."""
        self._commits.clear()

    def optimize(self, table: Table) -> int:
        """Write small files together, by the table's clustering; return how many went."""
        self._check(table)
        done = self._commit(table, lambda: self.spark.sql(f"OPTIMIZE {self.name(table)}").collect())
        return int(done[0]["metrics"]["numFilesRemoved"])

    def vacuum(self, table: Table, days: float) -> None:
        """Delete files that only versions older than so many days need; the log is kept as long."""
        self._check(table)
        wanted = retention(days)
        found = self.properties(table)
        if any(found.get(key) != value for key, value in wanted.items()):
            listed = ", ".join(f"'{key}' = '{value}'" for key, value in wanted.items())
            self.spark.sql(f"ALTER TABLE {self.name(table)} SET TBLPROPERTIES ({listed})")
        self._commit(table, lambda: self.spark.sql(f"VACUUM {self.name(table)}").collect())

    def before_commit(self, check: Callable[[], None]) -> None:
        """Call `check` before each commit from now on; what it raises stops the write."""
        self._checks.append(check)

    def properties(self, table: Table) -> dict[str, str]:
        """The table's properties: owner, contract, Delta's own."""
        # DESCRIBE DETAIL would compute the table's size too: half a second instead of 20 ms.
        shown = self.spark.sql(f"SHOW TBLPROPERTIES {self.name(table)}").collect()
        return {row["key"]: row["value"] for row in shown}

    def _writer(self, table: Table, rows: DataFrame) -> DataFrameWriter:
        self.create(table)
        check_frame(table, rows)
        return rows.select(table.columns).write.format("delta")

    def _save(self, table: Table, writer: DataFrameWriter) -> None:
        self._commit(table, lambda: self._write(table, writer))

    def _write(self, table: Table, writer: DataFrameWriter) -> None:
        if self.is_catalog:
            writer.saveAsTable(self.name(table))
        else:
            writer.save(self.path(table))

    def _commit(self, table: Table, write: Callable[[], R]) -> R:
        """Write with retries; what was read of the table's history no longer holds."""
        if self.pin(table) is not None:
            raise ContractError(f"table {table.name} is another warehouse's and only read here")
        for check in self._checks:
            check()
        try:
            return with_retries(write)
        finally:
            self._commits.pop(table.name, None)

    def _check(self, table: Table) -> None:
        """Hold the stored table against its contract, once per table and warehouse object."""
        if table.name in self._checked:
            return
        schema = self.spark.read.table(self.name(table)).schema
        check_table(table, schema, self.properties(table), self.dataset)
        self._checked.add(table.name)


def _is_catalog(location: str) -> bool:
    parts = location.split(".")
    return len(parts) == 2 and all(p.isidentifier() for p in parts)
