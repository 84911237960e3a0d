"""Files of every form as rows: columns by name, and what is wrong with a row's form."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tastemill.errors import DataError, UsageError
from tastemill.sources.files import input_files, parts_of
from tastemill.sources.fingerprint import fingerprints
from tastemill.sources.mapping import EventsFiles, SourceConfig
from tastemill.sources.parsing import parse

IDS: dict[str, Any] = {"user_id": "u", "item_id": "i", "type": "view"}


def parsed(spark: SparkSession, file: Path, **mapping: Any) -> DataFrame:
    files = EventsFiles(**{"file": file.name, **IDS, **mapping})
    (part,) = parts_of(file.parent, [files])
    ((frame, _),) = parse(spark, part)
    return frame


def rows_of(frame: DataFrame) -> list[tuple[Any, ...]]:
    """(line, reason, columns) in the order of the file."""
    rows = frame.orderBy("source_row").collect()
    return [(r.source_row, r.reason, tuple(r.row) if r.row else None) for r in rows]


UNEVEN = ("wrong_number_of_fields", None)


def test_columns_without_a_header(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "a.dat"
    file.write_text("\ufeff1::Heat (1995)::Action|Crime\n 2 ::  ::\n3::x\n\n4::a::b::c\n")
    frame = parsed(spark, file, separator="::", quote="", header=False, columns=["u", "i", "x"])
    assert rows_of(frame) == [
        (1, None, ("1", "Heat (1995)", "Action|Crime")),
        (2, None, (" 2 ", "  ", "")),
        (3, *UNEVEN),
        (4, *UNEVEN),
        (5, *UNEVEN),
    ]


@pytest.mark.parametrize("separator", ["|", "\t", ".", "||", "^", "a+", "\\"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_separators_are_taken_literally(
    spark: SparkSession, tmp_path: Path, separator: str, quote: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"u{separator}i{separator}x\n1{separator}2{separator}3\n123\n")
    frame = parsed(spark, file, separator=separator, quote=quote)
    assert rows_of(frame) == [(2, None, ("1", "2", "3")), (3, *UNEVEN)]


def test_quotes(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    lines = ['1,x,"Brot, ""dunkel"""', "2,x", "3,x,y,z", '4,"open,5', '5,6,12" rod', '"6",7,"a"']
    file.write_text("\ufeffu,i,name\n" + "\n".join(lines) + "\n")
    assert rows_of(parsed(spark, file)) == [
        (2, None, ("1", "x", 'Brot, "dunkel"')),
        (3, *UNEVEN),
        (4, *UNEVEN),
        (5, "quote_not_closed", None),
        (6, None, ("5", "6", '12" rod')),
        (7, None, ("6", "7", "a")),
    ]


def test_line_breaks_within_quotes(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text('u,i,said\n1,2,"one\ntwo"\n3,4,short\n5,6\n')
    rows = rows_of(parsed(spark, file, multiline=True))
    assert rows[0] == (2, None, ("1", "2", "one\ntwo"))
    assert rows[1] == (3, None, ("3", "4", "short"))
    assert rows[2] == (4, *UNEVEN)


def test_latin_1_read_as_utf_8_is_told_and_kept(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "l.csv"
    file.write_bytes("u,i\nAnaïs,2\nAda,2\n".encode("latin-1"))
    (bad, good) = parsed(spark, file).orderBy("source_row").collect()
    assert (bad.source_row, bad.reason, bad.raw) == (2, "not_utf8", "Ana\ufffds,2")
    assert (good.reason, good.row.u) == (None, "Ada")
    (read, _) = parsed(spark, file, encoding="latin-1").orderBy("source_row").collect()
    assert (read.reason, read.row.u) == (None, "Anaïs")


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-1", "ascii"])
def test_line_breaks_within_quotes_in_other_encodings(
    spark: SparkSession, tmp_path: Path, encoding: str
) -> None:
    said = {"windows-1252": "“50 €”\nin Ulm", "iso-8859-1": "süß\nin Ulm", "ascii": "a\nb"}[
        encoding
    ]
    file = tmp_path / "m.csv"
    file.write_bytes(f'u,i,said\n1,2,"{said}"\n5,6\n'.encode(encoding))
    frame = parsed(spark, file, multiline=True, encoding=encoding)
    assert rows_of(frame) == [(2, None, ("1", "2", said)), (3, *UNEVEN)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_text_of_a_spreadsheet(spark: SparkSession, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "w.tsv"
    mark = "" if encoding == "utf-16" else "\ufeff"
    file.write_bytes(f"{mark}u\ti\tx\r\nAnaïs\t日本\t1\r\n2\t3\r\n".encode(encoding))
    assert rows_of(parsed(spark, file, encoding="UTF-16")) == [
        (2, None, ("Anaïs", "日本", "1")),
        (3, *UNEVEN),
    ]


@pytest.mark.parametrize("form", ["delta", "parquet"])
def test_a_table_with_columns_of_our_own_names(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    rows = [("a", "x", "theirs", 7, "raw")]
    frame = spark.createDataFrame(
        rows, "u string, i string, source_file string, row int, raw string"
    )
    frame.write.format(form).save(str(tmp_path / "t"))
    (found,) = parsed(spark, tmp_path / "t", format=form).collect()
    assert found.source_file.startswith("t/part-")
    assert (found.source_row, found.row.source_file, found.row.row) == (1, "theirs", 7)


def test_json_lines_of_two_bytes_a_letter_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "w.jsonl"
    file.write_text('{"u": 1, "i": 2}\n', encoding="utf-16")
    with pytest.raises(DataError, match="utf-16"):
        parsed(spark, file, encoding="utf-16")


def test_json_lines(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "j.jsonl"
    file.write_text('{"u": 1, "i": {"id": "x"}, "more": [1]}\n\n{"u": 2}\nnot json\n[1]\n')
    frame = parsed(spark, file, item_id="i.id")
    assert rows_of(frame) == [
        (1, None, ("1", "x")),
        (3, None, ("2", None)),
        (4, "not_json", None),
        (5, "not_json", None),
    ]


def test_a_json_document(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text(json.dumps([{"u": "1", "i": "x"}, {"u": "2", "i": "y"}], indent=2))
    assert rows_of(parsed(spark, file)) == [(1, None, ("1", "x")), (2, None, ("2", "y"))]


@pytest.mark.parametrize("form", ["parquet", "delta"])
def test_typed_tables(spark: SparkSession, tmp_path: Path, form: str) -> None:
    at = datetime(2020, 1, 1)
    rows = [(17850.0, 7, at, ["a"]), (0.5, 8, None, None)]
    frame = spark.createDataFrame(rows, "u double, i long, t timestamp, c array<string>")
    frame.coalesce(1).write.format(form).save(str(tmp_path / "table"))
    found = parsed(spark, tmp_path / "table", format=form).orderBy("source_row").collect()
    assert [r.source_row for r in found] == [1, 2]
    assert [tuple(r.row) for r in found] == rows
    assert json.loads(found[0].raw)["i"] == 7


def test_files_of_other_columns_are_read_by_their_names(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "x1.csv").write_text("u,i\n1,2\n")
    (tmp_path / "x2.csv").write_text("more,i,u\nz,4,3\n")
    (part,) = parts_of(tmp_path, [EventsFiles(file="x*.csv", **IDS)])
    found = [row.row for frame, _ in parse(spark, part) for row in frame.collect()]
    assert {(row.u, row.i) for row in found} == {("1", "2"), ("3", "4")}


def test_errors_name_what_is_wrong(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "h.csv"
    file.write_text("user_id,title\n1,x\n")
    with pytest.raises(DataError, match=r"h\.csv: no column userid, i") as caught:
        parsed(spark, file, user_id="userid")
    assert "found: user_id, title\n" in str(caught.value)
    assert "did you mean user_id?" in str(caught.value)
    file.write_text("u,i,u\n1,2,3\n")
    with pytest.raises(DataError, match="names a column twice"):
        parsed(spark, file)
    (tmp_path / "e.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"e\.csv is empty"):
        parsed(spark, tmp_path / "e.csv")
    with pytest.raises(DataError, match=r"e\.csv is empty"):
        fingerprints({"e.csv": tmp_path / "e.csv"})
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"u,i\n" * 5_000)[:20])
    with pytest.raises(DataError, match=r"c\.csv\.gz can't be read"):
        parsed(spark, tmp_path / "c.csv.gz")
    (tmp_path / "x.log").write_text("u,i\n")
    with pytest.raises(UsageError, match="its ending doesn't say what it is"):
        parsed(spark, tmp_path / "x.log")


def test_which_files_are_meant(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv.gz", "part/x.csv", "part/_SUCCESS", "part/.x.crc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("u,i\n")

    def names(*events: dict[str, Any]) -> list[str]:
        parts = tuple(EventsFiles(**IDS, **event) for event in events)
        return sorted(input_files(tmp_path, SourceConfig(events=parts)))

    assert names({"file": "a.csv"}, {"file": "none.csv", "optional": True}) == ["a.csv"]
    assert names({"file": ["part", "*.csv.gz"]}) == ["b.csv.gz", "part/x.csv"]
    choice = [{"file": f, "one_of": "x"} for f in ("none.csv", "b.csv.gz", "a.csv")]
    assert names(*choice) == ["b.csv.gz"]
    with pytest.raises(DataError, match=r"none\.csv missing") as caught:
        names({"file": "none.csv"})
    assert "found: a.csv, b.csv.gz, part" in str(caught.value)
    with pytest.raises(DataError, match=r"n1 or n2 missing"):
        names({"file": "n1", "one_of": "x"}, {"file": "n2", "one_of": "x"})
    with pytest.raises(DataError, match="no such folder"):
        parts_of(tmp_path / "nowhere", [EventsFiles(file="a.csv", **IDS)])
