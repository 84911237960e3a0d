"""features, feature_stats, feature_pools → models: what a pool of features tells of the label.

A logistic regression (a linear one of ratings), and networks that learn products of features. Each
records the pool and its version, and scores with no other.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

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
from tastemill.ranking.score import numbers_of, place_of, scored_by
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
    place = place_of(warehouse, cfg.run.purpose, POPULARITY)
    popularity = F.coalesce(F.get("numeric", F.lit(place)).cast("double"), F.lit(0.0))
    rows = warehouse.read(tables.FEATURES, where=cfg.run.purpose)
    rows = rows.withColumn("popularity", popularity)

    fits = [_linear] if "linear" in cfg.ranker.models else []
    fits += [partial(_network, kind=kind) for kind in _networks(cfg)]
    saved: dict[str, str] = {}
    told = []
    for fit in fits:
        fitted = fit(warehouse, cfg, pool, rows)
        scored = scored_by(fitted.model, pool, rows)
        found = figures(
            scored.select("split", "label", "prediction", "popularity"), cfg.dataset.task
        )
        judged = replace(fitted, metrics={**fitted.metrics, **found})
        saved |= models.save(warehouse, [judged])
        values = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        told.append(f"{fitted.recipe.kind}: {values}")
    detail = f"{len(pool.members)} features, {'; '.join(told)}"
    return job.JobResult(len(saved), saved, detail)


def _networks(cfg: Config) -> list[FeatureNetwork]:
    return [kind for kind in OF_FEATURES if kind in cfg.ranker.models]


def _linear(warehouse: Warehouse, cfg: Config, pool: Pool, rows: DataFrame) -> models.Fitted:
    """Fit the linear one."""
    settings = cfg.ranker.model_dump(exclude={"pool", "models"})
    recipe = _recipe(warehouse, cfg, pool, KIND).with_params(settings)
    numbers = numbers_of(warehouse, cfg.run.purpose, pool)
    edges = [each[cfg.ranker.bins] for each in numbers]
    start = time.monotonic()
    train = rows.where("split = 'train'")
    model = linear.fit(train, pool, edges, cfg.dataset.task, cfg.ranker)
    seconds = time.monotonic() - start
    folder = spark_uri(paths.artifacts(cfg) / "models" / recipe.model_id)
    model.write().overwrite().save(folder)
    return models.Fitted(recipe, seconds, artifact=folder)


def _network(
    warehouse: Warehouse, cfg: Config, pool: Pool, rows: DataFrame, kind: FeatureNetwork
) -> models.Fitted:
    """Train a network."""
    # Torch takes seconds to import: the line asks this module for its settings even to skip it.
    from tastemill.ranking import networks  # noqa: PLC0415
    from tastemill.training.feeds import FeedMaker  # noqa: PLC0415
    from tastemill.training.fit import fit_model, params_of  # noqa: PLC0415

    deep = cfg.deep.of(kind)
    recipe = _recipe(warehouse, cfg, pool, kind, deep.seed).with_params(params_of(deep))
    versions = {label: str(version) for label, version in recipe.versions.items()} | pool.params
    maker = FeedMaker(paths.artifacts(cfg) / "feeds", versions, deep, (0, 0))
    feeds = maker.of_features(networks.inputs(rows, pool))
    told = networks.described(pool, numbers_of(warehouse, cfg.run.purpose, pool))
    alone = cfg.model_copy(update={"deep": deep})
    return fit_model(warehouse, alone, recipe, feeds, told)


def _recipe(
    warehouse: Warehouse, cfg: Config, pool: Pool, kind: str, seed: int = 0
) -> models.Recipe:
    read = [job.TableSlice(table, cfg.run.purpose) for table in INPUTS]
    recipe = passes.recipe(warehouse, cfg, kind, seed, read)
    return recipe.with_params({**pool.params, "task": cfg.dataset.task})


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_ranker", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
