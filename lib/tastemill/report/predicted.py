"""Predicted against actual on the newest part of a backtest, aggregated in Spark.

Rating task: a row per model and half star of the scale. Implicit task: a histogram of scores per
model with a fixed number of bins, from which tenths are put together on the driver.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.collaborative.baselines import rating_mean
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.evaluation import predictions
from tastemill.evaluation.backtest import union
from tastemill.models import Model
from tastemill.report.contents.quality import Decile, Prediction, Spread
from tastemill.report.events import parted_events
from tastemill.splits import is_past

QUANTILES = (0.10, 0.25, 0.75, 0.90)
BINS_PER_LOGIT, MAX_LOGIT = 50, 12  # 1,201 bins, narrow where probabilities are small
NUM_DECILES = 10
ROW = ("user_idx", "item_idx", "label", "weight", "user_vector", "item_vector")


def collect_predictions(
    warehouse: Warehouse, cfg: Config, models: Sequence[Model], cut: datetime
) -> tuple[Prediction, ...]:
    """Predicted against actual of every model that predicts labels."""
    if not warehouse.exists(tables.EXAMPLES):
        return ()
    examples = warehouse.read(tables.EXAMPLES, where="backtest").where("split = 'test'")
    rows = examples.select(*ROW, F.lit("all").alias("segment"))
    kinds = {m.model_id: m.kind for m in models}
    networks = {m.model_id: scored(rows, m) for m in models if _is_usable(m)}
    if cfg.dataset.task == "implicit":
        return _calibrations(networks, kinds)
    factors = {m.model_id: m for m in models if _has_factors(m)}
    mean = _mean_of_past(warehouse, cfg, cut)
    predicted = networks | {
        model_id: _from_factors(warehouse, rows, model, mean) for model_id, model in factors.items()
    }
    return _spreads(
        {model_id: predicted[model_id] for model_id in kinds if model_id in predicted}, kinds
    )


def star_spreads(predicted: DataFrame) -> DataFrame:
    """(model_id, stars, n, mean, quantiles): predictions by what was given, in half stars."""
    stars = (F.round(F.col("label") * 2) / 2).alias("stars")
    known = predicted.where(F.col("prediction").isNotNull() & ~F.isnan("prediction"))
    return known.groupBy("model_id", stars).agg(
        F.count("*").alias("n"),
        F.avg("prediction").alias("mean"),
        F.percentile_approx("prediction", list(QUANTILES)).alias("quantiles"),
    )


def score_histogram(predicted: DataFrame) -> DataFrame:
    """(model_id, bin, n, weight, expected, taken): scores (logits) in bins of equal width.

    `expected` and `taken` are weighted sums of the predicted probability and of the label, weighted
    as in training.
    """
    score = F.col("prediction")
    bounded = F.greatest(F.least(score, F.lit(float(MAX_LOGIT))), F.lit(-float(MAX_LOGIT)))
    number = F.floor(bounded * BINS_PER_LOGIT).alias("bin")
    probability = 1 / (1 + F.exp(-score))
    return (
        predicted.where(score.isNotNull() & ~F.isnan(score))
        .groupBy("model_id", number)
        .agg(
            F.count("*").alias("n"),
            F.sum("weight").alias("weight"),
            F.sum(F.col("weight") * probability).alias("expected"),
            F.sum(F.col("weight") * F.col("label")).alias("taken"),
        )
    )


def deciles(bins: Iterable[Row]) -> tuple[Decile, ...]:
    """Tenths of the examples, put together from whole bins, lowest scores first.

    A bin that holds more than a tenth makes for fewer parts.
    """
    ordered = sorted(bins, key=lambda r: r["bin"])
    total = sum(r["n"] for r in ordered)
    parts: list[list[Row]] = [[] for _ in range(NUM_DECILES)]
    before = 0
    for row in ordered:
        middle = before + row["n"] / 2
        parts[min(NUM_DECILES - 1, int(NUM_DECILES * middle / total))].append(row)
        before += row["n"]
    return tuple(_decile(part) for part in parts if sum(r["weight"] for r in part) > 0)


def scored(rows: DataFrame, model: Model) -> DataFrame:
    """(model_id, label, weight, prediction) by a network."""
    from tastemill.retrieval.networks import predict_pairs  # noqa: PLC0415 - torch: an extra

    predicted = predict_pairs(rows, str(model.artifact))
    return predicted.select(
        F.lit(model.model_id).alias("model_id"), "label", "weight", "prediction"
    )


def _is_usable(model: Model) -> bool:
    """Whether it is a network that can be loaded here."""
    whole = model.artifact is not None and Path(model.artifact, "model.json").is_file()
    return whole and find_spec("torch") is not None


def _has_factors(model: Model) -> bool:
    return model.kind in predictions.RATING_KINDS and model.artifact is None


def _mean_of_past(warehouse: Warehouse, cfg: Config, cut: datetime) -> DataFrame:
    """The mean of what was rated in the past, as the evaluation takes it."""
    positive_min = cfg.dataset.positive_min
    events = parted_events(warehouse, cfg.split, positive_min, cut, cfg.run.as_of)
    rated = F.col("value").isNotNull() & F.col("item_id").isNotNull()
    return rating_mean(events.where(is_past() & rated))


def _from_factors(
    warehouse: Warehouse, rows: DataFrame, model: Model, mean: DataFrame
) -> DataFrame:
    users = warehouse.read(tables.USER_FACTORS, where=model.model_id)
    items = warehouse.read(tables.ITEM_FACTORS, where=model.model_id)
    predicted = predictions.predict(rows, model, users, items, mean)
    weight = F.lit(1.0).alias("weight")
    return predicted.select("model_id", "label", weight, "prediction")


def _spreads(
    predicted: Mapping[str, DataFrame], kinds: Mapping[str, str]
) -> tuple[Prediction, ...]:
    if not predicted:
        return ()
    rows = star_spreads(union(list(predicted.values()))).collect()

    def of(model_id: str) -> tuple[Spread, ...]:
        own = sorted((r for r in rows if r["model_id"] == model_id), key=lambda r: r["stars"])
        return tuple(Spread(r["stars"], r["n"], r["mean"], tuple(r["quantiles"])) for r in own)

    found = [Prediction(kinds[model_id], spreads=of(model_id)) for model_id in predicted]
    return tuple(p for p in found if p.spreads)


def _calibrations(
    predicted: Mapping[str, DataFrame], kinds: Mapping[str, str]
) -> tuple[Prediction, ...]:
    if not predicted:
        return ()
    rows = score_histogram(union(list(predicted.values()))).collect()
    found = [
        Prediction(kinds[model_id], deciles=deciles(r for r in rows if r["model_id"] == model_id))
        for model_id in predicted
    ]
    return tuple(p for p in found if p.deciles)


def _decile(bins: Sequence[Row]) -> Decile:
    number, weight, expected, taken = (
        sum(r[name] for r in bins) for name in ("n", "weight", "expected", "taken")
    )
    return Decile(number, expected / weight, taken / weight)
