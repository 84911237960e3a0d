"""Dense numbers for ids: append-only, never renumbered, the same whatever the partitioning."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

PART_SHIFT = 33  # monotonically_increasing_id is the partition, then 33 bits of the row in it


def new_ids(ids: DataFrame, index: DataFrame, key: str) -> DataFrame:
    """(key, part, row): the ids that the index lacks, in order: by length, then by bytes.

    So numbers written as text lie as numbers do, and items of one ingest tie by id. Persist what
    this returns before `numbered` reads it twice: where the parts begin is drawn from samples.

    Args:
        ids: one column `key`; repeats and nulls are fine.
        index: the index as it stands.
        key: name of the id column.
    """
    fresh = ids.where(F.col(key).isNotNull()).distinct().join(index, key, "left_anti")
    order = (F.length(key), F.col(key))
    place = F.monotonically_increasing_id()
    return fresh.repartitionByRange(*order).sortWithinPartitions(*order).select(
        key,
        F.shiftright(place, PART_SHIFT).cast("int").alias("part"),
        place.bitwiseAND((1 << PART_SHIFT) - 1).alias("row"),
    )  # fmt: skip


def numbered(fresh: DataFrame, index: DataFrame, key: str, idx: str) -> DataFrame:
    """(key, idx): the new ids numbered on from the largest number of the index.

    Args:
        fresh: what `new_ids` returned.
        index: the index as it stands, columns `key` and `idx`.
        key: name of the id column.
        idx: name of the number column.
    """
    start = index.agg(F.coalesce(F.max(idx) + 1, F.lit(0)).alias("start"))
    # A row per part: few enough for one partition.
    earlier = W.partitionBy(F.lit(0)).orderBy("part").rowsBetween(W.unboundedPreceding, -1)
    before = F.coalesce(F.sum("count").over(earlier), F.lit(0)).alias("before")
    sizes = fresh.groupBy("part").count().select("part", before).crossJoin(start)
    number = (F.col("start") + F.col("before") + F.col("row")).cast("int")
    return fresh.join(F.broadcast(sizes), "part").select(key, number.alias(idx))
