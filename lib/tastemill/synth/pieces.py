"""Keeps the code that Spark makes of a long chain of columns in pieces that Java compiles."""

from pyspark.sql import DataFrame

AS_THEY_ARE = 2**31 - 1


def compiled_apart(rows: DataFrame) -> DataFrame:
    """The same rows in the same partitions; what comes before and after is compiled apart.

    Spark makes one method of all steps between two operators without code of their own, and Java
    interprets a method of more than 8,000 bytes for ever: the whole chain took six times as long.
    A coalesce to no fewer partitions moves nothing and ends such a piece.
    """
    return rows.coalesce(AS_THEY_ARE)
