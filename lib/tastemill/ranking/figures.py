"""How well what was predicted tells the labels, by part of the split."""

from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

POPULARITY = "item_event_count_lifetime"  # the feature that a ranker has to beat
SPLITS = ("valid", "test")
SMALLEST = 1e-12  # a probability of 0 would make the log loss infinite


def figures(scored: DataFrame, task: str) -> dict[str, float]:
    """`<split>_auc`, `_log_loss` and `_auc_of_popularity`, or `_rmse`; none of a part without rows.

    Args:
        scored: split, label, prediction and popularity, by which alone the AUC beside is.
        task: rating or implicit.
    """
    p = F.greatest(F.least("prediction", F.lit(1 - SMALLEST)), F.lit(SMALLEST))
    error = F.col("prediction") - F.col("label")
    loss = {
        "rating": F.sqrt(F.avg(error * error)),
        "implicit": F.avg(F.when(F.col("label") > 0, -F.log(p)).otherwise(-F.log(1 - p))),
    }
    rows = scored.where(F.col("split").isin(*SPLITS)).persist()
    try:
        two = F.count_distinct("label") > 1
        told = rows.groupBy("split").agg(loss[task].alias("loss"), two.alias("two"))
        of_split = {row["split"]: row for row in told.collect()}
        found = {}
        for split in (split for split in SPLITS if split in of_split):
            if task == "rating":
                found[f"{split}_rmse"] = of_split[split]["loss"]
                continue
            if of_split[split]["two"]:
                own = rows.where(F.col("split") == split)
                found[f"{split}_auc"] = _auc(own, "prediction")
                found[f"{split}_auc_of_popularity"] = _auc(own, "popularity")
            found[f"{split}_log_loss"] = of_split[split]["loss"]
        return found
    finally:
        rows.unpersist()


def _auc(rows: DataFrame, by: str) -> float:
    # numBins=0: by every threshold, not by a thousand.
    return float(BinaryClassificationEvaluator(rawPredictionCol=by, numBins=0).evaluate(rows))
