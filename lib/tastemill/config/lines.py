"""Where in a TOML file something stands, so that an error can say so."""

import re
import tomllib
from pathlib import Path


def place_of(origin: str, key: str) -> str:
    """`FILE, line 12` for a key that a file sets; the origin alone where that can't be told."""
    file = Path(origin)
    is_file = file.suffix == ".toml" and file.is_file()
    line = line_of(file.read_text(encoding="utf-8"), key) if is_file else None
    return f"{origin}, line {line}" if line else origin


def line_of(text: str, key: str) -> int | None:
    """The line, from 1, on which a dotted key is set; None where it isn't.

    TOML itself tells: the key is set by the first line up to which the text can be read and holds
    it. A value over several lines can't be read before its end, and counts from where it began.
    """
    lines, begin = text.splitlines(keepends=True), 0
    for end in range(1, len(lines) + 1):
        try:
            values = tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        if _holds(values, key):
            return begin + 1
        begin = end
    return None


def shown(text: str, line: int) -> str:
    """A line of a text with its number."""
    lines = text.splitlines()
    return f"line {line}: {lines[line - 1].strip()}" if 0 < line <= len(lines) else f"line {line}"


def line_named(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line at which reading stopped."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else len(text.splitlines())


def _holds(values: object, key: str) -> bool:
    """Whether a dotted key is there; names of settings may hold dots themselves."""
    if not isinstance(values, dict):
        return False
    return key in values or any(
        key.startswith(f"{name}.") and _holds(inner, key[len(name) + 1 :])
        for name, inner in values.items()
    )
