"""What a source is: files in a folder, and how they become raw events, users and items.

Raw frames are the contract between a source and `cleaning`: every row carries where it stood
(source_file, source_row), its text (raw) and, where the source itself rejects it, a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ORIGIN = ("source_file", "source_row", "raw", "reason")
EVENT_COLUMNS = (
    "event_id",
    "user_id",
    "item_id",
    "event_type",
    "value",
    "dwell_seconds",
    "query",
    "session_id",
    "event_time",
)
USER_COLUMNS = ("user_id", "age", "gender", "occupation", "attributes", "updated_at")
ITEM_COLUMNS = (
    "item_id",
    "title",
    "description",
    "categories",
    "price",
    "released_on",
    "attributes",
    "updated_at",
)


@dataclass(frozen=True)
class RawFrames:
    """What a source read, before any rule: the columns above and ORIGIN."""

    events: DataFrame
    users: DataFrame
    items: DataFrame


@dataclass(frozen=True)
class Source:
    """A known format: what it is, what it needs, and its reader."""

    name: str
    title: str
    licence: str
    where: str
    files: Callable[[Path], list[Path]]
    read: Callable[[SparkSession, Path], RawFrames]
    shipped: bool = False


def null(kind: str) -> Column:
    """A null of a type: what the source doesn't tell."""
    return F.lit(None).cast(kind)


def unix_seconds(text: Column) -> Column:
    """A text as seconds since 1970; null where it is no whole number of the years 1 to 9999."""
    seconds = text.try_cast("long")
    return F.when(seconds.between(-62_135_596_800, 253_402_300_799), seconds)


def attributes(*names: str) -> Column:
    """The named text columns as a map, without those that are null."""
    pairs = [
        F.when(
            F.col(name).isNotNull(), F.struct(F.lit(name).alias("key"), F.col(name).alias("value"))
        )
        for name in names
    ]
    return F.map_from_entries(F.array_compact(F.array(*pairs)))
