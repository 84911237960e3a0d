"""The draft of a mapping as TOML: the files of a folder looked at together."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tastemill.errors import DataError, UsageError
from tastemill.sources.files import FORMATS, ending_of, is_delta
from tastemill.sources.guess.parts import UNSURE, Draft, add, form_lines, form_of
from tastemill.sources.guess.roles import roles_of
from tastemill.sources.guess.sample import Sample, look_at
from tastemill.sources.guess.structure import roles_by_structure

MAX_FILES = 50


def draft_of(folder: Path) -> str:
    """A commented mapping for the files of a folder.

    Raises:
        DataError: no such folder, or no file of it holds events.
    """
    draft, samples = Draft(), []
    for file in _candidates(folder):
        try:
            samples.append(look_at(folder, file))
        except DataError as error:
            reason = str(error).splitlines()[0].removeprefix(f"{file} can't be read: ")
            draft.unread.append(f"{file.relative_to(folder)}: {reason}")
    samples = _together(folder, samples)
    roles = [roles_of(sample) for sample in samples]
    if not any(r.of("user_id") and r.of("item_id") for r in roles):
        roles = roles_by_structure(samples, roles)
    draft.form = _common([form_of(s) for s, r in zip(samples, roles, strict=True) if r.columns])
    for sample, found in zip(samples, roles, strict=True):
        add(draft, sample, found)
    if not draft.events:
        raise DataError(
            f"{folder}: no file looks like a log of events",
            expected="a file with a column for the user and one for the item",
            found="; ".join(draft.unread[:12]) or "no file of a known form",
            fix="write the mapping by hand: conf/README.md lists its keys",
        )
    return "\n".join(_whole(folder, draft)) + "\n"


def write_draft(folder: Path, out: Path) -> tuple[Path, list[str]]:
    """Write the draft for a folder; also return the lines that are guesses, with their numbers.

    Raises:
        UsageError: the file is there already.
    """
    text = draft_of(folder)
    if out.exists():
        raise UsageError(f"{out} is there already", fix="name another file with --out")
    out.write_text(text, encoding="utf-8")
    lines = enumerate(text.splitlines()[1:], start=2)
    return out, [f"{number}: {line}" for number, line in lines if UNSURE.strip() in line]


def _candidates(folder: Path) -> list[Path]:
    """The files that could hold data; of a folder of parts, the first part."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", fix="name the folder that holds the files")
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        hidden = any(p.startswith(("_", ".")) for p in file.relative_to(folder).parts)
        if hidden or not file.is_file() or ending_of(file) not in FORMATS:
            continue
        parent = file.parent
        if parent != folder and (is_delta(parent) or file.name.startswith("part-")):
            found.setdefault(str(parent), file)
        else:
            found[str(file)] = file
    return list(found.values())[:MAX_FILES]


def _together(folder: Path, samples: Sequence[Sample]) -> list[Sample]:
    """Files of the same form whose names differ by a number alone as one, under a glob."""
    alike: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        glob = re.sub(r"\d+", "*", sample.file)
        form = (sample.form, sample.separator, sample.encoding, str(sample.has_header))
        alike.setdefault((glob, *form, *sample.columns), []).append(sample)
    found = []
    for (glob, *_), group in alike.items():
        there = {file.relative_to(folder).as_posix() for file in folder.glob(glob)}
        if len(group) > 1 and there == {sample.file for sample in group}:
            is_quoted = any(sample.is_quoted for sample in group)
            found.append(replace(group[0], file=glob, is_quoted=is_quoted))
        else:
            found += group
    return found


def _common(forms: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What several files have in common, to be said once; one file says it itself."""
    if len(forms) < 2:
        return {}
    return {k: v for k, v in forms[0].items() if all(form.get(k) == v for form in forms)}


def _whole(folder: Path, draft: Draft) -> Iterable[str]:
    yield f"# A draft for {folder.name}: lines that end in `# ?` are guesses to look at."
    yield "# Look what it makes of the files:  tastemill datasets check THIS.toml --data FOLDER"
    yield "# Then:                             tastemill run --dataset THIS.toml --data FOLDER"
    dataset = []
    if draft.stars:
        least = _liked_from(draft.stars)
        dataset.append('task = "rating"')
        dataset.append(f"positive_min = {least:g}  # ? the smallest rating that says: liked")
    if draft.repeats:
        dataset.append("exclude_seen = false  # ? the same is taken again and again here")
    if not draft.has_times:
        dataset.append("allow_missing_time = true")
    if dataset:
        yield from ("", "[dataset]", *dataset)
    if not draft.has_times:
        yield ""
        yield "# Without times there is no newest part to judge by."
        yield "[split]"
        yield 'by = "k_fold"'
        yield ""
        yield "[run]"
        yield "as_of = 2000-01-01T00:00:00Z  # any day: no event has one"
    if draft.form:
        yield from ("", "[source]", *form_lines(draft.form))
    for lines in (draft.events, draft.items, draft.users, draft.relations):
        yield from lines
    if draft.unread:
        yield ""
        yield "# Left out: what these files tell isn't clear."
        yield from (f"#   {line}" for line in draft.unread)


def _liked_from(stars: Sequence[float]) -> float:
    """Three fifths of the way up, as 3 of 5 stars are."""
    return round(max(stars) * 0.6 * 2) / 2
