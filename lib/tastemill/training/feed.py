"""Feed → batches of tensors: one protocol, read by Petastorm or by plain pyarrow.

Both implementations only yield row groups as numpy columns. What makes an epoch an epoch is the
same for both and stands here once: every row exactly once over all ranks, equal numbers of steps
on every rank, an order that follows from (seed, epoch, rank), and a count against the manifest.
"""

import hashlib
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from tastemill.errors import FeedError
from tastemill.training.spec import COLUMNS, INDEX_COLUMNS, VECTOR_COLUMNS, FeedSpec

# Petastorm uses an interface of pyarrow that is marked as old, several times per file.
warnings.filterwarnings("ignore", category=FutureWarning, module="petastorm")

Values = np.ndarray[Any, Any]
Columns = dict[str, Values]
Batch = dict[str, Tensor]

BUFFER_ROWS = 262_144
"""Rows that are shuffled together: about 50 MB with two vectors of 22 floats."""


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


class BatchSource(Protocol):
    """A shard of a feed, to be read any number of times."""

    steps: int
    """Steps of an epoch, equal on all ranks."""
    rows: int
    """Rows of this shard."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The shard's batches, `steps` of them: ids int64, the rest float32."""
        ...


GroupReader = Callable[[FeedSpec, Shard, int], Iterator[Columns]]
"""(feed, shard, epoch) → the shard's row groups, in the epoch's order."""


def open_feed(spec: FeedSpec, implementation: str, shard: Shard) -> BatchSource:
    """A rank's shard, checked against its manifest.

    Raises:
        FeedError: Fewer row groups than ranks, files missing or changed, a folder that would
            have Petastorm unpickle something, or an unknown implementation.
    """
    if implementation not in READERS:
        raise FeedError("unknown feed", expected=" or ".join(READERS), found=implementation)
    if len(spec.group_rows) < shard.world:
        raise FeedError(
            "fewer row groups than training processes",
            expected=f"at least {shard.world}",
            found=f"{len(spec.group_rows)} in {spec.folder}",
            fix="train with fewer processes, or materialize more rows",
        )
    refuse_pickles(Path(spec.folder))
    _check_files(spec)
    return _Feed(spec, shard, READERS[implementation])


def refuse_pickles(folder: Path) -> None:
    """Petastorm unpickles what it finds in `_common_metadata`: such folders aren't read."""
    if (folder / "_common_metadata").exists():
        raise FeedError(f"{folder} holds a _common_metadata file, which could run code when read")


class _Feed:
    """The batches of a shard, over one of the group readers."""

    def __init__(self, spec: FeedSpec, shard: Shard, read_groups: GroupReader) -> None:
        self._spec, self._shard, self._read_groups = spec, shard, read_groups
        self.rows = spec.shard_rows(shard.rank, shard.world)
        self.steps = math.ceil(spec.rows / shard.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Each row of the shard once.

        A shard's rows are spread evenly over the steps, so that all ranks take equally many and
        every step sees every shard; a shard with fewer rows than steps has empty batches.
        """
        sizes = [
            self.rows * (step + 1) // self.steps - self.rows * step // self.steps
            for step in range(self.steps)
        ]
        yield from map(_as_tensors, _rebatch(self._counted(self._blocks(number)), sizes))

    def _blocks(self, number: int) -> Iterator[Columns]:
        """Buffers of row groups, their rows shuffled; read one ahead by a thread."""
        groups = _ahead(self._checked_groups(number))
        if not self._shard.shuffle:
            yield from groups
            return
        rng = np.random.default_rng((self._shard.seed, number, self._shard.rank))
        for block in _buffered(groups, BUFFER_ROWS):
            order = rng.permutation(_length(block))
            yield {name: values[order] for name, values in block.items()}

    def _checked_groups(self, number: int) -> Iterator[Columns]:
        try:
            for group in self._read_groups(self._spec, self._shard, number):
                yield self._typed(group)
        except (OSError, pa.ArrowException) as error:
            raise FeedError(f"can't read {self._spec.folder}", found=str(error)) from error

    def _typed(self, group: Columns) -> Columns:
        """Ids as int64, the rest as float32; another shape or type than the manifest's raises."""
        for name in INDEX_COLUMNS:
            if not np.issubdtype(group[name].dtype, np.integer):
                raise FeedError(f"{name} holds nulls", expected="int", found=str(group[name].dtype))
        widths = (self._spec.user_width, self._spec.item_width)
        for name, width in zip(VECTOR_COLUMNS, widths, strict=True):
            if group[name].shape != (_length(group), width):
                raise FeedError(f"{name}: expected width {width}, found {group[name].shape}")
        return {
            name: group[name].astype(np.int64 if name in INDEX_COLUMNS else np.float32, copy=False)
            for name in COLUMNS
        }

    def _counted(self, blocks: Iterator[Columns]) -> Iterator[Columns]:
        """The blocks; at the end their rows must be the manifest's, or rows were lost."""
        found = 0
        for block in blocks:
            found += _length(block)
            yield block
        if found != self.rows:
            raise FeedError(
                "a feed gave other rows than its manifest names",
                expected=f"{self.rows} rows in shard {self._shard.rank} of {self._shard.world}",
                found=f"{found} rows",
            )


def _rebatch(blocks: Iterator[Columns], sizes: list[int]) -> Iterator[Columns]:
    """Cut blocks into batches of the given sizes; rows keep their order."""
    held: list[Columns] = []
    missing, step = sizes[0], 0
    for block in blocks:
        start, rows = 0, _length(block)
        while step < len(sizes) and rows - start >= missing:
            yield _join([*held, _cut(block, start, start + missing)])
            held, start, step = [], start + missing, step + 1
            missing = sizes[step] if step < len(sizes) else 0
        if start < rows:
            held.append(_cut(block, start, rows))
            missing -= rows - start


def _buffered(groups: Iterator[Columns], rows: int) -> Iterator[Columns]:
    """Row groups joined until a buffer holds at least so many rows."""
    held: list[Columns] = []
    for group in groups:
        held.append(group)
        if sum(map(_length, held)) >= rows:
            yield _join(held)
            held = []
    if held:
        yield _join(held)


def _ahead(groups: Iterator[Columns]) -> Iterator[Columns]:
    """The same row groups, the next one being read while the last one is used."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(next, groups, None)
        while (group := future.result()) is not None:
            future = pool.submit(next, groups, None)
            yield group


def _join(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _cut(block: Columns, start: int, stop: int) -> Columns:
    return {name: values[start:stop] for name, values in block.items()}


def _length(block: Columns) -> int:
    return len(block["label"])


def _as_tensors(batch: Columns) -> Batch:
    """Tensors over the same memory; memory that can't be written (Arrow's own) is copied."""
    return {
        name: torch.from_numpy(values if values.flags.writeable else values.copy())
        for name, values in batch.items()
    }


def _check_files(spec: FeedSpec) -> None:
    """A flipped byte in a page is decoded without a word, so the files are hashed when opened."""
    for name, expected in zip(spec.files, spec.sha256, strict=True):
        path = Path(spec.folder) / name
        if not path.exists():
            raise FeedError(f"{path} is missing")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise FeedError(
                f"{path} has changed since it was written", expected=expected, found=found
            )


def _arrow_groups(spec: FeedSpec, shard: Shard, epoch: int) -> Iterator[Columns]:
    """The shard's row groups by plain pyarrow."""
    places = [
        (name, group)
        for name, groups in zip(spec.files, spec.row_groups, strict=True)
        for group in range(len(groups))
    ][shard.rank :: shard.world]
    if shard.shuffle:
        np.random.default_rng((shard.seed, epoch, shard.rank, 1)).shuffle(places)
    for name, group in places:
        with pq.ParquetFile(Path(spec.folder) / name) as file:
            table = file.read_row_group(group, columns=list(COLUMNS), use_threads=False)
        yield {column: _as_numpy(table.column(column)) for column in COLUMNS}


def _as_numpy(column: pa.ChunkedArray) -> Values:
    """Scalars (n,), lists of equal length (n, width): a view of Arrow's flat values."""
    array = column.combine_chunks()
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
    state = np.random.SeedSequence((shard.seed, epoch)).generate_state(1)[0]
    from petastorm.reader import make_batch_reader  # noqa: PLC0415 - takes a second

    with _in_a_uri(spec.folder) as folder:
        reader = make_batch_reader(
            [f"file://{folder}/{name}" for name in spec.files],
            schema_fields=[f"^{name}$" for name in COLUMNS],
            reader_pool_type="dummy",
            num_epochs=None,
            shuffle_row_groups=shard.shuffle,
            # Petastorm takes seed 0 for "no seed".
            seed=int(state % (2**31 - 1)) + 1,
            cur_shard=shard.rank,
            shard_count=shard.world,
        )
        try:
            for _ in range(len(spec.group_rows[shard.rank :: shard.world])):
                yield next(reader)._asdict()
        # Its context manager does the same, and prints a line each time.
        finally:
            reader.stop()
            reader.join()


@contextmanager
def _in_a_uri(folder: str) -> Iterator[str]:
    """The folder under a name that Petastorm finds: it cuts what it opens at these two signs."""
    if not set("#?") & set(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tastemill-") as plain:
        link = Path(plain) / "feed"
        link.symlink_to(folder, target_is_directory=True)
        yield str(link)


READERS: dict[str, GroupReader] = {"petastorm": _petastorm_groups, "pyarrow": _arrow_groups}
