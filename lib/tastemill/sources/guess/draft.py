"""The draft of a mapping as TOML, with what it is unsure of marked `# ?`."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tastemill.errors import DataError, UsageError
from tastemill.sources.files import FORMATS, ending_of, is_delta
from tastemill.sources.guess.roles import KNOWN_TYPES, Roles, roles_of, separator_within
from tastemill.sources.guess.sample import Sample, is_number, look_at

UNSURE = "  # ?"
BY_FREQUENCY = ("view", "cart", "purchase")
VALUES = {"stars": "rating", "amount": "purchase", "plays": "listen", "share": "watch"}
MAX_FILES = 50
HTML = ("&amp;", "&quot;", "&#39;", "&lt;", "&nbsp;", "&#")


@dataclass
class Draft:
    """The lines of the file, and what stands at its head."""

    events: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    stars: list[float] = field(default_factory=list)
    has_times: bool = True
    repeats: bool = False


def draft_of(folder: Path) -> str:
    """A commented mapping for the files of a folder.

    Raises:
        DataError: no such folder, or no file of it holds events.
    """
    draft = Draft()
    for file in _candidates(folder):
        try:
            sample = look_at(folder, file)
        except DataError as error:
            reason = str(error).splitlines()[0].removeprefix(f"{file} can't be read: ")
            draft.unread.append(f"{file.relative_to(folder)}: {reason}")
            continue
        _add(draft, sample, roles_of(sample))
    if not draft.events:
        raise DataError(
            f"{folder}: no file looks like a log of events",
            expected="a file with a column for the user and one for the item",
            found=", ".join(f.name for f in _candidates(folder)[:12]) or "no file of a known form",
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


def _add(draft: Draft, sample: Sample, roles: Roles) -> None:
    """Say what a sample is, by the roles that its columns have."""
    user, item, other = (roles.of(role) for role in ("user_id", "item_id", "other_id"))
    if user and item:
        draft.events += _events(draft, sample, roles)
        if roles.of("title"):
            draft.items += _items(sample, roles, with_time=roles.of("time"))
    elif user and other:
        draft.relations += [
            *_head("relations", sample),
            _is("user_id", user),
            _is("other_id", other),
        ]
        draft.relations.append(_is("kind", "friend", sure=False))
    elif item and len(sample.columns) > 1 and not _repeats(sample, item):
        draft.items += _items(sample, roles)
    elif user and len(sample.columns) > 1 and not _repeats(sample, user):
        draft.users += _users(sample, roles, user)
    else:
        draft.unread.append(f"{sample.file}: columns {', '.join(sample.columns[:8])}")


def _head(kind: str, sample: Sample) -> list[str]:
    """The lines that say which file it is and what form it has."""
    name = sample.file
    if "/part-" in name:
        name = name.rsplit("/", 1)[0]
    lines = ["", f"[[source.{kind}]]", _is("file", name)]
    if sample.form == "csv":
        ending = Path(name.removesuffix(".gz").removesuffix(".bz2")).suffix
        if (ending, sample.separator) not in ((".csv", ","), (".tsv", "\t")):
            lines += [_is("format", "csv"), _is("separator", sample.separator)]
        if not sample.is_quoted and sample.separator != ",":
            lines.append(_is("quote", ""))
        if not sample.has_header:
            lines += ["header = false", f"columns = {json.dumps(list(sample.columns))}{UNSURE}"]
        if sample.encoding != "utf-8":
            lines.append(_is("encoding", sample.encoding, sure=sample.encoding == "utf-16"))
    return lines


def _events(draft: Draft, sample: Sample, roles: Roles) -> list[str]:
    user, item, time = (str(roles.of(r)) for r in ("user_id", "item_id", "time"))
    lines = _head("events", sample)
    value_role = next((role for role in VALUES if roles.of(role)), None)
    lines += _type(sample, roles, value_role)
    lines += [
        _is(name, column, sure=sample.has_header)
        for name, column in (("user_id", user), ("item_id", item))
    ]
    if value_role:
        lines += _value(draft, sample, str(roles.of(value_role)), value_role)
    if roles.of("time"):
        form = "" if roles.time_format == "iso" else f', format = "{roles.time_format}"'
        unsure = "" if roles.time_format in ("iso",) or "unix" in str(roles.time_format) else UNSURE
        lines.append(f"time = {{ column = {json.dumps(time)}{form} }}{unsure}")
        if form == "" or "unix" not in form:
            lines[-1] = lines[-1].removesuffix(UNSURE) + '  # UTC; else add zone = "Europe/London"'
        places = (sample.columns.index(user), sample.columns.index(item))
        pairs = {tuple(row[n] for n in places) for row in sample.rows}
        draft.repeats |= value_role != "stars" and len(pairs) < 0.9 * len(sample.rows)
    else:
        draft.has_times = False
    for role in ("session_id", "dwell_seconds", "query", "event_id"):
        if column := roles.of(role):
            lines.append(_is(role, column, sure=role in ("event_id", "query")))
    return lines


def _type(sample: Sample, roles: Roles, value_role: str | None) -> list[str]:
    """The type of the events: by a column, by the file's name, by what their value is."""
    column = roles.of("type")
    if column is None:
        words = re.split(r"[^a-z]+", sample.file.lower())
        named = [KNOWN_TYPES[word] for word in words if word in KNOWN_TYPES]
        if value_role and not named:
            return [_is("type", VALUES[value_role])]
        return [_is("type", named[0] if named else "view", sure=bool(named))]
    counts = Counter(sample.values(column)).most_common()
    known = {text: _known_type(text) for text, _ in counts}
    sure = all(known.values())
    if not any(known.values()):  # codes: the most frequent are views, the rarest purchases
        rest = iter((*BY_FREQUENCY, *["click"] * len(counts)))
        known = {text: next(rest) for text, _ in counts}
    pairs = [f"{json.dumps(text)} = {json.dumps(kind or 'view')}" for text, kind in known.items()]
    mapped = f"map = {{ {', '.join(pairs)} }}"
    return [f"type = {{ column = {json.dumps(column)}, {mapped} }}{'' if sure else UNSURE}"]


def _known_type(text: str) -> str | None:
    flat = "".join(c for c in text.lower() if c.isalpha())
    return KNOWN_TYPES.get(flat)


def _value(draft: Draft, sample: Sample, column: str, role: str) -> list[str]:
    numbers = [float(v) for v in sample.values(column) if is_number(v)]
    if not numbers or (role != "stars" and min(numbers) == max(numbers)):
        return []
    if role == "stars":
        draft.stars = numbers
        ends = f"[{min(numbers):g}, {max(numbers):g}]"
        return [f"value = {{ column = {json.dumps(column)}, range = {ends} }}{UNSURE}"]
    lines = [_is("value", column)]
    if role == "amount":
        lines.append("# Returns and corrections have no place among purchases:")
        rule = f'column = {json.dumps(column)}, at_most = 0, reason = "quantity_not_positive"'
        lines.append(f"reject = [{{ {rule} }}]")
    return lines


def _items(sample: Sample, roles: Roles, with_time: str | None = None) -> list[str]:
    lines = [
        *_head("items", sample),
        _is("item_id", str(roles.of("item_id")), sure=sample.has_header),
    ]
    if title := roles.of("title"):
        html = any(mark in v for v in sample.values(title) for mark in HTML)
        with_html = f"title = {{ column = {json.dumps(title)}, html = true }}"
        lines.append(with_html if html else _is("title", title, sure=sample.has_header))
    if text := roles.of("description"):
        lines.append(_is("description", text))
    if labels := roles.of("categories"):
        mark = separator_within(sample.values(labels))
        parted = mark is not None and labels not in sample.lists
        split = f"{{ column = {json.dumps(labels)}, split = {json.dumps(mark)} }}"
        lines.append(f"categories = {split}" if parted else _is("categories", labels))
    if price := roles.of("price"):
        lines.append(_is("price", price))
    if with_time:
        form = "" if roles.time_format == "iso" else f', format = "{roles.time_format}"'
        lines.append("# Told with every event: the newest is right.")
        lines.append(f"updated_at = {{ column = {json.dumps(with_time)}{form} }}")
        return lines
    return lines + _rest(sample, roles)


def _users(sample: Sample, roles: Roles, user: str) -> list[str]:
    lines = [*_head("users", sample), _is("user_id", user, sure=sample.has_header)]
    lines += [_is(r, c) for r in ("age", "gender", "occupation") if (c := roles.of(r))]
    return lines + _rest(sample, roles)


def _rest(sample: Sample, roles: Roles) -> list[str]:
    """Columns without a role that say little enough to be attributes."""
    taken = set(roles.columns.values())
    left = [c for c in sample.columns if c not in taken and c not in sample.lists]
    short = [c for c in left if sample.values(c) and max(map(len, sample.values(c))) <= 60]
    return [f"attributes = {json.dumps(short, ensure_ascii=False)}"] if short else []


def _repeats(sample: Sample, column: str) -> bool:
    values = sample.values(column)
    return len(set(values)) < 0.9 * len(values)


def _is(key: str, text: str, *, sure: bool = True) -> str:
    return f"{key} = {json.dumps(text, ensure_ascii=False)}{'' if sure else UNSURE}"


def _whole(folder: Path, draft: Draft) -> Iterable[str]:
    yield f"# A draft for {folder.name}: lines that end in `# ?` are guesses to look at."
    yield "# Look what it makes of the files:  tastemill datasets check THIS.toml --data FOLDER"
    yield "# Then:                             tastemill run --dataset THIS.toml --data FOLDER"
    yield "[dataset]"
    if draft.stars:
        yield 'task = "rating"'
        least = _liked_from(draft.stars)
        yield f"positive_min = {least:g}  # ? the smallest rating that says: liked"
    else:
        yield 'task = "implicit"'
    if draft.repeats:
        yield "exclude_seen = false  # ? the same is taken again and again here"
    if not draft.has_times:
        yield "allow_missing_time = true"
        yield ""
        yield "# Without times there is no newest part to judge by."
        yield "[split]"
        yield 'by = "k_fold"'
        yield ""
        yield "[run]"
        yield "as_of = 2000-01-01T00:00:00Z  # any day: no event has one"
    yield ""
    yield "[source]"
    yield f"title = {json.dumps(folder.name, ensure_ascii=False)}"
    for lines in (draft.events, draft.items, draft.users, draft.relations):
        yield from lines
    if draft.unread:
        yield ""
        yield "# Left out: what these files tell isn't clear."
        yield from (f"#   {line}" for line in draft.unread)


def _liked_from(stars: Sequence[float]) -> float:
    """Three fifths of the way up, as 3 of 5 stars are."""
    return round(max(stars) * 0.6 * 2) / 2
