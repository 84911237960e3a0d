"""Calls side by side keep what the caller told Spark, and tell each other nothing."""

import threading

from pyspark.sql import SparkSession

from tastemill.parallel import at_once


def test_threads_share_no_properties(spark: SparkSession) -> None:
    """Spark keeps the number of a thread's query among them."""
    context, met = spark.sparkContext, threading.Barrier(2, timeout=30)

    def first() -> str | None:
        context.setLocalProperty("tastemill.own", "first")
        met.wait()
        return context.getLocalProperty("tastemill.told")

    def second() -> str | None:
        met.wait()
        return context.getLocalProperty("tastemill.own")

    context.setLocalProperty("tastemill.told", "by the caller")
    try:
        assert at_once(spark, first, second) == ("by the caller", None)
    finally:
        context.setLocalProperty("tastemill.told", "")
