"""Which input files were read, by content."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.errors import DataError
from tastemill.sources.mapping import ONCE, SourceConfig
from tastemill.tables import INGESTED_FILES

BETWEEN = "/"


def sha256_of(file: Path) -> str:
    """The sha256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprints(files: Mapping[str, Path]) -> dict[str, str]:
    """File name to sha256; an empty file is an error here, before anything is read."""
    for file in files.values():
        if file.stat().st_size == 0:
            raise DataError(f"{file} is empty", fix="put the whole file there")
    return {name: sha256_of(file) for name, file in files.items()}


def reader_hash(source: SourceConfig, code: str) -> str:
    """What decides how a file is read: hash of the mapping, then that of the code."""
    # What is said once for all files stands in each of them.
    told = source.model_dump_json(exclude={"title", "licence", "where", "shipped", *ONCE})
    return f"{hashlib.sha256(told.encode()).hexdigest()[:16]}{BETWEEN}{code}"


def as_ingested_files(
    spark: SparkSession, files: Mapping[str, Path], source: str, reader: str, now: datetime
) -> DataFrame:
    """Rows of the table `ingested_files`."""
    rows = [
        (sha, source, name, reader, files[name].stat().st_size, now)
        for name, sha in fingerprints(files).items()
    ]
    return spark.createDataFrame(rows, INGESTED_FILES.schema)


def read_otherwise(files: DataFrame, known: DataFrame) -> DataFrame:
    """Those of the known files that are among `files` and were read by another mapping."""
    mapping = F.split_part("mapping", F.lit(BETWEEN), F.lit(1))
    ours = files.select("sha256", "source_file", mapping.alias("_mapping"))
    # An entry of an older release says nothing of its mapping.
    told = known.where(F.contains("mapping", F.lit(BETWEEN)))
    joined = told.join(F.broadcast(ours), ["sha256", "source_file"])
    return joined.where(mapping != F.col("_mapping"))
