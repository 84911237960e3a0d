"""How large the files may be that OPTIMIZE writes."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

KEYS = tuple(f"spark.databricks.delta.optimize.{end}FileSize" for end in ("min", "max"))


@contextmanager
def files_of(spark: SparkSession, max_file_mib: float) -> Iterator[None]:
    """Within this, OPTIMIZE writes files of at most so many MiB; then as the session had it.

    By Delta's own 1 GiB most tables would be one file, and every merge rewrite all of it.
    """
    before = {key: spark.conf.get(key, None) for key in KEYS}
    for key in KEYS:
        spark.conf.set(key, int(max_file_mib * 2**20))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, value)
