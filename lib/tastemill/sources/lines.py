"""Text files as numbered lines: the raw form from which every source parses its columns."""

import gzip
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from tastemill.errors import DataError


def read_lines(spark: SparkSession, file: Path, encoding: str = "UTF-8") -> DataFrame:
    """Read a text file, plain or gzip, as (source_file, source_row from 1, raw).

    Line numbers need no shuffle: Spark numbers rows within a split, and where a file has several,
    a first small aggregate says how many lines come before each.
    """
    lines = (
        spark.read.text(_location(file))
        .withColumn("split", F.col("_metadata.file_block_start"))
        .withColumn("at", F.monotonically_increasing_id())
    )
    if file.suffix == ".gz":  # never split
        return _as_lines(lines, F.col("at") + 1, file, encoding)
    splits = lines.groupBy("split").agg(F.count("*").alias("lines"), F.min("at").alias("first"))
    before = F.coalesce(F.sum("lines").over(_earlier_splits()), F.lit(0))
    splits = splits.select("split", "first", before.alias("before"))
    numbered = lines.join(F.broadcast(splits), "split")
    row = F.col("before") + F.col("at") - F.col("first") + 1
    return _as_lines(numbered, row, file, encoding)


def _as_lines(lines: DataFrame, row: Column, file: Path, encoding: str) -> DataFrame:
    raw = _decoded(F.col("value"), encoding)
    return lines.select(
        F.lit(file.name).alias("source_file"), row.alias("source_row"), raw.alias("raw")
    )


def _location(file: Path) -> str:
    """A file as Spark takes it: a URI that isn't percent-encoded, nothing in it read as a glob."""
    return "file://" + "".join(f"\\{c}" if c in r"\*?[]{}" else c for c in str(file.absolute()))


def _earlier_splits() -> WindowSpec:
    # One row per split of one file: small enough for one partition.
    return Window.partitionBy(F.lit(0)).orderBy("split").rowsBetween(Window.unboundedPreceding, -1)


def _decoded(value: Column, encoding: str) -> Column:
    return value if encoding == "UTF-8" else F.decode(value.cast("binary"), encoding)


def parse_delimited(lines: DataFrame, separator: str, names: Sequence[str]) -> DataFrame:
    """Split raw lines at a separator of any length into named text columns.

    A line with another number of fields gets reason `wrong_number_of_fields` and null columns.
    """
    fields = F.split("raw", _literal(separator), -1)
    fits = F.size(fields) == len(names)
    columns = [F.when(fits, _text(fields[n])).alias(name) for n, name in enumerate(names)]
    reason = F.when(~fits, F.lit("wrong_number_of_fields")).cast("string")
    return lines.select("*", *columns, reason.alias("reason"))


def parse_csv(lines: DataFrame, file: Path, names: Sequence[str]) -> DataFrame:
    """Parse raw CSV lines with quotes into text columns, by the header that stands in line 1.

    Raises:
        DataError: the header lacks one of `names`.
    """
    header = first_line(file).split(",")
    missing = [name for name in names if name not in header]
    if missing:
        raise DataError(
            f"{file}: no column {', '.join(missing)}",
            expected=", ".join(names),
            found=", ".join(header),
            fix="check that the file is the one the source describes",
        )
    schema = ", ".join(f"`{name}` string" for name in [*header, "_malformed"])
    options = {"columnNameOfCorruptRecord": "_malformed", "mode": "PERMISSIVE", "escape": '"'}
    parsed = lines.where("source_row > 1").withColumn("csv", F.from_csv("raw", schema, options))
    columns = [_text(F.col(f"csv.{name}")).alias(name) for name in names]
    malformed = F.col("csv._malformed").isNotNull()
    reason = F.when(malformed, F.lit("wrong_number_of_fields")).cast("string")
    return parsed.select(*lines.columns, *columns, reason.alias("reason"))


def first_line(file: Path) -> str:
    """The header line, without a byte-order mark."""
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as stream:
            line = stream.readline().strip()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{file} can't be read: {error}", fix="put the whole file there") from error
    if not line:
        raise DataError(f"{file} is empty", fix="put the whole file there")
    return line.lstrip("\ufeff")


def require(folder: Path, names: Sequence[str]) -> list[Path]:
    """The named files of a folder, or an error that lists what is missing."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        raise DataError(
            f"{folder}: {', '.join(missing)} missing",
            expected=", ".join(names),
            found=", ".join(there[:12]) or "no such folder",
            fix="name the folder that holds the data with --data",
        )
    return [folder / name for name in names]


def _text(column: Column) -> Column:
    """Trimmed text; nothing at all is null."""
    return F.nullif(F.trim(column), F.lit(""))


def _literal(separator: str) -> str:
    return "".join(f"\\{c}" if c in r"\|.*+?()[]{}^$" else c for c in separator)
