"""The mapping language within a row: a text, and what is read off one: a number, a time, labels.

A bare name means the column of that name. A condition, too, is a text with a test of it.
"""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from tastemill.config.sections import Section

UNIX = {"unix_seconds": 1_000_000, "unix_millis": 1_000, "unix_micros": 1}
"""Formats that count since 1970, and microseconds to one."""
OFFSET = r"\d(Z|[+-]\d{2}:?(\d{2})?)$"
"""How a time of day that names its zone ends."""


def as_column(value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
    """What a bare name stands for."""
    return {"column": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:  # noqa: ANN401
    return [value] if isinstance(value, str) else value


def _is_zone(zone: str) -> str:
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads a folder of files

    if zone not in available_timezones():
        raise ValueError("a time zone such as UTC or Europe/London")
    return zone


AZone = Annotated[str, AfterValidator(_is_zone)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Text(Section):
    """A text: where it comes from, then what is done with it. A bare name means that column."""

    ORIGINS: ClassVar[tuple[str, ...]] = ("column", "first_of", "join", "constant")

    column: str | None = Field(None, description="Column of the file; a.b: b within a (JSON).")
    first_of: tuple["AText", ...] = Field((), description="The first of these that isn't missing.")
    join: tuple["AText", ...] = Field((), description="These, put together, without the missing.")
    separator: str = Field(" ", description="What stands between what is joined.")
    constant: str | None = Field(None, description="The same text for every row.")
    missing: Names = Field((), description="Texts that mean nothing at all, such as NULL.")
    extract: str | None = Field(
        None, description="Regular expression; its one group is the text, no match is missing."
    )
    html: bool = Field(False, description="Whether &amp;, &quot; and the like are read.")
    map: dict[str, str] = Field(default_factory=dict, description="Text in the file = text here.")
    other: Literal["keep", "missing", "reject"] = Field(
        "keep", description="What becomes of a text that `map` lacks."
    )
    required: bool = Field(False, description="Whether a row without it is rejected.")

    @model_validator(mode="after")
    def _has_one_origin(self) -> "Text":
        if self.origins != 1:
            raise ValueError(f"name one of {', '.join(self.ORIGINS)}")
        return self

    @field_validator("extract")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None and compiled(pattern).groups != 1:
            raise ValueError("a regular expression with one group in parentheses")
        return pattern

    @property
    def origins(self) -> int:
        """How many of the keys it names of which it needs exactly one."""
        return sum(getattr(self, key) not in (None, ()) for key in self.ORIGINS)


class Number(Text):
    """A number, read off a text."""

    decimal: Literal[".", ","] = Field(".", description="The decimal sign; the other is dropped.")
    times: float = Field(1.0, description="Factor.")
    at_least: float | None = Field(None, description="What is smaller becomes this.")
    at_most: float | None = Field(None, description="What is larger becomes this.")
    range: tuple[float, float] | None = Field(
        None, description="Smallest and largest; a row outside is rejected."
    )


class When(Text):
    """A time, read off a text; a column that holds times already is taken as it is."""

    format: Names = Field(
        ("iso",),
        description=f"iso, {', '.join(UNIX)}, or a pattern such as dd/MM/yyyy HH:mm; of several "
        "the first that fits.",
    )
    zone: AZone = Field("UTC", description="Of times that name none, e.g. Europe/London.")


class Labels(Text):
    """Several texts: a column that is split, columns that say yes or no, or columns side by side.

    Of a list (Parquet, JSON) every element is one.
    """

    ORIGINS: ClassVar[tuple[str, ...]] = (*Text.ORIGINS, "flags", "of")

    split: str | None = Field(None, description="What stands between them; json: a JSON list.")
    flags: tuple[str, ...] = Field((), description="Columns that hold 1 where their name applies.")
    of: tuple["AText", ...] = Field((), description="A text each.")


AText = Annotated[Text, BeforeValidator(as_column)]
ANumber = Annotated[Number, BeforeValidator(as_column)]
ATime = Annotated[When, BeforeValidator(as_column)]
SomeLabels = Annotated[Labels, BeforeValidator(as_column)]


def _as_texts(value: Any) -> Any:  # noqa: ANN401
    """A list of columns as attributes of the same names."""
    return {name: name for name in value} if isinstance(value, list | tuple) else value


Attributes = Annotated[dict[str, AText], BeforeValidator(_as_texts)]


class Condition(Text):
    """What a rule looks for: one test of one text; numbers are compared as numbers."""

    TESTS: ClassVar[tuple[str, ...]] = (
        "is_in",
        "matches",
        "is_missing",
        "below",
        "above",
        "at_most",
        "at_least",
    )

    reason: str = Field(pattern="^[a-z][a-z0-9_]*$", description="Name of the rule in quarantine.")
    is_in: Names = Field((), description="It is one of these.")
    matches: str | None = Field(None, description="It holds a match of this regular expression.")
    below: float | None = Field(None, description="It is a number below this.")
    above: float | None = Field(None, description="It is a number above this.")
    at_most: float | None = Field(None, description="It is a number, this or less.")
    at_least: float | None = Field(None, description="It is a number, this or more.")
    is_missing: bool | None = Field(None, description="It is missing, or is not.")

    @model_validator(mode="after")
    def _tests_one_thing(self) -> "Condition":
        if len(self.tests) != 1:
            raise ValueError(f"one of {', '.join(self.TESTS)}")
        return self

    @property
    def tests(self) -> list[str]:
        """The keys it names of which it needs exactly one."""
        return [key for key in self.TESTS if getattr(self, key) not in (None, ())]

    @field_validator("matches")
    @classmethod
    def _is_regular(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            compiled(pattern)
        return pattern


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression as Python reads it, which is near enough to Java to find mistakes early."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"a regular expression: {error}") from None
