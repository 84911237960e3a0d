"""What was rejected on the way in, by the rule that rejected it."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.report.contents.data import Quarantine, Rejected

MAX_REASONS, MAX_LENGTH = 20, 120


def collect_quarantine(warehouse: Warehouse) -> Quarantine | None:
    """The rejected rows by reason; None where nothing was rejected."""
    found = by_reason(warehouse.read_or_empty(tables.QUARANTINE)).collect()
    if not found:
        return None
    total, *reasons = found
    first = [(r["reason"], r["rows"], r["example"]) for r in reasons]
    return Quarantine(
        total["rows"],
        tuple(
            Rejected(reason, rows, e["raw"], e["source_file"], e["source_row"])
            for reason, rows, e in first
        ),
    )


def by_reason(quarantine: DataFrame) -> DataFrame:
    """(reason, rows, example): the total first (reason null), then the most frequent reasons.

    The example is the first row in the order of files and lines, as (source_file, source_row, raw),
    with raw cut to MAX_LENGTH characters. Nothing of an empty table.
    """
    cut = F.when(
        F.length("raw") > MAX_LENGTH,
        F.concat(F.substring("raw", 1, MAX_LENGTH - 1), F.lit("…")),
    ).otherwise(F.col("raw"))
    line = F.coalesce("source_row", F.lit(2**62))  # an unknown line comes after the known ones
    place = F.struct("source_file", line.alias("line"), "quarantine_id")
    shown = F.struct("source_file", "source_row", cut.alias("raw"))
    counted = quarantine.groupBy("reason").agg(
        F.count("*").alias("rows"),
        F.min_by(shown, place).alias("example"),
    )
    total = counted.rollup("reason").agg(
        F.sum("rows").alias("rows"), F.first("example").alias("example")
    )
    return total.orderBy(F.desc("rows"), F.asc_nulls_first("reason")).limit(MAX_REASONS + 1)
