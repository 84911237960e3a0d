"""Fields of a mapping as columns: what a row of a file says, and what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.errors import DataError, did_you_mean
from tastemill.sources.entities import unescaped
from tastemill.sources.texts import OFFSET, UNIX, Condition, Labels, Number, Text, When

ROW = "row"  # the struct of a file's own columns
YEARS = (-62_135_596_800, 253_402_300_799)  # 1 to 9999, in seconds since 1970
WHOLE = 2.0**53  # up to here a double holds every whole number
CHECK_FILE = "correct the mapping, or check that this is the file that it describes"
Problem = tuple[Column, str]


@dataclass(frozen=True)
class Read:
    """A value, null where the row says nothing, and what may be wrong with what it says."""

    value: Column
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Columns:
    """A file's own columns by name and type."""

    file: str
    types: Mapping[str, T.DataType] = field(default_factory=dict)

    def of(self, name: str) -> Column:
        """The column as it is.

        Raises:
            DataError: the file has no such column.
        """
        self.require([name])
        return F.col(ROW).getField(name)

    def require(self, names: Sequence[str]) -> None:
        """Raise a DataError that lists what the file lacks of these columns."""
        missing = [name for name in names if name not in self.types]
        if not missing:
            return
        raise DataError(
            f"{self.file}: no column {', '.join(missing)}",
            expected=f"the columns that the mapping names: {', '.join(names)}",
            found=", ".join(self.types),
            fix=did_you_mean(missing[0], self.types, CHECK_FILE),
        )

    def text(self, name: str) -> Column:
        """The column as trimmed text; nothing at all is null."""
        column = self.of(name)
        if isinstance(self.types[name], T.DoubleType | T.FloatType):
            # Tables that passed through pandas keep whole numbers with gaps as 17850.0.
            whole = (column == F.floor(column)) & (F.abs(column) < WHOLE)
            column = F.when(whole, column.cast("long").cast("string")).otherwise(
                column.cast("string")
            )
        return F.nullif(F.trim(column.cast("string")), F.lit(""))


def read_text(name: str, what: Text | None, columns: Columns) -> Read:
    """A text; `name` is the table's column that it is for, and stands in reasons."""
    if what is None:
        return Read(F.lit(None).cast("string"))
    value = _origin(what, columns)
    if what.missing:
        value = F.when(~value.isin(*what.missing), value)
    if what.extract:
        value = F.nullif(F.regexp_extract(value, what.extract, 1), F.lit(""))
    if what.html:
        value = unescaped(value)
    problems: list[Problem] = []
    if what.map:
        pairs = [F.lit(text) for pair in what.map.items() for text in pair]
        known = F.try_element_at(F.create_map(*pairs), value)
        if what.other == "reject":
            problems.append((value.isNotNull() & known.isNull(), f"{name}_unknown"))
        value = F.coalesce(known, value) if what.other == "keep" else known
    if what.required:
        problems.append((value.isNull(), f"{name}_missing"))
    return Read(value, tuple(problems))


def read_number(name: str, what: Number | None, columns: Columns) -> Read:
    """A double."""
    if what is None:
        return Read(F.lit(None).cast("double"))
    text = read_text(name, what, columns)
    digits = text.value
    if what.decimal == ",":
        digits = F.replace(F.replace(digits, F.lit("."), F.lit("")), F.lit(","), F.lit("."))
    number = digits.try_cast("double")
    if what.times != 1.0:
        number = number * what.times
    problems = [(text.value.isNotNull() & number.isNull(), f"{name}_unparsable")]
    if what.range:
        problems.append((~number.between(*what.range), f"{name}_out_of_range"))
    clipped = number
    if what.at_most is not None:
        clipped = F.least(clipped, F.lit(what.at_most))
    if what.at_least is not None:
        clipped = F.greatest(clipped, F.lit(what.at_least))
    if clipped is not number:
        # What is no finite number stays so, for the general rule to reject.
        finite = F.abs(number) < float("inf")
        clipped = F.when(finite, clipped).otherwise(number)
    return Read(clipped, (*text.problems, *problems))


def read_time(name: str, what: When | None, columns: Columns) -> Read:
    """A timestamp in UTC; a local time that its zone leaps over is a problem."""
    if what is None:
        return Read(F.lit(None).cast("timestamp"))
    kind = columns.types.get(what.column) if what.column else None
    if what.column and isinstance(kind, T.TimestampType):
        return Read(columns.of(what.column))
    if what.column and isinstance(kind, T.TimestampNTZType | T.DateType):
        return _local(name, columns.of(what.column).cast("timestamp"), F.lit(False), what)
    text = read_text(name, what, columns)
    readings = [_by_format(text.value, pattern) for pattern in what.format]
    at = F.coalesce(*[value for value, _ in readings])
    # The first reading that fits decides, of whether it names its zone too.
    absolute = F.coalesce(*[F.when(value.isNotNull(), fixed) for value, fixed in readings])
    found = _local(name, at, absolute, what)
    unparsable = (text.value.isNotNull() & at.isNull(), f"{name}_unparsable")
    return Read(found.value, (*text.problems, unparsable, *found.problems))


def read_labels(name: str, what: Labels | None, columns: Columns) -> Read:
    """An array of texts, null where there is none."""
    if what is None:
        return Read(F.lit(None).cast("array<string>"))
    if what.flags:
        on = [(flag, F.coalesce(columns.text(flag), F.lit("0"))) for flag in what.flags]
        no = ("0", "false", "False", "0.0")
        return Read(_some([F.when(~value.isin(*no), F.lit(flag)) for flag, value in on]))
    if what.of:
        texts = [read_text(name, part, columns) for part in what.of]
        return Read(_some([t.value for t in texts]), tuple(p for t in texts for p in t.problems))
    kind = columns.types.get(what.column) if what.column else None
    if what.column and isinstance(kind, T.ArrayType):
        return Read(_some(columns.of(what.column).cast("array<string>")))
    text = read_text(name, what, columns)
    return Read(_some(_parted(text.value, what.split)), text.problems)


def _parted(text: Column, split: str | None) -> Column:
    """The texts within a text."""
    if split is None:
        return F.array(text)
    return (
        F.from_json(text, "array<string>") if split == "json" else F.split(text, literally(split))
    )


def read_attributes(fields: Mapping[str, Text], columns: Columns) -> Read:
    """A map of texts without those that are missing."""
    texts = {name: read_text(name, what, columns) for name, what in fields.items()}
    pairs = [
        F.when(t.value.isNotNull(), F.struct(F.lit(name).alias("key"), t.value.alias("value")))
        for name, t in texts.items()
    ]
    if not pairs:
        return Read(F.lit(None).cast("map<string,string>"))
    found = F.map_from_entries(F.array_compact(F.array(*pairs)))
    return Read(found, tuple(p for t in texts.values() for p in t.problems))


def holds(rule: Condition, columns: Columns) -> Column:
    """Whether a row is as the rule says; false where it says nothing."""
    text = read_text("", rule, columns).value
    if rule.is_missing is not None:
        return text.isNull() if rule.is_missing else text.isNotNull()
    number = text.try_cast("double")
    (name,) = rule.tests
    tests: dict[str, Callable[[Any], Column]] = {
        "is_in": lambda texts: text.isin(*texts),
        "matches": text.rlike,
        "below": number.__lt__,
        "above": number.__gt__,
        "at_most": number.__le__,
        "at_least": number.__ge__,
    }
    return F.coalesce(tests[name](getattr(rule, name)), F.lit(False))


def broken_rules(
    reject: Sequence[Condition], require: Sequence[Condition], columns: Columns
) -> list[Problem]:
    """The rules of a file as problems of a row."""
    return [
        *[(holds(rule, columns), rule.reason) for rule in reject],
        *[(~holds(rule, columns), rule.reason) for rule in require],
    ]


def first_reason(problems: Iterable[Problem]) -> Column:
    """The reason of the first problem that a row has; null for a sound row."""
    found = list(problems)
    if not found:
        return F.lit(None).cast("string")
    reasons = F.array(*[F.lit(reason) for _, reason in found])
    # Unlike coalesce this evaluates every condition, so that Spark shares their parts, and those of
    # the values, and works out none of them twice.
    first = F.least(*[F.when(is_so, n) for n, (is_so, _) in enumerate(found)], F.lit(None))
    return F.get(reasons, first)


def literally(text: str) -> str:
    """A regular expression that finds this text and nothing else."""
    return "".join(f"\\{c}" if c in r"\|.*+?()[]{}^$" else c for c in text)


def _origin(what: Text, columns: Columns) -> Column:
    if what.column is not None:
        return columns.text(what.column)
    if what.constant is not None:
        return F.lit(what.constant)
    parts = [read_text("", part, columns).value for part in (*what.first_of, *what.join)]
    if what.first_of:
        return F.coalesce(*parts)
    return F.nullif(F.concat_ws(what.separator, *parts), F.lit(""))


def _by_format(text: Column, pattern: str) -> tuple[Column, Column]:
    """The text as a time, and whether it names its own zone (else the time is local)."""
    if pattern in UNIX:
        ticks = text.try_cast("decimal(24,6)")
        micros = (ticks * UNIX[pattern]).try_cast("decimal(38,0)")
        low, high = (seconds * 1_000_000 for seconds in YEARS)
        inside = F.when(micros.between(low, high), micros)
        return F.timestamp_micros(inside.try_cast("long")), F.lit(True)
    if pattern == "iso":
        at = F.when(_has_date(text), text.try_cast("timestamp"))
        return at, text.rlike(OFFSET) & text.contains(":")
    has_zone = any(letter in _unquoted(pattern) for letter in "XxZzOV")
    return F.try_to_timestamp(text, F.lit(pattern)), F.lit(has_zone)


def _has_date(text: Column) -> Column:
    """Whether a text begins with a year and a dash.

    What Spark takes for a time may also be "12:30", which is today's: the clock must not come in.
    """
    year = F.substring(text, 1, 4).try_cast("int")
    return (F.substring(text, 5, 1) == "-") & year.isNotNull()


def _unquoted(pattern: str) -> str:
    """A pattern without what stands between single quotes."""
    return "".join(pattern.split("'")[::2])


def _local(name: str, at: Column, absolute: Column, what: When) -> Read:
    """A time that was read as if it were in UTC, moved from its zone unless it names one."""
    if what.zone == "UTC":
        return Read(at)
    moved = F.to_utc_timestamp(at, what.zone)
    skipped = ~absolute & (F.from_utc_timestamp(moved, what.zone) != at)
    return Read(F.when(absolute, at).otherwise(moved), ((skipped, f"{name}_never_was"),))


def _some(texts: Any) -> Column:  # noqa: ANN401 - columns of texts, or one column of a list
    """The texts, trimmed, without those that are missing; null where none is left."""
    found = F.array(*texts) if isinstance(texts, list) else texts
    trimmed = F.transform(found, lambda text: F.nullif(F.trim(text), F.lit("")))
    kept = F.array_distinct(F.array_compact(trimmed))
    return F.when(F.size(kept) > 0, kept)
