"""Several small things at once: most of them is the driver's planning, not the executors' work."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, overload

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

MAX_THREADS = 4
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


@overload
def at_once(
    spark: SparkSession, one: Callable[[], A], two: Callable[[], B], three: Callable[[], C], /
) -> tuple[A, B, C]: ...
@overload
def at_once(
    spark: SparkSession,
    one: Callable[[], A],
    two: Callable[[], B],
    three: Callable[[], C],
    four: Callable[[], D],
    /,
) -> tuple[A, B, C, D]: ...
@overload
def at_once(spark: SparkSession, *calls: Callable[[], R]) -> tuple[R, ...]: ...
def at_once(spark: SparkSession, *calls: Callable[[], Any]) -> tuple[Any, ...]:
    """Call all in threads and wait for all; their results in order, or the first's error."""
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        # The threads' jobs keep the caller's job group, description and tags: each in a copy of its
        # own, since Spark puts the number of a thread's query there too and takes it away again.
        begun = [pool.submit(inheritable_thread_target(spark)(call)) for call in calls]
    return tuple(one.result() for one in begun)
