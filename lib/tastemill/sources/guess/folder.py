"""The files of a folder whose form nobody has told, those together that belong together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tastemill.errors import DataError
from tastemill.sources.files import FORMATS, ending_of, is_delta
from tastemill.sources.guess.sample import Sample, look_at

MAX_FILES = 50  # groups, and files of a group, that are looked at
Form = tuple[object, ...]


@dataclass(frozen=True)
class Group:
    """Files that a mapping names by one name: a file, a glob, a folder of parts, a Delta table."""

    name: str
    files: tuple[Path, ...]


def samples_of(folder: Path) -> tuple[list[Sample], list[str]]:
    """What the files of a folder hold, and a line for each that tells nothing.

    Raises:
        DataError: no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", fix="name the folder that holds the files")
    groups, found, unread = _groups(folder), [], []
    for group in groups[:MAX_FILES]:
        step = (len(group.files) - 1) // MAX_FILES + 1
        samples, errors = _look(folder, group.files[::step])
        if len(group.files) > 1 and len({_form(sample) for sample in samples}) == 1:
            fullest = max(samples, key=lambda sample: len(sample.rows))
            is_quoted = any(sample.is_quoted for sample in samples)
            samples = [replace(fullest, file=group.name, is_quoted=is_quoted)]
        found += samples
        unread += errors
    unread += [f"{group.name}: beyond the first {MAX_FILES}" for group in groups[MAX_FILES:]]
    return found, unread


def _groups(folder: Path) -> list[Group]:
    """The files that could hold data; those whose names differ by numbers alone under a glob."""
    units: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        hidden = any(p.startswith(("_", ".")) for p in file.relative_to(folder).parts)
        if not hidden and file.is_file() and ending_of(file) in FORMATS:
            units.setdefault(_unit(file, folder), []).append(file)
    alike: dict[str, list[str]] = {}
    for name, files in units.items():
        plain = len(files) == 1 and not set(name) & set("*?[]")
        alike.setdefault(re.sub(r"\d+", "*", name) if plain else name, []).append(name)
    groups = []
    for glob, names in alike.items():
        there = {file.relative_to(folder).as_posix() for file in folder.glob(glob)}
        if len(names) > 1 and there == set(names):
            groups.append(Group(glob, tuple(file for name in names for file in units[name])))
        else:
            groups += [Group(name, tuple(units[name])) for name in names]
    return groups


def _unit(file: Path, folder: Path) -> str:
    """The name of the table or of the folder of parts that a file is a part of; else its own."""
    above = file.relative_to(folder).parents
    table = next((p for p in above if p != Path() and is_delta(folder / p)), None)
    if table is None and file.name.startswith("part-") and file.parent != folder:
        table = above[0]
    return (table or file.relative_to(folder)).as_posix()


def _look(folder: Path, files: Sequence[Path]) -> tuple[list[Sample], list[str]]:
    found, unread = [], []
    for file in files:
        try:
            found.append(look_at(folder, file))
        except DataError as error:
            reason = str(error).splitlines()[0].removeprefix(f"{file} can't be read: ")
            unread.append(f"{file.relative_to(folder)}: {reason}")
    return found, unread


def _form(sample: Sample) -> Form:
    form = (sample.form, sample.separator, sample.encoding, sample.has_header)
    return (*form, sample.columns)
