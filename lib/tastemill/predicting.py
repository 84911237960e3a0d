"""What the models of a backtest predict for the examples of its test."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.collaborative.baselines import rating_mean
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.evaluation import backtest, predictions
from tastemill.factors import with_inputs_of
from tastemill.models import Model


def predictions_of(
    warehouse: Warehouse, cfg: Config, chosen: list[Model], past: DataFrame
) -> DataFrame | None:
    """Predictions of every model that predicts labels, for the same rows; None where none does.

    Args:
        warehouse: examples and factors.
        cfg: the task.
        chosen: the models that are judged.
        past: events before the cut.

    Returns:
        (model_id, user_idx, segment, label, weight, prediction); for an implicit task the
        prediction is a logit.
    """
    predicting = [m for m in chosen if predictions.predicts(m, cfg.dataset.task)]
    if not predicting or not warehouse.exists(tables.EXAMPLES):
        return None
    rated = past.where(F.col("value").isNotNull())
    warm = rated.select("user_idx").distinct().withColumn("segment", F.lit("warm"))
    examples = warehouse.read(tables.EXAMPLES, where="backtest").where("split = 'test'")
    rows = examples.join(warm, "user_idx", "left").fillna("cold", ["segment"])
    mean = rating_mean(rated)

    def predicted(model: Model) -> DataFrame:
        if model.artifact is not None:
            from tastemill.retrieval.networks import predict_pairs  # noqa: PLC0415 - torch: an extra

            told = with_inputs_of(model, rows, warehouse)
            return predictions.labelled(predict_pairs(told, model.artifact), model)
        users = warehouse.read(tables.USER_FACTORS, where=model.model_id)
        items = warehouse.read(tables.ITEM_FACTORS, where=model.model_id)
        return predictions.predict(rows, model, users, items, mean)

    return backtest.union([predicted(m) for m in predicting])
