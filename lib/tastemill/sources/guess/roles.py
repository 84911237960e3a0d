"""What the columns of a sample are likely to be, by their names and by what stands in them."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tastemill.sources.guess.sample import Sample
from tastemill.sources.guess.values import (
    are_numbers,
    are_stars,
    decimal_of,
    is_prose,
    time_format,
    times_in,
)

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
    give("price", PRICE, lambda v: are_numbers(v) or decimal_of(v) is not None)
    for role, words in VALUES.items():
        if not VALUES.keys() & found.keys():
            # Of amounts 1,234 may be thousands; nobody gives so many stars.
            fits = are_stars if role == "stars" else are_numbers
            give(role, words, fits)
    give("dwell_seconds", DWELL, are_numbers)
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
    numbers = [c for c in columns if are_numbers(sample.values(c))]
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


def _is_small(sample: Sample, column: str) -> bool:
    """Whether a column has but a few values: a day of release, not the time of an event."""
    values = sample.values(column)
    return len(set(values)) < 0.05 * len(values)


def _says_id(column: str) -> bool:
    return bool(re.search(r"(id|no|code|key|idx)$", column.lower()))
