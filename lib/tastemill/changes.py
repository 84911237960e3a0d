"""Which rows of a merge are new, differ from what is stored or are newer; and how they go in."""

import uuid
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.contracts import quoted
from tastemill.tables import Table
from tastemill.tables.table import STRING


def at_least(columns: Sequence[str]) -> str:
    """SQL: whether the row `s` is as large as `t` in these columns, compared in order.

    Null is smaller than everything. Structs would do it too, but not where comments differ.
    """
    larger = ""
    for column in reversed(columns):
        ours, theirs = f"s.{column}", f"t.{column}"
        rest = f"AND {larger}" if larger else ""
        larger = (
            f"(({ours} IS NOT NULL AND {theirs} IS NULL) OR coalesce({ours} > {theirs}, false) "
            f"OR ({ours} <=> {theirs} {rest}))"
        )
    return larger


def changed_rows(
    table: Table, rows: DataFrame, stored: DataFrame, newer: Sequence[str]
) -> DataFrame:
    """The rows that are new, or differ in content and are at least as new as what is stored."""
    content = table.content or [c for c in table.columns if c not in table.keys]
    on = [F.col(f"s.{key}").eqNullSafe(F.col(f"t.{key}")) for key in table.keys]
    stored = stored.withColumn("_stored", F.lit(True)).alias("t")
    differs = _same_content(content, table.schema, "s") != _same_content(content, table.schema, "t")
    if newer:
        differs = differs & F.expr(at_least(newer))
    joined = rows.select(table.columns).alias("s").join(stored, on=on, how="left")
    return joined.where(F.col("t._stored").isNull() | differs).select("s.*")


def bounds(table: Table, rows: DataFrame) -> str | None:
    """SQL that holds for every row `t` of the table with a key among the rows; None without rows.

    The least and the greatest key in the columns that files are sorted by: of the other files
    Delta needs no more than their statistics, and they may change under another writer.
    """
    columns = [
        c for c in table.cluster_by if c in table.keys and table.schema[c].dataType == STRING
    ]
    ends = [end(c) for c in columns for end in (F.min, F.max)]
    count, *found = rows.agg(F.count("*"), *ends).collect()[0]
    if not count:
        return None
    pairs = zip(columns, found[::2], found[1::2], strict=True)
    within = [f"t.{c} BETWEEN '{quoted(low)}' AND '{quoted(high)}'" for c, low, high in pairs]
    return " AND ".join(within or ["true"])


def upsert(
    table: Table, name: str, rows: DataFrame, unchanged: str = "", within: str = "true"
) -> int:
    """Delta's MERGE of rows `s` into the table `t` of this name; return how many rows it wrote.

    A row with a known key replaces it where `unchanged` holds; no `t` outside `within` is looked
    at, so that every key of the rows has to be inside.
    """
    view = f"rows_{uuid.uuid4().hex}"
    rows.createOrReplaceTempView(view)
    on = " AND ".join([within, *(f"t.{key} <=> s.{key}" for key in table.keys)])
    matched = f"WHEN MATCHED AND {unchanged}" if unchanged else "WHEN MATCHED"
    spark = rows.sparkSession
    try:
        done = spark.sql(
            f"MERGE INTO {name} t USING {view} s ON {on} "
            f"{matched} THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        ).collect()
    finally:
        spark.catalog.dropTempView(view)
    return int(done[0]["num_affected_rows"])


def _same_content(columns: Sequence[str], schema: T.StructType, side: str) -> Column:
    """The named columns of one side of a join as a text that can be compared.

    A hash would skip nulls, and maps can't be hashed or compared at all.
    """
    parts = [
        (
            F.array_sort(F.map_entries(F.col(f"{side}.{c}")))
            if isinstance(schema[c].dataType, T.MapType)
            else F.col(f"{side}.{c}")
        ).alias(c)
        for c in columns
    ]
    return F.to_json(F.struct(*parts), {"ignoreNullFields": "false"})
