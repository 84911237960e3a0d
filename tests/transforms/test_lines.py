"""Raw lines: where each stood in its file, whatever the splits, and how columns are read off it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.errors import DataError
from tastemill.sources.fingerprint import fingerprints
from tastemill.sources.lines import first_line, parse_csv, parse_delimited, read_lines, require

LINES = "source_file string, source_row bigint, raw string"
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


def raw_lines(spark: SparkSession, *texts: str) -> DataFrame:
    rows = [("file", n, text) for n, text in enumerate(texts, start=1)]
    return spark.createDataFrame(rows, LINES)


def test_lines_are_numbered_across_splits(
    spark: SparkSession, tmp_path: Path, small_splits: None
) -> None:
    texts = ["", "", *[f"line {n}" if n % 5 else "" for n in range(300)], "x" * 450, "", "end"]
    file = tmp_path / "many.txt"
    file.write_text("\n".join(texts) + "\n")
    lines = read_lines(spark, file)
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
    assert numbered(read_lines(spark, file)) == list(enumerate(expected, start=1))


def test_gzip_is_read_like_the_plain_file(
    spark: SparkSession, tmp_path: Path, small_splits: None
) -> None:
    texts = [f"row {n}" for n in range(200)]
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(gzip.compress("\n".join(texts).encode()))
    assert numbered(read_lines(spark, file)) == list(enumerate(texts, start=1))
    assert first_line(file) == "row 0"


def test_latin_1_and_utf_8(spark: SparkSession, tmp_path: Path) -> None:
    latin, utf = tmp_path / "latin.txt", tmp_path / "utf.txt"
    latin.write_bytes("Misérables, Les\nÄÖÜß\n".encode("latin-1"))
    utf.write_bytes("Misérables, Les\n日本\n".encode())
    assert [t for _, t in numbered(read_lines(spark, latin, "ISO-8859-1"))] == [
        "Misérables, Les",
        "ÄÖÜß",
    ]
    assert [t for _, t in numbered(read_lines(spark, utf))] == ["Misérables, Les", "日本"]


@pytest.mark.parametrize("name", ["käse und brot", "50% [off] #1 {a,b}", "a*b?", "100%20sure"])
def test_folders_of_any_name(spark: SparkSession, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    file = folder / "lines [1].txt"
    file.write_text("here\n")
    row = read_lines(spark, file).first()
    assert (row.source_file, row.source_row, row.raw) == ("lines [1].txt", 1, "here")


def test_delimited_fields(spark: SparkSession) -> None:
    lines = raw_lines(spark, "1::Heat (1995)::Action|Crime", " 2 ::  ::", "3::x", "", "4::a::b::c")
    parsed = parse_delimited(lines, "::", ("id", "title", "genres")).orderBy("source_row")
    rows = [(r.source_row, r.id, r.title, r.genres, r.reason) for r in parsed.collect()]
    bad = (None, None, None, "wrong_number_of_fields")
    assert rows == [
        (1, "1", "Heat (1995)", "Action|Crime", None),
        (2, "2", None, None, None),
        (3, *bad),
        (4, *bad),
        (5, *bad),
    ]


@pytest.mark.parametrize("separator", ["|", "\t", ".", "||", "^", "a+", "\\"])
def test_separators_are_taken_literally(spark: SparkSession, separator: str) -> None:
    lines = raw_lines(spark, separator.join(("1", "2", "")), "123")
    parsed = parse_delimited(lines, separator, ("x", "y", "z")).orderBy("source_row")
    rows = [(r.x, r.y, r.z, r.reason) for r in parsed.collect()]
    assert rows == [("1", "2", None, None), (None, None, None, "wrong_number_of_fields")]


def test_csv_with_quotes(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    file.write_text(
        '\ufeffid,unused,name\n1,x,"Brot, ""dunkel"""\n2,x\n3,x,y,z\n4,, \n"5",NA,plain\n6,x,id\n'
    )
    parsed = parse_csv(read_lines(spark, file), file, ("name", "id")).orderBy("source_row")
    assert parsed.columns == ["source_file", "source_row", "raw", "name", "id", "reason"]
    rows = {r.source_row: (r.id, r.name, r.reason) for r in parsed.collect()}
    assert rows[2] == ("1", 'Brot, "dunkel"', None)
    assert rows[5] == ("4", None, None)
    assert rows[6] == ("5", "plain", None)
    assert rows[7] == ("6", "id", None)
    assert {rows[n][2] for n in (3, 4)} == {"wrong_number_of_fields"}
    assert set(rows) == {2, 3, 4, 5, 6, 7}


def test_a_blank_csv_line_is_not_lost(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "b.csv"
    file.write_text("id,name\n\n1,a\n")
    rows = parse_csv(read_lines(spark, file), file, ("id", "name")).orderBy("source_row").collect()
    assert [(r.source_row, r.raw, r.id) for r in rows] == [(2, "", None), (3, "1,a", "1")]


def test_errors_name_what_is_wrong(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "h.csv"
    file.write_text("id,title\n1,x\n")
    with pytest.raises(DataError, match=r"h\.csv: no column price, brand") as caught:
        parse_csv(read_lines(spark, file), file, ("id", "price", "brand"))
    assert "found: id, title" in str(caught.value)
    empty, cut_off = tmp_path / "empty.csv", tmp_path / "cut.csv.gz"
    empty.write_bytes(b"")
    cut_off.write_bytes(gzip.compress(b"id,name\n" * 5_000)[:20])
    with pytest.raises(DataError, match=r"empty\.csv is empty"):
        first_line(empty)
    with pytest.raises(DataError, match=r"empty\.csv is empty"):
        fingerprints([file, empty])
    with pytest.raises(DataError, match=r"cut\.csv\.gz can't be read"):
        first_line(cut_off)
    with pytest.raises(DataError, match=r"nowhere\.csv can't be read"):
        first_line(tmp_path / "nowhere.csv")


def test_missing_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert require(tmp_path, ("a",)) == [tmp_path / "a"]
    with pytest.raises(DataError, match="b, c missing") as caught:
        require(tmp_path, ("a", "b", "c"))
    assert "found: a" in str(caught.value)
    with pytest.raises(DataError, match="no such folder"):
        require(tmp_path / "nowhere", ("a",))
