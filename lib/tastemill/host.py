"""What started this process, and which Spark it finds there: spark-submit's, Databricks', none."""

import os
from pathlib import Path


def on_databricks() -> bool:
    """Whether this is a process of Databricks, where a session with Delta already runs."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def is_submitted() -> bool:
    """Whether spark-submit or Databricks started it: master, JARs and logging are theirs."""
    return on_databricks() or "PYSPARK_GATEWAY_PORT" in os.environ


def spark_uri(path: Path | str) -> str:
    """An absolute path as Spark takes it.

    Databricks mounts its volumes for Python alone: its Spark knows them by another scheme.
    """
    is_volume = on_databricks() and str(path).startswith("/Volumes/")
    return f"dbfs:{path}" if is_volume else f"file://{path}"
