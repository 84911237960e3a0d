"""What was run, under which conditions, and who works on the warehouse now."""

from tastemill.tables.table import DOUBLE, LONG, STRING, TEXTS, TIME, VERSIONS, Table, schema

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
        ("models!", TEXTS, "kind to model_id, of the models made or used"),
        ("rows", LONG, "rows written"),
        ("seconds!", DOUBLE, "wall time"),
        ("error", STRING, "first line of what went wrong"),
        ("command!", STRING, "what was called"),
        ("settings!", STRING, "the whole configuration as JSON"),
        ("started_at!", TIME, "when the stage began"),
        ("environment", TEXTS, "versions, cores, machine; null before contract 2"),
    ),
    keys=("run_id", "stage", "purpose"),
    contract=2,
)
LEASES = Table(
    "leases",
    "who may write to this warehouse, and until when",
    schema(
        ("name!", STRING, "what is held: line"),
        ("fence!", LONG, "grows by one with every holder, so that a late one can be told"),
        ("holder!", STRING, "who: person, machine, process, run"),
        (
            "machine!",
            STRING,
            "the machine as its kernel names it, to see whether the process lives",
        ),
        ("process!", STRING, "process id and when it began"),
        ("since!", TIME, "when it was taken"),
        ("expires_at!", TIME, "when it ends unless it is renewed; in the past: given back"),
    ),
    keys=("name",),
)
