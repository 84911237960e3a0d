"""Any tables → quality: what they are expected to be like before anything is trained on them.

Stops the line where an expectation doesn't hold, or warns, as `quality.on_failure` says.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.errors import DataError, UsageError, did_you_mean
from tastemill.gate import account_of, check_columns, keep
from tastemill.tables import Table

SECTIONS = ("dataset", "quality")
INPUTS = (
    tables.EVENTS,
    tables.USERS,
    tables.ITEMS,
    tables.RELATIONS,
    tables.QUARANTINE,
    tables.USER_PROFILES,
    tables.ITEM_PROFILES,
    tables.EXAMPLES,
)
OUTPUTS = (tables.QUALITY,)

log = logging.getLogger("tastemill")


def inputs(cfg: Config) -> dict[str, str]:
    """The day, where something has to be new: it may have become too old."""
    is_timed = any(each.fresh_days for of_table in cfg.quality.tables.values() for each in of_table)
    return {"today": str(datetime.now(UTC).date())} if is_timed else {}


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Measure every table, rewrite what was found, then stop or warn."""
    warehouse = job.open_warehouse(spark, cfg)
    wanted = [(_named(name), expected) for name, expected in cfg.quality.tables.items()]
    for table, expected in wanted:
        check_columns(table, expected)
    accounts = [
        account_of(warehouse, table, _slice(warehouse, cfg, table), expected)
        for table, expected in wanted
    ]
    verdicts = [verdict for account in accounts for verdict in account.verdicts]
    failed = [verdict.words for verdict in verdicts if not verdict.holds]
    stops = bool(failed) and cfg.quality.on_failure == "fail"
    for account in accounts:
        keep(warehouse, account, cfg.run.run_id, accepted=not stops)
    detail = f"{len(failed)} of {len(verdicts)} expectations don't hold"
    if stops:
        raise DataError(
            f"{detail}: {failed[0]}",
            found="; ".join(failed[1:]),
            fix="mend the data or [quality] in the dataset's TOML; or accept them once with "
            "--set quality.on_failure=warn",
        )
    for words in failed:
        log.warning("%s", words)
    return job.JobResult(len(verdicts), detail=detail if failed else "")


def _named(name: str) -> Table:
    known = {table.name: table for table in INPUTS}
    if name not in known:
        fix = did_you_mean(name, known)
        raise UsageError(f"[[quality.tables.{name}]]", expected=", ".join(known), fix=fix)
    return known[name]


def _slice(warehouse: Warehouse, cfg: Config, table: Table) -> DataFrame:
    """What the pass goes on with of a table."""
    rows = warehouse.read_or_empty(table)
    match table.slice_by:
        case "ds":
            moment = passes.times_of(warehouse, cfg).of(cfg.run.purpose)
            return rows.where(rows[table.slice_by] == str(moment.date()))
        case "purpose":
            return rows.where(rows[table.slice_by] == cfg.run.purpose)
        case _:
            return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("check_quality", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
