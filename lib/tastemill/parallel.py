"""Several small things at once: most of them is the driver's planning, not the executors' work."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

MAX_THREADS = 4


def at_once(spark: SparkSession, *calls: Callable[[], object]) -> None:
    """Call all in threads; wait for all, then raise the first's error if any."""
    inherit = inheritable_thread_target(spark)
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        # The threads' jobs keep the caller's job group, description and tags.
        begun = [pool.submit(inherit(call)) for call in calls]
    for one in begun:
        one.result()
