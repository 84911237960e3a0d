"""features, feature_stats, feature_pools → models: what a pool of features tells of the label.

A logistic regression (a linear one of ratings), and networks that learn products of features. Each
records the pool and its version, and scores with no other.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, models, passes, tables
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.features.pools import Pool
from tastemill.featuring.pools import read_pool
from tastemill.host import spark_uri
from tastemill.ranking import linear
from tastemill.ranking.figures import POPULARITY, figures
from tastemill.ranking.score import edges_of, moments_of, place_of, score
from tastemill.training.config import OF_FEATURES, FeatureNetwork

SECTIONS = ("dataset", "split", "ranker")
INPUTS = (tables.FEATURES, tables.FEATURE_STATS, tables.FEATURE_POOLS)
OUTPUTS = (tables.TRAINING_HISTORY,)
KIND = "ranker"  # of the linear one


def inputs(cfg: Config) -> dict[str, str]:
    """How networks among them are trained."""
    return {kind: cfg.deep.of(kind).model_dump_json() for kind in _networks(cfg)}


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Fit each on the training part, and measure it on what comes after."""
    warehouse = job.open_warehouse(spark, cfg)
    pool = read_pool(warehouse, cfg.run.purpose, cfg.ranker.pool)
    results = [_measured(warehouse, cfg, _linear(warehouse, cfg, pool))] if _is_linear(cfg) else []
    for kind in _networks(cfg):
        results.append(_measured(warehouse, cfg, _network(spark, warehouse, cfg, pool, kind)))
    saved = {kind: model_id for result in results for kind, model_id in result.models.items()}
    told = "; ".join(result.detail for result in results)
    return job.JobResult(len(saved), saved, f"{len(pool.members)} features, {told}")


def _is_linear(cfg: Config) -> bool:
    return "linear" in cfg.ranker.models


def _networks(cfg: Config) -> list[FeatureNetwork]:
    return [kind for kind in OF_FEATURES if kind in cfg.ranker.models]


def _linear(warehouse: Warehouse, cfg: Config, pool: Pool) -> models.Fitted:
    """Fit the linear one."""
    settings = cfg.ranker.model_dump(exclude={"pool", "models"})
    recipe = _recipe(warehouse, cfg, pool, KIND).with_params(settings)
    edges = edges_of(warehouse, cfg.run.purpose, pool, cfg.ranker.bins)
    start = time.monotonic()
    model = linear.fit(_train(warehouse, cfg), pool, edges, cfg.dataset.task, cfg.ranker)
    seconds = time.monotonic() - start
    folder = spark_uri(paths.artifacts(cfg) / "models" / recipe.model_id)
    model.write().overwrite().save(folder)
    return models.Fitted(recipe, seconds, artifact=folder)


def _network(
    spark: SparkSession, warehouse: Warehouse, cfg: Config, pool: Pool, kind: FeatureNetwork
) -> models.Fitted:
    """Train a network."""
    # Torch takes seconds to import: the line asks this module for its settings even to skip it.
    from tastemill.ranking import networks  # noqa: PLC0415
    from tastemill.training import fit  # noqa: PLC0415
    from tastemill.training.feeds import FeedMaker  # noqa: PLC0415

    deep = cfg.deep.of(kind)
    settings = deep.model_dump(mode="json", include=set(fit.PARAMS))
    recipe = _recipe(warehouse, cfg, pool, kind, deep.seed).with_params(settings)
    versions = {label: str(version) for label, version in recipe.versions.items()} | pool.params
    maker = FeedMaker(paths.artifacts(cfg) / "feeds", versions, deep, (0, 0))
    rows = warehouse.read(tables.FEATURES, where=cfg.run.purpose)
    feeds = maker.of_features(networks.inputs(rows, pool))
    start = time.monotonic()
    told = networks.described(pool, moments_of(warehouse, cfg.run.purpose, pool))
    folder = paths.artifacts(cfg) / "models" / recipe.model_id
    result = fit.fit_network(spark, deep, feeds, told, deep.objective_of(cfg.dataset.task), folder)
    seconds = time.monotonic() - start
    history = fit.as_history(spark, recipe.model_id, result)
    warehouse.overwrite_slice(tables.TRAINING_HISTORY, history, recipe.model_id)
    return models.Fitted(recipe, seconds, artifact=result.artifact, metrics=fit.figures_of(result))


def _measured(warehouse: Warehouse, cfg: Config, fitted: models.Fitted) -> job.JobResult:
    """Judge a model on the parts that it hasn't seen, and keep it."""
    purpose, task = cfg.run.purpose, cfg.dataset.task
    place = place_of(warehouse, purpose, POPULARITY)
    popularity = F.coalesce(F.get("numeric", F.lit(place)).cast("double"), F.lit(0.0))
    rows = warehouse.read(tables.FEATURES, where=purpose).withColumn("popularity", popularity)
    scored = score(warehouse, purpose, rows, fitted.model)
    found = figures(scored.select("split", "label", "prediction", "popularity"), task)
    told = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    kept = replace(fitted, metrics={**fitted.metrics, **found})
    return job.JobResult(1, models.save(warehouse, [kept]), f"{fitted.recipe.kind}: {told}")


def _recipe(
    warehouse: Warehouse, cfg: Config, pool: Pool, kind: str, seed: int = 0
) -> models.Recipe:
    read = [job.TableSlice(table, cfg.run.purpose) for table in INPUTS]
    recipe = passes.recipe(warehouse, cfg, kind, seed, read)
    return recipe.with_params({**pool.params, "task": cfg.dataset.task})


def _train(warehouse: Warehouse, cfg: Config) -> DataFrame:
    return warehouse.read(tables.FEATURES, where=cfg.run.purpose).where("split = 'train'")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_ranker", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
