"""backtest_lists, metrics, training_history, models → aliases in models, and MLflow.

The champion of earlier backtests, fitted anew in this one, stays champion unless another model's
lists are surely better on the same users. Of every model that makes lists MLflow has a run; of
every network a version of the registered model, with its alias.
"""

from collections import defaultdict
from collections.abc import Sequence

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables, views
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.evaluation import backtest, comparison
from tastemill.line.environment import environment
from tastemill.models import Model
from tastemill.registry.champion import Difference, aliased, champion_kind, decided
from tastemill.registry.place import mlflow_place
from tastemill.registry.store import Told, tell

SECTIONS = ("dataset", "split", "evaluation", "registry")
INPUTS = (tables.EVENTS, tables.BACKTEST_LISTS, tables.METRICS, tables.TRAINING_HISTORY)
OUTPUTS = ()


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Name the champion; tell MLflow."""
    warehouse = job.open_warehouse(spark, cfg)
    chosen = passes.models_of(warehouse, cfg)
    present = _present(warehouse, cfg, chosen)
    champion = decided(present.model_id, _differences(warehouse, cfg, chosen, present))
    runs = {}
    if cfg.registry.mlflow:
        runs = tell(mlflow_place(cfg), _told(warehouse, cfg, chosen), champion)
    changed = warehouse.merge(tables.MODELS, aliased(warehouse, chosen, champion, runs))
    by_id = {model.model_id: model.kind for model in chosen}
    kept = "stays" if champion == present.model_id else f"takes the place of {present.kind} as"
    return job.JobResult(changed, {}, f"{by_id[champion]} {kept} champion")


def _present(warehouse: Warehouse, cfg: Config, chosen: list[Model]) -> Model:
    """The champion as it was fitted in this backtest; at first, the model that is published."""
    kind = champion_kind(warehouse, cfg.recommend.model)
    found = [model for model in chosen if model.kind == kind]
    if not found:
        raise ContractError(
            f"the champion, {kind}, isn't among the models of this backtest",
            expected=kind,
            found=", ".join(model.kind for model in chosen),
            fix=f"fit {kind} too, so that others can be held against it",
        )
    return found[0]


def _differences(
    warehouse: Warehouse, cfg: Config, chosen: list[Model], present: Model
) -> list[Difference]:
    """Every other model's NDCG minus the champion's."""
    dataset, times = cfg.dataset, passes.times_of(warehouse, cfg)
    events = passes.numbered_events(warehouse, cfg, times)
    relevant = backtest.relevant_items(events, dataset.positive_min, dataset.min_item_events)
    lists = passes.lists_of(warehouse, chosen)
    rows = comparison.comparison_rows(lists, relevant, present.model_id, cfg.evaluation)
    columns = ("model_id", "difference", "p_value")
    return [Difference(*(row[name] for name in columns)) for row in rows.collect()]


def _told(warehouse: Warehouse, cfg: Config, chosen: list[Model]) -> list[Told]:
    """What MLflow is told: of each model its parameters, its training, its evaluation."""
    ids = F.col("model_id").isin([model.model_id for model in chosen])
    metrics: dict[str, dict[str, float]] = defaultdict(dict)
    for row in warehouse.read(tables.METRICS).where(ids & (F.col("segment") == "all")).collect():
        metrics[row["model_id"]][views.label(row["metric"], row["k"])] = row["value"]
    history = defaultdict(list)
    stored = warehouse.read_or_empty(tables.TRAINING_HISTORY).where(ids)
    for row in stored.orderBy("model_id", "epoch", "metric").collect():
        history[row["model_id"]].append((row["epoch"], row["metric"], row["value"]))
    read = warehouse.read(tables.MODELS).where(ids & (F.col("purpose") == "backtest"))
    versions = {row["model_id"]: row["input_versions"] for row in read.collect()}
    around = {
        "tastemill.dataset": cfg.dataset.name,
        "tastemill.run_id": cfg.run.run_id,
        **{f"env.{k}": str(v) for k, v in environment(warehouse.spark).items()},
    }
    return [
        Told(
            model,
            {**model.metrics, **metrics[model.model_id]},
            history[model.model_id],
            {**around, **{f"delta.{k}": str(v) for k, v in versions[model.model_id].items()}},
        )
        for model in chosen
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("register_models", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
