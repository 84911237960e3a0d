"""Text files as numbered lines, the raw form in which a rejected row is kept."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from tastemill.host import spark_uri

SPLIT_FILE = "_split_file"
# What windows-1252 has where iso-8859-1 has control characters; five places are empty in both.
SIGNS_1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
PLACES_1252 = "".join(chr(c) for c in range(0x80, 0xA0) if c not in (0x81, 0x8D, 0x8F, 0x90, 0x9D))


def read_lines(
    spark: SparkSession, files: Sequence[Path], folder: Path, encoding: str = "utf-8"
) -> DataFrame:
    """Read text files, plain or packed, as (source_file, source_row from 1, raw).

    Args:
        spark: the session.
        files: of one encoding, within the folder.
        folder: what `source_file` is relative to.
        encoding: utf-8 (kept as it is, even where it is none), iso-8859-1 or windows-1252.
    """
    lines = spark.read.text([location(file) for file in files])
    if len(files) == 1 and files[0].suffix == ".gz":  # never split, and alone in its partition
        row = F.monotonically_increasing_id() + 1
        numbered = lines.select("*", name_in(folder, files), row.alias("source_row"))
    else:
        numbered = with_places(lines, name_in(folder, files, SPLIT_FILE))
    raw = F.col("value")
    if encoding not in ("utf-8", "ascii"):
        raw = decoded(F.decode(raw.cast("binary"), "ISO-8859-1"), encoding)
    return numbered.select("source_file", "source_row", raw.alias("raw"))


def with_places(frame: DataFrame, name: Column) -> DataFrame:
    """Add `source_file` and `source_row`, from 1: where each row just read from files stands.

    It needs no shuffle: Spark numbers rows within a split, and a first small aggregate says how
    many rows come before each split of a file.

    Args:
        frame: rows as a reader gives them.
        name: the name of a file by its URI in SPLIT_FILE; worked out for each split, not each row.
    """
    split = (F.input_file_name(), F.input_file_block_start())
    rows = frame.withColumns(
        {
            # One number is found much faster than a text and a number.
            "_split": F.xxhash64(*split),
            SPLIT_FILE: split[0],
            "_start": split[1],
            "_at": F.monotonically_increasing_id(),
        }
    )
    splits = rows.groupBy("_split").agg(
        F.first(SPLIT_FILE).alias(SPLIT_FILE),
        F.first("_start").alias("_start"),
        F.count("*").alias("_rows"),
        F.min("_at").alias("_first"),
    )
    before = F.coalesce(F.sum("_rows").over(_earlier_splits()), F.lit(0))
    less = F.col("_first") - before - 1  # by so much a row's number in its file is smaller
    splits = splits.select("_split", name, less.alias("_less"))
    placed = rows.drop(SPLIT_FILE, "_start").join(F.broadcast(splits), "_split")
    placed = placed.withColumn("source_row", F.col("_at") - F.col("_less"))
    return placed.drop("_split", "_at", "_less")


def name_in(folder: Path, files: Sequence[Path], uri: str = "_metadata.file_path") -> Column:
    """`source_file`: the name within the folder of the file that a row was read from."""
    if len(files) == 1:
        return F.lit(files[0].relative_to(folder).as_posix()).alias("source_file")
    return path_in(folder, uri)


def path_in(folder: Path, uri: str = "_metadata.file_path") -> Column:
    """The same, by the URI of the file."""
    # In which a plus stands for itself.
    path = F.url_decode(F.replace(F.col(uri), F.lit("+"), F.lit("%2B")))
    start = F.locate(f"{folder.absolute()}/", path) + len(f"{folder.absolute()}/")
    return F.substring(path, start, F.length(path)).alias("source_file")


def location(file: Path) -> str:
    """A file as Spark takes it: a URI that isn't percent-encoded, nothing in it read as a glob."""
    return spark_uri("".join(f"\\{c}" if c in r"\*?[]{}" else c for c in str(file.absolute())))


def _earlier_splits() -> WindowSpec:
    # One row per split: small enough for one partition per file.
    window = Window.partitionBy(SPLIT_FILE).orderBy("_start")
    return window.rowsBetween(Window.unboundedPreceding, -1)


def decoded(text: Column, encoding: str) -> Column:
    """A text that was read as iso-8859-1, as what it is: Spark doesn't know windows-1252."""
    is_1252 = encoding == "windows-1252"
    return F.translate(text, PLACES_1252, SIGNS_1252) if is_1252 else text
