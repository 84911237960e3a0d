"""What a table promises: schema, keys, slices, clustering, constraints, the meaning of a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import types as T

STRING, INT, LONG, DOUBLE = T.StringType(), T.IntegerType(), T.LongType(), T.DoubleType()
TIME, DATE = T.TimestampType(), T.DateType()
VECTOR = T.ArrayType(T.FloatType())
VERSIONS = T.MapType(STRING, LONG)
TEXTS = T.MapType(STRING, STRING)

FINITE = "{0} IS NULL OR ({0} > double('-Infinity') AND {0} < double('Infinity'))"


@dataclass(frozen=True)
class Table:
    """The contract of one Delta table.

    A slice is the part of it that one stage rewrites whole; `content` names the columns that
    decide whether a merged row has changed.
    """

    name: str
    row: str
    schema: T.StructType
    keys: tuple[str, ...]
    slice_by: str | None = None
    cluster_by: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)
    contract: int = 1

    @property
    def columns(self) -> list[str]:
        """The column names in order."""
        return self.schema.fieldNames()


def schema(*columns: tuple[str, T.DataType, str]) -> T.StructType:
    """A name that ends in `!` may not be null."""
    return T.StructType(
        [
            T.StructField(n.rstrip("!"), t, not n.endswith("!"), {"comment": c})
            for n, t, c in columns
        ]
    )
