"""The map of the line: every Delta table as a constant.

Schema, keys, slices, clustering, constraints and the meaning of a row. A slice is the part of a
table that one stage rewrites whole; `content` names the columns that decide whether a merged row
has changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import types as T

STRING, INT, LONG, DOUBLE = T.StringType(), T.IntegerType(), T.LongType(), T.DoubleType()
TIME, DATE, BOOL = T.TimestampType(), T.DateType(), T.BooleanType()
VECTOR = T.ArrayType(T.FloatType())
VERSIONS = T.MapType(STRING, LONG)

FINITE = "{0} IS NULL OR ({0} > double('-Infinity') AND {0} < double('Infinity'))"


@dataclass(frozen=True)
class Table:
    """The contract of one Delta table."""

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


def _schema(*columns: tuple[str, T.DataType, str]) -> T.StructType:
    """A name that ends in `!` may not be null."""
    return T.StructType(
        [
            T.StructField(n.rstrip("!"), t, not n.endswith("!"), {"comment": c})
            for n, t, c in columns
        ]
    )


EVENTS = Table(
    "events",
    "one behaviour of one user",
    _schema(
        ("event_id!", STRING, "the source's own id, else 128 bits of a hash of the row"),
        ("user_id!", STRING, "id of the user as in the source"),
        ("item_id", STRING, "id of the item as in the source; null for a search"),
        ("event_type!", STRING, "view, click, cart, purchase, search, rating, like, …"),
        ("value", DOUBLE, "stars, fraction watched, plays or quantity, by event type"),
        ("dwell_seconds", DOUBLE, "seconds spent; null when not known"),
        ("query", STRING, "what was searched for"),
        ("session_id", STRING, "the source's session, basket or visit; null when it has none"),
        ("event_time", TIME, "UTC; null when not known, and then before every known time"),
        ("event_date", DATE, "the day of event_time"),
        ("source!", STRING, "name of the source"),
        ("source_file!", STRING, "name of the file within the data folder"),
        ("source_row!", LONG, "line in the file, from 1"),
        ("ingested_at!", TIME, "when the row was written"),
    ),
    keys=("event_id",),
    cluster_by=("event_date", "user_id"),
    checks={"value_finite": FINITE.format("value"), "type_known": "event_type <> ''"},
)
INGESTED_FILES = Table(
    "ingested_files",
    "one input file, by content",
    _schema(
        ("sha256!", STRING, "sha256 of the file's bytes"),
        ("source!", STRING, "name of the source"),
        ("source_file!", STRING, "name of the file within the data folder"),
        ("mapping!", STRING, "hash of the settings and code that read it"),
        ("bytes!", LONG, "size of the file"),
        ("ingested_at!", TIME, "when it was read"),
    ),
    keys=("sha256", "source_file", "mapping"),
)
QUARANTINE = Table(
    "quarantine",
    "one rejected raw row and why",
    _schema(
        ("quarantine_id!", STRING, "hash of source, raw, reason and n (equal rows)"),
        ("source!", STRING, "name of the source"),
        ("source_file!", STRING, "name of the file"),
        ("source_row", LONG, "line in the file, from 1; null where the reader can't tell"),
        ("reason!", STRING, "the rule that rejected it"),
        ("raw!", STRING, "the row as JSON or as the line stood"),
        ("ingested_at!", TIME, "when the row was written"),
    ),
    keys=("quarantine_id",),
    content=("reason",),
)
USERS = Table(
    "users",
    "one user, as last told by the source",
    _schema(
        ("user_id!", STRING, "id of the user as in the source"),
        ("age", STRING, "age or age band as the source gives it"),
        ("gender", STRING, "as the source gives it"),
        ("occupation", STRING, "as the source gives it"),
        ("attributes", T.MapType(STRING, STRING), "everything else the source tells"),
        ("updated_at", TIME, "when the source last changed it; null when not known"),
    ),
    keys=("user_id",),
    content=("age", "gender", "occupation", "attributes"),
)
ITEMS = Table(
    "items",
    "one item, as last told by the source",
    _schema(
        ("item_id!", STRING, "id of the item as in the source"),
        ("title", STRING, "what a person would call it"),
        ("description", STRING, "longer text"),
        ("categories", T.ArrayType(STRING), "categories or genres, in the source's order"),
        ("price", DOUBLE, "in the source's currency"),
        ("released_on", DATE, "first day it could be had"),
        ("attributes", T.MapType(STRING, STRING), "everything else the source tells"),
        ("updated_at", TIME, "when the source last changed it; null when not known"),
    ),
    keys=("item_id",),
    content=("title", "description", "categories", "price", "released_on", "attributes"),
)


def _index(noun: str, key: str, idx: str) -> Table:
    return Table(
        f"{noun}_index",
        f"one {noun} and its dense number: append-only, never renumbered",
        _schema((f"{key}!", STRING, f"the {noun}"), (f"{idx}!", INT, "dense, from 0, for ever")),
        keys=(key,),
    )


USER_INDEX = _index("user", "user_id", "user_idx")
ITEM_INDEX = _index("item", "item_id", "item_idx")
CATEGORY_INDEX = _index("category", "category", "category_idx")

CATEGORY_SLOTS = Table(
    "category_slots",
    "one position of the profile vectors of a day",
    _schema(
        ("ds!", DATE, "the day of the slice"),
        ("slot!", INT, "position in the vectors, from 0; the last one means every other category"),
        ("category", STRING, "null at the last position: every other category"),
        ("events!", LONG, "events that chose it before as_of"),
    ),
    keys=("ds", "slot"),
    slice_by="ds",
)
USER_PROFILES = Table(
    "user_profiles",
    "one user as of a moment: what came before as_of and nothing else",
    _schema(
        ("ds!", DATE, "the day of as_of"),
        ("as_of!", TIME, "only events strictly before it are seen"),
        ("user_id!", STRING, "id of the user as in the source"),
        ("user_idx!", INT, "the user's dense number"),
        ("interests!", VECTOR, "share of recency-weighted value by category slot; sums to 1 or 0"),
        ("user_vector!", VECTOR, "interests, log events, mean value: what deep models read"),
        ("num_events!", LONG, "events in the whole past"),
        ("num_events_by_type", T.MapType(STRING, LONG), "the same by event type"),
        ("num_events_7d!", LONG, "events in the last 7 days (unknown times count in no window)"),
        ("num_events_30d!", LONG, "events in the last 30 days"),
        ("num_events_90d!", LONG, "events in the last 90 days"),
        ("num_active_days!", LONG, "days with at least one event"),
        ("num_sessions!", LONG, "visits: the source's sessions, else gaps over 30 minutes"),
        ("visits_per_week", DOUBLE, "sessions per week since the first; null without a time"),
        ("dwell_seconds_mean", DOUBLE, "mean seconds per event with a known dwell"),
        ("click_depth_mean", DOUBLE, "mean views and clicks per session"),
        ("value_mean", DOUBLE, "mean value of the events that carry one"),
        ("first_event_time", TIME, "null when no time is known"),
        ("last_event_time", TIME, "null when no time is known"),
        ("age", STRING, "from users"),
        ("gender", STRING, "from users"),
        ("occupation", STRING, "from users"),
    ),
    keys=("ds", "user_id"),
    slice_by="ds",
    cluster_by=("user_id",),
)
ITEM_PROFILES = Table(
    "item_profiles",
    "one item as of a moment: what came before as_of and nothing else",
    _schema(
        ("ds!", DATE, "the day of as_of"),
        ("as_of!", TIME, "only events strictly before it are seen"),
        ("item_id!", STRING, "id of the item as in the source"),
        ("item_idx!", INT, "the item's dense number"),
        ("categories_vector!", VECTOR, "share by category slot; sums to 1 or 0"),
        ("item_vector!", VECTOR, "categories, log events, mean value: what deep models read"),
        ("num_events!", LONG, "events in the whole past"),
        ("num_users!", LONG, "distinct users in the whole past"),
        ("num_events_7d!", LONG, "events in the last 7 days"),
        ("num_events_30d!", LONG, "events in the last 30 days"),
        ("num_events_90d!", LONG, "events in the last 90 days"),
        ("value_mean", DOUBLE, "mean value, shrunk towards the mean of all events"),
        ("price_bucket", INT, "decile of price, 0 to 9; null without a price"),
        ("first_event_time", TIME, "null when no time is known"),
        ("last_event_time", TIME, "null when no time is known"),
    ),
    keys=("ds", "item_id"),
    slice_by="ds",
    cluster_by=("item_id",),
)
EXAMPLES = Table(
    "examples",
    "one thing a model learns from: a user, an item, a label, and profiles as of just before",
    _schema(
        ("purpose!", STRING, "backtest or production"),
        ("event_id!", STRING, "the event it comes from"),
        ("n!", INT, "0 for the event itself, 1 and up for its negatives"),
        ("user_idx!", INT, "the user's dense number"),
        ("item_idx!", INT, "the item's dense number"),
        ("event_time", TIME, "of the event"),
        ("label!", DOUBLE, "stars (rating task), 1 taken or 0 not taken (implicit task)"),
        ("weight!", DOUBLE, "what the example counts in the loss"),
        ("split!", STRING, "train, valid or test"),
        ("user_vector!", VECTOR, "the user's profile vector just before event_time"),
        ("item_vector!", VECTOR, "the item's profile vector just before event_time"),
    ),
    keys=("purpose", "event_id", "n"),
    slice_by="purpose",
    cluster_by=("user_idx",),
)
MODELS = Table(
    "models",
    "one fitted model",
    _schema(
        ("model_id!", STRING, "kind and 12 hex digits of a hash of all that made it"),
        ("kind!", STRING, "popularity, als, embedding_mlp, …"),
        ("purpose!", STRING, "backtest or production"),
        ("as_of!", TIME, "it saw only events strictly before"),
        ("params!", STRING, "JSON"),
        ("metrics", T.MapType(STRING, DOUBLE), "what the fit itself reported"),
        ("input_versions!", VERSIONS, "Delta version of every table read"),
        ("code_hash!", STRING, "hash of tastemill's sources"),
        ("seed!", LONG, "seed of everything random in it"),
        ("artifact", STRING, "folder of weights; null when the factors tables hold all of it"),
        ("alias", STRING, "candidate or champion"),
        ("seconds!", DOUBLE, "time of the fit"),
        ("created_at!", TIME, "when it was fitted"),
    ),
    keys=("model_id", "purpose"),
    content=("params", "input_versions", "artifact", "code_hash"),
)


def _factors(noun: str) -> Table:
    return Table(
        f"{noun}_factors",
        f"one {noun}'s vector in one model; its bias or score is a vector of length 1",
        _schema(
            ("model_id!", STRING, "the model"),
            ("idx!", INT, f"the {noun}'s dense number"),
            ("vector!", VECTOR, "latent factors; for popularity and bias models the score alone"),
        ),
        keys=("model_id", "idx"),
        slice_by="model_id",
    )


USER_FACTORS = _factors("user")
ITEM_FACTORS = _factors("item")
TRAINING_HISTORY = Table(
    "training_history",
    "one figure of one epoch of one training",
    _schema(
        ("model_id!", STRING, "the model"),
        ("epoch!", INT, "from 0"),
        ("metric!", STRING, "train_loss, valid_loss, examples_per_second, …"),
        ("value!", DOUBLE, "the figure"),
    ),
    keys=("model_id", "epoch", "metric"),
    slice_by="model_id",
)
LIST_ITEM = T.StructType(
    [
        T.StructField("rank", INT),
        T.StructField("item_id", STRING),
        T.StructField("score", T.FloatType()),
        T.StructField("source", STRING),
        T.StructField("reason", STRING),
    ]
)
_LIST_COLUMNS = (
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
    _schema(*_LIST_COLUMNS),
    keys=("surface", "user_id"),
    cluster_by=("user_id",),
    content=("list_hash",),
)
BACKTEST_LISTS = Table(
    "backtest_lists",
    "what one model would have shown one user at the cut",
    _schema(*_LIST_COLUMNS),
    keys=("surface", "model_id", "user_id"),
    slice_by="model_id",
    cluster_by=("model_id", "user_id"),
)
METRICS = Table(
    "metrics",
    "one figure of one model under one protocol",
    _schema(
        ("run_id!", STRING, "the run that measured it"),
        ("model_id!", STRING, "the model"),
        ("protocol!", STRING, "how it was measured: full (ranking) or time_split (ratings)"),
        ("split!", STRING, "test or valid"),
        ("segment!", STRING, "all, warm (users with a history) or cold"),
        ("metric!", STRING, "ndcg, recall, rmse, …"),
        ("k", INT, "length of the list; null for ratings"),
        ("value!", DOUBLE, "mean over users"),
        ("low", DOUBLE, "lower end of the 95 % bootstrap interval"),
        ("high", DOUBLE, "upper end of the 95 % bootstrap interval"),
        ("users!", LONG, "users it is a mean over"),
    ),
    keys=("model_id", "protocol", "split", "segment", "metric", "k"),
    slice_by="model_id",
)
RUNS = Table(
    "runs",
    "one stage of one run",
    _schema(
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

ALL: tuple[Table, ...] = (
    EVENTS,
    INGESTED_FILES,
    QUARANTINE,
    USERS,
    ITEMS,
    USER_INDEX,
    ITEM_INDEX,
    CATEGORY_INDEX,
    CATEGORY_SLOTS,
    USER_PROFILES,
    ITEM_PROFILES,
    EXAMPLES,
    MODELS,
    USER_FACTORS,
    ITEM_FACTORS,
    TRAINING_HISTORY,
    RECOMMENDATIONS,
    BACKTEST_LISTS,
    METRICS,
    RUNS,
)
BY_NAME = {table.name: table for table in ALL}
