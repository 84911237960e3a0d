"""Raw lines: where each stood in its file, whatever the splits, and how columns are read off it."""

import bz2
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.sources.files import first_line
from tastemill.sources.lines import read_lines

Numbered = list[tuple[int, str]]


@pytest.fixture
def small_splits(spark: SparkSession) -> Iterator[None]:
    """Read files in splits of about 100 bytes, several to a partition and several partitions."""
    names = ("maxPartitionBytes", "openCostInBytes")
    keys = [f"spark.sql.files.{name}" for name in names]
    before = [spark.conf.get(key) for key in keys]
    spark.conf.set(keys[0], "100")
    spark.conf.set(keys[1], "0")
    yield
    for key, value in zip(keys, before, strict=True):
        spark.conf.set(key, value)


def numbered(lines: DataFrame) -> Numbered:
    return sorted((row.source_row, row.raw) for row in lines.collect())


def test_lines_are_numbered_across_splits(
    spark: SparkSession, tmp_path: Path, small_splits: None
) -> None:
    texts = ["", "", *[f"line {n}" if n % 5 else "" for n in range(300)], "x" * 450, "", "end"]
    file = tmp_path / "many.txt"
    file.write_text("\n".join(texts) + "\n")
    lines = read_lines(spark, [file], file.parent)
    assert lines.rdd.getNumPartitions() > 5
    assert numbered(lines) == list(enumerate(texts, start=1))
    # A filter on the number must not change the numbers.
    assert numbered(lines.where("source_row > 290")) == list(enumerate(texts, start=1))[290:]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one", ["one"]),
        (b"one\n", ["one"]),
        (b"one\n\n", ["one", ""]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
    ],
)
def test_ends_of_files(
    spark: SparkSession, tmp_path: Path, content: bytes, expected: list[str]
) -> None:
    file = tmp_path / "ends.txt"
    file.write_bytes(content)
    assert numbered(read_lines(spark, [file], file.parent)) == list(enumerate(expected, start=1))


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_a_packed_file_is_read_like_the_plain_one(
    spark: SparkSession,
    tmp_path: Path,
    small_splits: None,
    ending: str,
    pack: Callable[[bytes], bytes],
) -> None:
    texts = [f"row {n}" for n in range(200)]
    file = tmp_path / f"rows.csv.{ending}"
    file.write_bytes(pack("\n".join(texts).encode()))
    assert numbered(read_lines(spark, [file], file.parent)) == list(enumerate(texts, start=1))
    assert first_line(file) == "row 0"


def test_latin_1_and_utf_8(spark: SparkSession, tmp_path: Path) -> None:
    latin, utf = tmp_path / "latin.txt", tmp_path / "utf.txt"
    latin.write_bytes("Misérables, Les\nÄÖÜß\n".encode("latin-1"))
    utf.write_bytes("Misérables, Les\n日本\n".encode())
    assert [t for _, t in numbered(read_lines(spark, [latin], tmp_path, "iso-8859-1"))] == [
        "Misérables, Les",
        "ÄÖÜß",
    ]
    assert [t for _, t in numbered(read_lines(spark, [utf], tmp_path))] == [
        "Misérables, Les",
        "日本",
    ]


@pytest.mark.parametrize("name", ["käse und brot", "50% [off] #1 {a,b}", "a*b?", "100%20sure"])
def test_folders_of_any_name(spark: SparkSession, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    file = folder / "lines [1].txt"
    file.write_text("here\n")
    row = read_lines(spark, [file], file.parent).first()
    assert (row.source_file, row.source_row, row.raw) == ("lines [1].txt", 1, "here")


def test_several_files_are_numbered_each(
    spark: SparkSession, tmp_path: Path, small_splits: None
) -> None:
    folder = tmp_path / "käse + brot"
    (folder / "inner").mkdir(parents=True)
    texts = {"a.txt": 40, "inner/b 100%.txt": 3, "c.txt.gz": 25}
    for name, count in texts.items():
        content = "".join(f"{name} {n}\n" for n in range(1, count + 1)).encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    rows = read_lines(spark, [folder / name for name in texts], folder).collect()
    found = {(row.source_file, row.source_row): row.raw for row in rows}
    wanted = {(f, n): f"{f} {n}" for f, count in texts.items() for n in range(1, count + 1)}
    assert found == wanted
    assert len(rows) == len(wanted)


def test_windows_1252(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "w.txt"
    file.write_bytes("50 € – “Ä”\n".encode("cp1252"))
    (row,) = read_lines(spark, [file], tmp_path, "windows-1252").collect()
    assert row.raw == "50 € – “Ä”"
