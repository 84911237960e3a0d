"""Files of every form as rows: where each stood, its text, its columns, what is wrong with it.

A parsed frame has source_file, source_row (from 1), raw, reason (null where the form is sound) and
the struct `row` with the file's own columns.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.errors import DataError
from tastemill.sources.base import ORIGIN
from tastemill.sources.fields import ROW, Columns, literally
from tastemill.sources.files import Part, header_of
from tastemill.sources.lines import (
    SPLIT_FILE,
    decoded,
    location,
    name_in,
    path_in,
    read_lines,
    with_places,
)
from tastemill.sources.mapping import Files
from tastemill.sources.texts import Text

MALFORMED, FIELDS = "_malformed", "_fields"
# Names under which Spark's CSV reader knows an encoding, or one that is close.
OF_SPARK = {"ascii": "us-ascii", "windows-1252": "iso-8859-1"}
WIDE = "utf-16"  # in which Spark finds no end of a line, unless it reads the file as a whole
UNEVEN, UNBALANCED, NO_JSON = "wrong_number_of_fields", "quote_not_closed", "not_json"
Parsed = tuple[DataFrame, Columns]


def parse(spark: SparkSession, part: Part[Any]) -> list[Parsed]:
    """The rows of a part's files, one frame for all files of the same columns.

    Raises:
        DataError: a file is empty, lacks its header, or lacks every column.
    """
    match part.format:
        case "csv":
            by_header = defaultdict(list)
            for file in part.files:
                by_header[header_of(part, file)].append(file)
            return [_text(spark, part, files, names) for names, files in by_header.items()]
        case "jsonl":
            return [_json_lines(spark, part)]
        case "json":
            return [_documents(spark, part)]
        case form:
            return [_typed(spark, part, file, form) for file in _units(part, form)]


def used_columns(what: BaseModel) -> list[str]:
    """The columns that a mapping names, each once, in order."""
    found: dict[str, None] = {}
    for name in type(what).model_fields:
        value = getattr(what, name)
        inner = value.values() if isinstance(value, dict) else value
        for part in inner if isinstance(value, tuple | dict) else (value,):
            if isinstance(part, BaseModel):
                found |= dict.fromkeys(used_columns(part))
    if isinstance(what, Text):
        own = (what.column, *getattr(what, "flags", ()))
        found |= dict.fromkeys(name for name in own if name is not None)
    return list(found)


def _text(
    spark: SparkSession, part: Part[Files], files: Sequence[Path], names: Sequence[str]
) -> Parsed:
    """Text files whose columns are these, in this order."""
    how = part.mapping
    columns = Columns(part.name_of(files[0]), dict.fromkeys(names, T.StringType()))
    columns.require(used_columns(how))  # what is missing is told before anything is read
    if how.multiline or how.encoding == WIDE:
        return _multiline(spark, part, files, names), columns
    lines = read_lines(spark, files, part.folder, how.encoding)
    if how.header:
        lines = lines.where("source_row > 1")
    else:
        lines = lines.withColumn("raw", F.ltrim("raw", F.lit("\ufeff")))
    # Columns of their own: an expression would read the line anew for each field asked for.
    lines = lines.withColumn(FIELDS, F.split("raw", literally(part.separator), -1))
    row, is_even = _from_fields(names)
    broken = F.lit(False)
    if how.quote:
        # Cutting is twice as fast as Spark's CSV reader, which only lines with quotes need.
        is_quoted = F.contains("raw", F.lit(how.quote))
        lines = lines.withColumn(ROW, F.when(is_quoted, _by_csv(part, names)))
        by_csv = F.col(ROW).getField(MALFORMED).isNull()
        row = F.when(is_quoted, F.col(ROW).dropFields(MALFORMED)).otherwise(row)
        is_even = F.when(is_quoted, by_csv).otherwise(is_even)
        broken = is_quoted & _is_open(part)
    reason = (
        F.when(~F.is_valid_utf8("raw"), F.lit("not_utf8"))
        .when(broken, UNBALANCED)
        .when(~is_even, UNEVEN)
    )
    return lines.select(
        *ORIGIN[:2],
        F.make_valid_utf8("raw").alias("raw"),
        reason.alias("reason"),
        F.when(is_even, row).alias(ROW),
    ), columns


def _by_csv(part: Part[Files], names: Sequence[str]) -> Column:
    """A line as a struct by Spark's CSV reader, with the line itself where fields are too many."""
    return F.from_csv("raw", _ddl(_strings([*names, MALFORMED])), _csv_options(part))


def _csv_options(part: Part[Files]) -> dict[str, str]:
    quote = part.mapping.quote
    return {
        "sep": part.separator.replace("\\", "\\\\"),  # Spark takes a backslash for an escape
        "quote": quote,
        "escape": quote,
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": MALFORMED,
    }


def _is_open(part: Part[Files]) -> Column:
    """Whether a field begins with a quote that is never closed: it may swallow the next fields."""
    quote = part.mapping.quote
    without = F.length(F.replace("raw", F.lit(quote), F.lit("")))
    starts = F.col("raw").rlike(f"(^|{literally(part.separator)}){quote}")
    return ((F.length("raw") - without) % 2 == 1) & starts


def _from_fields(names: Sequence[str]) -> tuple[Column, Column]:
    """A line that was cut at each separator as a struct, and whether it has a field per name."""
    row = F.struct(*[F.get(FIELDS, F.lit(n)).alias(name) for n, name in enumerate(names)])
    return row, F.size(FIELDS) == len(names)


def _multiline(
    spark: SparkSession, part: Part[Files], files: Sequence[Path], names: Sequence[str]
) -> DataFrame:
    """Records that may go over several lines; `source_row` counts records, the header too."""
    options = {**_csv_options(part), "multiLine": "true", "header": str(part.mapping.header)}
    encoding = part.mapping.encoding
    options["encoding"] = OF_SPARK.get(encoding, encoding)
    reader = spark.read.schema(_strings([*names, MALFORMED])).options(**options)
    read = reader.csv([location(file) for file in files])
    row = F.struct(*[decoded(F.col(f"`{name}`"), encoding).alias(name) for name in names])
    malformed = decoded(F.col(MALFORMED), encoding).alias(MALFORMED)
    name = name_in(part.folder, files, SPLIT_FILE)
    return with_places(read.select(row.alias(ROW), malformed), name).select(
        "source_file",
        (F.col("source_row") + int(part.mapping.header)).alias("source_row"),
        F.coalesce(MALFORMED, F.to_json(ROW)).alias("raw"),
        F.when(F.col(MALFORMED).isNotNull(), F.lit(UNEVEN)).alias("reason"),
        F.when(F.col(MALFORMED).isNull(), F.col(ROW)).alias(ROW),
    )


def _json_lines(spark: SparkSession, part: Part[Files]) -> Parsed:
    """A JSON object per line."""
    if part.mapping.encoding == WIDE:
        raise DataError(
            f"{part.files[0]}: JSON lines in {WIDE} can't be read", fix="save the file as UTF-8"
        )
    names = used_columns(part.mapping)
    lines = read_lines(spark, part.files, part.folder, part.mapping.encoding)
    lines = lines.where(F.trim("raw") != "")
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": MALFORMED}
    row = F.from_json("raw", _nested([*names, MALFORMED]), options)
    is_json = row.isNotNull() & row.getField(MALFORMED).isNull()
    reason = F.when(~F.is_valid_utf8("raw"), F.lit("not_utf8")).when(~is_json, NO_JSON)
    parsed = lines.select(
        *ORIGIN[:2],
        F.make_valid_utf8("raw").alias("raw"),
        reason.alias("reason"),
        F.when(is_json, _flat(row, names)).alias(ROW),
    )
    return parsed, _open_ended(part, names)


def _documents(spark: SparkSession, part: Part[Files]) -> Parsed:
    """Files that are one JSON list of objects each; `source_row` counts objects."""
    names = used_columns(part.mapping)
    options = {"multiLine": "true", "columnNameOfCorruptRecord": MALFORMED}
    reader = spark.read.schema(_nested([*names, MALFORMED])).options(**options)
    rows = reader.json([location(file) for file in part.files])
    whole = F.struct(*[name for name in rows.columns if name != MALFORMED]).alias(ROW)
    name = name_in(part.folder, part.files, SPLIT_FILE)
    is_json = F.col(MALFORMED).isNull()
    parsed = with_places(rows.select(whole, MALFORMED), name).select(
        *ORIGIN[:2],
        F.coalesce(MALFORMED, F.to_json(ROW)).alias("raw"),
        F.when(~is_json, F.lit(NO_JSON)).alias("reason"),
        F.when(is_json, _flat(F.col(ROW), names)).alias(ROW),
    )
    return parsed, _open_ended(part, names)


def _units(part: Part[Files], form: str) -> list[list[Path]]:
    """Files that are read together: those of one table."""
    return [[file] for file in part.files] if form == "delta" else [list(part.files)]


def _typed(spark: SparkSession, part: Part[Files], files: Sequence[Path], form: str) -> Parsed:
    """Files that carry their own types."""
    rows = spark.read.format(form).load([location(file) for file in files])
    own = {f.name: f.dataType for f in rows.schema}
    columns = Columns(part.name_of(files[0]), own)
    columns.require(used_columns(part.mapping))
    row = F.struct(*[F.col(f"`{name}`") for name in own]).alias(ROW)
    if form == "delta":  # whose own reader hides where in a file a row stands
        placed = with_places(rows.select(row), path_in(part.folder, SPLIT_FILE))
    else:
        at = (F.col("_metadata.row_index") + 1).alias("source_row")
        placed = rows.select(row, name_in(part.folder, files), at)
    no_reason = F.lit(None).cast("string").alias("reason")
    return placed.select(*ORIGIN[:2], F.to_json(ROW).alias("raw"), no_reason, ROW), columns


def _strings(names: Sequence[str]) -> T.StructType:
    return T.StructType([T.StructField(name, T.StringType()) for name in names])


def _ddl(schema: T.StructType) -> str:
    return ", ".join(f"`{f.name.replace('`', '``')}` string" for f in schema)


def _nested(names: Sequence[str]) -> T.StructType:
    """A schema of texts in which a.b is a field b of the object a.

    Raises:
        DataError: a name stands for a text and for an object at once.
    """
    inner: dict[str, list[str]] = defaultdict(list)
    for name in names:
        outer, _, rest = name.partition(".")
        inner[outer] += [rest] if rest else []
    mixed = [name for name in names if inner.get(name)]
    if mixed:
        raise DataError(
            f"the mapping reads {mixed[0]} as a text and as an object",
            fix="name either it or what is in it",
        )
    return T.StructType(
        [
            T.StructField(outer, _nested(rest) if rest else T.StringType())
            for outer, rest in inner.items()
        ]
    )


def _flat(row: Column, names: Sequence[str]) -> Column:
    """A struct whose fields have dotted names in place of nested ones."""
    return F.struct(*[reduce(Column.getField, name.split("."), row).alias(name) for name in names])


def _open_ended(part: Part[Files], names: Sequence[str]) -> Columns:
    """The columns of a format that names none: those that the mapping asks for."""
    return Columns(part.name_of(part.files[0]), dict.fromkeys(names, T.StringType()))
