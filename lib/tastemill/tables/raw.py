"""What the sources told: events, the files they came from, users, items and their numbers."""

from pyspark.sql import types as T

from tastemill.tables.table import (
    DATE,
    DOUBLE,
    FINITE,
    INT,
    LONG,
    STRING,
    TEXTS,
    TIME,
    Table,
    schema,
)

EVENTS = Table(
    "events",
    "one behaviour of one user",
    schema(
        ("event_id!", STRING, "the source's own id, else 128 bits of a hash of the row"),
        ("user_id!", STRING, "id of the user as in the source"),
        ("item_id", STRING, "id of the item as in the source; null for a search"),
        ("event_type!", STRING, "view, click, cart, purchase, search, rating, like, …"),
        ("value", DOUBLE, "stars, fraction watched, plays or quantity, by event type"),
        ("dwell_seconds", DOUBLE, "seconds spent; null when not known"),
        ("query", STRING, "what was searched for, said or tagged"),
        ("session_id", STRING, "the source's session, basket or visit; null when it has none"),
        ("event_time", TIME, "UTC; null when not known, and then before every known time"),
        ("event_date", DATE, "the day of event_time"),
        ("source!", STRING, "name of the source"),
        ("source_file!", STRING, "name of the file within the data folder"),
        ("source_row!", LONG, "line in the file, from 1"),
        ("ingested_at!", TIME, "when the row was written"),
    ),
    keys=("event_id",),
    cluster_by=("event_date", "user_id"),
    checks={"value_finite": FINITE.format("value"), "type_known": "event_type <> ''"},
)
INGESTED_FILES = Table(
    "ingested_files",
    "one input file, by content",
    schema(
        ("sha256!", STRING, "sha256 of the file's bytes"),
        ("source!", STRING, "name of the source"),
        ("source_file!", STRING, "name of the file within the data folder"),
        ("mapping!", STRING, "hash of the settings and code that read it"),
        ("bytes!", LONG, "size of the file"),
        ("ingested_at!", TIME, "when it was read"),
    ),
    keys=("sha256", "source_file", "mapping"),
)
QUARANTINE = Table(
    "quarantine",
    "one rejected raw row and why",
    schema(
        ("quarantine_id!", STRING, "hash of source, raw, reason and n (equal rows)"),
        ("source!", STRING, "name of the source"),
        ("source_file!", STRING, "name of the file"),
        ("source_row", LONG, "line in the file, from 1; null where the reader can't tell"),
        ("reason!", STRING, "the rule that rejected it"),
        ("raw!", STRING, "the row as JSON or as the line stood"),
        ("ingested_at!", TIME, "when the row was written"),
    ),
    keys=("quarantine_id",),
    content=("reason",),
)
USERS = Table(
    "users",
    "one user, as last told by the source",
    schema(
        ("user_id!", STRING, "id of the user as in the source"),
        ("age", STRING, "age or age band as the source gives it"),
        ("gender", STRING, "as the source gives it"),
        ("occupation", STRING, "as the source gives it"),
        ("attributes", TEXTS, "everything else the source tells"),
        ("updated_at", TIME, "when the source last changed it; null when not known"),
    ),
    keys=("user_id",),
    content=("age", "gender", "occupation", "attributes"),
)
ITEMS = Table(
    "items",
    "one item, as last told by the source",
    schema(
        ("item_id!", STRING, "id of the item as in the source"),
        ("title", STRING, "what a person would call it"),
        ("description", STRING, "longer text"),
        ("categories", T.ArrayType(STRING), "categories or genres, in the source's order"),
        ("price", DOUBLE, "in the source's currency"),
        ("released_on", DATE, "first day it could be had"),
        ("attributes", TEXTS, "everything else the source tells"),
        ("updated_at", TIME, "when the source last changed it; null when not known"),
    ),
    keys=("item_id",),
    content=("title", "description", "categories", "price", "released_on", "attributes"),
)


def _states(name: str, of: Table) -> Table:
    noun, *_ = of.row.split(",")
    told = (field for field in of.schema.fields if field.name != "updated_at")
    since = T.StructField("updated_at", TIME, nullable=False, metadata=COMMENT_OF_STATE)
    return Table(
        name,
        f"{noun}, as told by the source at one time; those that differ from the one before",
        T.StructType([*told, since]),
        keys=(*of.keys, "updated_at"),
        content=of.content,
    )


COMMENT_OF_STATE = {"comment": "when the source changed it to this"}
USER_STATES = _states("user_states", USERS)
ITEM_STATES = _states("item_states", ITEMS)
RELATIONS = Table(
    "relations",
    "one user tied to another: a friend, a follower",
    schema(
        ("user_id!", STRING, "id of the user as in the source"),
        ("other_id!", STRING, "the user that this one is tied to"),
        ("kind!", STRING, "friend, follows, …"),
        ("source!", STRING, "name of the source"),
    ),
    keys=("user_id", "other_id", "kind"),
    content=("source",),
)


def _index(noun: str, key: str, idx: str) -> Table:
    return Table(
        f"{noun}_index",
        f"one {noun} and its dense number: append-only, never renumbered",
        schema((f"{key}!", STRING, f"the {noun}"), (f"{idx}!", INT, "dense, from 0, for ever")),
        keys=(key,),
    )


USER_INDEX = _index("user", "user_id", "user_idx")
ITEM_INDEX = _index("item", "item_id", "item_idx")
CATEGORY_INDEX = _index("category", "category", "category_idx")
