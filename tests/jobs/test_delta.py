"""What the warehouse promises: contracts, idempotent writes, versions by slice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill import tables
from tastemill.changes import at_least, upsert
from tastemill.delta import Warehouse
from tastemill.errors import ContractError

SLOTS = tables.CATEGORY_SLOTS
DAY, NEXT = date(2020, 1, 1), date(2020, 1, 2)


@pytest.fixture
def warehouse(spark: SparkSession, tmp_path: Path) -> Warehouse:
    return Warehouse(spark, str(tmp_path / "käse und brot"), "toy")


def slots(spark: SparkSession, *rows: tuple[date, int, str | None, int]) -> DataFrame:
    return spark.createDataFrame(list(rows), SLOTS.schema)


def test_merge_writes_only_what_differs(spark: SparkSession, warehouse: Warehouse) -> None:
    assert warehouse.merge(SLOTS, slots(spark, (DAY, 0, "a", 5), (DAY, 1, None, 2))) == 2
    before = warehouse.history(SLOTS)[0].version
    assert warehouse.merge(SLOTS, slots(spark, (DAY, 1, None, 2), (DAY, 0, "a", 5))) == 0
    assert warehouse.history(SLOTS)[0].version == before
    assert warehouse.merge(SLOTS, slots(spark, (DAY, 0, "a", 5), (DAY, 1, "b", 2))) == 1
    found = {(r.slot, r.category) for r in warehouse.read(SLOTS).collect()}
    assert found == {(0, "a"), (1, "b")}


def test_an_older_row_never_replaces_a_newer_one(spark: SparkSession, warehouse: Warehouse) -> None:
    def user(occupation: str, year: int | None) -> DataFrame:
        at = datetime(year, 1, 1, tzinfo=UTC) if year else None
        return spark.createDataFrame([("u", None, None, occupation, None, at)], tables.USERS.schema)

    for occupation, year in (("baker", 2020), ("pupil", 2010), ("nobody", None)):
        warehouse.merge(tables.USERS, user(occupation, year), newer=("updated_at",))
    assert warehouse.read(tables.USERS).first()["occupation"] == "baker"
    warehouse.merge(tables.USERS, user("miller", 2021), newer=("updated_at",))
    assert warehouse.read(tables.USERS).first()["occupation"] == "miller"


def at_once(*writes: Callable[[], object]) -> list[object]:
    """Run the writes in threads that start together."""
    together = Barrier(len(writes))

    def run(write: Callable[[], object]) -> object:
        together.wait()
        return write()

    with ThreadPoolExecutor(len(writes)) as pool:
        return list(pool.map(run, writes))


def test_two_writers_at_once_lose_nothing(spark: SparkSession, warehouse: Warehouse) -> None:
    """From the table's making on; each writer brings rows of its own and newer ones of all."""

    def users(writer: int, turn: int) -> DataFrame:
        at = datetime(2020, 1, 1 + turn, writer, tzinfo=UTC)
        names = [f"{writer}-{turn}", "all"]
        rows = [(name, None, None, f"{writer}-{turn}", None, at) for name in names]
        return spark.createDataFrame(rows, tables.USERS.schema)

    def writes(writer: int) -> None:
        place = Warehouse(spark, warehouse.location, "toy")
        for turn in range(3):
            place.merge(tables.USERS, users(writer, turn), newer=("updated_at",))

    at_once(lambda: writes(1), lambda: writes(2))
    found = {row.user_id: row.occupation for row in warehouse.read(tables.USERS).collect()}
    own = {f"{writer}-{turn}" for writer in (1, 2) for turn in range(3)}
    assert found == {**{name: name for name in own}, "all": "2-2"}
    assert warehouse.read(tables.USERS).count() == len(own) + 1


def test_a_newer_row_that_came_in_between_stays(
    spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge has compared, and before it writes somebody else's merge is through."""

    def user(occupation: str, year: int) -> DataFrame:
        row = ("u", None, None, occupation, None, datetime(year, 1, 1, tzinfo=UTC))
        return spark.createDataFrame([row], tables.USERS.schema)

    warehouse.merge(tables.USERS, user("baker", 2019))
    other = Warehouse(spark, warehouse.location, "toy")

    def late(*args: Any) -> int:
        monkeypatch.setattr("tastemill.delta.upsert", upsert)
        other.merge(tables.USERS, user("miller", 2021), newer=("updated_at",))
        return upsert(*args)

    monkeypatch.setattr("tastemill.delta.upsert", late)
    assert warehouse.merge(tables.USERS, user("pupil", 2020), newer=("updated_at",)) == 0
    assert warehouse.read(tables.USERS).first()["occupation"] == "miller"


ODD_IDS = ("o'brien", "back\\slash", "two\nlines", "😀 zoë", "'", "zz")


def test_lists_of_people_with_odd_names_are_replaced_and_never_doubled(
    spark: SparkSession, warehouse: Warehouse
) -> None:
    """Their names stand in the MERGE, as the ends of the range that it looks through."""
    at = datetime(2020, 1, 1, tzinfo=UTC)

    def lists(run_seq: int, *users: str) -> DataFrame:
        rows = [("home", user, [], "m", at, run_seq, str(run_seq), at) for user in users]
        return spark.createDataFrame(rows, tables.RECOMMENDATIONS.schema)

    newer = ("as_of", "run_seq")
    warehouse.merge(tables.RECOMMENDATIONS, lists(1, *ODD_IDS, "a", "m"), newer=newer)
    for run_seq, user in enumerate(ODD_IDS, 2):
        warehouse.merge(tables.RECOMMENDATIONS, lists(run_seq, user), newer=newer)
    found = {row.user_id: row.run_seq for row in warehouse.read(tables.RECOMMENDATIONS).collect()}
    assert found == {"a": 1, "m": 1, **{user: n for n, user in enumerate(ODD_IDS, 2)}}
    assert warehouse.read(tables.RECOMMENDATIONS).count() == len(found)


def test_versions_are_told_by_slice(spark: SparkSession, warehouse: Warehouse) -> None:
    assert warehouse.data_version(SLOTS) is None
    warehouse.overwrite_slice(SLOTS, slots(spark, (DAY, 0, "a", 1)), str(DAY))
    warehouse.overwrite_slice(SLOTS, slots(spark, (NEXT, 0, "b", 1)), str(NEXT))
    assert warehouse.data_version(SLOTS, str(DAY)) == 1
    assert warehouse.data_version(SLOTS, str(NEXT)) == 2
    spark.sql(f"OPTIMIZE {warehouse.name(SLOTS)}")
    assert warehouse.data_version(SLOTS) == 2
    warehouse.overwrite_slice(SLOTS, slots(spark), str(DAY))
    assert [r.category for r in warehouse.read(SLOTS).collect()] == ["b"]
    assert warehouse.read(SLOTS, version=2).count() == 2


def test_appending_twice_is_appending_once(spark: SparkSession, warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.append_once(SLOTS, slots(spark, (DAY, 0, "a", 1)), "batch-7")
    assert warehouse.read(SLOTS).count() == 1


def test_broken_contracts_are_named(spark: SparkSession, warehouse: Warehouse) -> None:
    with pytest.raises(ContractError, match="category_slots does not exist"):
        warehouse.read(SLOTS)
    with pytest.raises(ContractError, match="no column events"):
        warehouse.merge(SLOTS, slots(spark).drop("events"))
    with pytest.raises(ContractError, match="another dataset"):
        Warehouse(spark, warehouse.location, "other").read(SLOTS)
    spark.sql(f"ALTER TABLE {warehouse.name(SLOTS)} SET TBLPROPERTIES ('tastemill.contract'='9')")
    with pytest.raises(ContractError, match="version 9"):
        Warehouse(spark, warehouse.location, "toy").read(SLOTS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_events_refuse_values_that_are_no_numbers(
    spark: SparkSession, warehouse: Warehouse, value: float
) -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    row = ("e", "u", "i", "view", value, None, None, None, now, DAY, "s", "f", 1, now)
    bad = spark.createDataFrame([row], tables.EVENTS.schema)
    with pytest.raises(Exception, match="value_finite"):
        warehouse.append_once(tables.EVENTS, bad, "batch")


@pytest.mark.parametrize(
    ("ours", "theirs", "is_newer"),
    [
        ("(1, 1)", "(1, 1)", True),
        ("(1, 1)", "(1, 2)", False),
        ("(2, 1)", "(1, 2)", True),
        ("(null, 9)", "(1, 1)", False),
        ("(1, 1)", "(null, 9)", True),
        ("(null, 1)", "(null, 2)", False),
        ("(null, null)", "(null, null)", True),
    ],
)
def test_null_is_smaller_than_everything(
    spark: SparkSession, ours: str, theirs: str, is_newer: bool
) -> None:
    rows = f"VALUES {ours} AS s(a, b) CROSS JOIN VALUES {theirs} AS t(a, b)"
    (found,) = spark.sql(f"SELECT {at_least(('a', 'b'))} AS found FROM {rows}").collect()
    assert found.found is is_newer
