"""Blocks made ahead: in order, over the ends of epochs, with errors in their place."""

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from tastemill.training.ahead import ReadAhead

SOON = 5.0  # seconds


class Blocks:
    """Three blocks an epoch; which were made, and by threads of which priority."""

    def __init__(self) -> None:
        self.made: list[tuple[int, int]] = []
        self.threads: dict[int, int] = {}
        self.broken: tuple[int, int] | None = None
        self._more = threading.Condition()

    def __call__(self, epoch: int) -> Iterator[tuple[int, int]]:
        for number in range(3):
            if (epoch, number) == self.broken:
                raise OSError("gone")
            with self._more:
                self.made.append((epoch, number))
                thread = threading.get_native_id()
                self.threads[thread] = os.getpriority(os.PRIO_PROCESS, thread)
                self._more.notify_all()
            yield epoch, number

    def wait_for(self, block: tuple[int, int]) -> bool:
        with self._more:
            return self._more.wait_for(lambda: block in self.made, SOON)


def of(epoch: int) -> list[tuple[int, int]]:
    return [(epoch, number) for number in range(3)]


def test_a_block_is_made_while_the_last_one_is_used() -> None:
    blocks = Blocks()
    epoch = ReadAhead(blocks).epoch(0)
    assert next(epoch) == (0, 0)
    assert blocks.wait_for((0, 1))
    assert threading.get_native_id() not in blocks.threads


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities of their own")
def test_making_gives_way_to_using() -> None:
    blocks, own = Blocks(), os.getpriority(os.PRIO_PROCESS, 0)
    assert list(ReadAhead(blocks).epoch(0)) == of(0)
    assert all(nice > own for nice in blocks.threads.values())
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_the_next_epoch_has_begun_when_one_ends() -> None:
    blocks = Blocks()
    ahead = ReadAhead(blocks)
    epoch = ahead.epoch(0)
    assert [next(epoch) for _ in range(3)] == of(0)
    assert blocks.wait_for((1, 0))
    assert [*epoch, *ahead.epoch(1), *ahead.epoch(2)] == of(1) + of(2)
    assert blocks.made.count((1, 0)) == 1


def test_epochs_in_any_order_and_left_early() -> None:
    ahead = ReadAhead(Blocks())
    assert list(ahead.epoch(4)) == of(4)
    assert list(ahead.epoch(2)) == of(2)
    assert next(ahead.epoch(3)) == (3, 0)
    assert list(ahead.epoch(3)) == of(3)


def test_what_is_not_read_on_begins_when_asked_for() -> None:
    blocks = Blocks()
    ahead = ReadAhead(blocks, over_ends=False)
    assert list(ahead.epoch(0)) == of(0)
    assert blocks.made == of(0)
    assert list(ahead.epoch(0)) == of(0)


def test_an_error_comes_with_its_block() -> None:
    blocks = Blocks()
    ahead = ReadAhead(blocks)
    blocks.broken = (1, 0)
    assert list(ahead.epoch(0)) == of(0)
    with pytest.raises(OSError, match="gone"):
        next(ahead.epoch(1))
    blocks.broken = (1, 2)
    epoch = ahead.epoch(1)
    assert [next(epoch), next(epoch)] == of(1)[:2]
    with pytest.raises(OSError, match="gone"):
        next(epoch)
