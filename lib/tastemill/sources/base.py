"""What a data folder becomes before any rule: raw events, users, items and relations.

Every row carries where it stood (source_file, source_row), its text (raw) and, where its file or
its mapping rejects it, a reason.
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame

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
RELATION_COLUMNS = ("user_id", "other_id", "kind")


@dataclass(frozen=True)
class RawFrames:
    """What was read, before any rule: the columns above and ORIGIN."""

    events: DataFrame
    users: DataFrame
    items: DataFrame
    relations: DataFrame
