"""A data folder read by its mapping: raw events, users, items and relations.

Every source is a mapping, the shipped ones too. Everything here is lazy but for the headers of
text files, which are read to find columns by name.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.sources.base import (
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    ORIGIN,
    RELATION_COLUMNS,
    USER_COLUMNS,
    RawFrames,
)
from tastemill.sources.cleaning import newest_of
from tastemill.sources.fields import (
    Columns,
    Problem,
    Read,
    broken_rules,
    first_reason,
    holds,
    read_attributes,
    read_labels,
    read_number,
    read_text,
    read_time,
)
from tastemill.sources.files import Part, parts_of
from tastemill.sources.mapping import (
    EventsFiles,
    Files,
    ItemsFiles,
    RelationsFiles,
    SourceConfig,
    UsersFiles,
)
from tastemill.sources.parsing import parse

Reads = Mapping[str, Read]
HASH_STEPS = 1_000_000  # of the hash that picks a sample of users
TYPES = {
    "value": "double",
    "dwell_seconds": "double",
    "price": "double",
    "event_time": "timestamp",
    "updated_at": "timestamp",
    "released_on": "date",
    "categories": "array<string>",
    "attributes": "map<string,string>",
}


def read(spark: SparkSession, folder: Path, source: SourceConfig) -> RawFrames:
    """The folder's files as the mapping reads them.

    Raises:
        DataError: a file or a column that the mapping names is missing.
    """
    events = _all(spark, parts_of(folder, source.events), EVENT_COLUMNS, read_events)
    items = [
        _frame(spark, part, ITEM_COLUMNS, read_items) for part in parts_of(folder, source.items)
    ]
    users = [
        _counted(_frame(spark, part, USER_COLUMNS, read_users), part.mapping.count)
        for part in parts_of(folder, source.users)
    ]
    events = _without_banned(spark, folder, source, events)
    return RawFrames(
        events=_sampled(events, source.sample_users),
        users=_sampled(_merged(spark, users, USER_COLUMNS), source.sample_users),
        items=_merged(spark, items, ITEM_COLUMNS),
        relations=_sampled(
            _all(spark, parts_of(folder, source.relations), RELATION_COLUMNS, read_relations),
            source.sample_users,
        ),
    )


def read_events(part: EventsFiles, columns: Columns) -> Reads:
    """The fields of an event."""
    kind = read_text("event_type", part.type, columns)
    value = read_number("value", part.value, columns)
    if part.negative_types:
        negative = kind.value.isin(*part.negative_types)
        against = F.when(negative, -F.coalesce(F.abs(value.value), F.lit(1.0)))
        value = Read(F.coalesce(against, value.value), value.problems)
    return {
        "event_id": read_text("event_id", part.event_id, columns),
        "user_id": read_text("user_id", part.user_id, columns),
        "item_id": read_text("item_id", part.item_id, columns),
        "event_type": kind,
        "value": value,
        "dwell_seconds": read_number("dwell_seconds", part.dwell_seconds, columns),
        "query": read_text("query", part.query, columns),
        "session_id": read_text("session_id", part.session_id, columns),
        "event_time": read_time("time", part.time, columns),
    }


def read_users(part: UsersFiles, columns: Columns) -> Reads:
    """The fields of a user."""
    texts = {
        name: read_text(name, getattr(part, name), columns)
        for name in ("user_id", "age", "gender", "occupation")
    }
    return {
        **texts,
        "attributes": read_attributes(part.attributes, columns),
        "updated_at": read_time("updated_at", part.updated_at, columns),
    }


def read_items(part: ItemsFiles, columns: Columns) -> Reads:
    """The fields of an item."""
    released = read_time("released_on", part.released_on, columns)
    return {
        "item_id": read_text("item_id", part.item_id, columns),
        "title": read_text("title", part.title, columns),
        "description": read_text("description", part.description, columns),
        "categories": read_labels("categories", part.categories, columns),
        "price": read_number("price", part.price, columns),
        "released_on": Read(F.to_date(released.value), released.problems),
        "attributes": read_attributes(part.attributes, columns),
        "updated_at": read_time("updated_at", part.updated_at, columns),
    }


def read_relations(part: RelationsFiles, columns: Columns) -> Reads:
    """The fields of a relation."""
    names = ("user_id", "other_id", "kind")
    return {name: read_text(name, getattr(part, name), columns) for name in names}


def _frame(
    spark: SparkSession,
    part: Part[Any],
    names: Sequence[str],
    fields: Callable[[Any, Columns], Reads],
) -> DataFrame:
    """The rows of one part, as far as its form and its mapping allow."""
    frames = []
    for parsed, columns in parse(spark, part):
        reads = fields(part.mapping, columns)
        problems = [
            *_rules(part.mapping, columns),
            *(p for r in reads.values() for p in r.problems),
        ]
        reason = F.coalesce("reason", first_reason(problems))
        values = [reads[name].value.alias(name) for name in names]
        frames.append(parsed.select(*values, *ORIGIN[:3], _whole(reason).alias("reason")))
    return reduce(DataFrame.union, frames)


def _whole(reason: Column) -> Column:
    """A reason that filters are not pushed through, since Spark takes it for not deterministic.

    Below it they would hold all of the parsing, once for each time that it is named: half a million
    lines took a minute, and now two seconds.
    """
    return F.when(F.spark_partition_id() >= 0, reason)


def _rules(part: Files, columns: Columns) -> list[Problem]:
    return broken_rules(part.reject, part.require, columns)


def _all(
    spark: SparkSession,
    parts: Sequence[Part[Any]],
    names: Sequence[str],
    fields: Callable[[Any, Columns], Reads],
) -> DataFrame:
    """The rows of several parts, one below the other."""
    frames = [_frame(spark, part, names, fields) for part in parts]
    return reduce(DataFrame.union, frames) if frames else _nothing(spark, names)


def _nothing(spark: SparkSession, names: Sequence[str]) -> DataFrame:
    kinds = {**dict.fromkeys((*names, *ORIGIN), "string"), "source_row": "bigint"}
    kinds |= {name: kind for name, kind in TYPES.items() if name in names}
    schema = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    return spark.createDataFrame([], schema).limit(0)


def _counted(users: DataFrame, attribute: str) -> DataFrame:
    """A row per user whose attribute says how many rows there were; what is rejected stays."""
    if not attribute:
        return users
    sound, rejected = _parted(users)
    rows = F.count("*").cast("string")
    others = [name for name in USER_COLUMNS if name not in ("user_id", "attributes")]
    counted = sound.groupBy("user_id").agg(
        *[F.lit(None).cast(TYPES.get(name, "string")).alias(name) for name in others],
        F.create_map(F.lit(attribute), rows).alias("attributes"),
        F.min(F.struct(*ORIGIN[:3])).alias("origin"),
    )
    origin = [F.col(f"origin.{name}").alias(name) for name in ORIGIN[:3]]
    told = counted.select(*USER_COLUMNS, *origin, F.lit(None).cast("string").alias("reason"))
    return told.union(rejected)


def _merged(spark: SparkSession, frames: Sequence[DataFrame], names: Sequence[str]) -> DataFrame:
    """What several files tell of the same users or items in one row each; the first file wins.

    Rows of one file alone stay as they are: which of them is the newest, cleaning decides.
    """
    if not frames:
        return _nothing(spark, names)
    if len(frames) == 1:
        return frames[0]
    key, parted = names[0], [_parted(frame) for frame in frames]
    told = [newest_of(sound.where(F.col(key).isNotNull()), key) for sound, _ in parted]
    nameless = [sound.where(F.col(key).isNull()) for sound, _ in parted]
    both = reduce(lambda one, two: _joined(one, two, key, names), told)
    return reduce(DataFrame.union, [both, *nameless, *(rejected for _, rejected in parted)])


def _joined(one: DataFrame, two: DataFrame, key: str, names: Sequence[str]) -> DataFrame:
    """A row per id of either; where both tell something, `one` is right."""
    s, t = one.alias("s"), two.alias("t")
    joined = s.join(t, F.col(f"s.{key}") == F.col(f"t.{key}"), "full")

    def told(name: str) -> Column:
        ours, theirs = F.col(f"s.{name}"), F.col(f"t.{name}")
        if name != "attributes":
            return F.coalesce(ours, theirs)
        only = F.map_filter(theirs, lambda k, _: ~F.map_contains_key(ours, k))
        return F.coalesce(F.map_concat(ours, only), ours, theirs)

    return joined.select(*[told(name).alias(name) for name in (*names, *ORIGIN)])


def _parted(frame: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Sound rows, and those that were rejected already."""
    return frame.where("reason IS NULL"), frame.where("reason IS NOT NULL")


def _without_banned(
    spark: SparkSession, folder: Path, source: SourceConfig, events: DataFrame
) -> DataFrame:
    """Reject the events of items that a mapping bars: coupons, postage, tests."""
    banned = [
        parsed.select(
            read_text("item_id", part.mapping.item_id, columns).value.alias("item_id"),
            first_reason((holds(c, columns), c.reason) for c in part.mapping.reject_events).alias(
                "ban"
            ),
        )
        for part in parts_of(folder, source.items)
        if part.mapping.reject_events
        for parsed, columns in parse(spark, part)
    ]
    if not banned:
        return events
    bans = reduce(DataFrame.union, banned).where("ban IS NOT NULL AND item_id IS NOT NULL")
    # One row per item, so the join adds none; few items are barred, or the catalogue is no use.
    bans = bans.groupBy("item_id").agg(F.min("ban").alias("ban"))
    joined = events.join(F.broadcast(bans), "item_id", "left")
    reason = F.coalesce("reason", "ban").alias("reason")
    return joined.select(*EVENT_COLUMNS, *ORIGIN[:3], reason)


def _sampled(frame: DataFrame, share: float) -> DataFrame:
    """The rows of so large a share of the users, the same users in every file and every time."""
    if share == 1.0:
        return frame
    place = F.pmod(F.xxhash64(F.lit("sample"), "user_id"), F.lit(HASH_STEPS))
    return frame.where(F.col("user_id").isNull() | (place < share * HASH_STEPS))
