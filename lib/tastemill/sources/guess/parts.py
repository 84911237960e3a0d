"""The lines of a mapping that a sample's roles give, with what is unsure marked `# ?`."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tastemill.sources.files import SEPARATORS
from tastemill.sources.guess.roles import KNOWN_TYPES, Roles
from tastemill.sources.guess.sample import Sample, is_number
from tastemill.sources.guess.values import (
    as_number,
    decimal_of,
    has_zone,
    have_comma,
    separator_within,
)

UNSURE = "  # ?"
ZONE = f'zone = "UTC"{UNSURE} of times that name none; yours may be "Europe/London"'
MIN_WORD = 4  # letters; shorter ones are codes
SAY_TYPES = "# Say what each is: view, click, cart, purchase, like, …; a type left out is rejected."
BY_FREQUENCY = ("view", "cart", "purchase")
TYPES = {"stars": "rating", "amount": "purchase", "plays": "listen", "share": "watch"}
HAVE_TITLES = 0.9  # of the lines; with fewer, a line without one is nothing wrong
SPREADSHEETS = (",", ";")  # what they write with these, they quote where it needs be
HTML = ("&amp;", "&quot;", "&#39;", "&lt;", "&nbsp;", "&#")


@dataclass
class Draft:
    """The lines of the file, and what stands at its head."""

    events: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    form: Mapping[str, str] = field(default_factory=dict)  # what is said once for all files
    stars: list[float] = field(default_factory=list)
    timed: list[bool] = field(default_factory=list)  # of each log: whether it has times
    repeats: bool = False
    is_local: bool = False  # whether there are times that don't say in which zone


def add(draft: Draft, sample: Sample, roles: Roles) -> None:
    """Say what a sample is, by the roles that its columns have."""
    user, item, other = (roles.of(role) for role in ("user_id", "item_id", "other_id"))
    if user and item:
        draft.events += _events(draft, sample, roles)
        if roles.of("title"):
            draft.items += _items(draft, sample, roles, with_time=roles.of("time"))
    elif user and other:
        draft.relations += [
            *_head("relations", sample, draft),
            _is("user_id", user),
            _is("other_id", other),
        ]
        draft.relations.append(_is("kind", "friend", sure=False))
    elif item and len(sample.columns) > 1 and not _repeats(sample, item):
        draft.items += _items(draft, sample, roles)
    elif user and len(sample.columns) > 1 and not _repeats(sample, user):
        draft.users += _users(draft, sample, roles)
    else:
        draft.unread.append(f"{sample.file}: columns {', '.join(sample.columns[:8])}")


def form_of(sample: Sample) -> dict[str, str]:
    """What must be said for a text file to be read: what its ending doesn't tell."""
    form = {}
    if sample.form == "csv":
        ending = Path(sample.file.removesuffix(".gz").removesuffix(".bz2")).suffix
        if SEPARATORS.get(ending) != sample.separator:
            form["separator"] = sample.separator
        if not sample.is_quoted and sample.separator not in SPREADSHEETS:
            form["quote"] = ""
        if sample.encoding != "utf-8":
            form["encoding"] = sample.encoding
    return form


def form_lines(form: Mapping[str, str]) -> list[str]:
    """The same as lines; only the mark at its beginning makes an encoding sure."""
    return [_is(key, text, sure=text != "windows-1252") for key, text in form.items()]


def _head(kind: str, sample: Sample, draft: Draft) -> list[str]:
    """The lines that say which file it is and what form it has, beyond what all have."""
    own = {k: v for k, v in form_of(sample).items() if draft.form.get(k) != v}
    lines = ["", f"[[source.{kind}]]", _is("file", sample.file), *form_lines(own)]
    if not sample.has_header:
        lines += ["header = false", f"columns = {json.dumps(list(sample.columns))}{UNSURE}"]
    return lines


def _events(draft: Draft, sample: Sample, roles: Roles) -> list[str]:
    user, item, time = (str(roles.of(r)) for r in ("user_id", "item_id", "time"))
    lines = _head("events", sample, draft)
    value_role = next((role for role in TYPES if roles.of(role)), None)
    lines += _type(sample, roles, value_role)
    lines += [_id(sample, roles, "user_id"), _id(sample, roles, "item_id")]
    if value_role:
        lines += _value(draft, sample, str(roles.of(value_role)), value_role)
    draft.timed.append(roles.of("time") is not None)
    if roles.of("time"):
        lines.append(_time("time", time, roles))
        draft.is_local |= not has_zone(sample.values(time), roles.time_format)
        places = (sample.columns.index(user), sample.columns.index(item))
        pairs = {tuple(row[n] for n in places) for row in sample.rows}
        draft.repeats |= value_role != "stars" and len(pairs) < 0.9 * len(sample.rows)
    for role in ("session_id", "dwell_seconds", "query", "event_id"):
        if column := roles.of(role):
            lines.append(_is(role, column, sure=role in ("event_id", "query")))
    unread = [c for c in sample.columns if c not in roles.columns.values()]
    return lines + _not_read(unread)


def _type(sample: Sample, roles: Roles, value_role: str | None) -> list[str]:
    """The type of the events: by a column, by the file's name, by what their value is."""
    column = roles.of("type")
    if column is None:
        words = re.split(r"[^a-z]+", sample.file.lower())
        named = [KNOWN_TYPES[word] for word in words if word in KNOWN_TYPES]
        if value_role and not named:
            return [_is("type", TYPES[value_role])]
        return [_is("type", named[0] if named else "view", sure=bool(named))]
    counts = Counter(sample.values(column)).most_common()
    known = {text: _known_type(text) for text, _ in counts}
    sure = all(known.values()) and roles.is_sure("type")
    if not any(known.values()) and all(len(text) < MIN_WORD for text in known):
        # Codes: the most frequent are views, the rarest purchases.
        rest = iter((*BY_FREQUENCY, *["click"] * len(counts)))
        known = {text: next(rest) for text, _ in counts}
    pairs = [f"{as_text(text)} = {as_text(kind or 'view')}" for text, kind in known.items()]
    line = f"type = {{ column = {as_text(column)}, map = {{ {', '.join(pairs)} }} }}"
    return [line] if sure else [SAY_TYPES, line + UNSURE]


def _known_type(text: str) -> str | None:
    flat = "".join(c for c in text.lower() if c.isalpha())
    return KNOWN_TYPES.get(flat)


def _value(draft: Draft, sample: Sample, column: str, role: str) -> list[str]:
    comma = role == "stars" and have_comma(sample.values(column))
    values = [as_number(v) if comma else v for v in sample.values(column)]
    numbers = [float(v) for v in values if is_number(v)]
    if not numbers or (role != "stars" and min(numbers) == max(numbers)):
        return []
    if role == "stars":
        draft.stars = numbers
        ends = f"[{min(numbers):g}, {max(numbers):g}]"
        decimal = ', decimal = ","' if comma else ""
        return [f"value = {{ column = {as_text(column)}, range = {ends}{decimal} }}{UNSURE}"]
    lines = [_is("value", column)]
    if role == "amount":
        lines.append("# Returns and corrections have no place among purchases:")
        rule = f'column = {as_text(column)}, at_most = 0, reason = "quantity_not_positive"'
        lines.append(f"reject = [{{ {rule} }}]")
    return lines


def _items(draft: Draft, sample: Sample, roles: Roles, with_time: str | None = None) -> list[str]:
    lines = [*_head("items", sample, draft), _id(sample, roles, "item_id")]
    if title := roles.of("title"):
        html = any(mark in v for v in sample.values(title) for mark in HTML)
        with_html = f"title = {{ column = {as_text(title)}, html = true }}"
        sure = sample.has_header and roles.is_sure("title")
        lines.append(with_html if html else _is("title", title, sure=sure))
    if text := roles.of("description"):
        lines.append(_is("description", text))
    if labels := roles.of("categories"):
        mark = None if labels in sample.lists else separator_within(sample.values(labels))
        split = f"{{ column = {as_text(labels)}, split = {as_text(mark or '')} }}"
        line = f"categories = {split}" if mark else _is("categories", labels)
        lines.append(line if roles.is_sure("categories") else line + UNSURE)
    if price := roles.of("price"):
        lines.append(_price(sample, price))
    if with_time:
        return [*lines, *_told_with_events(sample, roles, with_time)]
    used = ("item_id", "title", "description", "categories", "price")
    return lines + _rest(sample, roles, used)


def _told_with_events(sample: Sample, roles: Roles, time: str) -> list[str]:
    """Of items that stand in every event, the newest line is right; one without a title isn't."""
    title, updated = roles.of("title"), _time("updated_at", time, roles)
    if title is None or len(sample.values(title)) < HAVE_TITLES * len(sample.rows):
        return ["# Told with every event: the newest is right.", updated]
    rule = f'column = {as_text(title)}, is_missing = true, reason = "title_missing"'
    told = "# Told with every event: the newest that has a title is right."
    return [told, updated, f"reject = [{{ {rule} }}]"]


def _time(key: str, column: str, roles: Roles) -> str:
    if roles.time_format == "iso":
        return _is(key, column)
    return f'{key} = {{ column = {as_text(column)}, format = "{roles.time_format}" }}'


def _price(sample: Sample, column: str) -> str:
    """A number, or one with a sign of currency and cents behind a comma."""
    values = sample.values(column)
    mark = decimal_of(values)
    if mark is None or all(map(is_number, values)):
        return _is("price", column)
    decimal = ', decimal = ","' if mark == "," else ""
    return f"price = {{ column = {as_text(column)}, extract = '(\\d[\\d.,]*)'{decimal} }}{UNSURE}"


def _users(draft: Draft, sample: Sample, roles: Roles) -> list[str]:
    lines = [*_head("users", sample, draft), _id(sample, roles, "user_id")]
    lines += [_is(r, c) for r in ("age", "gender", "occupation") if (c := roles.of(r))]
    return lines + _rest(sample, roles, ("user_id", "age", "gender", "occupation"))


def _rest(sample: Sample, roles: Roles, used: tuple[str, ...]) -> list[str]:
    """Columns without a role here that say little enough to be attributes, and what is left."""
    taken = {roles.of(role) for role in used}
    left = [c for c in sample.columns if c not in taken]
    texts = [c for c in left if c not in sample.lists and sample.values(c)]
    short = [c for c in texts if max(map(len, sample.values(c))) <= 60]
    lines = [f"attributes = {json.dumps(short, ensure_ascii=False)}"] if short else []
    return lines + _not_read([c for c in left if c not in short])


def _not_read(columns: list[str]) -> list[str]:
    return [f"# Not read: {as_comment(', '.join(columns))}"] if columns else []


def _id(sample: Sample, roles: Roles, role: str) -> str:
    return _is(role, str(roles.of(role)), sure=sample.has_header and roles.is_sure(role))


def _repeats(sample: Sample, column: str) -> bool:
    values = sample.values(column)
    return len(set(values)) < 0.9 * len(values)


def _is(key: str, text: str, *, sure: bool = True) -> str:
    return f"{key} = {as_text(text)}{'' if sure else UNSURE}"


def as_text(text: str) -> str:
    """A text as TOML takes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_comment(text: str) -> str:
    """A text as it may stand in a comment: in one line, without signs that control something."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text)
