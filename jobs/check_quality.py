"""Any tables → quality: what they are expected to be like before anything is trained on them.

Stops the line where an expectation doesn't hold, or warns, as `quality.on_failure` says.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from tastemill import job, tables
from tastemill.config.load import Config
from tastemill.errors import DataError, UsageError, did_you_mean
from tastemill.gate import check_table

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
    expected = (each for of_table in cfg.quality.tables.values() for each in of_table)
    is_timed = any(each.fresh_days is not None for each in expected)
    return {"today": str(datetime.now(UTC).date())} if is_timed else {}


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Rewrite what was found of each table, then stop or warn."""
    warehouse = job.open_warehouse(spark, cfg)
    known = {table.name: table for table in INPUTS}
    if unknown := [name for name in cfg.quality.tables if name not in known]:
        fix = did_you_mean(unknown[0], known)
        raise UsageError(f"[quality.tables] {unknown[0]}", expected=", ".join(known), fix=fix)
    failed, count = [], 0
    for name, expected in cfg.quality.tables.items():
        found = check_table(warehouse, known[name], expected, cfg.run.run_id)
        failed += [verdict.words for verdict in found if not verdict.holds]
        count += len(found)
    detail = f"{len(failed)} of {count} expectations don't hold"
    if failed and cfg.quality.on_failure == "fail":
        raise DataError(
            f"{detail}: {failed[0]}",
            found="; ".join(failed[1:]),
            fix='mend the data, or [quality] in the dataset\'s TOML; on_failure = "warn" goes on',
        )
    for words in failed:
        log.warning("%s", words)
    return job.JobResult(count, detail=detail if failed else "")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("check_quality", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
