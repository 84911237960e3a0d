"""Feeds of any columns, written without Spark."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tastemill.training.spec import FeedColumn, FeedSpec


def write_feed(
    folder: Path, parts: Sequence[pa.Table], columns: tuple[FeedColumn, ...], mean_label: float = 0
) -> FeedSpec:
    """A file of one row group for each part."""
    folder.mkdir()
    files, hashes = [], []
    for number, part in enumerate(parts):
        path = folder / f"part-{number:05d}.parquet"
        pq.write_table(part, path)
        files.append(path.name)
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return FeedSpec(
        folder=str(folder),
        files=tuple(files),
        row_groups=tuple((part.num_rows,) for part in parts),
        sha256=tuple(hashes),
        columns=columns,
        mean_label=mean_label,
    )
