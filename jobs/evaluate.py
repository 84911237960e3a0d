"""backtest_lists, models, factors, examples, events → metrics.

Every model of a backtest judged on the same users and items: ranking over the full catalogue and,
where labels are ratings, RMSE and MAE on the newest part.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables
from tastemill.collaborative.baselines import rating_mean
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.evaluation import backtest, predictions
from tastemill.models import Model
from tastemill.splits import is_past

SECTIONS = ("dataset", "split", "evaluation")
INPUTS = (tables.EVENTS, tables.BACKTEST_LISTS, tables.EXAMPLES)
OUTPUTS = (tables.METRICS,)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Rewrite the metrics of the models judged."""
    warehouse = job.open_warehouse(spark, cfg)
    chosen, dataset = passes.models_of(warehouse, cfg), cfg.dataset
    times = passes.times_of(warehouse, cfg)
    events = passes.numbered_events(warehouse, cfg, times).persist()
    past = events.where(is_past())
    relevant = backtest.relevant_items(
        events, dataset.positive_min, dataset.min_item_events
    ).persist()
    lists = _lists(warehouse, chosen)
    known = backtest.catalogue_items(past, dataset.positive_min, dataset.min_item_events)
    ranked = backtest.ranking_rows(lists, relevant, known.count(), cfg.evaluation)
    metrics = [backtest.as_metrics(ranked, cfg.run.run_id, backtest.RANKING)]
    raters = [m for m in chosen if m.kind in predictions.RATING_KINDS]
    if dataset.task == "rating" and raters:
        predicted = _predictions(warehouse, raters, past)
        errors = backtest.rating_rows(predicted, cfg.evaluation)
        metrics.append(backtest.as_metrics(errors, cfg.run.run_id, backtest.RATINGS))
    judged = backtest.union(metrics).persist()
    warehouse.overwrite_slice(tables.METRICS, judged, *[m.model_id for m in chosen])
    count = judged.count()
    for frame in (events, relevant, judged):
        frame.unpersist()
    return job.JobResult(count, {m.kind: m.model_id for m in chosen})


def _lists(warehouse: Warehouse, chosen: list[Model]) -> DataFrame:
    """(model_id, user_idx, items) of the chosen models."""
    wanted = F.col("model_id").isin([m.model_id for m in chosen])
    lists = warehouse.read(tables.BACKTEST_LISTS).where(wanted)
    numbered = lists.join(warehouse.read(tables.USER_INDEX), "user_id")
    return numbered.select("model_id", "user_idx", F.col("items.item_id").alias("items"))


def _predictions(warehouse: Warehouse, raters: list[Model], past: DataFrame) -> DataFrame:
    """Predictions of every model, for the same rows."""
    rated = past.where(F.col("value").isNotNull())
    warm = rated.select("user_idx").distinct().withColumn("segment", F.lit("warm"))
    examples = warehouse.read(tables.EXAMPLES, where="backtest").where("split = 'test'")
    rows = examples.join(warm, "user_idx", "left").fillna("cold", ["segment"])
    mean = rating_mean(rated)

    def predicted(model: Model) -> DataFrame:
        if model.artifact is not None:
            from tastemill.retrieval.networks import predict_pairs  # noqa: PLC0415 - torch: an extra

            return predictions.labelled(predict_pairs(rows, model.artifact), model)
        users = warehouse.read(tables.USER_FACTORS, where=model.model_id)
        items = warehouse.read(tables.ITEM_FACTORS, where=model.model_id)
        return predictions.predict(rows, model, users, items, mean)

    return backtest.union([predicted(m) for m in raters])


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("evaluate", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
