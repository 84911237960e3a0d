"""What tables were expected to be like, and were."""

from pyspark.sql import types as T

from tastemill.tables.table import DOUBLE, LONG, STRING, Table, schema

QUALITY = Table(
    "quality",
    "one expectation of a table, when it was last checked",
    schema(
        ("run_id!", STRING, "the run that checked it"),
        ("table_name!", STRING, "the table"),
        ("column_name!", STRING, "the column, or columns"),
        ("check!", STRING, "known, range, one_of, unique, fresh, psi or ks"),
        ("expected!", STRING, "what was expected, in words"),
        (
            "found",
            DOUBLE,
            "share of rows; of fresh the newest time in seconds since 1970; null where there was "
            "nothing to measure, or nothing yet to compare with",
        ),
        ("broken", LONG, "rows that are otherwise; null where rows aren't asked"),
        ("holds!", T.BooleanType(), "whether it is as expected"),
        ("rows!", LONG, "rows of the table"),
        ("edges", T.ArrayType(DOUBLE), "psi and ks: of the bins"),
        ("counts", T.ArrayType(LONG), "psi and ks: rows by bin, in the last run that was accepted"),
    ),
    keys=("table_name", "column_name", "check", "expected"),
    slice_by="table_name",
)
