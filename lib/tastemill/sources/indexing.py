"""Dense numbers for ids: append-only, never renumbered, the same whatever the partitioning."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

NUM_BUCKETS = 64


def new_index_rows(ids: DataFrame, index: DataFrame, key: str, idx: str) -> DataFrame:
    """Number the ids that the index lacks, going on after its largest number.

    Ids are numbered within hash buckets, and buckets are laid end to end: no single partition has
    to sort all of them, and the numbers depend on the ids alone.

    Args:
        ids: one column `key`; repeats and nulls are fine.
        index: the index as it stands, columns `key` and `idx`.
        key: name of the id column.
        idx: name of the number column.
    """
    fresh = ids.where(F.col(key).isNotNull()).distinct().join(index, key, "left_anti")
    fresh = fresh.withColumn("bucket", F.pmod(F.xxhash64(key), F.lit(NUM_BUCKETS)))
    start = index.agg(F.coalesce(F.max(idx) + 1, F.lit(0)).alias("start"))
    # 64 rows at most: one partition is enough to lay the buckets end to end.
    earlier = W.partitionBy(F.lit(0)).orderBy("bucket").rowsBetween(W.unboundedPreceding, -1)
    sizes = fresh.groupBy("bucket").count()
    before = F.coalesce(F.sum("count").over(earlier), F.lit(0))
    offsets = sizes.select("bucket", before.alias("before")).crossJoin(start)
    rank = F.row_number().over(W.partitionBy("bucket").orderBy(key)) - 1
    return (
        fresh.withColumn("rank", rank)
        .join(F.broadcast(offsets), "bucket")
        .select(key, (F.col("start") + F.col("before") + F.col("rank")).cast("int").alias(idx))
    )
