"""What the columns of a sample are likely to be, by their names and by what stands in them."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tastemill.sources.guess.sample import Sample, is_number
from tastemill.sources.texts import OFFSET

USER = {
    *("user", "users", "customer", "visitor", "household", "member", "client", "account", "buyer"),
    *("reader", "listener", "viewer", "reviewer", "uid", "cust", "person", "subscriber", "shopper"),
}
OTHER_USER = {"friend", "follower", "followee", "followed", "contact", "other", "trustee"}
ITEM = {
    *("item", "items", "product", "movie", "film", "artist", "song", "track", "book", "sku"),
    *("stock", "article", "asin", "isbn", "video", "game", "business", "restaurant", "recipe"),
    *("course", "news", "listing", "hotel", "app", "show", "album", "anime", "iid", "goods"),
}
TIME = {"time", "timestamp", "date", "datetime", "ts", "when", "created", "at", "day"}
STARS = {"rating", "ratings", "score", "stars", "star"}
AMOUNT = {"quantity", "qty", "units", "amount"}
PLAYS = {"plays", "playcount", "weight", "listens", "scrobbles", "count"}
SHARE = {"fraction", "progress", "ratio", "completion", "watched"}
VALUES = {"stars": STARS, "amount": AMOUNT, "plays": PLAYS, "share": SHARE}
TYPE = {"event", "action", "behavior", "behaviour", "type", "activity", "interaction", "eventtype"}
TITLE = {"title", "name", "description", "productname"}
LONG_TEXT = {"description", "overview", "plot", "summary", "abstract", "text"}
CATEGORY = {"genre", "genres", "category", "categories", "department", "tags", "topic", "topics"}
PRICE = {"price", "cost", "unitprice"}
SESSION = {"session", "basket", "visit", "invoice", "order", "transaction", "cart"}
QUERY = {"query", "search", "keyword", "keywords", "searchterm"}
EVENT_ID = {"eventid"}
DWELL = {"dwell", "dwelltime", "duration", "seconds"}
PEOPLE = {"age": {"age"}, "gender": {"gender", "sex"}, "occupation": {"occupation", "job"}}
KNOWN_TYPES = {
    "view": "view",
    "views": "view",
    "pv": "view",
    "pageview": "view",
    "detail": "view",
    "click": "click",
    "clicks": "click",
    "impression": "view",
    "cart": "cart",
    "addtocart": "cart",
    "add": "cart",
    "basket": "cart",
    "purchase": "purchase",
    "purchases": "purchase",
    "buy": "purchase",
    "order": "purchase",
    "orders": "purchase",
    "transaction": "purchase",
    "transactions": "purchase",
    "sale": "purchase",
    "sales": "purchase",
    "search": "search",
    "rating": "rating",
    "ratings": "rating",
    "review": "rating",
    "reviews": "rating",
    "like": "like",
    "likes": "like",
    "fav": "like",
    "favorite": "like",
    "comment": "comment",
    "comments": "comment",
    "share": "share",
    "shares": "share",
    "watch": "watch",
    "play": "listen",
    "plays": "listen",
    "listen": "listen",
    "listens": "listen",
    "tag": "tag",
    "tags": "tag",
}
PATTERNS = {  # a pattern of Spark, and the same for Python
    "yyyy-MM-dd HH:mm:ss": "%Y-%m-%d %H:%M:%S",
    "dd/MM/yyyy HH:mm:ss": "%d/%m/%Y %H:%M:%S",
    "dd/MM/yyyy HH:mm": "%d/%m/%Y %H:%M",
    "MM/dd/yyyy HH:mm:ss": "%m/%d/%Y %H:%M:%S",
    "MM/dd/yyyy HH:mm": "%m/%d/%Y %H:%M",
    "dd.MM.yyyy HH:mm:ss": "%d.%m.%Y %H:%M:%S",
    "dd.MM.yyyy HH:mm": "%d.%m.%Y %H:%M",
    "dd/MM/yyyy": "%d/%m/%Y",
    "MM/dd/yyyy": "%m/%d/%Y",
    "dd.MM.yyyy": "%d.%m.%Y",
    "yyyyMMdd": "%Y%m%d",
    "d-MMM-yyyy": "%d-%b-%Y",
}
LIKELY_YEARS = (1990, 2040)
MOST = 0.95


@dataclass(frozen=True)
class Roles:
    """Which column of a sample is what; a role that no column has isn't there."""

    columns: Mapping[str, str]
    time_format: str | None = None
    guessed: frozenset[str] = frozenset()  # roles that no name told

    def of(self, role: str) -> str | None:
        """The column of a role."""
        return self.columns.get(role)

    def is_sure(self, role: str) -> bool:
        """Whether a column's name told that it has this role."""
        return role not in self.guessed


def roles_of(sample: Sample) -> Roles:
    """Give every role to the column that fits it best, and no column two roles."""
    found: dict[str, str] = {}
    free = dict.fromkeys(sample.columns)
    if not sample.has_header:
        return _by_place(sample)

    def give(role: str, words: set[str], fits: Callable[[list[str]], bool] = bool) -> None:
        named = [c for c in free if words & tokens(c) and fits(sample.values(c))]
        if named and role not in found:
            # An id before a name, then the first in the file.
            best = min(named, key=lambda c: (role in IDS and not _says_id(c), len(tokens(c))))
            found[role] = best
            del free[best]

    give("event_id", EVENT_ID)
    give("user_id", USER, lambda v: bool(v) and not is_prose(v))
    give("item_id", ITEM, lambda v: bool(v) and not is_prose(v))
    if "item_id" not in found:
        _give_by_file(sample, found, free)
    others = {c for c in free if OTHER_USER & tokens(c) or (USER & tokens(c) and _says_id(c))}
    give("other_id", {word for c in others for word in tokens(c)} - {"id", "size"})
    times = times_in(sample, free)
    named = [c for c in times if TIME & tokens(c)] or [c for c in times if not _is_small(sample, c)]
    if named:
        found["time"] = named[0]
        del free[named[0]]
    give("price", PRICE, lambda v: _are_numbers(v) or decimal_of(v) is not None)
    for role, words in VALUES.items():
        if not VALUES.keys() & found.keys():
            give(role, words, _are_numbers)
    give("dwell_seconds", DWELL, _are_numbers)
    give("type", TYPE, lambda v: 1 < len(set(v)) <= 12)
    give("query", QUERY)
    give("session_id", {"session"})
    give("session_id", SESSION, lambda v: bool(v) and not is_prose(v))
    for role, words in PEOPLE.items():
        give(role, words)
    give("title", TITLE)
    give("description", LONG_TEXT)
    give("categories", CATEGORY)
    return Roles(found, times.get(found.get("time", "")))


def _by_place(sample: Sample) -> Roles:
    """Without names: a file of three or four columns of numbers is user, item, value, time."""
    columns, stem = sample.columns, sample.file.split("/")[-1].lower()
    numbers = [c for c in columns if _are_numbers(sample.values(c))]
    times = [c for c in columns if time_format(sample.values(c))]
    if len(columns) in (2, 3, 4) and len(numbers) == len(columns):
        found = {"user_id": columns[0], "item_id": columns[1]}
        if times:
            found["time"] = times[-1]
        rest = [c for c in columns[2:] if c not in times]
        found |= {"stars": rest[0]} if rest else {}
        return Roles(found, time_format(sample.values(times[-1])) if times else None)
    words = {part.removesuffix("s") for part in re.split(r"[^a-z]+", stem)}
    if words & ITEM:
        return Roles({"item_id": columns[0], "title": columns[1]})
    return Roles({"user_id": columns[0]} if words & USER else {})


def _give_by_file(sample: Sample, found: dict[str, str], free: dict[str, None]) -> None:
    """A column named id belongs to what its file is named after: artists.dat, users.csv."""
    stem = sample.file.split("/")[-1].split(".")[0]
    words = {word.removesuffix("s") for word in tokens(stem)}
    own = next((c for c in free if c.lower() in ("id", "_id", "uid", "key")), None)
    if own is not None and words & (ITEM | USER):
        found["item_id" if words & ITEM else "user_id"] = own
        del free[own]


IDS = ("user_id", "item_id", "other_id", "session_id", "event_id")


def tokens(name: str) -> set[str]:
    """The words of a column's name, whole and in parts: CustomerID is customerid, customer, id."""
    # Letters without their accents: Prénom is prenom.
    name = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    last = name.rsplit(".", maxsplit=1)[-1] if "." in name else name
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", last)
    words = {part.lower() for part in parts} | {re.sub(r"[^a-z]", "", last.lower())}
    words |= {word.removesuffix("id") for word in words if len(word) > 4}
    return words | ({part.lower() for part in name.split(".")[:-1]} if "id" in words else set())


def time_format(values: list[str]) -> str | None:
    """The format in which nearly all values are times, if there is one."""
    if not values:
        return None
    if _most(is_number(v) for v in values):
        return _unix(values)
    if _most(_is_iso(v) for v in values):
        return "iso"
    for pattern, python in PATTERNS.items():
        if _most(_parses(v, python) for v in values):
            is_short = "MMM" not in pattern and any(map(_has_one_digit, values))
            return _short(pattern) if is_short else pattern
    return None


def has_zone(times: list[str], form: str | None) -> bool:
    """Whether times say themselves in which zone they are, as those since 1970 do."""
    return str(form).startswith("unix") or _most(":" in t and re.search(OFFSET, t) for t in times)


def times_in(sample: Sample, columns: Iterable[str]) -> dict[str, str]:
    """Those of the columns that hold times, and their formats; numbers, which may be ids, last."""
    times = {c: form for c in columns if (form := time_format(sample.values(c)))}
    return dict(sorted(times.items(), key=lambda t: t[1].startswith("unix") or t[1] == "yyyyMMdd"))


def separator_within(values: list[str]) -> str | None:
    """What parts the texts of a column into several short ones, if anything does."""
    for mark in ("|", ";", " / ", "/", ","):
        parted = [v.split(mark) for v in values if mark in v]
        short = all(len(part) < 40 for parts in parted for part in parts)
        if len(parted) > 0.2 * len(values) and short:
            return mark
    return None


def variety(values: list[str]) -> float:
    """How many different parts there are in the texts of a column, for each that there is."""
    mark = separator_within(values)
    parts = [part for value in values for part in (value.split(mark) if mark else [value])]
    return len(set(parts)) / max(len(parts), 1)


def decimal_of(prices: list[str]) -> str | None:
    """What stands before the cents of prices like 8,50 €; None where they are no such prices."""
    for mark, thousands in ((",", "."), (".", "")):
        cents = re.compile(rf"\D{{0,4}}\d[\d{thousands}]*\{mark}\d\d\D{{0,4}}")
        if _most(cents.fullmatch(price) for price in prices):
            return mark
    return None


def _unix(values: list[str]) -> str | None:
    """Seconds, or thousandths or millionths of one, since 1970."""
    low, high = (datetime(year, 1, 1).timestamp() for year in LIKELY_YEARS)
    for name, ticks in (("unix_seconds", 1), ("unix_millis", 1_000), ("unix_micros", 1_000_000)):
        if _most(low <= float(v) / ticks <= high for v in values if is_number(v)):
            return name
    return "yyyyMMdd" if _most(_parses(v, "%Y%m%d") and len(v) == 8 for v in values) else None


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return not text.isdigit()


def _parses(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)
    except ValueError:
        return False
    return True


def _has_one_digit(time: str) -> bool:
    """Whether a day, month or hour is written with one digit."""
    return bool(re.search(r"(?<!\d)\d(?!\d)", time))


def _short(pattern: str) -> str:
    """The pattern that takes one digit as well; Spark's reads `dd` as two and no less."""
    return pattern.replace("dd", "d").replace("MM", "M").replace("HH", "H")


def _most(tests: Iterable[object]) -> bool:
    found = list(tests)
    return bool(found) and sum(map(bool, found)) >= MOST * len(found)


def _are_numbers(values: list[str]) -> bool:
    return _most(is_number(v) for v in values)


def is_prose(values: list[str]) -> bool:
    """Whether these are texts for people and no ids."""
    return sum(" " in v for v in values) > 0.3 * len(values)


def _is_small(sample: Sample, column: str) -> bool:
    """Whether a column has but a few values: a day of release, not the time of an event."""
    values = sample.values(column)
    return len(set(values)) < 0.05 * len(values)


def _says_id(column: str) -> bool:
    return bool(re.search(r"(id|no|code|key|idx)$", column.lower()))
