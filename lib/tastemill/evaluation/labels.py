"""Predicted probabilities against what was taken: sums per user, so that users can be resampled."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import Window as W
from pyspark.sql import functions as F

from tastemill.evaluation.ratings import from_units, in_units

AUC, GAUC, LOG_LOSS = "auc", "gauc", "log_loss"
FORMULAS = {
    AUC: "P(logit of a taken example > of another) + P(equal) / 2, logits to a hundredth",
    GAUC: "Σ n_u AUC_u / Σ n_u over users u with examples of both kinds, n_u of them",
    LOG_LOSS: "Σ −ln p(label) / n",
}
"""Of the n examples of the test; what was taken is drawn against as `build_examples` has it."""
STEPS_PER_LOGIT, MAX_LOGIT = 100, 30
_USER = ("model_id", "user_idx", "segment")


def label_errors(scores: DataFrame) -> DataFrame:
    """What log loss and GAUC are means of, per model and user.

    GAUC: Zhou et al., Deep Interest Network (KDD 2018), equation 9, weighted by examples.

    Args:
        scores: (model_id, user_idx, segment, label 0 or 1, prediction); the prediction a logit,
            rows in which it is null or NaN are left out.

    Returns:
        (model_id, user_idx, segment, metric "log_loss" or "gauc", n bigint examples, total double),
        exact to a millionth per example.
    """
    taken = F.col("label") > 0
    counted = _known(scores).groupBy(*_USER, "prediction").agg(
        F.count_if(taken).alias("taken"),
        F.count_if(~taken).alias("left"),
        F.sum(in_units(_loss(taken))).alias("loss"),
    )  # fmt: skip
    of_user = (
        _with_won(counted, _USER, "prediction")
        .groupBy(*_USER)
        .agg(*(F.sum(name).alias(name) for name in ("taken", "left", "loss", "won")))
    )
    rows = F.col("taken") + F.col("left")
    auc = F.col("won") / (F.col("taken") * F.col("left"))
    both = (F.col("taken") > 0) & (F.col("left") > 0)
    figures = {
        LOG_LOSS: (rows, from_units(F.col("loss"))),
        GAUC: (F.when(both, rows), F.when(both, from_units(in_units(rows * auc)))),
    }
    totals = [
        F.struct(F.lit(name).alias("metric"), n.alias("n"), total.alias("total"))
        for name, (n, total) in figures.items()
    ]
    return of_user.select(*_USER, F.inline(F.array(*totals))).where("n IS NOT NULL")


def overall_auc(scores: DataFrame) -> DataFrame:
    """AUC over all examples of a model, without an interval: it isn't a mean over users.

    Args:
        scores: as for `label_errors`.

    Returns:
        (model_id, segment "all" or the users' own, metric, value double, users bigint).
    """
    bounded = F.greatest(F.least("prediction", F.lit(float(MAX_LOGIT))), F.lit(-float(MAX_LOGIT)))
    taken = F.col("label") > 0
    segments = F.explode(F.array("segment", F.lit("all"))).alias("segment")
    rows = _known(scores).select("model_id", segments, "label", bounded.alias("score"), "user_idx")
    step = F.floor(F.col("score") * STEPS_PER_LOGIT).alias("step")
    counted = rows.groupBy("model_id", "segment", step).agg(
        F.count_if(taken).alias("taken"), F.count_if(~taken).alias("left")
    )
    won = _with_won(counted, ("model_id", "segment"), "step")
    value = F.try_divide(F.sum("won"), F.sum("taken") * F.sum("left")).alias("value")
    areas = won.groupBy("model_id", "segment").agg(value).where("value IS NOT NULL")
    users = rows.groupBy("model_id", "segment").agg(F.count_distinct("user_idx").alias("users"))
    return areas.join(users, ["model_id", "segment"]).withColumn("metric", F.lit(AUC))


def _with_won(counted: DataFrame, of: Sequence[str], by: str) -> DataFrame:
    """Add how often a taken example is above one that was left; equal ones count a half."""
    ordered = W.partitionBy(*of).orderBy(by)
    beaten = F.sum("left").over(ordered) - F.col("left") / 2
    return counted.withColumn("won", F.col("taken") * beaten)


def _loss(taken: Column) -> Column:
    """-ln of the label's probability by a logit: ln(1 + e^-x), without an overflow."""
    margin = F.when(taken, F.col("prediction")).otherwise(-F.col("prediction"))
    return F.log1p(F.exp(-F.abs(margin))) + F.greatest(-margin, F.lit(0.0))


def _known(scores: DataFrame) -> DataFrame:
    return scores.where(F.col("prediction").isNotNull() & ~F.isnan("prediction"))
