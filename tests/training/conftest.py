"""Feeds without Spark, of any shape."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tastemill.testing.feeds import write_feed
from tastemill.training.spec import FeedColumn, FeedSpec

MakeFeed = Callable[..., FeedSpec]


@pytest.fixture(name="write_feed")
def fixture_of_write_feed() -> Callable[..., FeedSpec]:
    """Write one of any columns."""
    return write_feed


@pytest.fixture
def make_feed(tmp_path: Path) -> MakeFeed:
    """make_feed([5, 3], width=2): one file per entry; entry k's rows follow those before it.

    Row n has label n (unless `labels` says otherwise), weight 1, and vectors that start with n.
    """

    def make(
        sizes: Sequence[int], *, width: int = 2, name: str = "feed", users: int = 7
    ) -> FeedSpec:
        stops = np.cumsum(sizes)
        parts = [
            _rows(np.arange(stop - size, stop), width, users)
            for size, stop in zip(sizes, stops, strict=True)
        ]
        columns = (
            FeedColumn("user_idx", high=users - 1),
            FeedColumn("item_idx", high=10),
            FeedColumn("label"),
            FeedColumn("weight"),
            FeedColumn("user_vector", width),
            FeedColumn("item_vector", width),
        )
        return write_feed(tmp_path / name, parts, columns, mean_label=3.0)

    return make


def _rows(numbers: np.ndarray, width: int, users: int) -> pa.Table:
    vectors = np.zeros((len(numbers), width), dtype=np.float32)
    vectors[:, :1] = numbers[:, None]
    as_lists = pa.array(list(vectors), type=pa.list_(pa.float32()))
    return pa.table(
        {
            "user_idx": pa.array(numbers % users, type=pa.int32()),
            "item_idx": pa.array(numbers % 11, type=pa.int32()),
            "label": pa.array(numbers, type=pa.float32()),
            "weight": pa.array(np.ones(len(numbers)), type=pa.float32()),
            "user_vector": as_lists,
            "item_vector": as_lists,
        }
    )


@pytest.fixture
def rating_feed(make_feed: MakeFeed) -> FeedSpec:
    """240 rows in 8 row groups whose labels (0 to 4) follow from the ids."""
    feed = make_feed([30] * 8)
    hashes = []
    for name in feed.files:
        path = Path(feed.folder) / name
        table = pq.read_table(path)
        users, items = table["user_idx"].to_numpy(), table["item_idx"].to_numpy()
        labels = pa.array((users % 3 + items % 3).astype(np.float32))
        small = pa.array([[0.1, 0.2]] * table.num_rows, type=pa.list_(pa.float32()))
        for column, values in (("label", labels), ("user_vector", small), ("item_vector", small)):
            table = table.set_column(table.column_names.index(column), column, values)
        pq.write_table(table, path)
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return replace(feed, sha256=tuple(hashes))
