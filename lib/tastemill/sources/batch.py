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


def clean(
    raw: RawFrames, stored: DataFrame, *, source: str, allow_missing_time: bool, now: datetime
) -> Batch:
    """Apply rules, give identity, drop repeats of the batch and of the stored events.

    Args:
        raw: what the source read.
        stored: the table `events`, or the days of it that the batch covers.
        source: name of the source, part of every id made here.
        allow_missing_time: whether events may lack a time.
        now: the clock of this ingest: no event may lie after it.
    """
    ruled = cleaning.apply_event_rules(raw.events, allow_missing_time=allow_missing_time, now=now)
    sound = cleaning.with_event_ids(ruled.where("reason IS NULL"), source)
    known = cleaning.against_stored(
        cleaning.told_apart(sound).withColumn("event_date", F.to_date("event_time")), stored
    )
    users = cleaning.apply_key_rule(raw.users, "user_id")
    items = cleaning.apply_key_rule(raw.items, "item_id")
    rejected = [
        frame.where("reason IS NOT NULL").select(*ORIGIN) for frame in (ruled, known, users, items)
    ]
    events, conflicts, bad_users, bad_items = rejected
    return Batch(
        events=cleaning.as_events(known.where("reason IS NULL AND NOT _repeat"), source, now),
        users=_newest(users, tables.USERS, "user_id"),
        items=_newest(items, tables.ITEMS, "item_id"),
        quarantine=cleaning.as_quarantine(
            events.union(conflicts).union(bad_users).union(bad_items), source, now
        ),
    )


def _newest(rows: DataFrame, table: tables.Table, key: str) -> DataFrame:
    return cleaning.as_table(cleaning.newest_of(rows.where("reason IS NULL"), key), table)
