"""Blocks of rows, each made by a thread while the one before it is used."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Block = TypeVar("Block")


class ReadAhead(Generic[Block]):
    """Epoch after epoch; after an epoch's last block, the thread makes the next epoch's first.

    A training would wait for the first block of every epoch otherwise. Whoever stops between two
    epochs has one block made in vain.

    Args:
        blocks_of: epoch → its blocks; called and read by the thread.
        over_ends: False begins an epoch only when it is asked for.
    """

    def __init__(
        self, blocks_of: Callable[[int], Iterator[Block]], *, over_ends: bool = True
    ) -> None:
        self._blocks_of, self._over_ends = blocks_of, over_ends
        self._thread = ThreadPoolExecutor(max_workers=1, initializer=_give_way)
        self._begun: dict[int, tuple[Iterator[Block], Future[Block | None]]] = {}

    def epoch(self, number: int) -> Iterator[Block]:
        """The blocks of one epoch; an error comes with the block that could not be made."""
        begun = self._begun.pop(number, None)
        blocks, made = begun or self._begin(number)
        self._begun.clear()
        while (block := made.result()) is not None:
            made = self._thread.submit(self._make, blocks, number)
            yield block

    def _begin(self, number: int) -> tuple[Iterator[Block], Future[Block | None]]:
        blocks = self._blocks_of(number)
        return blocks, self._thread.submit(next, blocks, None)

    def _make(self, blocks: Iterator[Block], number: int) -> Block | None:
        block = next(blocks, None)
        if block is None and self._over_ends:
            self._begun[number + 1] = self._begin(number + 1)
        return block


def _give_way() -> None:
    """Where cores are few, whoever uses the blocks goes first: all ranks wait for the slowest."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
