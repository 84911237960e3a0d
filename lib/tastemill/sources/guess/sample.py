"""The first rows of a file whose form nobody has told: encoding, separator, header, columns."""

import codecs
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from tastemill.errors import DataError
from tastemill.sources.files import FORMATS, ending_of, named, opened

NUM_ROWS = 2_000
HEAD = 4 << 20  # bytes by which an encoding is told
SEPARATORS = ("\t", ",", ";", "|", "::", "^")
Row = tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """A file as far as it was looked at; every value is text, "" where there is none."""

    file: str
    form: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    separator: str = ""
    has_header: bool = True
    is_quoted: bool = False
    encoding: str = "utf-8"
    lists: frozenset[str] = field(default_factory=frozenset)

    def values(self, column: str) -> list[str]:
        """What stands in a column, without what is missing."""
        place = self.columns.index(column)
        return [row[place] for row in self.rows if row[place]]


def look_at(folder: Path, file: Path) -> Sample:
    """The first rows of a file.

    Raises:
        DataError: the file can't be read as what its ending says.
    """
    name, form = file.relative_to(folder).as_posix(), FORMATS[ending_of(file)]
    try:
        if form == "parquet":
            return _parquet(file, name)
        if form in ("json", "jsonl"):
            return _json(file, name, form)
        return _delimited(file, name)
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise DataError(f"{file} can't be read: {error}", fix="put the whole file there") from error


def _parquet(file: Path, name: str) -> Sample:
    reader = pq.ParquetFile(file)
    batch = next(reader.iter_batches(NUM_ROWS), None)
    columns = tuple(reader.schema_arrow.names)
    rows = [tuple(map(_text, row.values())) for row in batch.to_pylist()] if batch else []
    lists = frozenset(f.name for f in reader.schema_arrow if str(f.type).startswith("list"))
    return Sample(name, "parquet", columns, tuple(rows), lists=lists)


def _json(file: Path, name: str, form: str) -> Sample:
    with opened(file) as stream:
        if form == "json":
            found = json.load(stream)
            records = found[:NUM_ROWS] if isinstance(found, list) else [found]
        else:
            records = [json.loads(line) for line in islice(stream, NUM_ROWS) if line.strip()]
    flat = [_flat(record) for record in records if isinstance(record, dict)]
    columns = tuple(dict.fromkeys(key for record in flat for key in record))
    rows = tuple(tuple(_text(record.get(c)) for c in columns) for record in flat)
    lists = {c for c in columns if any(isinstance(record.get(c), list) for record in flat)}
    return Sample(name, form, columns, rows, lists=frozenset(lists))


def _flat(record: dict[str, object], prefix: str = "") -> dict[str, object]:
    """An object whose objects are told by dotted names."""
    found: dict[str, object] = {}
    for key, value in record.items():
        found |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


def _delimited(file: Path, name: str) -> Sample:
    encoding = encoding_of(file)
    with opened(file, encoding) as stream:
        lines = [line.rstrip("\r\n") for line in islice(stream, NUM_ROWS)]
    lines = [line.lstrip("\ufeff") for line in lines if line.strip()]
    if not lines:
        raise ValueError("the file is empty")
    separator = separator_of(lines, file)
    is_quoted = any(part.startswith('"') for line in lines for part in line.split(separator))
    rows = [_cut(line, separator, quoted=is_quoted) for line in lines]
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    rows = [row for row in rows if len(row) == width]
    has_header = looks_like_header(rows)
    columns = named(rows[0] if has_header else [""] * width)
    return Sample(
        name,
        "csv",
        columns,
        tuple(rows[has_header:]),
        separator,
        has_header,
        is_quoted,
        encoding,
    )


def encoding_of(file: Path) -> str:
    """By the first megabytes: utf-16 with its mark, utf-8, else windows-1252, which all may be."""
    with opened(file, "iso-8859-1") as stream:  # a character for every byte
        head = stream.read(HEAD).encode("iso-8859-1")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        # A character may be cut in two at the end of what is read, not at the end of the file.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def separator_of(lines: Sequence[str], file: Path) -> str:
    """What cuts the lines into the same number of columns most often, and into most columns.

    Raises:
        ValueError: nothing does.
    """
    best: tuple[float, int, str] | None = None
    for separator in SEPARATORS:
        widths = Counter(len(_cut(line, separator, quoted=True)) for line in lines)
        width, count = widths.most_common(1)[0]
        score = (round(count / len(lines), 2), width, separator)
        if width > 1 and (best is None or score[:2] > best[:2]):
            best = score
    if best is None:
        raise ValueError(f"no separator among {SEPARATORS} cuts its lines into columns")
    return best[2]


def looks_like_header(rows: Sequence[Row]) -> bool:
    """Whether the first row names columns: words, each once, above something else."""
    first, rest = rows[0], rows[1:]
    # The first may be empty: pandas writes so above the numbers of the rows.
    unnamed = any(not cell for cell in first[1:]) or first == ("",)
    if len(set(first)) < len(first) or unnamed or any(map(is_number, first)):
        return False
    if not rest:
        return True
    below = [[row[n] for row in rest if row[n]] for n in range(len(first))]
    numeric = [bool(cells) and all(map(is_number, cells[:200])) for cells in below]
    return any(numeric) or not any(cell in cells for cell, cells in zip(first, below, strict=True))


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _cut(line: str, separator: str, *, quoted: bool) -> Row:
    if quoted and len(separator) == 1:
        return tuple(cell.strip() for cell in next(csv.reader([line], delimiter=separator), []))
    return tuple(cell.strip() for cell in line.split(separator))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as Spark says it
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return "|".join(map(str, value))
    return "" if value is None else str(value)
