"""What Spark and the file system say, in the words of a message for people."""

import re
from dataclasses import dataclass

from tastemill.errors import DataError, SetupError, TastemillError


@dataclass(frozen=True)
class _Known:
    """Marks in a foreign error's text, and what they mean."""

    marks: tuple[str, ...]
    kind: type[TastemillError]
    message: str
    fix: str


KNOWN = (
    _Known(
        ("No space left on device", "Disk quota exceeded"),
        SetupError,
        "the disk is full",
        "free space and run again: what was there before is as it was",
    ),
    _Known(
        (
            "Permission denied",
            "Mkdirs failed",
            "mkdirs failed",
            "Not a directory",
            "Read-only file",
            "CANNOT_CREATE_LOG_PATH",
        ),
        SetupError,
        "a folder can't be written",
        "check that the path is a folder and that you may write there, or name another",
    ),
    _Known(
        (
            "is not a Parquet file",
            "could not verify page integrity",
            "FAILED_READ_FILE",
            "not in gzip format",
            "incorrect header check",
            "Unexpected end of input stream",
            "Unexpected end of ZLIB",
            "invalid stored block lengths",
            "invalid distance too far back",
            "invalid block type",
            "incorrect data check",
            "ChecksumException",
        ),
        DataError,
        "a file is damaged",
        "put the whole file there; a table's file: read an older version, or make the table again",
    ),
)


def explained(error: Exception) -> TastemillError:
    """The error as one of ours; one of no known kind is raised again."""
    if isinstance(error, TastemillError):
        return error
    text = f"{error}\n{getattr(error, '_stackTrace', None) or ''}"
    for known in KNOWN:
        if any(mark in text for mark in known.marks):
            return known.kind(known.message, found=_cause(text), fix=known.fix)
    raise error


def _cause(text: str) -> str:
    """The innermost cause's line, and the file that the text names."""
    causes = re.findall(r"^\s*Caused by: [\w.$]+: (.+)$", text, re.MULTILINE)
    cause = causes[-1] if causes else text.strip().splitlines()[0]
    files = re.findall(r"file:/[^\s,;]+", text)
    named = f" ({files[0].rstrip('.')})" if files and files[0] not in cause else ""
    return cause.strip()[:300] + named
