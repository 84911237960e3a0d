"""Which files of a data folder a mapping names, and what their endings say of them."""

import bz2
import csv
import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

from tastemill.errors import DataError, UsageError
from tastemill.sources.mapping import Files, SourceConfig

PACKED = {".gz": gzip.open, ".bz2": bz2.open}
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".data": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
P = TypeVar("P", bound=Files)


@dataclass(frozen=True)
class Part(Generic[P]):
    """A part of a mapping with the files that it names, in order."""

    mapping: P
    folder: Path
    files: tuple[Path, ...]

    @property
    def format(self) -> str:
        """csv, json, jsonl, parquet or delta."""
        if self.mapping.format:
            return self.mapping.format
        first = self.files[0]
        if is_delta(first):
            return "delta"
        ending = ending_of(first)
        if ending not in FORMATS:
            raise UsageError(
                f"{first}: its ending doesn't say what it is",
                expected=", ".join(FORMATS),
                found=ending or "none",
                fix='say it in the mapping: format = "csv"',
            )
        return FORMATS[ending]

    @property
    def separator(self) -> str:
        """What stands between the columns of a text file."""
        if self.mapping.separator:
            return self.mapping.separator
        ending = ending_of(self.files[0])
        if ending not in SEPARATORS:
            raise UsageError(
                f"{self.files[0]}: its ending doesn't say what stands between its columns",
                expected=" or ".join(SEPARATORS),
                found=ending or "none",
                fix='say it in the mapping: separator = "\\t"',
            )
        return SEPARATORS[ending]

    def name_of(self, file: Path) -> str:
        """A file's name within the data folder."""
        return file.relative_to(self.folder).as_posix()


def parts_of(folder: Path, parts: Sequence[P]) -> list[Part[P]]:
    """The parts of a mapping whose files are there.

    Raises:
        DataError: files are missing that are not optional.
    """
    found: list[Part[P]] = []
    settled: set[str] = set()
    for part in parts:
        if part.one_of in settled:
            continue
        files = _named(folder, part.file)
        if files:
            found.append(Part(part, folder, tuple(files)))
            settled |= {part.one_of} - {""}
        elif not part.optional and not part.one_of:
            raise _missing(folder, part.file)
    for choice in sorted({part.one_of for part in parts} - {""} - settled):
        chosen = [part for part in parts if part.one_of == choice]
        if not any(part.optional for part in chosen):
            raise _missing(folder, [name for part in chosen for name in part.file], " or ")
    return found


def input_files(folder: Path, source: SourceConfig) -> dict[str, Path]:
    """Every file that decides what is read, by its name within the folder."""
    kinds: tuple[Sequence[Files], ...] = (
        source.events,
        source.users,
        source.items,
        source.relations,
    )
    files = [f for parts in kinds for part in parts_of(folder, parts) for f in part.files]
    return {f.relative_to(folder).as_posix(): f for file in files for f in _content(file)}


def header_of(part: Part[P], file: Path) -> tuple[str, ...]:
    """The columns of a text file, by its first line or by the mapping.

    Raises:
        DataError: the file is empty or can't be read, or a column stands in it twice.
    """
    if not part.mapping.header:
        return part.mapping.columns
    line, quote = first_line(file, part.mapping.encoding), part.mapping.quote
    if quote and len(part.separator) == 1:
        cells = next(csv.reader([line], delimiter=part.separator, quotechar=quote), [])
    else:
        cells = [cell.strip(quote or " ") for cell in line.split(part.separator)]
    names = named([cell.strip() for cell in cells])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{file}: line 1 names a column twice",
            expected="each column once",
            found=", ".join(twice),
            fix="give the columns other names in the file",
        )
    return names


def named(names: Sequence[str]) -> tuple[str, ...]:
    """The names of a header, with one for each column that has none."""
    return tuple(name or f"column_{n}" for n, name in enumerate(names, start=1))


def first_line(file: Path, encoding: str = "utf-8") -> str:
    """The first line of a text file, plain or packed, without a byte-order mark."""
    try:
        with opened(file, encoding) as stream:
            line = stream.readline().rstrip("\r\n")
    except (OSError, EOFError) as error:
        raise DataError(f"{file} can't be read: {error}", fix="put the whole file there") from error
    if not line.strip():
        raise DataError(f"{file} is empty", fix="put the whole file there")
    return line.lstrip("\ufeff")


def opened(file: Path, encoding: str = "utf-8") -> IO[str]:
    """A text file, plain or packed, open for reading; what isn't of the encoding is marked."""
    unpack = PACKED.get(file.suffix)
    if unpack is None:
        return file.open(encoding=encoding, errors="replace")
    stream: IO[str] = unpack(file, "rt", encoding=encoding, errors="replace")  # type: ignore[operator] # gzip's and bz2's differ in nothing that is used here
    return stream


def ending_of(file: Path) -> str:
    """The ending that says what a file is: .csv of ratings.csv.gz."""
    name = file.with_suffix("") if file.suffix in PACKED else file
    return name.suffix.lower()


def is_delta(file: Path) -> bool:
    """Whether a folder is a Delta table."""
    return (file / "_delta_log").is_dir()


def _named(folder: Path, names: Iterable[str]) -> list[Path]:
    """What the names, globs and folders of a mapping stand for, in order and once each."""
    found: dict[Path, None] = {}
    for name in names:
        plain = folder / name
        hits = [plain] if plain.exists() else sorted(folder.glob(name))
        for hit in hits:
            inside = sorted(hit.rglob("*")) if hit.is_dir() and not is_delta(hit) else [hit]
            files = [f for f in inside if not _is_hidden(f, folder)]
            found |= dict.fromkeys(f for f in files if f.is_file() or is_delta(f))
    return list(found)


def _is_hidden(file: Path, folder: Path) -> bool:
    """Markers and checksums that Spark and others leave beside data."""
    return any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def _content(file: Path) -> list[Path]:
    """The files by whose bytes an input is known: of a Delta table its newest commit."""
    return [max((file / "_delta_log").glob("*.json"))] if is_delta(file) else [file]


def _missing(folder: Path, names: Iterable[str], between: str = ", ") -> DataError:
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    return DataError(
        f"{folder}: {between.join(names)} missing",
        expected="the files that the mapping names",
        found=", ".join(there[:12]) or ("nothing" if folder.is_dir() else "no such folder"),
        fix="name the folder that holds the data with --data",
    )
