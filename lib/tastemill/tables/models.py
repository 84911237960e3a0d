"""What was fitted, how the fit went, and how well it did."""

from pyspark.sql import types as T

from tastemill.tables.table import DOUBLE, INT, LONG, STRING, TIME, VECTOR, VERSIONS, Table, schema

MODELS = Table(
    "models",
    "one fitted model",
    schema(
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
        ("mlflow_run", STRING, "MLflow's run of it"),
    ),
    keys=("model_id", "purpose"),
    content=(
        *("params", "input_versions", "artifact", "code_hash", "created_at"),
        *("alias", "mlflow_run"),
    ),
    contract=2,
)


def _factors(noun: str) -> Table:
    return Table(
        f"{noun}_factors",
        f"one {noun}'s vector in one model; its bias or score is a vector of length 1",
        schema(
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
    schema(
        ("model_id!", STRING, "the model"),
        ("epoch!", INT, "from 0"),
        ("metric!", STRING, "train_loss, valid_loss, examples_per_second, …"),
        ("value!", DOUBLE, "the figure"),
    ),
    keys=("model_id", "epoch", "metric"),
    slice_by="model_id",
)

CALIBRATION = Table(
    "calibration",
    "predicted against actual in the test: one bin of one model's predictions",
    schema(
        ("model_id!", STRING, "the model"),
        ("bin!", DOUBLE, "stars given, in halves; implicit task: the least logit in it"),
        ("rows!", LONG, "examples"),
        ("weight!", DOUBLE, "of the examples, as in training"),
        ("predicted!", DOUBLE, "mean prediction; implicit task: mean predicted probability"),
        ("actual!", DOUBLE, "mean label; implicit task: share that was taken"),
        ("quantiles", T.ArrayType(DOUBLE), "rating task: 10, 25, 75 and 90 % of the predictions"),
    ),
    keys=("model_id", "bin"),
    slice_by="model_id",
)

COMPARISONS = Table(
    "comparisons",
    "one model held against the strongest popular list, user by user",
    schema(
        ("model_id!", STRING, "the model"),
        ("reference!", STRING, "the model_id of the popular list"),
        ("metric!", STRING, "ndcg"),
        ("k", INT, "length of the list"),
        ("difference!", DOUBLE, "the model's mean over users minus the reference's"),
        ("low!", DOUBLE, "lower end of the difference's 95 % bootstrap interval"),
        ("high!", DOUBLE, "upper end of the difference's 95 % bootstrap interval"),
        ("p_value!", DOUBLE, "of no difference, two-sided, not corrected for testing many models"),
        ("users!", LONG, "users it is a mean over"),
    ),
    keys=("model_id", "metric", "k"),
    slice_by="model_id",
)

METRICS = Table(
    "metrics",
    "one figure of one model under one protocol",
    schema(
        ("run_id!", STRING, "the run that measured it"),
        ("model_id!", STRING, "the model"),
        ("protocol!", STRING, "how it was measured: full (ranking), ratings or labels"),
        ("split!", STRING, "test or valid"),
        ("segment!", STRING, "all, warm (users with a history) or cold"),
        ("metric!", STRING, "ndcg, recall, rmse, …"),
        ("k", INT, "length of the list; null for ratings and labels"),
        ("value!", DOUBLE, "mean over users"),
        ("low", DOUBLE, "lower end of the 95 % bootstrap interval"),
        ("high", DOUBLE, "upper end of the 95 % bootstrap interval"),
        ("users!", LONG, "users it is a mean over"),
    ),
    keys=("model_id", "protocol", "split", "segment", "metric", "k"),
    slice_by="model_id",
)
