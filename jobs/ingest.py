"""Raw files → events, users, items, their states, relations, indexes, quarantine, ingested_files.

The door of the line: every row of every file ends in a table or in quarantine with a reason, and
reading a file twice changes nothing. What is written last says that the file was read, so a job
killed before that reads it again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, tables
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.errors import DataError
from tastemill.parallel import at_once
from tastemill.release import code_hash
from tastemill.sources.batch import clean, mark_events
from tastemill.sources.core import REASON as OUTSIDE_CORE
from tastemill.sources.files import input_files
from tastemill.sources.fingerprint import (
    as_ingested_files,
    fingerprints,
    read_otherwise,
    reader_hash,
)
from tastemill.sources.indexing import new_ids, numbered
from tastemill.sources.mapping import ItemsFiles, UsersFiles
from tastemill.sources.tabular import read

SECTIONS = ("dataset", "ingest", "source")
INPUTS = ()
OUTPUTS = (tables.EVENTS, tables.USERS, tables.ITEMS, tables.USER_INDEX, tables.ITEM_INDEX)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Read the files that weren't read yet and add what they hold."""
    warehouse = job.open_warehouse(spark, cfg)
    source, folder = cfg.source, paths.data_folder(cfg)
    now = datetime.now(UTC)
    reader = reader_hash(source, code_hash())
    files = as_ingested_files(spark, input_files(folder, source), source.name, reader, now)
    known = warehouse.read_or_empty(tables.INGESTED_FILES)
    if files.join(known, list(tables.INGESTED_FILES.keys), "left_anti").isEmpty():
        return job.JobResult(0, detail="nothing new")
    _refuse_other_mapping(files, known)
    raw = read(spark, folder, source)
    marked = mark_events(
        raw.events,
        warehouse.read_or_empty(tables.EVENTS),
        source,
        allow_missing_time=cfg.dataset.allow_missing_time,
        now=now,
    ).persist()
    batch = clean(raw, marked, source=source.name, now=now)
    rows = batch.events.count()
    rejected = _refuse_rubbish(marked.count(), batch.quarantine, cfg.ingest.max_quarantine_share)
    at_once(
        spark,
        lambda: warehouse.merge(tables.QUARANTINE, batch.quarantine),
        lambda: warehouse.merge(tables.USERS, batch.users, newer=("updated_at",)),
        lambda: warehouse.merge(tables.ITEMS, batch.items, newer=("updated_at",)),
        lambda: _dated(source.users) and warehouse.merge(tables.USER_STATES, batch.user_states),
        lambda: _dated(source.items) and warehouse.merge(tables.ITEM_STATES, batch.item_states),
        lambda: source.relations and warehouse.merge(tables.RELATIONS, batch.relations),
    )
    _extend_indexes(warehouse, batch.events)
    warehouse.append_once(tables.EVENTS, batch.events, f"ingest-{now.isoformat()}")
    warehouse.merge(tables.INGESTED_FILES, files)
    marked.unpersist()
    return job.JobResult(rows, detail=f"{rejected} rows in quarantine")


def inputs(cfg: Config) -> dict[str, str]:
    """The input files and their sha256: part of the stage key."""
    return fingerprints(input_files(paths.data_folder(cfg), cfg.source))


def _refuse_other_mapping(files: DataFrame, known: DataFrame) -> None:
    """Raise where the same files are in the table, read in another way: events would double."""
    other = read_otherwise(files, known).first()
    if other is not None:
        raise DataError(
            f"{other['source_file']} was ingested under another mapping",
            expected="the mapping that it was read by, for as long as its events are kept",
            fix="name a new warehouse with --warehouse, or delete this one, and run again",
        )


def _refuse_rubbish(read: int, quarantine: DataFrame, limit: float) -> int:
    """Count what was rejected; raise when it is too large a part of the events that were read.

    Events that are in the table already are part of what was read: a file may come again.
    """
    rejected = quarantine.count()
    if not read:
        raise DataError("the files hold no events", fix="check that they are complete")
    wrong = quarantine.where(F.col("reason") != OUTSIDE_CORE) if rejected > limit * read else None
    if wrong is None or wrong.count() <= limit * read:
        return rejected
    reasons = wrong.groupBy("reason").count().orderBy(F.desc("count")).limit(5).collect()
    raise DataError(
        f"{rejected} of {read} rows break the rules; nothing was written",
        expected=f"at most {limit:.0%}",
        found=", ".join(f"{r['reason']} {r['count']}" for r in reasons),
        fix="check the files, or raise ingest.max_quarantine_share",
    )


def _dated(parts: Iterable[UsersFiles | ItemsFiles]) -> bool:
    return any(part.updated_at for part in parts)


def _extend_indexes(warehouse: Warehouse, events: DataFrame) -> None:
    # Users and items are in their tables by now, which are read faster than the raw files.
    users, items = warehouse.read(tables.USERS), warehouse.read(tables.ITEMS)

    def extend(table: tables.Table, seen: DataFrame) -> None:
        key, idx = table.columns
        index = warehouse.read_or_empty(table)
        fresh = new_ids(seen, index, key).persist()
        warehouse.merge(table, numbered(fresh, index, key, idx))
        fresh.unpersist()

    at_once(
        warehouse.spark,
        lambda: extend(tables.USER_INDEX, events.select("user_id").union(users.select("user_id"))),
        lambda: extend(tables.ITEM_INDEX, events.select("item_id").union(items.select("item_id"))),
        lambda: extend(
            tables.CATEGORY_INDEX, items.select(F.explode("categories").alias("category"))
        ),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("ingest", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
