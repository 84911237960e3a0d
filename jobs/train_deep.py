"""examples → a feed → models, training_history: a network, by Petastorm and TorchDistributor.

The examples of one table version become Parquet files once; training processes, here or on the
cluster, read them and nothing else. Weights stay in a folder that the model's row names.
"""

import time
from collections.abc import Sequence

from pyspark.sql import SparkSession

from tastemill import job, models, passes, tables
from tastemill.config import paths
from tastemill.config.load import Config

SECTIONS = ("dataset", "deep")
INPUTS = (tables.EXAMPLES, tables.USER_INDEX, tables.ITEM_INDEX)
OUTPUTS = (tables.TRAINING_HISTORY,)


def kinds(cfg: Config) -> list[str]:
    """The network, where the pass needs it."""
    wanted = cfg.deep.enabled or cfg.recommend.model == cfg.deep.model
    return passes.kinds_to_fit(cfg, [cfg.deep.model] if wanted else [])


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Fit the configured network."""
    if not kinds(cfg):
        return job.JobResult(0, detail="no network wanted")
    # Torch takes seconds to import: the line asks this module for its settings even to skip it.
    from tastemill.training import fit  # noqa: PLC0415

    warehouse = job.open_warehouse(spark, cfg)
    source = job.TableSlice(tables.EXAMPLES, cfg.run.purpose)
    recipe = passes.recipe(warehouse, cfg, cfg.deep.model, cfg.deep.seed, [source])
    recipe = recipe.with_params(cfg.deep.model_dump(mode="json", include=set(fit.PARAMS)))
    feeds = fit.make_feeds(
        warehouse.read(tables.EXAMPLES, where=cfg.run.purpose),
        paths.artifacts(cfg) / "feeds",
        {label: str(version) for label, version in recipe.versions.items()},
        cfg.deep,
    )
    sizes = tuple(warehouse.read(t).count() for t in (tables.USER_INDEX, tables.ITEM_INDEX))
    start = time.monotonic()
    result = fit.fit_network(
        spark,
        cfg.deep,
        feeds,
        (sizes[0], sizes[1]),
        cfg.deep.loss(cfg.dataset.task),
        paths.artifacts(cfg) / "models" / recipe.model_id,
    )
    fitted = models.Fitted(
        recipe, time.monotonic() - start, artifact=result.artifact, metrics=fit.last_epoch(result)
    )
    history = fit.as_history(spark, recipe.model_id, result)
    warehouse.overwrite_slice(tables.TRAINING_HISTORY, history, recipe.model_id)
    saved = models.save(warehouse, [fitted])
    return job.JobResult(feeds[0].rows, saved, f"{result.rows_per_second:,.0f} rows/s")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_deep", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
