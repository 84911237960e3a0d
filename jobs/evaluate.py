"""backtest_lists, models, factors, examples, events → metrics, calibration, comparisons.

Every model of a backtest judged on the same users and items: ranking over the full catalogue; on
the examples of the newest part RMSE and MAE of ratings, else AUC, GAUC and log loss; predicted
against actual; every model against the strongest popular list.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.evaluation import backtest, calibration, comparison
from tastemill.predicting import predictions_of
from tastemill.splits import is_past

SECTIONS = ("dataset", "split", "evaluation")
INPUTS = (tables.EVENTS, tables.BACKTEST_LISTS, tables.EXAMPLES)
OUTPUTS = (tables.METRICS, tables.CALIBRATION, tables.COMPARISONS)


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
    lists = passes.lists_of(warehouse, chosen)
    known = backtest.catalogue_items(past, dataset.positive_min, dataset.min_item_events)
    ranked = backtest.ranking_rows(lists, relevant, known.count(), cfg.evaluation)
    metrics = [backtest.as_metrics(ranked, cfg.run.run_id, backtest.RANKING)]
    ids = [m.model_id for m in chosen]
    predicted = predictions_of(warehouse, cfg, chosen, past)
    if predicted is not None:
        of_task = {
            "rating": (backtest.rating_rows, backtest.RATINGS),
            "implicit": (backtest.label_rows, backtest.LABELS),
        }
        measured, protocol = of_task[dataset.task]
        errors = measured(predicted.persist(), cfg.evaluation)
        metrics.append(backtest.as_metrics(errors, cfg.run.run_id, protocol))
    judged = backtest.union(metrics).persist()
    warehouse.overwrite_slice(tables.METRICS, judged, *ids)
    count = judged.count()
    binned = None if predicted is None else calibration.binned(predicted, dataset.task)
    _replace(warehouse, tables.CALIBRATION, binned, ids)
    popular = comparison.popular_lists(judged, chosen, cfg.evaluation).first()
    differences = (
        None
        if popular is None
        else comparison.comparison_rows(lists, relevant, popular[0], cfg.evaluation)
    )
    _replace(warehouse, tables.COMPARISONS, differences, ids)
    for frame in (events, relevant, judged, predicted):
        if frame is not None:
            frame.unpersist()
    return job.JobResult(count, {m.kind: m.model_id for m in chosen})


def _replace(
    warehouse: Warehouse, table: tables.Table, rows: DataFrame | None, ids: list[str]
) -> None:
    """Write rows of these models, or take away what is there of them."""
    if rows is not None:
        warehouse.overwrite_slice(table, rows, *ids)
    elif warehouse.exists(table):
        warehouse.overwrite_slice(table, warehouse.read(table).limit(0), *ids)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("evaluate", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
