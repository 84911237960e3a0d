"""Examples to feed: what is refused, what is written, what is written again."""

import errno
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.errors import FeedError
from tastemill.training import materialize as module
from tastemill.training.feed import open_feed
from tastemill.training.groups import Shard
from tastemill.training.materialize import MANIFEST, materialize, read_feed
from tastemill.training.spec import PAIRS, FeedSpec

SCHEMA = (
    "event_id long, user_idx long, item_idx long, label double, weight double,"
    " user_vector array<double>, item_vector array<double>"
)
ROWS = [(n, n % 5, n % 3, float(n % 4), 1.0, [n / 10, 0.0], [1.0]) for n in range(20)]
META = {"examples": "3"}


def _examples(spark: SparkSession, rows: list[tuple] = ROWS) -> DataFrame:
    return spark.createDataFrame(rows, SCHEMA)


def _write(rows: DataFrame, folder: Path, /, processes: int = 2, **meta: str) -> FeedSpec:
    return materialize(
        rows,
        str(folder),
        num_processes=processes,
        meta=meta or META,
        order_by=("event_id",),
    )


def test_a_feed_holds_the_rows_in_row_groups_for_every_process(
    spark: SparkSession, tmp_path: Path
) -> None:
    spec = _write(_examples(spark), tmp_path / "feeds" / "k")
    assert (spec.rows, len(spec.group_rows), max(spec.group_rows)) == (20, 7, 3)
    assert [spec.column(name).width for name in ("user_vector", "item_vector")] == [2, 1]
    assert [spec.column(name).high for name in ("user_idx", "item_idx")] == [4, 2]
    assert spec.mean_label == pytest.approx(1.5)
    assert dict(spec.meta) == {**META, "columns": ",".join(PAIRS)}
    found = [
        (int(u), int(i), float(label))
        for batch in open_feed(spec, "petastorm", Shard(batch_size=8)).epoch(0)
        for u, i, label in zip(batch["user_idx"], batch["item_idx"], batch["label"], strict=True)
    ]
    assert sorted(found) == sorted((u, i, label) for _, u, i, label, *_ in ROWS)


def test_a_write_that_fails_leaves_nothing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write_manifest", full)
        with pytest.raises(OSError, match="No space left"):
            _write(_examples(spark), tmp_path / "feeds" / "k")
    assert not [*(tmp_path / "feeds").iterdir()]
    assert _write(_examples(spark), tmp_path / "feeds" / "k").rows == 20


@pytest.mark.parametrize("name", ["käse und brot", "50% #1", "a%20b"])
def test_a_folder_of_any_name(spark: SparkSession, tmp_path: Path, name: str) -> None:
    spec = _write(_examples(spark), tmp_path / name / "k")
    assert spec.rows == 20
    assert read_feed(tmp_path / name / "k") == spec


def test_files_are_float32_and_nothing_else_is_left(spark: SparkSession, tmp_path: Path) -> None:
    spec = _write(_examples(spark), tmp_path / "feeds" / "k")
    types = {f.name: str(f.type) for f in pq.read_schema(Path(spec.folder) / spec.files[0])}
    assert types["label"] == types["weight"] == "float"
    assert types["user_idx"] == "int32"
    assert types["user_vector"].startswith("list<element: float")
    assert sorted(p.name for p in Path(spec.folder).iterdir()) == sorted([MANIFEST, *spec.files])
    assert [p.name for p in (tmp_path / "feeds").iterdir()] == ["k"]


@pytest.mark.parametrize("small", [100_000, 0])
def test_the_same_rows_make_the_same_files(
    spark: SparkSession, tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SMALL_ROWS", small)
    one = _write(_examples(spark), tmp_path / "one")
    other = _examples(spark, ROWS[::-1]).repartition(3, "item_idx")
    two = _write(other, tmp_path / "two")
    assert one.sha256 == two.sha256
    assert one.rows == two.rows == 20


def test_a_whole_feed_is_taken_as_it_is(spark: SparkSession, tmp_path: Path) -> None:
    first = _write(_examples(spark), tmp_path / "k")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "k").iterdir()}
    # The examples aren't even looked at.
    assert _write(_examples(spark, []), tmp_path / "k") == first
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "k").iterdir()} == before


def test_another_version_is_written_anew(spark: SparkSession, tmp_path: Path) -> None:
    _write(_examples(spark), tmp_path / "k")
    spec = _write(_examples(spark, ROWS[:10]), tmp_path / "k", examples="4")
    assert spec.rows == 10
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


@pytest.mark.parametrize("damage", ["short", "gone", "manifest"])
def test_a_damaged_feed_is_written_anew(spark: SparkSession, tmp_path: Path, damage: str) -> None:
    spec = _write(_examples(spark), tmp_path / "k")
    path = tmp_path / "k" / spec.files[0]
    if damage == "short":
        path.write_bytes(path.read_bytes()[:50])
    elif damage == "gone":
        path.unlink()
    else:
        text = (tmp_path / "k" / MANIFEST).read_text()
        (tmp_path / "k" / MANIFEST).write_text(text.replace('"mean_label": 1.5', '"mean_label": 2'))
    assert read_feed(tmp_path / "k") is None
    assert _write(_examples(spark), tmp_path / "k") == spec


def test_what_a_killed_job_left_is_no_feed(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "part-00000.parquet").write_bytes(b"half")
    assert _write(_examples(spark), tmp_path / "k").rows == 20


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("label", None, "label: null in 2 rows"),
        ("label", float("nan"), "label: NaN or infinite in 2 rows"),
        ("label", 1e300, "label: NaN or infinite in 2 rows"),
        ("weight", -1.0, "weight: negative in 2 rows"),
        ("user_idx", None, "user_idx: null in 2 rows"),
        ("item_idx", -1, "item_idx: negative in 2 rows"),
        ("user_vector", None, "user_vector: null in 2 rows"),
        ("user_vector", [0.0, None], "user_vector: null inside in 2 rows"),
        ("item_vector", [float("inf")], "item_vector: NaN or infinite inside in 2 rows"),
    ],
)
def test_bad_values_are_named_and_counted(
    spark: SparkSession, tmp_path: Path, column: str, value: object, what: str
) -> None:
    index = [field.split()[0] for field in SCHEMA.split(",")].index(column)
    rows = [(*r[:index], value, *r[index + 1 :]) if r[0] in (3, 4) else r for r in ROWS]
    with pytest.raises(FeedError, match=what):
        _write(_examples(spark, rows), tmp_path / "k")
    assert not list(tmp_path.iterdir())


def test_vectors_of_different_lengths(spark: SparkSession, tmp_path: Path) -> None:
    rows = [*ROWS, (99, 0, 0, 1.0, 1.0, [1.0, 2.0, 3.0], [1.0])]
    with pytest.raises(FeedError, match=r"user_vector: vectors of different lengths"):
        _write(_examples(spark, rows), tmp_path / "k")


def test_no_rows_and_no_column(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no examples to train on"):
        _write(_examples(spark, []), tmp_path / "k")
    with pytest.raises(FeedError, match="examples lack weight"):
        _write(_examples(spark).drop("weight"), tmp_path / "k")


def test_weights_that_sum_to_zero(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="sum to zero"):
        _write(_examples(spark).withColumn("weight", F.lit(0.0)), tmp_path / "k")


def test_fewer_rows_than_processes_want_row_groups(spark: SparkSession, tmp_path: Path) -> None:
    assert _write(_examples(spark, ROWS[:3]), tmp_path / "k").group_rows == (1, 1, 1)


def test_more_processes_need_more_row_groups(spark: SparkSession, tmp_path: Path) -> None:
    _write(_examples(spark), tmp_path / "k", processes=1)
    assert len(_write(_examples(spark), tmp_path / "k", processes=5).group_rows) >= 5


def test_a_folder_with_a_pickle_in_its_metadata(spark: SparkSession, tmp_path: Path) -> None:
    _write(_examples(spark), tmp_path / "k")
    (tmp_path / "k" / "_common_metadata").write_bytes(b"")
    with pytest.raises(FeedError, match="_common_metadata"):
        _write(_examples(spark), tmp_path / "k")


def test_the_manifest_says_where_rows_come_from(spark: SparkSession, tmp_path: Path) -> None:
    _write(_examples(spark), tmp_path / "k", examples="7", code="abc")
    feed = json.loads((tmp_path / "k" / MANIFEST).read_text())["feed"]
    columns = ["columns", ",".join(PAIRS)]
    assert feed["meta"] == [["code", "abc"], columns, ["examples", "7"]]
