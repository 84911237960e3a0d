"""The draft of a mapping as TOML: the files of a folder looked at together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tastemill.errors import DataError, UsageError
from tastemill.sources.guess.folder import samples_of
from tastemill.sources.guess.parts import (
    UNSURE,
    ZONE,
    Draft,
    add,
    as_comment,
    form_lines,
    form_of,
)
from tastemill.sources.guess.roles import roles_of
from tastemill.sources.guess.structure import roles_by_structure


def draft_of(folder: Path) -> str:
    """A commented mapping for the files of a folder.

    Raises:
        DataError: no such folder, or no file of it holds events.
    """
    samples, unread = samples_of(folder)
    draft = Draft(unread=unread)
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


def _common(forms: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What several files have in common, to be said once; one file says it itself."""
    if len(forms) < 2:
        return {}
    return {k: v for k, v in forms[0].items() if all(form.get(k) == v for form in forms)}


def _whole(folder: Path, draft: Draft) -> Iterable[str]:
    yield f"# A draft for {as_comment(folder.name)}: lines with `# ?` are guesses to look at."
    yield "# Look what it makes of the files:  tastemill datasets check THIS.toml --data FOLDER"
    yield "# Then:                             tastemill run --dataset THIS.toml --data FOLDER"
    dataset = []
    if draft.stars:
        least = _liked_from(draft.stars)
        dataset.append('task = "rating"')
        dataset.append(f"positive_min = {least:g}  # ? the smallest rating that says: liked")
    if draft.repeats:
        dataset.append("exclude_seen = false  # ? the same is taken again and again here")
    if not all(draft.timed):
        dataset.append("allow_missing_time = true")
    if dataset:
        yield from ("", "[dataset]", *dataset)
    if not any(draft.timed):
        yield ""
        yield "# Without times there is no newest part to judge by."
        yield "[split]"
        yield 'by = "k_fold"'
        yield ""
        yield "[run]"
        yield "as_of = 2000-01-01T00:00:00Z  # any day: no event has one"
    common = [*form_lines(draft.form), *[ZONE] * draft.is_local]
    if common:
        yield from ("", "[source]", *common)
    for lines in (draft.events, draft.items, draft.users, draft.relations):
        yield from lines
    if draft.unread:
        yield ""
        yield "# Left out: what these files tell isn't clear."
        yield from (f"#   {as_comment(line)}" for line in draft.unread)


def _liked_from(stars: Sequence[float]) -> float:
    """Three fifths of the way up, as 3 of 5 stars are."""
    return round(max(stars) * 0.6 * 2) / 2
