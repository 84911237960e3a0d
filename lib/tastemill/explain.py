"""What Spark and the file system say, in the words of a message for people."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tastemill.errors import DataError, SetupError, TastemillError
from tastemill.java import LEAST
from tastemill.logs import log_file


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


NO_START = (
    _Known(
        ("unresolved dependency", "UNRESOLVED DEPENDENCIES", "Server access error"),
        SetupError,
        "Delta's JARs could not be fetched",
        "try again with a network, or put {jars} into a folder and set TASTEMILL_JARS to it",
    ),
    _Known(
        ("UnsupportedClassVersionError",),
        SetupError,
        f"Java is older than {LEAST}",
        f"install a Java {LEAST} runtime and put it first on the PATH, or name it by JAVA_HOME",
    ),
    _Known(
        ("Could not reserve enough space", "insufficient memory", "Cannot allocate memory"),
        SetupError,
        "there is too little memory for Spark's JVM",
        "end other programs, or lower spark.driver.memory under [session.conf]",
    ),
)


def explained(error: Exception) -> TastemillError:
    """The error as one of ours; one of no known kind is raised again."""
    if isinstance(error, TastemillError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return SetupError(str(error), fix="tastemill doctor says what is missing")
    text = f"{error}\n{getattr(error, '_stackTrace', None) or ''}"
    for known in KNOWN:
        if any(mark in text for mark in known.marks):
            return known.kind(known.message, found=_cause(text), fix=known.fix)
    raise error


def no_start(error: Exception, jars: Sequence[str]) -> TastemillError:
    """Why Spark did not start, by what the JVM has told the log; the JARs are Delta's."""
    log = log_file()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log else []
    lines = [line.strip() for line in (*lines, *str(error).splitlines()) if line.strip()]
    for known in NO_START:
        named = [line for line in lines if any(mark in line for mark in known.marks)]
        if named:
            fix = known.fix.format(jars=" and ".join(jars))
            return known.kind(known.message, found=named[0][:300], fix=fix)
    return SetupError(
        "Spark did not start", found=lines[-1][:300], fix="tastemill doctor says what is missing"
    )


def _cause(text: str) -> str:
    """The innermost cause's line, and the file that the text names."""
    causes = re.findall(r"^\s*Caused by: [\w.$]+: (.+)$", text, re.MULTILINE)
    cause = causes[-1] if causes else text.strip().splitlines()[0]
    files = re.findall(r"file:/[^\s,;]+", text)
    named = f" ({files[0].rstrip('.')})" if files and files[0] not in cause else ""
    return cause.strip()[:300] + named
