"""A shard's row groups as numpy columns, read by Petastorm or by plain pyarrow."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tastemill.errors import FeedError
from tastemill.training.spec import FeedSpec

# Petastorm uses an interface of pyarrow that is marked as old, several times per file.
warnings.filterwarnings("ignore", category=FutureWarning, module="petastorm")

Values = np.ndarray[Any, Any]
Columns = dict[str, Values]


@dataclass(frozen=True)
class Shard:
    """A rank's part of a feed.

    Attributes:
        rank: From 0.
        world: Ranks in all.
        batch_size: Rows of one step over all ranks together.
        seed: Of the order.
        shuffle: False reads in the order of the files.
    """

    rank: int = 0
    world: int = 1
    batch_size: int = 4096
    seed: int = 1
    shuffle: bool = True


GroupReader = Callable[[FeedSpec, Shard, int], Iterator[Columns]]
"""(feed, shard, epoch) → the shard's row groups, in the epoch's order."""


def _arrow_groups(spec: FeedSpec, shard: Shard, epoch: int) -> Iterator[Columns]:
    """The shard's row groups by plain pyarrow."""
    names = [column.name for column in spec.columns]
    places = spec.shard_groups(shard.rank, shard.world)
    if shard.shuffle:
        np.random.default_rng((shard.seed, epoch, shard.rank, 1)).shuffle(places)
    for name, group in places:
        with pq.ParquetFile(Path(spec.folder) / name) as file:
            table = file.read_row_group(group, columns=names, use_threads=False)
        yield {column: _as_numpy(table.column(column)) for column in names}


def _as_numpy(column: pa.ChunkedArray) -> Values:
    """Scalars (n,), lists of equal length (n, width): a view of Arrow's flat values."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not pa.types.is_list(array.type):
        scalars: Values = array.to_numpy(zero_copy_only=False)
        return scalars
    values: Values = array.flatten().to_numpy(zero_copy_only=False)
    if len(array) == 0 or len(values) % len(array):
        raise FeedError("lists of unequal length in a vector column")
    return values.reshape(len(array), len(values) // len(array))


def _petastorm_groups(spec: FeedSpec, shard: Shard, epoch: int) -> Iterator[Columns]:
    """The shard's row groups by Petastorm.

    Petastorm decides that a finite read has ended by two looks at its queue, between which the
    last row groups can slip in and be lost. An endless read never asks that question, so the
    reader is endless and exactly the shard's number of row groups is taken from it.
    """
    from petastorm.fs_utils import get_filesystem_and_path_or_paths  # noqa: PLC0415 - as below
    from petastorm.reader import Reader  # noqa: PLC0415 - takes a second
    from petastorm.workers_pool.dummy_pool import DummyPool  # noqa: PLC0415 - as above

    names = [column.name for column in spec.columns]
    state = np.random.SeedSequence((shard.seed, epoch)).generate_state(1)[0]
    files, _ = get_filesystem_and_path_or_paths("file:///")
    reader = Reader(
        files,
        [str(Path(spec.folder) / name) for name in spec.files],
        schema_fields=[f"^{name}$" for name in names],
        worker_class=_whole_groups(),
        reader_pool=DummyPool(),
        is_batched_reader=True,
        num_epochs=None,
        shuffle_row_groups=shard.shuffle,
        # Petastorm takes seed 0 for "no seed".
        seed=int(state % (2**31 - 1)) + 1,
        cur_shard=shard.rank,
        shard_count=shard.world,
    )
    try:
        _wait_for_work(reader)
        for _ in spec.shard_groups(shard.rank, shard.world):
            table = next(reader)
            yield {name: _as_numpy(table.column(name)) for name in names}
    # Its context manager does the same, and prints a line each time.
    finally:
        reader.stop()
        reader.join()


@cache
def _whole_groups() -> type:
    """A worker of Petastorm's that hands on row groups as they lie in the file.

    Its own copies every one, in the order in which it is, and makes matrices of lists row by row.
    """
    from petastorm.arrow_reader_worker import ArrowReaderWorker  # noqa: PLC0415 - as above

    class Worker(ArrowReaderWorker):  # type: ignore[misc] # Petastorm has no types
        @staticmethod
        def new_results_queue_reader() -> _Tables:
            return _Tables()

        def _read_with_shuffle_row_drop(
            self,
            piece: Any,  # noqa: ANN401 - a class of pyarrow's that has gone from its interface
            file: object,
            columns: set[str],
            part: object,
        ) -> pa.Table:
            return piece.read(columns=columns, use_threads=False)

    return Worker


class _Tables:
    """What a reader asks for results, giving Arrow's tables."""

    batched_output = True

    def read_next(self, pool: Any, schema: object, ngram: object) -> pa.Table:  # noqa: ANN401
        """The next row group."""
        return pool.get_results()


def _wait_for_work(reader: Any) -> None:  # noqa: ANN401
    """Until a thread of Petastorm's has named the first row group: its pool would sleep 0.1 s."""
    until = time.monotonic() + 1.0
    while not reader._workers_pool._ventilator_queue and time.monotonic() < until:
        time.sleep(0.0005)


READERS: dict[str, GroupReader] = {"petastorm": _petastorm_groups, "pyarrow": _arrow_groups}
