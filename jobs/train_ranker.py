"""features, feature_stats, feature_pools → models: what a pool of features tells of the label.

A logistic regression, or a linear one of ratings. It records the pool and its version, and scores
with no other.
"""

import time
from collections.abc import Sequence

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, models, passes, tables
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.featuring.pools import read_pool
from tastemill.host import spark_uri
from tastemill.ranking import linear
from tastemill.ranking.figures import POPULARITY, figures
from tastemill.ranking.score import edges_of, place_of

SECTIONS = ("dataset", "split", "ranker")
INPUTS = (tables.FEATURES, tables.FEATURE_STATS, tables.FEATURE_POOLS)
OUTPUTS = ()
KIND = "ranker"


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Fit on the training part, and measure on what comes after."""
    warehouse = job.open_warehouse(spark, cfg)
    purpose, task = cfg.run.purpose, cfg.dataset.task
    pool = read_pool(warehouse, purpose, cfg.ranker.pool)
    edges = edges_of(warehouse, purpose, pool, cfg.ranker.bins)
    rows = warehouse.read(tables.FEATURES, where=purpose)
    read = [job.TableSlice(table, purpose) for table in INPUTS]
    params = {**pool.params, **cfg.ranker.model_dump(exclude={"pool"}), "task": task}
    recipe = passes.recipe(warehouse, cfg, KIND, 0, read).with_params(params)

    start = time.monotonic()
    model = linear.fit(rows.where("split = 'train'"), pool, edges, task, cfg.ranker)
    seconds = time.monotonic() - start
    place = place_of(warehouse, purpose, POPULARITY)
    popularity = F.coalesce(F.get("numeric", F.lit(place)).cast("double"), F.lit(0.0))
    scored = linear.score(rows, pool, model).withColumn("popularity", popularity)
    found = figures(scored.select("split", "label", "prediction", "popularity"), task)
    folder = spark_uri(paths.artifacts(cfg) / "models" / recipe.model_id)
    model.write().overwrite().save(folder)
    fitted = models.Fitted(recipe, seconds, artifact=folder, metrics=found)
    saved = models.save(warehouse, [fitted])
    told = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    return job.JobResult(1, saved, f"{len(pool.members)} features, {told}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_ranker", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
