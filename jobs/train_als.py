"""events → models, user_factors, item_factors: alternating least squares by MLlib.

`als` learns from what was taken (implicit), `als_explicit` from the values given.
"""

import time
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from tastemill import job, models, passes, tables
from tastemill.collaborative.als import explicit_ratings, fit_als, implicit_ratings
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.errors import UsageError
from tastemill.examples import type_weight
from tastemill.splits import is_past

SECTIONS = ("dataset", "split", "als")
INPUTS = (tables.EVENTS, tables.USER_INDEX, tables.ITEM_INDEX)
OUTPUTS = (tables.USER_FACTORS, tables.ITEM_FACTORS)
KINDS = ("als", "als_explicit")


def kinds(cfg: Config) -> list[str]:
    """What the pass needs of the configured variants."""
    return passes.kinds_to_fit(cfg, cfg.als.models)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Fit what the pass needs."""
    warehouse = job.open_warehouse(spark, cfg)
    wanted = kinds(cfg)
    if unknown := set(wanted) - set(KINDS):
        raise UsageError("unknown variant", expected=", ".join(KINDS), found=", ".join(unknown))
    past = passes.numbered_events(warehouse, cfg, passes.times_of(warehouse, cfg)).where(is_past())
    if "als_explicit" in wanted and _needs_no_values(cfg) and _without_values(past):
        wanted.remove("als_explicit")
    checkpoints = str(paths.artifacts(cfg) / "checkpoints" / "als")
    saved: dict[str, str] = {}
    for kind in wanted:
        recipe = passes.recipe(warehouse, cfg, kind, cfg.als.seed).with_params(_params(cfg, kind))
        start = time.monotonic()
        factors = fit_als(
            _ratings(past, kind, cfg),
            cfg.als,
            implicit=kind == "als",
            checkpoints=checkpoints,
        )
        seconds = time.monotonic() - start
        saved |= models.save(
            warehouse, [models.Fitted(recipe, seconds, factors.items, factors.users)]
        )
    return job.JobResult(len(saved), saved)


def _needs_no_values(cfg: Config) -> bool:
    """Whether a fit to values is only one of several, of a source that need not have any."""
    return cfg.dataset.task == "implicit" and cfg.recommend.model != "als_explicit"


def _without_values(past: DataFrame) -> bool:
    return past.where("value IS NOT NULL").isEmpty()


def _params(cfg: Config, kind: str) -> dict[str, object]:
    """What the fit depends on, of what was taken and of how it counts too."""
    if kind == "als_explicit":
        return cfg.als.model_dump(exclude={"models", "seed", "alpha"})
    what = cfg.dataset.model_dump(include={"positive_min", "event_weights"})
    return cfg.als.model_dump(exclude={"models", "seed"}) | what


def _ratings(past: DataFrame, kind: str, cfg: Config) -> DataFrame:
    if kind == "als_explicit":
        return explicit_ratings(past)
    return implicit_ratings(past, cfg.dataset.positive_min, type_weight(cfg.dataset))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_als", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
