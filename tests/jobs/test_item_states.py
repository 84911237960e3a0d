"""A shop whose invoices tell the price of the day: each day's pass knows the prices before it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import job, passes, tables
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.jobs import ingest
from tastemill.states import last_of
from tastemill.testing.versions import table_versions

pytestmark = pytest.mark.slow
MAPPING = """
[[source.events]]
file = "*.csv"
type = "purchase"
user_id = "who"
item_id = "what"
time = { column = "at" }

[[source.items]]
file = "*.csv"
item_id = "what"
price = "price"
updated_at = { column = "at" }
"""
TWO_DAYS = (
    "ann,tea,2024-01-01 10:00:00,2.5",
    "bob,tea,2024-01-01 11:00:00,2.5",
    "ann,tea,2024-01-02 10:00:00,3.5",
    "bob,pot,2024-01-02 10:00:00,9",
)
SUNDAY = ("bob,tea,2023-12-31 10:00:00,2",)  # which comes late


def read_file(spark: SparkSession, folder: Path, name: str, *lines: str) -> Config:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / name).write_text("\n".join(["who,what,at,price", *lines]))
    (folder / "shop.toml").write_text(MAPPING)
    fixed = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    cfg = load_config(Request(str(folder / "shop.toml"), settings=fixed))
    ingest.run(spark, cfg)
    return cfg


def prices(warehouse: Warehouse, day: datetime) -> dict[str, float]:
    told = last_of(passes.items_told(warehouse, day)).collect()
    assert len({row["item_id"] for row in told}) == len(told)
    return {row["item_id"]: row["price"] for row in told}


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("states")
    for name, lines in (("days", TWO_DAYS), ("sunday", SUNDAY)):
        cfg = read_file(spark, folder, f"{name}.csv", *lines)
    before = table_versions(found := job.open_warehouse(spark, cfg))
    assert ingest.run(spark, cfg).detail == "nothing new"
    assert table_versions(found) == before
    return found


def test_the_newest_is_in_items_and_each_change_in_its_states(warehouse: Warehouse) -> None:
    newest = warehouse.read(tables.ITEMS).select("item_id", "price").collect()
    assert dict(map(tuple, newest)) == {"tea": 3.5, "pot": 9}
    states = warehouse.read(tables.ITEM_STATES).orderBy("item_id", "updated_at").collect()
    assert [(s.item_id, s.price, s.updated_at.day) for s in states] == [
        ("pot", 9.0, 2),
        ("tea", 2.0, 31),
        ("tea", 2.5, 1),
        ("tea", 3.5, 2),
    ]
    assert not warehouse.exists(tables.USER_STATES)  # of whom this source tells nothing


def test_a_pass_knows_what_was_told_before_it(warehouse: Warehouse) -> None:
    assert prices(warehouse, datetime(2024, 1, 3, tzinfo=UTC)) == {"tea": 3.5, "pot": 9}
    assert prices(warehouse, datetime(2024, 1, 2, tzinfo=UTC)) == {"tea": 2.5}
    assert prices(warehouse, datetime(2024, 1, 1, tzinfo=UTC)) == {"tea": 2.0}
    assert prices(warehouse, datetime(2023, 12, 31, tzinfo=UTC)) == {}
