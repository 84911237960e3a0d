"""From files to tables: every row ends in a table or in quarantine, and reading twice adds none."""

import gzip
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tastemill import job, tables
from tastemill.config import paths
from tastemill.config.load import Config, Request, load_config
from tastemill.delta import Warehouse
from tastemill.errors import DataError, UsageError
from tastemill.jobs import ingest
from tastemill.sources.tabular import read
from tastemill.tables import Table
from tastemill.testing.versions import table_versions

RATINGS = ["1\t10\t5\t880000000", "1\t20\t3\t880000001", "2\t10\t4\t880000000"]
RATINGS += ["3\t20\t1\t880000001"]
BAD = {
    "1\t10\tNaN\t880000000": "value_out_of_range",
    "1\t10\t9\t880000000": "value_out_of_range",
    "1\t10\tgood\t880000000": "value_unparsable",
    "1\t10\t\t880000000": "value_missing",
    "\t10\t3\t880000000": "user_id_missing",
    "1\t\t3\t880000000": "item_id_missing",
    "1\t10\t3\tyesterday": "time_unparsable",
    "1\t10\t3\t880000000000000000": "time_unparsable",
    "1\t10\t3\t": "time_missing",
    "1\t10\t3\t99999999999": "time_in_future",
    "1\t10\t3": "wrong_number_of_fields",
    "": "wrong_number_of_fields",
}


def config(folder: Path, dataset: str, *more: str) -> Config:
    fixed = (f"run.data={folder}/data", f"run.warehouse={folder}/warehouse")
    return load_config(Request(dataset, settings=(*fixed, *more)))


def warehouse(spark: SparkSession, cfg: Config) -> Warehouse:
    return job.open_warehouse(spark, cfg)


def write(folder: Path, name: str, *lines: str, encoding: str = "utf-8") -> None:
    (folder / "data").mkdir(exist_ok=True)
    text = "".join(f"{line}\n" for line in lines).encode(encoding)
    content = gzip.compress(text) if name.endswith(".gz") else text
    (folder / "data" / name).write_bytes(content)


def film(item: int, title: str, released: str, *genres: int) -> str:
    flags = ["1" if n in genres else "0" for n in range(19)]
    return "|".join([str(item), title, released, "", "http://imdb", *flags])


def write_100k(folder: Path, *ratings: str) -> None:
    write(folder, "u.data", *ratings)
    write(folder, "u.user", "1|24|M|technician|85711", "2|53|F|other|", "3|1|F|none|1")
    films = (film(10, "Misérables, Les (1995)", "01-Jan-1995", 1, 8), film(20, "unknown", "", 0))
    write(folder, "u.item", *films, encoding="latin-1")


def rows_of(store: Warehouse, table: Table, *columns: str) -> set[tuple[object, ...]]:
    rows = store.read(table).select(*(columns or table.columns)).collect()
    found = {tuple(row) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.slow
def test_movielens_100k(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "käse und brot"
    folder.mkdir()

    def write_all(*first: str) -> None:
        write_100k(folder, *first, *RATINGS, *BAD, "")
        with (folder / "data" / "u.user").open("a") as file:
            file.write("|30|F|nobody|1\n\n")

    write_all()
    # 15 rows are bad, 13 of the 17 events among them.
    cfg = config(folder, "movielens-100k", "ingest.max_quarantine_share=0.9")
    store = warehouse(spark, cfg)
    assert ingest.run(spark, cfg).rows == 4
    check_100k(store)
    rejected = store.read(tables.QUARANTINE).collect()
    found = {(row.source_file, row.source_row): (row.raw, row.reason) for row in rejected}
    expected = {("u.data", n): bad for n, bad in enumerate([*BAD.items(), ("", BAD[""])], start=5)}
    assert found == expected | {
        ("u.user", 4): ("|30|F|nobody|1", "user_id_missing"),
        ("u.user", 5): ("", "wrong_number_of_fields"),
    }
    assert len({row.quarantine_id for row in rejected}) == len(rejected)

    # The same files once more.
    before = table_versions(store)
    again = ingest.run(spark, cfg)
    assert (again.rows, again.detail) == (0, "nothing new")
    assert table_versions(store) == before

    # A line more, before the others, of a new user on a new item; what was rejected before isn't
    # held against the one row that is new.
    known, numbers = rows_of(store, tables.EVENTS), rows_of(store, tables.USER_INDEX)
    write_all("4\t30\t1\t880000002")
    assert ingest.run(spark, cfg).rows == 1
    now = rows_of(store, tables.EVENTS)
    assert now >= known
    assert [row[1:3] for row in now - known] == [("4", "30")]
    assert rows_of(store, tables.USER_INDEX) == numbers | {("4", 3)}
    after = table_versions(store)
    assert {name for name in after if after[name] == before[name]} == {
        "users",
        "items",
        "category_index",
        "quarantine",
    }


def check_100k(store: Warehouse) -> None:
    at = datetime(1997, 11, 20, 4, 26, 40)
    places = ("user_id", "item_id", "event_type", "value", "event_time", "event_date")
    second = at.replace(second=41)
    assert rows_of(store, tables.EVENTS, *places, "source", "source_file", "source_row") == {
        ("1", "10", "rating", 5.0, at, at.date(), "movielens", "u.data", 1),
        ("1", "20", "rating", 3.0, second, at.date(), "movielens", "u.data", 2),
        ("2", "10", "rating", 4.0, at, at.date(), "movielens", "u.data", 3),
        ("3", "20", "rating", 1.0, second, at.date(), "movielens", "u.data", 4),
    }
    users = {row.user_id: row for row in store.read(tables.USERS).collect()}
    assert set(users) == {"1", "2", "3"}
    one, two = users["1"], users["2"]
    assert (one.age, one.gender, one.occupation) == ("24", "M", "technician")
    assert (one.attributes, two.attributes) == ({"zip": "85711"}, {})
    items = {row.item_id: row for row in store.read(tables.ITEMS).collect()}
    first, unknown = items["10"], items["20"]
    assert first.title == "Misérables, Les (1995)"
    assert (first.categories, first.released_on) == (["Action", "Drama"], date(1995, 1, 1))
    assert (unknown.categories, unknown.released_on) == (None, None)
    assert {i for _, i in rows_of(store, tables.USER_INDEX)} == {0, 1, 2}
    assert {i for _, i in rows_of(store, tables.ITEM_INDEX)} == {0, 1}
    assert {c for c, _ in rows_of(store, tables.CATEGORY_INDEX)} == {"Action", "Drama"}
    assert len(rows_of(store, tables.INGESTED_FILES, "source_file")) == 3


def test_too_many_bad_rows_write_nothing(spark: SparkSession, tmp_path: Path) -> None:
    write_100k(tmp_path, *RATINGS, *BAD)
    cfg = config(tmp_path, "movielens-100k")
    with pytest.raises(DataError, match="nothing was written") as caught:
        ingest.run(spark, cfg)
    assert "12 of 16 rows" in str(caught.value)
    assert "wrong_number_of_fields 2" in str(caught.value)
    assert table_versions(warehouse(spark, cfg)) == {}
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.parametrize("name", ["ratings.dat", "ratings.csv", "ratings.csv.gz"])
def test_movielens_1m(spark: SparkSession, tmp_path: Path, name: str) -> None:
    ratings = ["1::10::5::978300760", "1::20::2::", "56::10::3::978300761"]
    header = [] if name.endswith("dat") else ["UserID,MovieID,Rating,Timestamp"]
    lines = ratings if name.endswith("dat") else [line.replace("::", ",") for line in ratings]
    write(tmp_path, name, *header, *lines)
    write(tmp_path, "users.dat", "1::F::1::10::48067", "56::M::56::16::70072")
    films = ("10::Misérables, Les (1995)::Drama|Musical", "20::No Year::")
    write(tmp_path, "movies.dat", *films, encoding="latin-1")
    raw = read(spark, tmp_path / "data", load_config(Request("movielens-1m")).source)
    first = datetime(2000, 12, 31, 22, 12, 40)
    events = raw.events.select("user_id", "item_id", "value", "event_time", "reason").collect()
    assert {tuple(row) for row in events} == {
        ("1", "10", 5.0, first, None),
        ("1", "20", 2.0, None, None),
        ("56", "10", 3.0, first.replace(second=41), None),
    }
    users = raw.users.select("user_id", "age", "occupation", "attributes").collect()
    assert sorted(map(tuple, users)) == [
        ("1", "under 18", "K-12 student", {"zip": "48067"}),
        ("56", "56+", "self-employed", {"zip": "70072"}),
    ]
    items = raw.items.select("item_id", "title", "categories", "released_on").collect()
    assert sorted(map(tuple, items)) == [
        ("10", "Misérables, Les (1995)", ["Drama", "Musical"], date(1995, 1, 1)),
        ("20", "No Year", None, None),
    ]


HEADERS = {
    "transactions_sample.csv.gz": (
        "household_id,store_id,basket_id,product_id,quantity,transaction_timestamp"
    ),
    "products.csv.gz": "product_id,department,brand,product_category,product_type,package_size",
    "demographics.csv": (
        "household_id,age,income,home_ownership,marital_status,household_size,kids_count"
    ),
    "coupon_redemptions.csv": "household_id,coupon_upc,campaign_id,redemption_date",
}


def write_journey(folder: Path, *transactions: str) -> None:
    rows = {
        "transactions_sample.csv.gz": transactions,
        "products.csv.gz": (
            '10,GROCERY,Private,BREAD,"ROLLS, ""SOFT""",20 OZ',
            "20,GROCERY,National,MILK,,",
            "30,MISC,National,COUPON/MISC ITEMS,X,",
            "30,MISC,National,COUPON/MISC ITEMS,X,",
        ),
        "demographics.csv": ("1,25-34,50K,,,2,",),
        "coupon_redemptions.csv": ("1,99,8,2017-01-01", "1,98,8,2017-01-02", "2,98,8,2017-01-02"),
    }
    for name, header in HEADERS.items():
        write(folder, name, header, *rows[name])


@pytest.mark.slow
def test_completejourney(spark: SparkSession, tmp_path: Path) -> None:
    bad = {
        "1,0,b1,30,1,1483300000": "coupon_or_misc_item",
        "1,0,b1,10,0,1483300000": "quantity_not_positive",
        "1,0,b1,10,x,1483300000": "value_unparsable",
        "1,0,b1,10,NaN,1483300000": "value_not_finite",
        "1,0,b1,10,Infinity,1483300000": "value_not_finite",
        "1,0,b1,10,1,": "time_missing",
        ",0,b1,10,1,1483300000": "user_id_missing",
        "1,0,b1,10,1": "wrong_number_of_fields",
    }
    sound = [
        "1,0,b1,10,2,1483300000",
        "1,0,b1,20,17000,1483300000",
        "3,0,b2,99,1,1483300001",  # a product that products.csv.gz lacks
        "1,0,b1,10,2,1483300000",  # bought twice in one basket
    ]
    write_journey(tmp_path, *sound, *bad)
    cfg = config(tmp_path, "completejourney", "ingest.max_quarantine_share=0.7")
    store = warehouse(spark, cfg)
    assert ingest.run(spark, cfg).rows == 4
    bought = rows_of(store, tables.EVENTS, "source_row", "user_id", "item_id", "value")
    assert bought == {
        (2, "1", "10", 2.0),
        (3, "1", "20", 20.0),  # cut to what a quantity can say
        (4, "3", "99", 1.0),
        (5, "1", "10", 2.0),
    }
    events = store.read(tables.EVENTS).where("source_row = 2").collect()
    assert (events[0].event_type, events[0].session_id) == ("purchase", "b1")
    rejected = rows_of(store, tables.QUARANTINE, "source_row", "raw", "reason")
    assert rejected == {(n, *row) for n, row in enumerate(bad.items(), start=6)}
    users = {row.user_id: row for row in store.read(tables.USERS).collect()}
    assert {user: row.age for user, row in users.items()} == {"1": "25-34", "2": None}
    assert users["1"].attributes == {
        "income": "50K",
        "household_size": "2",
        "redeemed_coupons": "2",
    }
    items = {row.item_id: row for row in store.read(tables.ITEMS).collect()}
    assert items["10"].title == 'ROLLS, "SOFT" · store brand · 20 OZ'
    assert (items["20"].title, items["20"].categories) == ("MILK", ["MILK"])
    # Everybody and everything that has an event or is described has a number.
    assert {u for u, _ in rows_of(store, tables.USER_INDEX)} == {"1", "2", "3"}
    assert {i for i, _ in rows_of(store, tables.ITEM_INDEX)} == {"10", "20", "30", "99"}


def test_latest_has_no_users_of_its_own(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "ratings.csv", "userId,movieId,rating,timestamp", "7,11,0.5,964982703")
    films = ('11,"American President, The (1995)",Comedy|Drama', "12,Ça,(no genres listed)")
    write(tmp_path, "movies.csv", "movieId,title,genres", *films)
    cfg = config(tmp_path, "movielens-latest-small")
    assert ingest.run(spark, cfg).rows == 1
    store = warehouse(spark, cfg)
    (event,) = store.read(tables.EVENTS).collect()
    assert (event.user_id, event.item_id, event.value) == ("7", "11", 0.5)
    items = {row.item_id: row for row in store.read(tables.ITEMS).collect()}
    assert items["11"].title == "American President, The (1995)"
    assert (items["11"].categories, items["11"].released_on) == (
        ["Comedy", "Drama"],
        date(1995, 1, 1),
    )
    assert (items["12"].title, items["12"].categories, items["12"].released_on) == (
        "Ça",
        None,
        None,
    )
    assert store.read(tables.USERS).isEmpty()
    assert rows_of(store, tables.USER_INDEX) == {("7", 0)}


def test_what_is_missing_is_named(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not shipped"):
        ingest.run(spark, load_config(Request("movielens-1m", settings=("run.warehouse=/x/y",))))
    ml, cj = (config(tmp_path, name) for name in ("movielens-100k", "completejourney"))
    with pytest.raises(DataError, match=r"u\.data missing"):
        ingest.run(spark, ml)
    write_100k(tmp_path, *RATINGS)
    (tmp_path / "data" / "u.user").unlink()
    with pytest.raises(DataError, match=r"u\.user missing"):
        ingest.run(spark, ml)
    with pytest.raises(DataError, match=r"transactions_sample\.csv\.gz missing"):
        ingest.run(spark, cj)
    write_journey(tmp_path, "1,0,b1,10,2,1483300000")
    write(tmp_path, "products.csv.gz", "product_id,department", "10,GROCERY")
    with pytest.raises(
        DataError, match=r"products\.csv\.gz: no column product_type, product_category, brand"
    ):
        ingest.run(spark, cj)
    write_journey(tmp_path, "1,0,b1,10,2,1483300000")
    (tmp_path / "data" / "demographics.csv").write_text("")
    with pytest.raises(DataError, match=r"demographics\.csv is empty"):
        ingest.run(spark, cj)
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.slow
@pytest.mark.data
def test_the_real_latest_small(spark: SparkSession, tmp_path: Path, data_root: Path) -> None:
    cfg = config(tmp_path, "movielens-latest-small", f"run.data={data_root / 'ml-latest-small'}")
    assert ingest.run(spark, cfg).rows == 100_836 + 3_683  # ratings and tags
    store = warehouse(spark, cfg)
    assert store.read(tables.QUARANTINE).isEmpty()
    assert store.read(tables.EVENTS).select("user_id").distinct().count() == 610
    assert store.read(tables.ITEMS).count() == 9_742
    genres = store.read(tables.ITEMS).selectExpr("explode(categories) AS genre")
    assert genres.distinct().count() == 19


@pytest.mark.slow
@pytest.mark.data
def test_the_real_movielens_100k(spark: SparkSession, tmp_path: Path, data_root: Path) -> None:
    cfg = config(tmp_path, "movielens-100k", f"run.data={data_root / 'ml-100k'}")
    assert ingest.run(spark, cfg).rows == 100_000
    store = warehouse(spark, cfg)
    counts = {t.name: store.read(t).count() for t in (tables.USERS, tables.ITEMS, tables.EVENTS)}
    assert counts == {"users": 943, "items": 1_682, "events": 100_000}
    assert store.read(tables.QUARANTINE).isEmpty()
    events = store.read(tables.EVENTS)
    assert events.select("event_id").distinct().count() == 100_000
    file = data_root / "ml-100k" / "u.data"
    wanted = Counter(float(line.split("\t")[2]) for line in file.read_text().splitlines())
    assert {r["value"]: r["count"] for r in events.groupBy("value").count().collect()} == wanted
    for table, size in ((tables.USER_INDEX, 943), (tables.ITEM_INDEX, 1_682)):
        idx = table.columns[1]
        assert sorted(r[idx] for r in store.read(table).collect()) == list(range(size))
    newest = events.selectExpr("max(event_time) AS at").first().at
    assert newest.replace(tzinfo=UTC) == datetime(1998, 4, 22, 23, 10, 38, tzinfo=UTC)


@pytest.mark.slow
def test_the_shipped_completejourney(spark: SparkSession, tmp_path: Path) -> None:
    settings = (f"run.warehouse={tmp_path}/warehouse",)
    cfg = load_config(Request("completejourney", settings=settings))
    rows = ingest.run(spark, cfg).rows
    store = warehouse(spark, cfg)
    rejected = store.read(tables.QUARANTINE).groupBy("source_file", "reason").count().collect()
    lines = sum(r["count"] for r in rejected if r.source_file == "transactions_sample.csv.gz")
    assert (rows, store.read(tables.EVENTS).count()) == (75_000 - lines, 75_000 - lines)
    assert 0 < lines < 5_000
    assert {r.reason for r in rejected} <= {"coupon_or_misc_item", "quantity_not_positive"}
    with gzip.open(paths.data_folder(cfg) / "products.csv.gz", "rt") as file:
        products = sum(1 for _ in file) - 1
    assert store.read(tables.ITEMS).count() == products
