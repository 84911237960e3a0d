"""What users are shown, and what they would have been shown at the cut."""

from pyspark.sql import types as T

from tastemill.tables.table import INT, LONG, STRING, TIME, Table, schema

LIST_ITEM = T.StructType(
    [
        T.StructField("rank", INT),
        T.StructField("item_id", STRING),
        T.StructField("score", T.FloatType()),
        T.StructField("source", STRING),
        T.StructField("reason", STRING),
    ]
)
_COLUMNS = (
    ("surface!", STRING, "where it is shown"),
    ("user_id!", STRING, "id of the user as in the source"),
    ("items!", T.ArrayType(LIST_ITEM), "best first: rank, item, score, source, reason"),
    ("model_id!", STRING, "the model that scored it"),
    ("as_of!", TIME, "the model saw only events strictly before"),
    ("run_seq!", LONG, "number of the run, from runs"),
    ("list_hash!", STRING, "hash of items: a list is replaced only when it differs"),
    ("generated_at!", TIME, "when the list last changed"),
)
RECOMMENDATIONS = Table(
    "recommendations",
    "what one user is shown on one surface",
    schema(*_COLUMNS),
    keys=("surface", "user_id"),
    cluster_by=("user_id",),
    content=("list_hash",),
)
BACKTEST_LISTS = Table(
    "backtest_lists",
    "what one model would have shown one user at the cut",
    schema(*_COLUMNS),
    keys=("surface", "model_id", "user_id"),
    slice_by="model_id",
    cluster_by=("model_id", "user_id"),
)
