"""Examples → a feed: float32 Parquet with a manifest, from which training processes read.

A feed is written beside its place and renamed into it, so a folder with a manifest is whole. Its
content follows from the rows alone, whatever their partitions: the same table version makes the
same files.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.errors import FeedError
from tastemill.host import on_databricks, spark_uri
from tastemill.training.feed import refuse_pickles
from tastemill.training.spec import (
    FLOAT_COLUMNS,
    GAPS,
    INDEX_COLUMNS,
    INDICES_COLUMNS,
    PAIRS,
    VECTOR_COLUMNS,
    FeedColumn,
    FeedSpec,
    digest,
    feed_from_json,
    feed_to_json,
)

MANIFEST = "_manifest.json"  # Spark passes over names that begin so
CACHE_CONF = "petastorm.spark.converter.parentCacheDirUrl"
SMALL_ROWS = 100_000
"""Feeds up to this size are written by one task, as files of equal size."""
GROUP_ROWS = 131_072
"""Rows of the largest file; a file of this size is one row group unless its vectors are huge."""

_FLOATS = T.ArrayType(T.FloatType())
_TYPES: dict[str, T.DataType] = {
    **dict.fromkeys(INDEX_COLUMNS, T.IntegerType()),
    **dict.fromkeys(FLOAT_COLUMNS, T.FloatType()),
    **dict.fromkeys(VECTOR_COLUMNS, _FLOATS),
    **dict.fromkeys(INDICES_COLUMNS, T.ArrayType(T.IntegerType())),
}


def materialize(
    examples: DataFrame,
    folder: str,
    *,
    num_processes: int,
    meta: Mapping[str, str],
    columns: tuple[str, ...] = PAIRS,
    order_by: tuple[str, ...] = (),
) -> FeedSpec:
    """Write a feed, or take the one that is there.

    Args:
        examples: Rows with the columns; lists of one length per column, no null, NaN or infinity
            but in `GAPS`.
        folder: The feed's own folder, on a file system that all processes share.
        num_processes: Training processes that will share the feed.
        meta: Where the rows come from (table versions); a feed with another is written anew.
        columns: What the training takes, of those that `spec` names.
        order_by: Columns that identify a row; by default the feed's own columns. They decide its
            place, so that the order tells nothing about time or user.

    Returns:
        What the training processes need to read it.

    Raises:
        FeedError: No rows, a missing column, a bad value.
    """
    place = Path(folder).absolute()
    spec = read_feed(place)
    meta = {**meta, "columns": ",".join(columns)}
    if spec is None or dict(spec.meta) != meta or len(spec.group_rows) < num_processes:
        rows = _as_feed(examples, columns, order_by)
        facts = _check(rows, columns)
        part = place.with_name(f".{place.name}.part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        try:
            _write(rows, columns, part, facts["rows"], num_processes)
            _write_manifest(part, facts, columns, meta)
            _swap(part, place)
        except BaseException:  # a disk that is full has no room for what will never be read
            shutil.rmtree(part, ignore_errors=True)
            raise
        spec = read_feed(place)
        assert spec is not None
    _register(examples.sparkSession, spec)
    return spec


def read_feed(folder: Path) -> FeedSpec | None:
    """The feed in a folder, or none where there is none or its files aren't the manifest's."""
    try:
        values = json.loads((folder / MANIFEST).read_text())
        spec = feed_from_json(str(folder), values["feed"])
        sizes = [(folder / name).stat().st_size for name in spec.files]
    except (OSError, ValueError, KeyError):
        return None
    refuse_pickles(folder)
    whole = values["digest"] == digest(values["feed"]) and sizes == values["sizes"]
    return spec if whole else None


def _as_feed(examples: DataFrame, columns: tuple[str, ...], order_by: tuple[str, ...]) -> DataFrame:
    """The feed's columns in their types, and what orders the rows: a hash, then its columns."""
    if missing := [name for name in (*columns, *order_by) if name not in examples.columns]:
        raise FeedError(f"examples lack {', '.join(missing)}", expected=", ".join(columns))
    keys = order_by or columns
    casts = [F.col(name).cast(_TYPES[name]).alias(name) for name in columns]
    places = [F.col(key).alias(f"place_{i}") for i, key in enumerate(keys)]
    return examples.select(*casts, F.xxhash64(*keys).alias("place"), *places)


def _check(rows: DataFrame, columns: tuple[str, ...]) -> Row:
    """One pass: counts of what mustn't be, and the numbers of the manifest.

    Checked after the cast to float32, where a large double has become infinite.
    """
    bad = [F.count_if(test).alias(f"{name}: {what}") for name, what, test in _tests(columns)]
    widths = [
        make(F.size(name)).alias(f"{kind}_{name}")
        for name in _lists(columns)
        for kind, make in (("min", F.min), ("max", F.max))
    ]
    highs = [
        F.max(F.array_max(name) if name in INDICES_COLUMNS else F.col(name)).alias(f"high_{name}")
        for name in columns
        if name in (*INDEX_COLUMNS, *INDICES_COLUMNS)
    ]
    measured = [F.count("*").alias("rows"), *highs, *widths, *bad]
    if "weight" in columns:
        weights = _exact_sum(F.col("weight"))
        measured.append(weights.alias("weights"))
        if "label" in columns:
            labels = _exact_sum(F.col("label").cast("double") * F.col("weight"))
            measured.append(F.try_divide(labels, weights).cast("double").alias("mean_label"))
    facts = rows.select(*measured).first()
    assert facts is not None
    _refuse(facts, columns)
    return facts


def _lists(columns: tuple[str, ...]) -> list[str]:
    return [name for name in columns if isinstance(_TYPES[name], T.ArrayType)]


def _exact_sum(value: Column) -> Column:
    """A sum that doesn't depend on the order of rows, in millionths; null where not finite."""
    millionths = F.round(value.cast("double") * 1e6)
    return F.sum(F.when(~_not_finite(millionths), millionths).cast("decimal(28,0)"))


def _tests(columns: tuple[str, ...]) -> list[tuple[str, str, Column]]:
    """(column, what is wrong, test) of each check."""
    tests = []
    for name in columns:
        column = F.col(name)
        tests.append((name, "null", column.isNull()))
        if name in (*INDEX_COLUMNS, "weight"):
            tests.append((name, "negative", column < 0))
        if name in FLOAT_COLUMNS:
            tests.append((name, "NaN or infinite", _not_finite(column)))
        if name in _lists(columns) and name not in GAPS:
            tests.append((name, "null inside", F.exists(name, lambda x: x.isNull())))
        if name in INDICES_COLUMNS:
            tests.append((name, "negative inside", F.exists(name, lambda x: x < 0)))
        if name in VECTOR_COLUMNS and name not in GAPS:
            tests.append((name, "NaN or infinite inside", F.exists(name, _not_finite)))
    return tests


def _not_finite(value: Column) -> Column:
    return F.coalesce(F.isnan(value) | (F.abs(value) == float("inf")), F.lit(False))


def _refuse(facts: Row, columns: tuple[str, ...]) -> None:
    if facts["rows"] == 0:
        raise FeedError("no examples to train on", expected="at least one row", found="none")
    counts = {name: n for name, n in facts.asDict().items() if ": " in name and n}
    if bad := [f"{name} in {count} rows" for name, count in counts.items()]:
        raise FeedError("examples hold values no network can learn from", found="; ".join(bad))
    for name in _lists(columns):
        shortest, longest = facts[f"min_{name}"], facts[f"max_{name}"]
        if shortest != longest:
            raise FeedError(
                f"{name}: vectors of different lengths",
                expected="one length",
                found=f"{shortest} to {longest}",
            )
    if "weight" in columns and not facts["weights"]:
        raise FeedError("weight: the weights sum to zero")


def _write(
    rows: DataFrame, columns: tuple[str, ...], part: Path, count: int, num_processes: int
) -> None:
    """Parquet files named by their number, several for each process."""
    groups = 4 * num_processes
    if count <= SMALL_ROWS:
        spread, limit = rows.coalesce(1), -(-count // groups)
    else:
        spread, limit = rows.repartition(groups, "place"), GROUP_ROWS
    places = [name for name in rows.columns if name.startswith("place")]
    spread.sortWithinPartitions(*places, *columns).select(*columns).write.option(
        "compression", "snappy"
    ).option("maxRecordsPerFile", limit).parquet(spark_uri(part))
    written = sorted(part.glob("part-*.parquet"))
    for number, path in enumerate(written):
        path.rename(part / f"part-{number:05d}.parquet")
    for path in part.iterdir():
        if not path.name.endswith(".parquet") or path.name.startswith("."):
            path.unlink()


def _write_manifest(
    part: Path, facts: Row, columns: tuple[str, ...], meta: Mapping[str, str]
) -> None:
    """The manifest, last of the files: a folder without it isn't a feed."""
    files = sorted(path.name for path in part.glob("part-*.parquet"))
    footers = {name: pq.read_metadata(part / name) for name in files}
    files = [name for name in files if footers[name].num_rows]
    spec = FeedSpec(
        folder=str(part),
        files=tuple(files),
        row_groups=tuple(
            tuple(footers[f].row_group(i).num_rows for i in range(footers[f].num_row_groups))
            for f in files
        ),
        sha256=tuple(hashlib.sha256((part / name).read_bytes()).hexdigest() for name in files),
        columns=tuple(_described(name, facts.asDict()) for name in columns),
        mean_label=facts.asDict().get("mean_label") or 0.0,
        meta=tuple(sorted(meta.items())),
    )
    if spec.rows != facts["rows"]:
        raise FeedError(
            "the examples changed while they were written",
            expected=f"{facts['rows']} rows",
            found=f"{spec.rows} rows",
        )
    feed = feed_to_json(spec)
    sizes = [(part / name).stat().st_size for name in files]
    manifest = {"feed": feed, "rows": spec.rows, "sizes": sizes, "digest": digest(feed)}
    with (part / MANIFEST).open("w") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _described(name: str, facts: dict[str, int]) -> FeedColumn:
    return FeedColumn(name, facts.get(f"max_{name}", 0), facts.get(f"high_{name}", -1))


def _swap(part: Path, place: Path) -> None:
    """Put a written feed into its place; what was there goes afterwards."""
    place.parent.mkdir(parents=True, exist_ok=True)
    old = place.with_name(f".{place.name}.old-{os.getpid()}")
    if place.exists():
        place.rename(old)
    part.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _register(spark: SparkSession, spec: FeedSpec) -> None:
    """Hand the folder to Petastorm's converter, and hold its count against the manifest.

    The form that takes a path keeps the files; the one that takes a DataFrame deletes them at
    exit. Both want a cache folder to be configured.
    """
    if on_databricks() and not spec.folder.startswith("/dbfs/"):
        return  # there the converter takes a path in DBFS and no other; feeds lie in volumes
    from petastorm.spark import make_spark_converter  # noqa: PLC0415 - takes a second

    # It advises files of 50 MB; a feed has as many as the processes need.
    logging.getLogger("petastorm.spark.spark_dataset_converter").setLevel(logging.ERROR)
    if quote(spec.folder) != spec.folder:
        return  # it looks for the files under the names that URIs have, which aren't theirs
    if spark.conf.get(CACHE_CONF, None) is None:
        spark.conf.set(CACHE_CONF, f"file://{Path(spec.folder).parent}")
    found = len(make_spark_converter(f"file://{spec.folder}"))
    if found != spec.rows:
        raise FeedError(
            f"Petastorm finds other rows in {spec.folder}",
            expected=f"{spec.rows} rows",
            found=f"{found} rows",
        )
