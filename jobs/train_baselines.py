"""events → models, item_factors, user_factors: popularity, recent popularity, user and item means.

The lists every other model has to beat, and what users without a history are shown.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, models, passes, tables
from tastemill.collaborative import baselines
from tastemill.config.load import Config
from tastemill.errors import UsageError
from tastemill.profiles.history import Moment
from tastemill.splits import is_past

SECTIONS = ("dataset", "split", "baselines")
INPUTS = (tables.EVENTS, tables.USER_INDEX, tables.ITEM_INDEX)
OUTPUTS = (tables.ITEM_FACTORS,)
KINDS = ("popularity", "recent_popularity", "bias")


def kinds(cfg: Config) -> list[str]:
    """What the pass needs of the configured baselines."""
    return passes.kinds_to_fit(cfg, cfg.baselines.models)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Fit what the pass needs."""
    warehouse = job.open_warehouse(spark, cfg)
    wanted = kinds(cfg)
    if unknown := set(wanted) - set(KINDS):
        raise UsageError("unknown baseline", expected=", ".join(KINDS), found=", ".join(unknown))
    events = passes.numbered_events(warehouse, cfg, passes.times_of(warehouse, cfg))
    past = events.where(is_past()).persist()
    fitted = [_fit(kind, past, passes.recipe(warehouse, cfg, kind, 0), cfg) for kind in wanted]
    saved = models.save(warehouse, fitted) if fitted else {}
    past.unpersist()
    return job.JobResult(len(saved), saved)


def _fit(kind: str, past: DataFrame, recipe: models.Recipe, cfg: Config) -> models.Fitted:
    positive_min = cfg.dataset.positive_min
    match kind:
        case "popularity":
            params = {"positive_min": positive_min}
            items = baselines.popularity(past, positive_min)
        case "recent_popularity":
            days = cfg.baselines.recent_half_life_days
            params = {"positive_min": positive_min, "half_life_days": days}
            items = baselines.recent_popularity(past, Moment(recipe.as_of), positive_min, days)
        case _:
            return _fit_bias(past, recipe, cfg.baselines)
    return models.Fitted(recipe.with_params(params), 0.0, items=baselines.as_factors(items))


def _fit_bias(
    past: DataFrame, recipe: models.Recipe, cfg: baselines.BaselinesConfig
) -> models.Fitted:
    params = {"item_prior": cfg.bias_item_prior, "user_prior": cfg.bias_user_prior}
    ratings = past.where(F.col("value").isNotNull())
    mean = baselines.rating_mean(ratings)
    items = baselines.item_bias(ratings, mean, cfg.bias_item_prior)
    users = baselines.user_bias(ratings, mean, items, cfg.bias_user_prior)
    return models.Fitted(
        recipe.with_params(params),
        0.0,
        items=baselines.as_factors(items),
        users=baselines.as_factors(users),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_baselines", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
