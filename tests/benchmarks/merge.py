"""What a merge of 1,000 lists rewrites among a million: python -m tests.benchmarks.merge."""

import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Request, load_config
from tastemill.console import show
from tastemill.delta import Warehouse
from tastemill.session import build_session
from tastemill.upkeep.sizes import files_of

NUM_LISTS, NUM_CHANGED, LENGTH = 1_000_000, 1_000, 10
LISTS = tables.RECOMMENDATIONS


def lists(spark: SparkSession, chosen: Column, seq: int, salt: int) -> DataFrame:
    """Lists of the users, of a million, for whom `chosen` holds; the salt decides their items."""
    users = (
        spark.range(NUM_LISTS).where(chosen).withColumn("user_id", F.format_string("%09d", "id"))
    )
    items = F.transform(
        F.sequence(F.lit(1), F.lit(LENGTH)),
        lambda rank: F.struct(
            rank.alias("rank"),
            (F.xxhash64("user_id", rank, F.lit(salt)) % 100_000).cast("string").alias("item_id"),
            (F.lit(1.0) / rank).cast("float").alias("score"),
            F.lit("als").alias("source"),
            F.lit("taken by people with a taste like yours").alias("reason"),
        ),
    )
    now = F.lit("2020-01-01").cast("timestamp")
    return users.select(
        F.lit("home").alias("surface"),
        "user_id",
        items.alias("items"),
        F.lit("als-0").alias("model_id"),
        now.alias("as_of"),
        F.lit(seq).cast("long").alias("run_seq"),
        F.sha2(F.to_json(items), 256).alias("list_hash"),
        now.alias("generated_at"),
    )


def files_read(spark: SparkSession, since: int) -> list[int]:
    """How many files each scan of Parquet read that has run since so many queries, by Spark."""
    spark._jsparkSession.sparkContext().listenerBus().waitUntilEmpty()
    store = spark._jsparkSession.sharedState().statusStore()
    found = []
    for query in _elements(store.executionsList(since, 1_000)):
        values = store.executionMetrics(query.executionId())
        for node in _elements(store.planGraph(query.executionId()).allNodes()):
            for metric in _elements(node.metrics()) if "parquet" in node.name() else ():
                value = values.get(metric.accumulatorId())
                if metric.name() == "number of files read" and value.isDefined():
                    found.append(int(value.get()))
    return found


def _elements(scala: Any) -> Iterator[Any]:
    return (scala.apply(place) for place in range(scala.size()))


def merged(warehouse: Warehouse, case: str, rows: DataFrame) -> dict[str, object]:
    """Merge, and say what Delta did."""
    before = warehouse.history(LISTS)[0].version
    queries = warehouse.spark._jsparkSession.sharedState().statusStore().executionsCount()
    start = time.monotonic()
    changed = warehouse.merge(LISTS, rows, newer=("as_of", "run_seq"))
    seconds = time.monotonic() - start
    compared, *searched = files_read(warehouse.spark, queries)
    history = warehouse.spark.sql(f"DESCRIBE HISTORY {warehouse.name(LISTS)} LIMIT 1").first()
    assert history is not None
    told = history["operationMetrics"] if history["version"] > before else {}
    size = warehouse.spark.sql(f"DESCRIBE DETAIL {warehouse.name(LISTS)}").first()
    assert size is not None
    return {
        "case": case,
        "lists changed": changed,
        "new versions": history["version"] - before,
        "files": size["numFiles"],
        "files compared": compared,
        "files searched": max(searched, default=0),
        "files rewritten": int(told.get("numTargetFilesRemoved", 0)),
        "MiB of the table": size["sizeInBytes"] / 2**20,
        "MiB rewritten": int(told.get("numTargetBytesRemoved", 0)) / 2**20,
        "s": seconds,
    }


def main() -> None:
    """Print a line per case."""
    cfg = load_config(Request("completejourney"))
    spark = build_session(cfg.session)
    with tempfile.TemporaryDirectory(prefix="tastemill-bench-") as folder:
        warehouse = Warehouse(spark, f"{folder}/warehouse", "bench")
        everybody = F.lit(True)
        warehouse.merge(LISTS, lists(spark, everybody, 1, 0))
        with files_of(spark, cfg.maintain.max_file_mib):
            warehouse.optimize(LISTS)
        together = F.col("id").between(500_000, 500_000 + NUM_CHANGED - 1)
        at_random = F.pmod(F.xxhash64("id"), F.lit(NUM_LISTS // NUM_CHANGED)) == 0
        cases = (
            ("nothing changed", everybody, 2, 0),
            ("1,000 from one range", together, 3, 1),
            ("about 1,000 at random", at_random, 4, 2),
            ("an older run's lists", together, 2, 3),
        )
        found = [
            merged(warehouse, case, lists(spark, chosen, seq, salt))
            for case, chosen, seq, salt in cases
        ]
    show(f"Merges into {NUM_LISTS:,} lists of {LENGTH}", found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
