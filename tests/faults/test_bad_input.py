"""Input that is damaged, empty or strange: one message, the old state, everything counted."""

import gzip
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.jobs import build_profiles, ingest, recommend, train_als, train_baselines
from tastemill.testing.toy import write_movielens
from tastemill.testing.versions import table_versions

pytestmark = [pytest.mark.slow, pytest.mark.faults]
DAY = 86_400
START = 880_000_000


class Place:
    """A folder of raw files and a warehouse, worked on by the jobs' own command lines."""

    def __init__(self, spark: SparkSession, folder: Path, dataset: str = "movielens-100k") -> None:
        self.folder, self.dataset = folder, dataset
        self.data, self.warehouse = folder / "data", Warehouse(spark, str(folder / "w"), dataset)

    def ratings(self, *rows: tuple[object, object, object, object]) -> None:
        """Write u.data with these (user, item, stars, seconds), users and items as they come."""
        self.data.mkdir(exist_ok=True)
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        (self.data / "u.data").write_text(text)
        users = sorted({str(row[0]) for row in rows})
        items = sorted({str(row[1]) for row in rows})
        (self.data / "u.user").write_text("".join(f"{u}|30|F|baker|0\n" for u in users))
        flags = "|".join("0" for _ in range(19))
        (self.data / "u.item").write_text(
            "".join(f"{i}|Film|01-Jan-1990||url|{flags}\n" for i in items), encoding="utf-8"
        )

    def job(self, module: object, *settings: str, data: Path | None = None) -> int:
        more = ("run.purpose=production", "recommend.model=popularity", *settings)
        options = [part for setting in more for part in ("--set", setting)]
        place = ["--data", str(data or self.data), "--warehouse", self.warehouse.location]
        code: int = module.main(["--dataset", self.dataset, *place, *options])  # type: ignore[attr-defined]
        return code

    def lists(self) -> dict[str, list[str]]:
        rows = Warehouse(self.warehouse.spark, self.warehouse.location, self.dataset)
        found = rows.read(tables.RECOMMENDATIONS).collect()
        return {row["user_id"]: [item["item_id"] for item in row["items"]] for row in found}


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, tmp_path)


def refused(place: Place, capsys: pytest.CaptureFixture[str], *words: str, data: Path) -> None:
    """The job ends with exit code 1, one message that holds the words, and nothing written."""
    before = table_versions(place.warehouse)
    before.pop("leases", None)
    assert place.job(ingest, data=data) == 1
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert "Traceback" not in said
    assert "next step: " in said
    for word in words:
        assert word in said
    after = table_versions(place.warehouse)
    after.pop("leases", None)
    assert after == before


@pytest.mark.parametrize("damage", ["no gzip", "cut in half", "empty", "only a header"])
def test_files_that_are_not_what_they_say(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    place = Place(spark, tmp_path, "movielens-1m")
    place.data.mkdir()
    (place.data / "users.dat").write_text("1::F::1::10::48067\n")
    (place.data / "movies.dat").write_text("1::Film (1990)::Drama\n")
    header = "UserID,MovieID,Rating,Timestamp\n"
    whole = gzip.compress((header + "".join(f"1,1,5,{START + n}\n" for n in range(5000))).encode())
    content = {
        "no gzip": b"not a gzip at all\n" * 100,
        "cut in half": whole[: len(whole) // 2],
        "empty": b"",
        "only a header": gzip.compress(header.encode()),
    }
    (place.data / "ratings.csv.gz").write_bytes(content[damage])
    refused(place, capsys, data=place.data)


def test_nothing_that_was_there_is_lost_when_the_next_file_is_damaged(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    write_movielens(place.data, users=5)
    assert place.job(ingest) == 0
    rows = place.warehouse.read(tables.EVENTS).count()
    other = place.folder / "other"
    write_movielens(other, users=5, seed=2)
    (other / "u.data").write_text("1\t1\tmany\tlong ago\n" * 50)
    refused(place, capsys, "value_unparsable", data=other)
    assert place.warehouse.read(tables.EVENTS).count() == rows


def write_1m(folder: Path, header: str, line: Callable[[int], str]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "users.dat").write_text("1::F::1::10::48067\n")
    (folder / "movies.dat").write_text("".join(f"{n}::Film (1990)::Drama\n" for n in range(20)))
    (folder / "ratings.csv").write_text("\n".join([header, *map(line, range(20))]) + "\n")


def test_files_that_gained_lost_or_retyped_a_column(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(spark, tmp_path, "movielens-1m")
    write_1m(
        place.data, "device,Rating,MovieID,UserID,Timestamp", lambda n: f"tv,4,{n},1,{START + n}"
    )
    assert place.job(ingest) == 0
    events = place.warehouse.read(tables.EVENTS)
    found = {(r.user_id, r.item_id, r.value) for r in events.collect()}
    assert found == {("1", str(n), 4.0) for n in range(20)}
    lost, retyped = tmp_path / "lost", tmp_path / "retyped"
    write_1m(lost, "UserID,MovieID,Timestamp", lambda n: f"1,{n},{START + n}")
    refused(place, capsys, "no column Rating", "found: UserID, MovieID, Timestamp", data=lost)
    header = "UserID,MovieID,Rating,Timestamp"
    write_1m(retyped, header, lambda n: f"1,{n},four stars,{START + n}")
    refused(place, capsys, "value_unparsable", data=retyped)


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (lambda rows: rows.withColumn("device", F.lit("tv")), "unknown column device"),
        (lambda rows: rows.drop("query"), "no column query"),
        (
            lambda rows: rows.withColumn("value", F.col("value").cast("string")),
            "value is string, not double",
        ),
    ],
    ids=["gained", "lost", "retyped"],
)
def test_a_table_that_gained_lost_or_retyped_a_column(
    place: Place,
    capsys: pytest.CaptureFixture[str],
    drift: Callable[[DataFrame], DataFrame],
    words: str,
) -> None:
    write_movielens(place.data, users=5)
    assert place.job(ingest) == 0
    rows = drift(place.warehouse.read(tables.EVENTS)).localCheckpoint()
    writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    table = place.warehouse.path(tables.EVENTS)
    kept = place.warehouse.properties(tables.EVENTS)
    writer.save(table)
    listed = ", ".join(f"'{k}' = '{v}'" for k, v in kept.items() if k.startswith("tastemill"))
    place.warehouse.spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ({listed})")
    before = table_versions(place.warehouse)["events"]
    write_movielens(place.data, users=6)  # something new to take in
    for module in (train_baselines, ingest):
        assert place.job(module) == 1
        said = capsys.readouterr().err
        assert said.count("error: ") == 1
        assert "table events: the columns break the contract" in said
        assert f"found: {words}" in said
        assert "next step: " in said
    assert table_versions(place.warehouse)["events"] == before


def test_bad_rows_are_counted_by_reason(place: Place) -> None:
    good = [(1, item, 4, START + item * DAY) for item in range(21, 61)]
    bad = [
        (1, 11, "five", START),
        (1, 12, 9, START),
        (1, 13, "NaN", START),
        (1, 14, "inf", START),
        (1, 15, 4, "yesterday"),
        (1, 16, 4, 99_999_999_999),
        ("", 17, 4, START),
        (1, "", 4, START),
    ]
    place.ratings(*good, *bad)
    assert place.job(ingest) == 0
    assert place.warehouse.read(tables.EVENTS).count() == len(good)
    found = place.warehouse.read(tables.QUARANTINE).where("source_file = 'u.data'")
    counts = {r["reason"]: r["count"] for r in found.groupBy("reason").count().collect()}
    assert sum(counts.values()) == len(bad)
    assert counts["time_in_future"] == 1
    assert counts["user_id_missing"] == counts["item_id_missing"] == 1


def test_one_user_one_item(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.ratings((1, 1, 5, START))
    assert place.job(ingest) == 0
    assert place.job(build_profiles) == 1
    assert "error: too few events to split by time" in capsys.readouterr().err
    times = [f"run.{name}=2020-01-01T00:00:00Z" for name in ("valid_from", "cut", "as_of")]
    for module in (build_profiles, train_baselines, recommend):
        assert place.job(module, *times) == 0
    assert place.lists() == {"1": []}  # the only item there is has been seen


def test_a_user_who_has_seen_everything_gets_an_empty_list(place: Place) -> None:
    rows = [(1, item, 5, START + item * DAY) for item in range(1, 4)]
    place.ratings(*rows, (2, 1, 5, START + 9 * DAY))
    for module in (ingest, build_profiles, train_baselines, recommend):
        assert place.job(module) == 0
    assert place.lists() == {"1": [], "2": ["2", "3"]}


def test_ids_that_are_large_or_no_numbers(place: Place) -> None:
    users = [2**31, 2**63 + 1, "anna-🦊", "東京"]
    rows = [(u, f"film-{n}-🎬", 5, START + n * DAY) for u in users for n in range(3)]
    place.ratings(*rows[:-1])
    for module in (ingest, build_profiles, train_als, recommend):
        assert place.job(module, "recommend.model=als", "als.rank=2", "als.max_iter=2") == 0
    assert set(place.lists()) == {str(user) for user in users}
    index = place.warehouse.read(tables.USER_INDEX)
    assert index.agg(F.max("user_idx")).first()[0] == len(users) - 1


@pytest.mark.parametrize("module", [train_baselines, recommend])
def test_jobs_without_what_comes_before_say_what_to_run(
    place: Place, capsys: pytest.CaptureFixture[str], module: object
) -> None:
    assert place.job(module) == 1
    said = capsys.readouterr().err
    assert "next step: " in said
    assert "Traceback" not in said


def test_a_warehouse_that_cannot_be_written(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    write_movielens(place.data, users=5)
    (place.folder / "w").write_text("a file, where the folder should be")
    assert place.job(ingest) == 1
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert str(place.folder / "w") in said
    assert "next step: " in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB, where this machine lets us make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root's rights")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_there(
    spark: SparkSession, tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(spark, tmp_path)
    place.warehouse = Warehouse(spark, str(small_disk / "w"), place.dataset)
    write_movielens(place.data, users=20)
    for module in (ingest, build_profiles, train_baselines, recommend):
        assert place.job(module) == 0
    lists, versions = place.lists(), table_versions(place.warehouse)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    write_movielens(place.data, users=40)
    for module in (ingest, train_baselines, recommend):
        assert place.job(module) == 1
        said = capsys.readouterr().err
        assert said.count("error: the disk is full") == 1, said[-3000:]
        assert "next step: free space and run again" in said
    assert place.lists() == lists
    assert table_versions(place.warehouse) == versions
    filler.unlink()
    for module in (ingest, build_profiles, train_baselines, recommend):
        assert place.job(module) == 0
    assert len(place.lists()) == 40


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_table_file_is_an_error_and_no_wrong_number(
    place: Place, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    write_movielens(place.data, users=30)
    assert place.job(ingest) == 0
    stored = place.warehouse.read(tables.EVENTS).inputFiles()
    file = Path(stored[0].removeprefix("file:"))
    content = bytearray(file.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 3] ^= 0xFF
    file.write_bytes(content)
    (file.parent / f".{file.name}.crc").unlink(missing_ok=True)
    assert place.job(train_baselines) == 1
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert "next step: " in said
