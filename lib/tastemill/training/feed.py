"""Feed → batches of tensors: what makes an epoch an epoch, whoever reads the row groups.

Every row exactly once over all ranks, equal numbers of steps on every rank, an order that follows
from (seed, epoch, rank), and a count against the manifest.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tastemill.errors import FeedError
from tastemill.training.ahead import ReadAhead
from tastemill.training.groups import READERS, Columns, GroupReader, Shard
from tastemill.training.spec import FeedSpec

Batch = dict[str, Tensor]

BUFFER_ROWS = 262_144
"""Rows that are shuffled together: about 50 MB with two vectors of 22 floats."""


class BatchSource(Protocol):
    """A shard of a feed, to be read any number of times."""

    steps: int
    """Steps of an epoch, equal on all ranks."""
    rows: int
    """Rows of this shard."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The shard's batches, `steps` of them: indices int64, the rest float32."""
        ...


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
    _check_files(spec, shard)
    return _Feed(spec, shard, READERS[implementation])


def open_measured(spec: FeedSpec, implementation: str, shard: Shard) -> BatchSource:
    """A feed to measure on; where it has fewer row groups than there are ranks, rank 0 reads it."""
    if len(spec.group_rows) >= shard.world:
        return open_feed(spec, implementation, shard)
    if shard.rank:
        return _Nothing()
    return open_feed(spec, implementation, replace(shard, world=1))


def exhaust(batches: Iterator[Batch]) -> None:
    """End an epoch whose steps are done: the feed counts its rows then.

    Raises:
        FeedError: Rows were lost, or the feed has more steps than it announced.
    """
    if next(batches, None) is not None:
        raise FeedError("the feed gave more steps than it announced")


def parts_of(batch: Batch, wanted: int) -> list[Batch]:
    """A batch's rows in so many parts, or fewer; one at least."""
    if wanted == 1:
        return [batch]
    chunks = {name: values.chunk(wanted) for name, values in batch.items()}
    number = len(next(iter(chunks.values())))
    return [{name: values[i] for name, values in chunks.items()} for i in range(number)]


def refuse_pickles(folder: Path) -> None:
    """Petastorm unpickles what it finds in `_common_metadata`: such folders aren't read."""
    if (folder / "_common_metadata").exists():
        raise FeedError(f"{folder} holds a _common_metadata file, which could run code when read")


class _Nothing:
    """The feed of a rank that has no part in it."""

    steps = rows = 0

    def epoch(self, number: int) -> Iterator[Batch]:
        """No batch."""
        return iter(())


class _Feed:
    """The batches of a shard, over one of the group readers."""

    def __init__(self, spec: FeedSpec, shard: Shard, read_groups: GroupReader) -> None:
        self._spec, self._shard, self._read_groups = spec, shard, read_groups
        # What isn't shuffled is measured on, now and then: nothing is kept for its next time.
        self._ahead = ReadAhead(self._blocks, over_ends=shard.shuffle)
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
        yield from map(_as_tensors, _rebatch(self._counted(self._ahead.epoch(number)), sizes))

    def _blocks(self, number: int) -> Iterator[Columns]:
        """Row groups, or buffers of them with their rows shuffled."""
        groups = self._checked_groups(number)
        return self._shuffled(groups, number) if self._shard.shuffle else groups

    def _shuffled(self, groups: Iterator[Columns], number: int) -> Iterator[Columns]:
        """Buffers of row groups, the rows of each in a random order."""
        rng = np.random.default_rng((self._shard.seed, number, self._shard.rank))
        for block in _buffered(groups, BUFFER_ROWS):
            order = rng.permutation(_length(block))
            # Twice as fast as values[order], which numpy has for any number of arrays of places.
            yield {name: values.take(order, axis=0) for name, values in block.items()}

    def _checked_groups(self, number: int) -> Iterator[Columns]:
        try:
            for group in self._read_groups(self._spec, self._shard, number):
                yield self._typed(group)
        except (OSError, pa.ArrowException) as error:
            raise FeedError(f"can't read {self._spec.folder}", found=str(error)) from error

    def _typed(self, group: Columns) -> Columns:
        """Ids as int64, the rest as float32; another shape or type than the manifest's raises."""
        typed, rows = {}, _length(group)
        for column in self._spec.columns:
            name, values = column.name, group[column.name]
            if column.is_index and not np.issubdtype(values.dtype, np.integer):
                raise FeedError(f"{name} holds nulls", expected="int", found=str(values.dtype))
            if values.shape != column.shape(rows):
                raise FeedError(f"{name}: expected width {column.width}, found {values.shape}")
            typed[name] = values.astype(np.int64 if column.is_index else np.float32, copy=False)
        return typed

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


def _join(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _cut(block: Columns, start: int, stop: int) -> Columns:
    return {name: values[start:stop] for name, values in block.items()}


def _length(block: Columns) -> int:
    return len(next(iter(block.values())))


def _as_tensors(batch: Columns) -> Batch:
    """Tensors over the same memory; memory that can't be written (Arrow's own) is copied."""
    return {
        name: torch.from_numpy(values if values.flags.writeable else values.copy())
        for name, values in batch.items()
    }


def _check_files(spec: FeedSpec, shard: Shard) -> None:
    """A flipped byte in a page is decoded without a word, so a rank hashes the files it opens."""
    read = {name for name, _ in spec.shard_groups(shard.rank, shard.world)}
    for name, expected in zip(spec.files, spec.sha256, strict=True):
        path = Path(spec.folder) / name
        if not path.exists():
            raise FeedError(f"{path} is missing", fix="run again: the feed is made again")
        if name not in read:
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise FeedError(
                f"{path} has changed since it was written",
                expected=expected,
                found=found,
                fix=f"delete {spec.folder}: the next run makes it again",
            )
