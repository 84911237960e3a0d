"""All tables → the same rows in fewer files; old versions, feeds, checkpoints and weights go.

What `tastemill run --repro` needs is kept for `maintain.retention_days`.
"""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, tables
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.parallel import at_once
from tastemill.tables import Table
from tastemill.upkeep.folders import sweep
from tastemill.upkeep.sizes import files_of

SECTIONS = ("maintain",)
INPUTS = tables.ALL
OUTPUTS = ()


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Compact and vacuum every table, then sweep the folders beside them."""
    warehouse, limits = job.open_warehouse(spark, cfg), cfg.maintain
    there = [table for table in tables.ALL if warehouse.exists(table)]
    tidy = partial(_tidy, warehouse, retention_days=limits.retention_days)
    with files_of(spark, limits.max_file_mib):
        tidied = at_once(spark, *(partial(tidy, table) for table in there))
    freed = sweep(
        paths.artifacts(cfg),
        scratch_days=limits.scratch_days,
        weights_days=limits.retention_days,
        kept=_weights(warehouse),
    )
    word = f"files rewritten in {len(there)} tables, {freed / 2**20:,.1f} MiB of folders freed"
    return job.JobResult(sum(tidied), detail=word)


def _tidy(warehouse: Warehouse, table: Table, retention_days: float) -> int:
    """Compact and vacuum one table; return how many files were written together."""
    rewritten = warehouse.optimize(table)
    warehouse.vacuum(table, retention_days)
    return rewritten


def _weights(warehouse: Warehouse) -> set[str]:
    """Models with weights: their folders have their names."""
    named = warehouse.read_or_empty(tables.MODELS).where(F.col("artifact").isNotNull())
    return {row["model_id"] for row in named.select("model_id").distinct().collect()}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("maintain_tables", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
