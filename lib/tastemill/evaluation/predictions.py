"""Predicted ratings of the models that predict them, for rows that are rated."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.models import Model

FACTORS = ("bias", "als_explicit")
NETWORKS = ("embedding_mlp", "gmf", "mlp", "neumf")
# What scores are: stars, or log-odds; of networks with other objectives they only have an order.
STARS, LOG_ODDS = ("auto", "mse"), ("auto", "bce", "sampled_bce")


def predicts(model: Model, task: str) -> bool:
    """Whether a model's scores are what the labels of a task are."""
    if model.kind in FACTORS:
        return task == "rating"
    objective = model.params.get("objective", "auto")
    return model.kind in NETWORKS and objective in (STARS if task == "rating" else LOG_ODDS)


def predict(
    rows: DataFrame, model: Model, users: DataFrame, items: DataFrame, mean: DataFrame
) -> DataFrame:
    """Predictions of a model whose sides are factors.

    Args:
        rows: user_idx, item_idx, segment, label, weight.
        model: `bias` or `als_explicit`.
        users: (idx, vector) of the model.
        items: (idx, vector) of the model.
        mean: one row, `mean`: what is predicted where nothing better is known.
    """
    of_user = users.select(F.col("idx").alias("user_idx"), F.col("vector").alias("u"))
    of_item = items.select(F.col("idx").alias("item_idx"), F.col("vector").alias("i"))
    joined = rows.join(of_user, "user_idx", "left").join(of_item, "item_idx", "left")
    prediction = _bias() if model.kind == "bias" else _dot()
    return labelled(joined.crossJoin(F.broadcast(mean)).withColumn("prediction", prediction), model)


def labelled(rows: DataFrame, model: Model) -> DataFrame:
    """The columns that errors and calibration are computed from."""
    return rows.select(
        F.lit(model.model_id).alias("model_id"),
        *("user_idx", "segment", "label", "weight", "prediction"),
    )


def _bias() -> Column:
    sides = [F.coalesce(F.get(side, 0).cast("double"), F.lit(0.0)) for side in ("u", "i")]
    return F.col("mean") + sides[0] + sides[1]


def _dot() -> Column:
    products = F.zip_with("u", "i", lambda u, i: u.cast("double") * i.cast("double"))
    total = F.aggregate(products, F.lit(0.0), lambda so_far, x: so_far + x)
    return F.coalesce(total, "mean")
