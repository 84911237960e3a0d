"""What was run."""

from pyspark.sql import types as T

from tastemill.tables.table import DOUBLE, LONG, STRING, TIME, VERSIONS, Table, schema

RUNS = Table(
    "runs",
    "one stage of one run",
    schema(
        ("run_id!", STRING, "the run"),
        ("run_seq!", LONG, "number of the run, from 1"),
        ("stage!", STRING, "name of the job"),
        ("purpose!", STRING, "backtest or production"),
        ("status!", STRING, "done, skipped or failed"),
        ("stage_key!", STRING, "hash of all that decides the outcome"),
        ("input_versions!", VERSIONS, "Delta version of every table slice read"),
        ("output_versions!", VERSIONS, "Delta version of every table slice written"),
        ("models!", T.MapType(STRING, STRING), "kind to model_id, of the models made or used"),
        ("rows", LONG, "rows written"),
        ("seconds!", DOUBLE, "wall time"),
        ("error", STRING, "first line of what went wrong"),
        ("command!", STRING, "what was called"),
        ("settings!", STRING, "the whole configuration as JSON"),
        ("started_at!", TIME, "when the stage began"),
    ),
    keys=("run_id", "stage", "purpose"),
)
