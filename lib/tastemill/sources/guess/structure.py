"""Which columns name users and items where no word tells: by what refers to what.

A log repeats the ids of users and items; files that describe them hold each id once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tastemill.sources.guess.roles import PEOPLE, USER, VALUES, Roles, tokens
from tastemill.sources.guess.sample import Sample, is_number
from tastemill.sources.guess.values import (
    decimal_of,
    is_prose,
    separator_within,
    time_format,
    times_in,
    variety,
)

LEAST_ROWS = 5
FEWEST_STARS, MOST_STARS = 3, 10
ONCE, OFTEN = 0.98, 0.9  # distinct values to rows: of a key, and at most of what refers to one
KNOWN = 0.3  # share of a log's ids that must be seen in the file that describes them
OF_ITEMS = {"title", "description", "categories", "price"}
OF_PEOPLE = {*PEOPLE}


@dataclass(frozen=True)
class Log:
    """A sample that looks like a log: its columns of ids, and which samples describe them."""

    place: int
    ids: tuple[str, ...]  # two, in the order of the file
    described: Mapping[str, int]
    fitness: tuple[bool, int, int]


def roles_by_structure(samples: Sequence[Sample], roles: Sequence[Roles]) -> list[Roles]:
    """The roles of all samples with those of a log, and of what it refers to, added as guesses.

    As they are where nothing looks like a log.
    """
    keys = [_key(sample) for sample in samples]
    logs = [log for place in range(len(samples)) if (log := _log_at(place, samples, keys))]
    if not logs:
        return list(roles)
    log = max(logs, key=lambda log: log.fitness)
    user, item = _told_apart(log, samples, roles)
    found = list(roles)
    found[log.place] = _as_log(samples[log.place], roles[log.place], user, item)
    for column, role in ((user, "user_id"), (item, "item_id")):
        if column in log.described:
            other = log.described[column]
            found[other] = _as_described(samples[other], roles[other], role, str(keys[other]))
    return found


def _log_at(place: int, samples: Sequence[Sample], keys: Sequence[str | None]) -> Log | None:
    """A sample as a log, if it has two columns of ids."""
    sample = samples[place]
    ids = _ids(sample)
    found = {column: _described(column, place, samples, keys) for column in ids}
    described = {column: other for column, other in found.items() if other is not None}
    # Columns that refer to other files come first, then those of most values.
    ids.sort(key=lambda c: (c in described, len(set(sample.values(c)))), reverse=True)
    pair = tuple(sorted(ids[:2], key=sample.columns.index))
    if len(pair) < 2:
        return None
    has_times = bool(times_in(sample, sample.columns))
    return Log(
        place, pair, described, (has_times, sum(c in described for c in pair), len(sample.rows))
    )


def _key(sample: Sample) -> str | None:
    """The first column whose values stand in the file once each and are no texts for people."""
    for column in sample.columns:
        values = sample.values(column)
        once = len(set(values)) >= ONCE * len(sample.rows)
        if len(values) >= LEAST_ROWS and once and not is_prose(values) and not time_format(values):
            return column
    return None


def _ids(sample: Sample) -> list[str]:
    """Columns whose values come again and again, in file order: ids, if it is a log."""
    found = []
    for column in sample.columns:
        values = sample.values(column)
        repeats = 1 < len(set(values)) <= OFTEN * len(values)
        whole = not all(is_number(v) and not float(v).is_integer() for v in values)
        if len(values) >= LEAST_ROWS and repeats and whole:
            found.append(column)
    times = times_in(sample, sample.columns)
    return [c for c in found if c not in times and not is_prose(sample.values(c))]


def _described(
    column: str, place: int, samples: Sequence[Sample], keys: Sequence[str | None]
) -> int | None:
    """Which of the other samples has most of a column's values as its key."""
    values = set(samples[place].values(column))
    shares = {}
    for other, key in enumerate(keys):
        if other == place or key is None:
            continue
        known = set(samples[other].values(key))
        share = len(values & known) / len(values)
        if share >= KNOWN or (share > 0 and key == column):
            shares[other] = (share, len(values & known) / len(known))
    return max(shares, key=lambda other: shares[other], default=None)


def _told_apart(log: Log, samples: Sequence[Sample], roles: Sequence[Roles]) -> tuple[str, str]:
    """The column of the user and that of the item; the first is the user's where nothing tells."""

    def as_user(column: str) -> int:
        if USER & tokens(column):
            return 2
        if column not in log.described:
            return 0
        other = log.described[column]
        has, sample = roles[other].columns.keys(), samples[other]
        is_named = bool(USER & {w.removesuffix("s") for w in tokens(sample.file.split(".")[0])})
        has_prose = any(is_prose(sample.values(c)) for c in sample.columns)
        return bool(OF_PEOPLE & has) + is_named - bool(OF_ITEMS & has) - has_prose

    one, two = log.ids
    return (two, one) if as_user(two) > as_user(one) else (one, two)


def _as_log(sample: Sample, known: Roles, user: str, item: str) -> Roles:
    columns = {role: column for role, column in known.columns.items() if column not in (user, item)}
    columns |= {"user_id": user, "item_id": item}
    times = times_in(sample, sample.columns)
    columns = {"time": next(iter(times))} | columns if times else columns
    taken, guessed = set(columns.values()), {"user_id", "item_id"}
    types = [c for c in sample.columns if c not in taken and _is_type(sample.values(c))]
    if "type" not in columns and types:
        columns["type"] = types[0]
        guessed.add("type")
    scales = {c: _scale(sample.values(c)) for c in sample.columns if c not in taken}
    value = next((c for c, role in scales.items() if role), None)
    if value and not VALUES.keys() & columns.keys():
        columns[str(scales[value])] = value
        guessed.add(str(scales[value]))
    return Roles(columns, times.get(columns.get("time", "")), frozenset(guessed))


def _as_described(sample: Sample, known: Roles, role: str, key: str) -> Roles:
    columns = {r: c for r, c in known.columns.items() if c != key and not r.endswith("_id")}
    columns[role] = key
    guessed, free = {role}, [c for c in sample.columns if c not in columns.values()]
    if role == "item_id":
        prices = [c for c in free if decimal_of(sample.values(c))]
        texts = [c for c in free if c not in prices and is_prose(sample.values(c))]
        times = times_in(sample, free)
        parted = [c for c in free if c not in prices and c not in times]
        parted = [c for c in parted if separator_within(sample.values(c))]
        # The same categories come again and again; of authors each has a few.
        lists = sorted(parted, key=lambda c: variety(sample.values(c)))[:1]
        titles = [c for c in texts if c not in lists]
        for name, found in (("title", titles), ("categories", lists), ("price", prices)):
            if name not in columns and found:
                columns[name] = found[0]
                guessed.add(name)
    return replace(known, columns=columns, guessed=frozenset(guessed))


def _scale(values: list[str]) -> str | None:
    """Whether a column of few small numbers looks like stars or, most of them least, an amount."""
    numbers = [float(v) for v in values if is_number(v)]
    if len(numbers) < len(values) or not numbers or min(numbers) < 0 or max(numbers) > MOST_STARS:
        return None
    counts = Counter(numbers)
    if not FEWEST_STARS <= len(counts) <= 2 * MOST_STARS + 1:
        return None
    return "amount" if counts.most_common(1)[0][0] == min(numbers) else "stars"


def _is_type(values: list[str]) -> bool:
    """A few words, and most rows have one."""
    return 1 < len(set(values)) <= 12 and not any(map(is_number, values))
