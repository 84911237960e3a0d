"""One batch of raw frames held against the rules and against what is stored."""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.sources import cleaning
from tastemill.sources.base import ORIGIN, RawFrames
from tastemill.sources.core import mark_outside_core
from tastemill.sources.mapping import SourceConfig


@dataclass(frozen=True)
class Batch:
    """Rows ready to be written, and those that were rejected with their reasons."""

    events: DataFrame
    users: DataFrame
    items: DataFrame
    user_states: DataFrame
    item_states: DataFrame
    relations: DataFrame
    quarantine: DataFrame


def mark_events(
    raw: DataFrame,
    stored: DataFrame,
    source: SourceConfig,
    *,
    allow_missing_time: bool,
    now: datetime,
) -> DataFrame:
    """Every raw event with its id, its `reason` for being rejected, and `_repeat`.

    Args:
        raw: the events that were read.
        stored: the table `events`, or the days of it that the batch covers.
        source: its name is part of every id made here; and its k-core.
        allow_missing_time: whether events may lack a time.
        now: the clock of this ingest: no event may lie after it.
    """
    ruled = cleaning.apply_event_rules(raw, allow_missing_time=allow_missing_time, now=now)
    marked = cleaning.told_apart(cleaning.with_event_ids(ruled, source.name))
    marked = mark_outside_core(marked, source.min_user_events, source.min_item_events)
    return cleaning.against_stored(marked.withColumn("event_date", F.to_date("event_time")), stored)


def marked_frames(raw: RawFrames) -> dict[str, DataFrame]:
    """Raw users, items and relations with the `reason` for which each row is rejected."""
    return {
        "users": cleaning.apply_key_rule(raw.users, "user_id"),
        "items": cleaning.apply_key_rule(raw.items, "item_id"),
        "relations": cleaning.apply_relation_rules(raw.relations),
    }


def clean(raw: RawFrames, marked: DataFrame, *, source: str, now: datetime) -> Batch:
    """The rows to be written.

    Args:
        raw: what was read; of it, users, items and relations.
        marked: what `mark_events` made of its events.
        source: name of the source.
        now: the clock of this ingest.
    """
    told = marked_frames(raw)
    users, items, relations = told["users"], told["items"], told["relations"]
    frames = (marked, *told.values())
    rejected = [frame.where("reason IS NOT NULL").select(*ORIGIN) for frame in frames]
    # A line that tells of an event and of its item is rejected once.
    lines = reduce(DataFrame.union, rejected).dropDuplicates()
    return Batch(
        events=cleaning.as_events(marked.where("reason IS NULL AND NOT _repeat"), source, now),
        users=_newest(users, tables.USERS, "user_id"),
        items=_newest(items, tables.ITEMS, "item_id"),
        user_states=_states(users, tables.USER_STATES, "user_id"),
        item_states=_states(items, tables.ITEM_STATES, "item_id"),
        relations=cleaning.as_relations(relations.where("reason IS NULL"), source),
        quarantine=cleaning.as_quarantine(lines, source, now),
    )


def _newest(rows: DataFrame, table: tables.Table, key: str) -> DataFrame:
    return cleaning.as_table(cleaning.newest_of(rows.where("reason IS NULL"), key), table)


def _states(rows: DataFrame, table: tables.Table, key: str) -> DataFrame:
    dated = rows.where("reason IS NULL AND updated_at IS NOT NULL")
    return cleaning.as_table(cleaning.changes_of(dated, key, table.content), table)
