"""Profiles worked by hand, and that nothing at or after their moment leaves a trace in them."""

from datetime import UTC, date, datetime, timedelta
from math import log1p
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from tastemill import tables
from tastemill.profiles.categories import fit_category_slots, with_category_shares
from tastemill.profiles.config import ProfilesConfig
from tastemill.profiles.history import Moment, fit_overall
from tastemill.profiles.items import build_item_profiles
from tastemill.profiles.sessions import with_visits
from tastemill.profiles.users import build_user_profiles

AS_OF = datetime(2020, 3, 1, tzinfo=UTC)
MOMENT = Moment(AS_OF)
CFG = ProfilesConfig(num_categories=3, half_life_days=10, prior_events=10)
EVENTS = (
    "event_id string, user_id string, user_idx int, item_id string, event_type string, "
    "value double, dwell_seconds double, session_id string, event_time timestamp, "
    "event_date date, source_file string, source_row bigint"
)
NAMES = [column.split()[0] for column in EVENTS.split(", ")]
ITEMS = "item_id string, item_idx int, categories array<string>, price double"
SHARES = "item_id string, shares array<double>"
# Slots: Bread, Milk, other.
SHARES_ROWS = [
    ("a", [1.0, 0.0, 0.0]),
    ("b", [0.5, 0.5, 0.0]),
    ("c", [0.0, 0.0, 1.0]),
    ("d", [0.0, 0.0, 0.0]),
]
ITEM_ROWS = [("a", 0, ["Bread"], 1.0), ("b", 1, ["Bread", "Milk"], 2.0)]
ITEM_ROWS += [("c", 2, ["Tea", "Nuts"], None), ("d", 3, None, 3.0)]


def ago(**how_long: float) -> datetime:
    return AS_OF - timedelta(**how_long)


def events(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    filled = []
    for n, row in enumerate(rows, start=1):
        at = row.get("event_time")
        given = {
            **dict.fromkeys(NAMES),
            "event_id": f"e{n}",
            "event_type": "purchase",
            "source_file": "f",
            "source_row": n,
            "event_date": at.date() if at else None,
            **row,
        }
        given["user_idx"] = int(given["user_id"][1:])
        filled.append(tuple(given[name] for name in NAMES))
    return spark.createDataFrame(filled, EVENTS)


def bought(user: str, item: str | None, at: datetime | None, value: float | None = None) -> Any:
    return {"user_id": user, "item_id": item, "event_time": at, "value": value}


def user_profiles(
    spark: SparkSession, frame: DataFrame, *, positive_min: float = 0.0, cfg: Any = CFG
) -> dict[str, Row]:
    shares = spark.createDataFrame(SHARES_ROWS, SHARES)
    users = spark.createDataFrame(
        [("u1", "30", "F", "baker", None, None), ("u9", "1", None, None, None, None)],
        tables.USERS.schema,
    )
    rows = build_user_profiles(frame.where(MOMENT.before), shares, users, MOMENT, cfg, positive_min)
    assert rows.columns == tables.USER_PROFILES.columns
    return {row.user_id: row for row in rows.collect()}


def item_profiles(spark: SparkSession, frame: DataFrame) -> dict[str, Row]:
    shares = spark.createDataFrame(SHARES_ROWS, SHARES)
    items = spark.createDataFrame(ITEM_ROWS, ITEMS)
    rows = build_item_profiles(frame.where(MOMENT.before), shares, items, MOMENT, CFG)
    assert rows.columns == tables.ITEM_PROFILES.columns
    return {row.item_id: row for row in rows.collect()}


def history() -> list[dict[str, Any]]:
    return [
        bought("u1", "a", ago(days=10), 2.0),  # weighs 1/2
        bought("u1", "b", ago(days=20), 4.0),  # 1/4, halved between Bread and Milk
        bought("u1", "c", None),  # of unknown time: 1/4, like the oldest known
        bought("u2", "a", ago(seconds=1), 6.0),
        bought("u3", "d", None),  # an item without a category
        bought("u4", None, ago(days=1)) | {"event_type": "search"},
    ]


def test_users_worked_by_hand(spark: SparkSession) -> None:
    found = user_profiles(spark, events(spark, *history()))
    assert set(found) == {"u1", "u2", "u3", "u4"}
    one, two, three, four = (found[f"u{n}"] for n in (1, 2, 3, 4))
    assert one.interests == pytest.approx([0.625, 0.125, 0.25])
    # The mean of all values is 4: u1 is 0 and 2 below it, with ten events at the mean added.
    assert one.user_vector == pytest.approx([0.625, 0.125, 0.25, log1p(3) / 10, -2 / 12])
    assert two.user_vector == pytest.approx([1, 0, 0, log1p(1) / 10, 2 / 11])
    assert three.user_vector == pytest.approx([0, 0, 0, log1p(1) / 10, 0])
    assert four.user_vector == pytest.approx([0, 0, 0, log1p(1) / 10, 0])
    assert (one.value_mean, two.value_mean, three.value_mean) == (3.0, 6.0, None)
    assert (one.age, one.gender, one.occupation) == ("30", "F", "baker")
    assert (two.age, two.gender, two.occupation) == (None, None, None)
    assert (one.user_idx, one.as_of, one.ds) == (1, AS_OF.replace(tzinfo=None), date(2020, 3, 1))
    assert one.num_events_by_type == {"purchase": 3}
    assert four.num_events_by_type == {"search": 1}
    assert (one.num_events, one.num_active_days, one.num_sessions) == (3, 2, 2)
    # The first known event is 20 days old.
    assert one.visits_per_week == pytest.approx(2 / (20 / 7))
    assert two.visits_per_week == 1.0  # of a history shorter than a week
    assert (three.visits_per_week, three.first_event_time, three.num_active_days) == (None, None, 0)


def test_small_values_are_no_taste(spark: SparkSession) -> None:
    rows = [bought("u1", "a", ago(days=1), 2.9), bought("u1", "c", ago(days=9), 3.0)]
    (found,) = user_profiles(spark, events(spark, *rows), positive_min=3.0).values()
    assert found.interests == [0, 0, 1]
    assert (found.num_events, found.value_mean) == (2, pytest.approx(2.95))


def test_a_taste_long_ago_is_a_taste(spark: SparkSession) -> None:
    rows = [
        bought("u1", "a", ago(days=1_000)),
        bought("u1", "c", ago(days=1_010)),
        bought("u2", "b", ago(days=1)),
    ]
    found = user_profiles(spark, events(spark, *rows))
    assert found["u1"].interests == pytest.approx([2 / 3, 0, 1 / 3])


def test_no_prior_and_no_values(spark: SparkSession) -> None:
    cfg = ProfilesConfig(num_categories=3, half_life_days=10, prior_events=0)
    found = user_profiles(spark, events(spark, bought("u1", "a", ago(days=1))), cfg=cfg)
    assert found["u1"].user_vector == pytest.approx([1, 0, 0, log1p(1) / 10, 0])
    rows = [bought("u1", "a", ago(days=1), 1.0), bought("u2", "a", ago(days=1), 4.0)]
    found = user_profiles(spark, events(spark, *rows), cfg=cfg)
    assert [found[u].user_vector[-1] for u in ("u1", "u2")] == pytest.approx([-1.5, 1.5])


def test_no_events(spark: SparkSession) -> None:
    none = events(spark)
    assert user_profiles(spark, none) == {}
    assert user_profiles(spark, events(spark, bought("u1", "a", AS_OF))) == {}
    found = item_profiles(spark, none)
    assert {item: row.num_events for item, row in found.items()} == dict.fromkeys("abcd", 0)
    overall = fit_overall(none).first()
    assert (overall.overall_mean, overall.oldest) == (0.0, None)


def test_windows_end_at_as_of_and_hold_no_unknown_times(spark: SparkSession) -> None:
    edges = [
        bought("u1", "a", at)
        for at in (
            AS_OF,
            ago(seconds=1),
            ago(days=7),
            ago(days=7, seconds=1),
            ago(days=30),
            ago(days=30, seconds=1),
            ago(days=90),
            ago(days=90, seconds=1),
            None,
        )
    ]
    frame = events(spark, *edges)
    for row in (user_profiles(spark, frame)["u1"], item_profiles(spark, frame)["a"]):
        windows = (row.num_events_7d, row.num_events_30d, row.num_events_90d, row.num_events)
        assert windows == (2, 4, 6, 8)
        assert row.last_event_time == ago(seconds=1).replace(tzinfo=None)
        assert row.first_event_time == ago(days=90, seconds=1).replace(tzinfo=None)


def test_items_worked_by_hand(spark: SparkSession) -> None:
    rows = [*history(), bought("u1", "a", ago(days=3), 6.0)]
    found = item_profiles(spark, events(spark, *rows))
    assert set(found) == set("abcd")
    a, b, c, d = (found[item] for item in "abcd")
    # The mean of 2, 4, 6, 6 is 4.5; a has 2, 6, 6.
    shrunk = (-2.5 + 1.5 + 1.5) / 13
    assert a.item_vector == pytest.approx([1, 0, 0, log1p(3) / 10, shrunk])
    assert a.value_mean == pytest.approx(4.5 + shrunk)
    assert (a.num_events, a.num_users, a.num_events_7d) == (3, 2, 2)
    assert b.categories_vector == [0.5, 0.5, 0]
    assert b.value_mean == pytest.approx(4.5 - 0.5 / 11)
    assert (c.value_mean, c.first_event_time, c.num_events) == (None, None, 1)
    assert c.item_vector == pytest.approx([0, 0, 1, log1p(1) / 10, 0])
    assert d.item_vector == pytest.approx([0, 0, 0, log1p(1) / 10, 0])
    assert (a.price_bucket, c.price_bucket) == (0, None)
    assert a.price_bucket < b.price_bucket < d.price_bucket <= 9


def test_price_buckets_are_deciles(spark: SparkSession) -> None:
    items = spark.createDataFrame([(str(n), n, None, float(n)) for n in range(100)], ITEMS)
    shares = items.selectExpr("item_id", "array(0.0D, 0.0D, 0.0D) AS shares")
    past = events(spark).where(MOMENT.before)
    rows = build_item_profiles(past, shares, items, MOMENT, CFG).collect()
    sizes = [sum(row.price_bucket == bucket for row in rows) for bucket in range(10)]
    assert sum(sizes) == 100
    assert all(9 <= size <= 11 for size in sizes)


def visits(frame: DataFrame, gap: float = 30) -> list[tuple[bool, float | None]]:
    rows = with_visits(frame, gap).orderBy("source_row").collect()
    return [(row.starts_visit, row.dwell_seconds) for row in rows]


def test_visits_and_dwell(spark: SparkSession) -> None:
    def at(user: str, minutes: float | None, session: str | None = None, dwell: Any = None) -> Any:
        time = None if minutes is None else ago(days=1) + timedelta(minutes=minutes)
        return bought(user, "a", time) | {"session_id": session, "dwell_seconds": dwell}

    frame = events(
        spark,
        at("u1", None),
        at("u1", 0),
        at("u1", 30),  # a pause of exactly the gap: still the same visit
        at("u1", 60.5),  # half a minute more: another one
        at("u1", 61, None, 5.0),  # dwell that was told stays
        at("u1", 61),  # at the same time
        at("u2", 0),  # somebody else
        at("u3", 0, "s"),
        at("u3", 300, "s"),  # a session of the source has no gap
        at("u3", 301, "t"),
        at("u3", None, "t"),
    )
    assert visits(frame) == [
        (False, None),
        (True, 1_800.0),
        (False, None),
        (True, 30.0),
        (False, 5.0),
        (False, None),
        (True, None),
        (False, 18_000.0),
        (False, None),
        (False, None),
        (False, None),
    ]
    found = user_profiles(spark, frame)
    assert {user: row.num_sessions for user, row in found.items()} == {"u1": 2, "u2": 1, "u3": 2}
    assert found["u1"].dwell_seconds_mean == pytest.approx((1_800 + 30 + 5) / 3)
    assert found["u2"].dwell_seconds_mean is None


def test_sessions_that_run_side_by_side(spark: SparkSession) -> None:
    def at(minutes: float, session: str | None) -> Any:
        return bought("u1", "a", ago(days=1) + timedelta(minutes=minutes)) | {"session_id": session}

    # Two tabs and, between them, events that belong to neither.
    frame = events(spark, at(0, "s"), at(1, "t"), at(2, None), at(3, "s"), at(4, None), at(5, "t"))
    assert visits(frame) == [
        (False, 180.0),
        (False, 240.0),
        (True, 120.0),
        (False, None),
        (False, None),
        (False, None),
    ]
    assert user_profiles(spark, frame)["u1"].num_sessions == 3


def test_click_depth_is_per_visit(spark: SparkSession) -> None:
    def seen(kind: str, at: datetime | None, session: str | None = None) -> Any:
        return bought("u1", "a", at) | {"event_type": kind, "session_id": session}

    rows = [seen("view", ago(days=2)), seen("click", ago(days=2)), seen("purchase", ago(days=2))]
    rows += [seen("view", None, "s"), seen("view", None)]  # the last one is of no visit
    (found,) = user_profiles(spark, events(spark, *rows)).values()
    assert found.num_sessions == 2
    assert found.click_depth_mean == 1.5
    (none,) = user_profiles(spark, events(spark, seen("view", None))).values()
    assert (none.num_sessions, none.click_depth_mean) == (0, None)


def slots_of(frame: DataFrame) -> list[tuple[int, str | None, int]]:
    return sorted((row.slot, row.category, row.events) for row in frame.collect())


def test_category_slots(spark: SparkSession) -> None:
    items = spark.createDataFrame(ITEM_ROWS, ITEMS)
    chosen = [bought("u1", item, ago(days=1)) for item in "aabcd"]
    chosen += [bought("u1", "unknown item", ago(days=1)), bought("u1", None, ago(days=1))]
    frame = events(spark, *chosen).persist()
    assert slots_of(fit_category_slots(frame, items, 3)) == [
        (0, "Bread", 3),
        (1, "Milk", 1),  # a tie with Nuts and Tea: by name
        (2, None, 2),
    ]
    assert slots_of(fit_category_slots(frame, items, 2)) == [(0, "Bread", 3), (1, None, 3)]
    few = [(0, "Bread", 3), (1, "Milk", 1), (2, "Nuts", 1), (3, "Tea", 1)]
    assert slots_of(fit_category_slots(frame, items, 5)) == few
    assert slots_of(fit_category_slots(events(spark), items, 3)) == []
    frame.unpersist()


def test_shares_of_items(spark: SparkSession) -> None:
    slots = spark.createDataFrame(
        [(0, "Bread", 3), (1, "Milk", 1), (2, None, 2)], "slot int, category string, events bigint"
    )
    rows = [
        *ITEM_ROWS,
        ("e", 4, ["Bread", "Bread"], None),
        ("f", 5, ["Bread", "Tea", "Nuts"], None),
        ("g", 6, [], None),
        ("h", 7, [None, "Milk"], None),
    ]
    items = spark.createDataFrame(rows, ITEMS)
    shares = {r.item_id: r.shares for r in with_category_shares(items, slots, 3).collect()}
    third = 1 / 3
    assert shares == {
        "a": [1, 0, 0],
        "b": [0.5, 0.5, 0],
        "c": [0, 0, 1],
        "d": [0, 0, 0],
        "e": [1, 0, 0],
        "f": pytest.approx([third, 0, 2 * third]),
        "g": [0, 0, 0],
        "h": [0, 0.5, 0.5],
    }


@pytest.mark.slow
def test_nothing_from_as_of_on_leaves_a_trace(spark: SparkSession) -> None:
    def everything(*later: dict[str, Any]) -> list[Any]:
        frame = events(spark, *history(), *later)
        slots = fit_category_slots(
            frame.where(MOMENT.before), spark.createDataFrame(ITEM_ROWS, ITEMS), 3
        )
        users, items = user_profiles(spark, frame), item_profiles(spark, frame)
        return [slots_of(slots), sorted(users.items()), sorted(items.items())]

    after = [
        bought("u1", "a", AS_OF, 5.0),
        bought("u1", "c", AS_OF + timedelta(minutes=1), 1.0),
        bought("u2", "b", AS_OF + timedelta(days=400), 3.0),
        bought("u7", "d", AS_OF, 3.0) | {"session_id": "s"},
    ]
    changed = [row | {"value": 99.0, "item_id": "d", "event_type": "view"} for row in after]
    expected = everything()
    assert len(expected[1]) == 4
    assert everything(*changed, *after) == expected
    earlier = after[0] | {"event_time": ago(seconds=1)}
    assert everything(earlier) != expected
