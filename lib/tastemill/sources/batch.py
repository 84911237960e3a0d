"""One batch of raw frames held against the rules and against what is stored."""

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.sources import cleaning
from tastemill.sources.base import ORIGIN, RawFrames


@dataclass(frozen=True)
class Batch:
    """Rows ready to be written, and those that were rejected with their reasons."""

    events: DataFrame
    users: DataFrame
    items: DataFrame
    quarantine: DataFrame


def mark_events(
    raw: DataFrame, stored: DataFrame, *, source: str, allow_missing_time: bool, now: datetime
) -> DataFrame:
    """Every raw event with its id, its `reason` for being rejected, and `_repeat`.

    Args:
        raw: the events that the source read.
        stored: the table `events`, or the days of it that the batch covers.
        source: name of the source, part of every id made here.
        allow_missing_time: whether events may lack a time.
        now: the clock of this ingest: no event may lie after it.
    """
    ruled = cleaning.apply_event_rules(raw, allow_missing_time=allow_missing_time, now=now)
    marked = cleaning.told_apart(cleaning.with_event_ids(ruled, source))
    return cleaning.against_stored(marked.withColumn("event_date", F.to_date("event_time")), stored)


def clean(raw: RawFrames, marked: DataFrame, *, source: str, now: datetime) -> Batch:
    """The rows to be written.

    Args:
        raw: what the source read; of it, users and items.
        marked: what `mark_events` made of its events.
        source: name of the source.
        now: the clock of this ingest.
    """
    users = cleaning.apply_key_rule(raw.users, "user_id")
    items = cleaning.apply_key_rule(raw.items, "item_id")
    events, bad_users, bad_items = (
        frame.where("reason IS NOT NULL").select(*ORIGIN) for frame in (marked, users, items)
    )
    return Batch(
        events=cleaning.as_events(marked.where("reason IS NULL AND NOT _repeat"), source, now),
        users=_newest(users, tables.USERS, "user_id"),
        items=_newest(items, tables.ITEMS, "item_id"),
        quarantine=cleaning.as_quarantine(events.union(bad_users).union(bad_items), source, now),
    )


def _newest(rows: DataFrame, table: tables.Table, key: str) -> DataFrame:
    return cleaning.as_table(cleaning.newest_of(rows.where("reason IS NULL"), key), table)
