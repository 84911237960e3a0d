"""Several writes at once: most of a small write is the driver's planning, not Spark's work."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession


def at_once(spark: SparkSession, *writes: Callable[[], object]) -> None:
    """Call all, each in a thread of its own; wait for all, then raise the first's error if any."""
    inherit = inheritable_thread_target(spark)
    with ThreadPoolExecutor(max(1, len(writes))) as pool:
        # The threads' jobs keep the caller's job group, description and tags.
        begun = [pool.submit(inherit(write)) for write in writes]
    for one in begun:
        one.result()
