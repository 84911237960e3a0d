"""Where what was made of a pass goes: its slices of the tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tastemill.config import Purpose
from tastemill.delta import Warehouse
from tastemill.features.figures import Row
from tastemill.sources.cleaning import as_table
from tastemill.tables import Table


@dataclass(frozen=True)
class Output:
    """The slices of one purpose; rows come without it."""

    warehouse: Warehouse
    purpose: Purpose

    def write(self, table: Table, rows: DataFrame) -> DataFrame:
        """Rewrite the slice, and read it again."""
        named = as_table(rows.withColumn("purpose", F.lit(self.purpose)), table)
        self.warehouse.overwrite_slice(table, named, self.purpose)
        return self.warehouse.read(table, where=self.purpose)

    def write_rows(self, table: Table, rows: Sequence[Row]) -> None:
        """The same of a few rows that the driver holds."""
        fields = T.StructType([field for field in table.schema if field.name != table.slice_by])
        self.write(table, self.warehouse.spark.createDataFrame(list(rows), fields))
