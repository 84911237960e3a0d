"""Which input files were read, by content."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from tastemill.errors import DataError
from tastemill.tables import INGESTED_FILES


def sha256_of(file: Path) -> str:
    """The sha256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprints(files: Sequence[Path]) -> dict[str, str]:
    """File name to sha256; an empty file is an error here, before anything is read."""
    for file in files:
        if file.stat().st_size == 0:
            raise DataError(f"{file} is empty", fix="put the whole file there")
    return {file.name: sha256_of(file) for file in files}


def as_ingested_files(
    spark: SparkSession, files: Sequence[Path], source: str, mapping: str, now: datetime
) -> DataFrame:
    """Rows of the table `ingested_files`."""
    rows = [(sha256_of(f), source, f.name, mapping, f.stat().st_size, now) for f in files]
    return spark.createDataFrame(rows, INGESTED_FILES.schema)
