"""The mapping language: which files hold events, users, items and relations, and in which columns.

It stands under [source] in a dataset's TOML file. Nothing in it is code: a mapping from a stranger
can read the files of the data folder and do nothing else.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tastemill.config.sections import Section
from tastemill.sources.texts import (
    ANumber,
    AText,
    ATime,
    Attributes,
    AZone,
    Condition,
    Names,
    SomeLabels,
    Text,
    as_column,
)

Formats = Literal["csv", "json", "jsonl", "parquet", "delta"]
Encoding = Literal["utf-8", "iso-8859-1", "windows-1252", "ascii", "utf-16"]
ENCODINGS = {
    "utf8": "utf-8",
    "utf16": "utf-16",
    "latin-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "cp1252": "windows-1252",
    "us-ascii": "ascii",
}
AnEncoding = Annotated[
    Encoding, BeforeValidator(lambda e: ENCODINGS.get(str(e).lower(), str(e).lower()))
]
ONCE = ("separator", "quote", "encoding", "zone")  # may be said once for all files
KINDS = ("events", "users", "items", "relations")


class Files(Section):
    """Files of one form, and which of their rows are rejected."""

    file: Names = Field(description="Name, glob or folder within the data folder, or several.")
    one_of: str = Field(
        "", description="Of the parts that say the same here, the first that is there is read."
    )
    optional: bool = Field(False, description="Whether the files may be missing.")
    format: Formats | None = Field(None, description="csv for all text; empty: by the ending.")
    separator: str = Field("", description="Of any length; empty: by the ending.")
    quote: Literal["", '"', "'"] = Field('"', description="Empty: a quote is a letter like others.")
    header: bool = Field(True, description="Whether the first line names the columns.")
    columns: tuple[str, ...] = Field((), description="Names in order, where no header has them.")
    multiline: bool = Field(False, description="Whether quoted texts hold line breaks (slower).")
    encoding: AnEncoding = Field(
        "utf-8", description="Of text files; utf-16 is read in whole files, as multiline is."
    )
    zone: AZone = Field("UTC", description="Of events' times and updates that name none.")
    reject: tuple[Condition, ...] = Field((), description="Rows that go to quarantine.")
    require: tuple[Condition, ...] = Field((), description="What all other rows are rejected for.")

    @model_validator(mode="before")
    @classmethod
    def _tell_zone(cls, values: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
        if not isinstance(values, dict) or "zone" not in values:
            return values
        times = {key: as_column(values[key]) for key in ("time", "updated_at") if key in values}
        zone = {"zone": values["zone"]}
        told = {key: zone | time for key, time in times.items() if isinstance(time, dict)}
        return values | told

    @field_validator("file")
    @classmethod
    def _stays_inside(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name.startswith(("/", "~")) or ".." in name.split("/"):
                raise ValueError("a name within the data folder")
        return names

    @model_validator(mode="after")
    def _names_columns_once(self) -> "Files":
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise ValueError(f"each column once; twice: {', '.join(twice)}")
        if self.columns and self.header:
            raise ValueError("columns only where header = false")
        return self


class EventsFiles(Files):
    """Rows that are events."""

    user_id: AText
    item_id: AText | None = None
    type: AText = Field(description="A bare text is the type itself: view, purchase, rating, …")
    value: ANumber | None = Field(None, description="Stars, share watched, plays or quantity.")
    time: ATime | None = None
    event_id: AText | None = Field(None, description="The log's own; else a hash of the row.")
    session_id: AText | None = None
    dwell_seconds: ANumber | None = None
    query: AText | None = Field(None, description="What was searched for, said or tagged.")
    negative_types: Names = Field(
        (), description="Types that speak against the item: their values count below 0."
    )

    @field_validator("type", mode="before")
    @classmethod
    def _is_constant(cls, value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
        if isinstance(value, str):
            return {"constant": value}
        return {"other": "reject", **value} if isinstance(value, dict) and "map" in value else value


class UsersFiles(Files):
    """Rows that tell of users."""

    user_id: AText
    age: AText | None = None
    gender: AText | None = None
    occupation: AText | None = None
    attributes: Attributes = Field(default_factory=dict, description="Columns, or name = text.")
    count: str = Field("", description="Attribute that says how many rows a user has here.")
    updated_at: ATime | None = None


class ItemsFiles(Files):
    """Rows that tell of items."""

    item_id: AText
    title: AText | None = None
    description: AText | None = None
    categories: SomeLabels | None = None
    price: ANumber | None = None
    released_on: ATime | None = None
    attributes: Attributes = Field(default_factory=dict, description="Columns, or name = text.")
    updated_at: ATime | None = None
    reject_events: tuple[Condition, ...] = Field((), description="Items whose events are rejected.")


class RelationsFiles(Files):
    """Rows that tie one user to another."""

    user_id: AText
    other_id: AText
    kind: AText = Field(Text(constant="friend"), description="A bare text is the kind itself.")

    @field_validator("kind", mode="before")
    @classmethod
    def _is_constant(cls, value: Any) -> Any:  # noqa: ANN401
        return {"constant": value} if isinstance(value, str) else value


class SourceConfig(Section):
    """Where the data comes from, and how its files become events, users, items and relations."""

    name: str = Field("", description="Stands in events.source and in ids; empty: the dataset's.")
    title: str = Field("", description="What it is.")
    licence: str = Field("", description="Under which terms.")
    where: str = Field("", description="Where to get it.")
    shipped: str = Field("", description="Folder within the package that holds a copy.")
    separator: str = Field("", description="Of all text files that name none of their own.")
    quote: Literal["", '"', "'"] = Field('"', description="The same.")
    encoding: AnEncoding = Field("utf-8", description="The same.")
    zone: AZone = Field("UTC", description="Of all times of events and updates that name none.")
    events: tuple[EventsFiles, ...] = Field((), description="Files of events.")
    users: tuple[UsersFiles, ...] = Field((), description="Files that tell of users.")
    items: tuple[ItemsFiles, ...] = Field((), description="Files that tell of items.")
    relations: tuple[RelationsFiles, ...] = Field((), description="Files that tie users together.")
    min_user_events: int = Field(
        0, ge=0, description="Users with fewer are left out, their events kept in quarantine."
    )
    min_item_events: int = Field(
        0, ge=0, description="The same for items, until both hold (a k-core)."
    )
    sample_users: float = Field(
        1.0, gt=0, le=1, description="Share of users that is read, by a hash of the id."
    )

    @model_validator(mode="before")
    @classmethod
    def _say_once(cls, values: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
        if not isinstance(values, dict):
            return values
        common = {key: values[key] for key in ONCE if key in values}
        kinds = {kind: values[kind] for kind in KINDS if isinstance(values.get(kind), list | tuple)}
        told = {
            kind: [common | part if isinstance(part, dict) else part for part in parts]
            for kind, parts in kinds.items()
        }
        return values | told

    @property
    def parts(self) -> tuple[Files, ...]:
        """All files, whatever they tell of."""
        return (*self.events, *self.users, *self.items, *self.relations)
