"""Rules, identity and repeats of events; quarantine; the newest row of users and items."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.sources import cleaning
from tastemill.sources.base import RawFrames
from tastemill.sources.batch import clean, mark_events
from tastemill.sources.mapping import SourceConfig

NOW = datetime(2020, 6, 1, tzinfo=UTC)
TOY = SourceConfig(name="toy")
PAST = datetime(2020, 5, 1, 12, tzinfo=UTC)
RAW = (
    "event_id string, user_id string, item_id string, event_type string, value double, "
    "dwell_seconds double, query string, session_id string, event_time timestamp, "
    "source_file string, source_row bigint, raw string, reason string"
)
NAMES = [column.split()[0] for column in RAW.split(", ")]
USERS = (
    "user_id string, age string, gender string, occupation string, attributes map<string,string>, "
    "updated_at timestamp, source_file string, source_row bigint, raw string, reason string"
)
ITEMS = (
    "item_id string, title string, description string, categories array<string>, price double, "
    "released_on date, attributes map<string,string>, updated_at timestamp, "
    "source_file string, source_row bigint, raw string, reason string"
)
RELATIONS = (
    "user_id string, other_id string, kind string, "
    "source_file string, source_row bigint, raw string, reason string"
)


def event(**changes: Any) -> tuple[Any, ...]:
    """A sound event of user u on item i, with some columns changed."""
    columns = dict.fromkeys(NAMES)
    columns |= {"user_id": "u", "item_id": "i", "event_type": "view", "event_time": PAST}
    columns |= {"source_file": "f", "source_row": 1, **changes}
    columns["raw"] = columns["raw"] or f"line {columns['source_row']}"
    return tuple(columns[name] for name in NAMES)


def events(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(rows), RAW)


def marked(
    spark: SparkSession, raw: DataFrame, stored: DataFrame | None = None, *, missing: bool = True
) -> dict[tuple[str, int], Any]:
    """Every raw event by its place, as `mark_events` left it."""
    table = spark.createDataFrame([], tables.EVENTS.schema) if stored is None else stored
    result = mark_events(raw, table, TOY, allow_missing_time=missing, now=NOW)
    rows = result.collect()
    found = {(row.source_file, row.source_row): row for row in rows}
    assert len(found) == len(rows)
    return found


def stored_events(spark: SparkSession, raw: DataFrame) -> DataFrame:
    """The table `events` after an ingest of these rows."""
    empty = spark.createDataFrame([], tables.EVENTS.schema)
    result = mark_events(raw, empty, TOY, allow_missing_time=True, now=NOW)
    return cleaning.as_events(result.where("reason IS NULL AND NOT _repeat"), "toy", NOW)


def test_every_rule_has_its_reason(spark: SparkSession) -> None:
    long = "x" * 1_001
    cases: list[tuple[str | None, dict[str, Any]]] = [
        (None, {}),
        (None, {"value": -3.0}),
        (None, {"item_id": None, "event_type": "search"}),
        (None, {"user_id": "x" * 1_000}),
        (None, {"event_time": NOW}),
        ("user_id_missing", {"user_id": None}),
        ("item_id_missing", {"item_id": None}),
        ("event_type_missing", {"event_type": None}),
        ("user_id_too_long", {"user_id": long}),
        ("item_id_too_long", {"item_id": long}),
        ("value_not_finite", {"value": float("nan")}),
        ("value_not_finite", {"value": float("inf")}),
        ("value_not_finite", {"value": float("-inf")}),
        ("time_in_future", {"event_time": datetime(2020, 6, 1, 0, 0, 1, tzinfo=UTC)}),
        ("the_source_says", {"reason": "the_source_says", "user_id": None}),
    ]
    raw = events(spark, *[event(source_row=n, **case) for n, (_, case) in enumerate(cases)])
    ruled = cleaning.apply_event_rules(raw, allow_missing_time=False, now=NOW)
    reasons = {row.source_row: row.reason for row in ruled.collect()}
    assert reasons == {n: reason for n, (reason, _) in enumerate(cases)}


def test_missing_times_only_where_allowed(spark: SparkSession) -> None:
    raw = events(spark, event(event_time=None))
    for allowed, reason in ((True, None), (False, "time_missing")):
        ruled = cleaning.apply_event_rules(raw, allow_missing_time=allowed, now=NOW)
        assert ruled.first().reason == reason


def test_keys_of_users_and_items(spark: SparkSession) -> None:
    rows = [("u", None), (None, None), ("x" * 1_001, None), ("v", "its_own")]
    raw = spark.createDataFrame(rows, "user_id string, reason string")
    reasons = [row.reason for row in cleaning.apply_key_rule(raw, "user_id").collect()]
    assert reasons == [None, "user_id_missing", "user_id_too_long", "its_own"]


def test_ids_tell_apart_what_differs_and_equal_rows_of_one_file(spark: SparkSession) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"user_id": "v"},
        {"item_id": "j"},
        {"item_id": None, "event_type": "search"},
        {"event_type": "click"},
        {"event_time": datetime(2020, 5, 1, 12, 0, 1, tzinfo=UTC)},
        {"event_time": None},
        {"session_id": "s"},
        {"session_id": ""},
        {"value": 1.0},
        {"value": 0.0},
        {},  # the same as the first, and once more
        {},
        {"event_id": "own"},
    ]
    raw = events(spark, *[event(source_row=n, **c) for n, c in enumerate(changes)])
    found = marked(spark, raw)
    ids = [found["f", n].event_id for n in range(len(changes))]
    assert len(set(ids)) == len(ids)
    assert ids[-1] == "own"
    assert all(len(i) == 32 and int(i, 16) >= 0 for i in ids[:-1])
    assert not any(row._repeat or row.reason for row in found.values())


def test_ids_depend_on_neither_place_nor_neighbours_nor_partitions(spark: SparkSession) -> None:
    rng = random.Random(7)
    contents = [
        {"user_id": rng.choice("uv"), "item_id": rng.choice("ij"), "value": rng.choice([None, 1.0])}
        for _ in range(60)
    ]

    def ids_of(order: list[int], file: str, partitions: int) -> dict[str, list[str]]:
        rows = [
            event(source_file=file, source_row=n, **contents[at])
            for n, at in enumerate(order, start=1)
        ]
        found = marked(spark, events(spark, *rows).repartition(partitions))
        ids: dict[str, list[str]] = {}
        for row in found.values():
            key = f"{row.user_id}{row.item_id}{row.value}"
            ids[key] = sorted([*ids.get(key, []), row.event_id])
        return ids

    order = list(range(60))
    first = ids_of(order, "f", 1)
    assert max(map(len, first.values())) > 3
    for file, partitions in (("f", 7), ("g", 3)):
        rng.shuffle(order)
        assert ids_of(order, file, partitions) == first
    # Fewer neighbours: the ids of one content stay what they were.
    few = [at for at in order if contents[at]["user_id"] == "u"]
    assert ids_of(few, "f", 2) == {k: v for k, v in first.items() if k.startswith("u")}


def test_one_file_twice_is_the_file_once(spark: SparkSession) -> None:
    def rows(file: str) -> list[tuple[Any, ...]]:
        said = ["u", "v", "u", "u"]
        return [event(source_file=file, source_row=n, user_id=u) for n, u in enumerate(said)]

    found = marked(spark, events(spark, *rows("b"), *rows("a")))
    assert {place: row._repeat for place, row in found.items()} == {
        **{("a", n): False for n in range(4)},
        **{("b", n): True for n in range(4)},
    }
    assert not any(row.reason for row in found.values())
    for n in range(4):
        assert found["a", n].event_id == found["b", n].event_id


def test_one_id_with_other_contents_is_a_conflict(spark: SparkSession) -> None:
    later = datetime(2020, 5, 1, 13, tzinfo=UTC)
    found = marked(
        spark,
        events(
            spark,
            event(event_id="e", source_row=1, event_time=later),  # second in the total order
            event(event_id="e", source_row=2),  # the first
            event(event_id="e", source_row=3),  # the same told again
            event(event_id="e", source_row=4, query="q"),
            event(event_id="e", source_row=5, dwell_seconds=0.0),
            event(event_id="n", source_row=6, event_time=None, value=1.0),
            event(event_id="n", source_row=7, value=1.0),  # unknown times come first
            event(event_id="r", source_row=8, user_id=None),  # rejected: claims no id
            event(event_id="r", source_row=9),
        ),
    )
    conflict = "conflicting_duplicate"
    assert {n: (row._repeat, row.reason) for (_, n), row in found.items() if n < 8} == {
        1: (True, conflict),
        2: (False, None),
        3: (True, None),
        4: (True, conflict),
        5: (True, conflict),
        6: (False, None),
        7: (True, conflict),
    }
    assert found["f", 8].reason == "user_id_missing"
    assert (found["f", 9]._repeat, found["f", 9].reason) == (False, None)


def test_what_is_stored_is_not_added_again(spark: SparkSession) -> None:
    stored = stored_events(
        spark,
        events(
            spark,
            event(source_row=1),
            event(source_row=2, event_time=None),
            event(source_row=3, event_id="own", query="q"),
        ),
    )
    found = marked(
        spark,
        events(
            spark,
            event(source_row=11, source_file="g"),
            event(source_row=12, source_file="g", event_time=None),
            event(source_row=13, source_file="g", event_id="own", query="q"),
            event(source_row=14, source_file="h", event_id="own", query="other"),
            event(source_row=15, source_file="h", user_id="new"),
            event(source_row=16, source_file="g"),  # a second of its kind in this file
        ),
        stored,
    )
    assert {n: (row._repeat, row.reason) for (_, n), row in found.items()} == {
        11: (True, None),
        12: (True, None),
        13: (True, None),
        14: (True, "conflicting_duplicate"),
        15: (False, None),
        16: (False, None),
    }


def test_repeats_within_a_batch_are_dropped_beside_a_stored_table(spark: SparkSession) -> None:
    raw = events(spark, event(event_id="e", source_row=1), event(event_id="e", source_row=2))
    assert stored_events(spark, raw).count() == 1


def test_no_events(spark: SparkSession) -> None:
    assert marked(spark, events(spark)) == {}
    assert stored_events(spark, events(spark)).schema.fieldNames() == tables.EVENTS.columns


def test_quarantine_ids(spark: SparkSession) -> None:
    def ids_of(*rows: tuple[str, int, str, str]) -> dict[tuple[str, int], str]:
        schema = "source_file string, source_row bigint, raw string, reason string"
        frame = spark.createDataFrame(list(rows), schema)
        found = cleaning.as_quarantine(frame, "toy", NOW)
        assert found.columns == tables.QUARANTINE.columns
        return {(r.source_file, r.source_row): r.quarantine_id for r in found.collect()}

    rows = [
        ("f", 1, "", "short"),
        ("f", 2, "", "short"),
        ("f", 3, "", "user_id_missing"),
        ("f", 4, "x", "short"),
        ("g", 1, "", "short"),  # an empty line at the end of another file
    ]
    ids = ids_of(*rows)
    assert len(set(ids.values())) == len(rows)
    assert ids_of(*reversed(rows)) == ids
    # A line that moved is still the same rejected line.
    moved = ids_of(("f", 9, "x", "short"))
    assert moved["f", 9] == ids["f", 4]


def test_newest_of(spark: SparkSession) -> None:
    old, new = datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        ("a", new, "f", 1, "newest"),
        ("a", old, "g", 2, "older"),
        ("a", None, "z", 9, "unknown"),
        ("b", None, "f", 2, "second line"),
        ("b", None, "f", 1, "first line"),
        ("c", new, "f", 9, "tie in f"),
        ("c", new, "g", 1, "tie in g"),
    ]
    schema = "id string, updated_at timestamp, source_file string, source_row bigint, what string"
    frame = spark.createDataFrame(rows, schema)
    for given in (frame, frame.orderBy(F.desc("what")).repartition(3)):
        found = {row.id: row.what for row in cleaning.newest_of(given, "id").collect()}
        assert found == {"a": "newest", "b": "second line", "c": "tie in g"}


def test_a_batch_parts_the_sound_from_the_rejected(spark: SparkSession) -> None:
    origin = [("f", n, f"line {n}", None) for n in range(3)]
    users = [
        ("u", "30", None, None, {"zip": "1"}, None, *origin[0]),
        ("u", "31", None, None, None, None, *origin[1]),
        (None, "9", None, None, None, None, *origin[2]),
    ]
    items = [("i", "t", None, ["c"], 1.5, None, None, None, *origin[0])]
    relations = [
        ("u", "v", "friend", *origin[0]),
        ("u", "v", "friend", *origin[1]),
        ("u", "u", "friend", "g", 1, "u u", None),
    ]
    raw = RawFrames(
        events(spark, event(source_row=1), event(source_row=2, user_id=None)),
        spark.createDataFrame(users, USERS),
        spark.createDataFrame(items, ITEMS),
        spark.createDataFrame(relations, RELATIONS),
    )
    stored = spark.createDataFrame([], tables.EVENTS.schema)
    seen = mark_events(raw.events, stored, TOY, allow_missing_time=False, now=NOW)
    batch = clean(raw, seen, source="toy", now=NOW)
    assert [(r.user_id, r.age) for r in batch.users.collect()] == [("u", "31")]
    assert [(r.item_id, r.categories) for r in batch.items.collect()] == [("i", ["c"])]
    (row,) = batch.events.collect()
    assert (row.source, row.event_date.isoformat(), row.source_row) == ("toy", "2020-05-01", 1)
    rejected = {(r.reason, r.raw) for r in batch.quarantine.collect()}
    assert rejected == {("user_id_missing", "line 2"), ("related_to_itself", "u u")}
    assert [(r.user_id, r.other_id) for r in batch.relations.collect()] == [("u", "v")]
    for frame, table in (
        (batch.events, tables.EVENTS),
        (batch.users, tables.USERS),
        (batch.items, tables.ITEMS),
        (batch.relations, tables.RELATIONS),
        (batch.quarantine, tables.QUARANTINE),
    ):
        wanted = [(f.name, f.dataType) for f in table.schema]
        assert [(f.name, f.dataType) for f in frame.schema] == wanted


@pytest.mark.parametrize("value", [1e-300, 1e300, -0.0])
def test_ids_of_extreme_values(spark: SparkSession, value: float) -> None:
    found = marked(spark, events(spark, event(value=value)))
    assert len(found["f", 1].event_id) == 32
