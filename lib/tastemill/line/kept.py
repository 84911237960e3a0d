"""Which old versions of a table can still be read, file by file."""

from pyspark.sql import SparkSession

from tastemill.delta import Warehouse
from tastemill.tables import Table

TOO_OLD = "BEYOND_DELETED_FILE_RETENTION"


def kept_version(
    warehouse: Warehouse, table: Table, version: int, where: str | None = None
) -> int | None:
    """The newest version at which a slice is as it was at `version`; None when it is gone.

    Gone: its commit isn't known any more, or some of its files were vacuumed.
    """
    commits = warehouse.history(table)
    if version not in {commit.version for commit in commits}:
        return None
    changed = [c.version for c in commits if c.version > version and c.touches(where)]
    last = min(changed) - 1 if changed else commits[0].version
    try:
        files = set(warehouse.read(table, version=last).inputFiles())
    except Exception as error:
        if TOO_OLD in str(error):
            return None
        raise
    # What stands today can't have been vacuumed: only the others are looked for.
    files -= set(warehouse.read(table).inputFiles())
    return last if all(_is_there(warehouse.spark, file) for file in files) else None


def _is_there(spark: SparkSession, file: str) -> bool:
    """Whether a file exists on whatever file system its URI names."""
    jvm, context = spark._jvm, spark.sparkContext._jsc
    assert jvm is not None
    path = jvm.org.apache.hadoop.fs.Path(file)
    return bool(path.getFileSystem(context.hadoopConfiguration()).exists(path))
