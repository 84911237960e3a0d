"""examples → a feed → models, training_history, factors: networks, by TorchDistributor.

The examples of one table version become Parquet files once; training processes, here or on the
cluster, read them by Petastorm and nothing else. Weights stay in a folder that the model's row
names; where scores are products of two vectors, those of all users and items become factors.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, models, passes, tables
from tastemill.config import paths
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.factors import INPUTS_FROM, with_factors, with_inputs_of
from tastemill.splits import is_past
from tastemill.times import ORDER, taken
from tastemill.training.config import FACTORIZING, DeepConfig, FeatureNetwork, Network
from tastemill.training.spec import digest

if TYPE_CHECKING:
    from tastemill.training.feeds import Feeds

SECTIONS = ("dataset", "split", "deep")
INPUTS = (
    tables.EXAMPLES,
    tables.EVENTS,
    tables.USER_INDEX,
    tables.ITEM_INDEX,
    tables.USER_PROFILES,
    tables.ITEM_PROFILES,
)
INIT_FROM = "init_from"  # of a model's params, as INPUTS_FROM is
FACTORS = (tables.USER_FACTORS, tables.ITEM_FACTORS)
OUTPUTS = (tables.TRAINING_HISTORY, *FACTORS)


def kinds(cfg: Config) -> list[str]:
    """The networks that the pass needs."""
    wanted = cfg.deep.enabled or cfg.recommend.model in cfg.deep.networks
    return passes.kinds_to_fit(cfg, cfg.deep.networks if wanted else ())


def inputs(cfg: Config) -> dict[str, str]:
    """What decides the factors that networks begin with or take, beside the events."""
    chosen = [cfg.deep.of(network) for network in cfg.deep.networks]
    needs = any(each.init_from or each.inputs_from for each in chosen)
    return {"als": cfg.als.model_dump_json()} if needs else {}


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Fit the configured networks, one after another."""
    warehouse = job.open_warehouse(spark, cfg)
    wanted = kinds(cfg)
    if not wanted:
        return job.JobResult(0, {}, "no network wanted")
    taken = _taken(warehouse, cfg).persist()  # several feeds are made of it, for each network
    try:
        fitted = [
            _fit(warehouse, cfg.model_copy(update={"deep": _own(warehouse, cfg, network)}), taken)
            for network in cfg.deep.networks
            if network in wanted
        ]
    finally:
        taken.unpersist()
    saved = {kind: model_id for result in fitted for kind, model_id in result.models.items()}
    told = ", ".join(result.detail for result in fitted)
    return job.JobResult(sum(r.rows for r in fitted), saved, told)


def _own(warehouse: Warehouse, cfg: Config, network: Network | FeatureNetwork) -> DeepConfig:
    """A network's settings; production has nothing to validate on: it ends where a backtest's does.

    That is with its best epoch.
    """
    own = cfg.deep.of(network)
    if cfg.run.purpose == "backtest" or not own.validate_epochs:
        return own
    backtest = cfg.run.model_copy(update={"purpose": "backtest"})
    judged = passes.newest_models(warehouse, cfg.model_copy(update={"run": backtest}))
    if network not in judged:
        return own
    best = models.find(warehouse, judged[network]).metrics["epoch"]
    laid_over = own.schedule_epochs or own.epochs
    return own.model_copy(update={"epochs": int(best) + 1, "schedule_epochs": laid_over})


def _fit(warehouse: Warehouse, cfg: Config, taken: DataFrame) -> job.JobResult:
    """Fit one network."""
    # Torch takes seconds to import: the line asks this module for its settings even to skip it.
    from tastemill.training import fit  # noqa: PLC0415

    sources, objective = _sources(cfg), cfg.deep.objective_of(cfg.dataset.task)
    recipe = passes.recipe(warehouse, cfg, cfg.deep.model, cfg.deep.seed, sources)
    recipe = recipe.with_params(fit.params_of(cfg.deep))
    recipe = recipe.with_params({"rows": _rows(warehouse, cfg, objective)})
    for key in (INIT_FROM, INPUTS_FROM):
        if kind := getattr(cfg.deep, key):
            recipe = recipe.with_params({key: _first(warehouse, cfg, kind)})
    parts = [_fitted(warehouse, cfg, kind) for kind in cfg.deep.parts]
    if parts:
        recipe = recipe.with_params({"parts": [part.model_id for part in parts]})
    sizes = tuple(warehouse.read(t).count() for t in (tables.USER_INDEX, tables.ITEM_INDEX))
    feeds = _feeds(warehouse, cfg, recipe, objective, (sizes[0], sizes[1]), taken)
    feeds = replace(feeds, parts=tuple(str(part.artifact) for part in parts))
    data = {"num_users": sizes[0], "num_items": sizes[1]}
    fitted = fit.fit_model(warehouse, cfg, recipe, feeds, data)
    if cfg.deep.model in FACTORIZING:
        users, items = _vectors(warehouse, cfg, fitted, taken)
        fitted = replace(fitted, users=users, items=items)
    saved = models.save(warehouse, [fitted])
    speed = f"{fitted.metrics['rows_per_second']:,.0f} rows/s"
    return job.JobResult(feeds.train.rows, saved, f"{cfg.deep.model}: {speed}")


def _sources(cfg: Config) -> list[job.TableSlice]:
    """What the rows of the feeds come from."""
    examples = [job.TableSlice(tables.EXAMPLES, cfg.run.purpose)]
    events = [job.TableSlice(t) for t in (tables.EVENTS, tables.USER_INDEX, tables.ITEM_INDEX)]
    if cfg.deep.learns_from_events(cfg.dataset.task):
        return events
    return examples + events if cfg.deep.validate_epochs else examples


def _rows(warehouse: Warehouse, cfg: Config, objective: str) -> str:
    """Tells one choice of rows of the same tables from another."""
    facts = [
        cfg.run.purpose,
        str(passes.times_of(warehouse, cfg)),
        cfg.split.model_dump_json(),
        cfg.dataset.model_dump_json(),
        objective == "in_batch_softmax",  # which learns from some of the examples
    ]
    return digest(facts)[:16]


def _examples(
    warehouse: Warehouse, cfg: Config, recipe: models.Recipe, objective: str
) -> DataFrame:
    """All, or those of what was taken, where other items of a batch are the negatives."""
    examples = warehouse.read(tables.EXAMPLES, where=cfg.run.purpose)
    if first := recipe.params.get(INPUTS_FROM):
        examples = with_factors(examples, warehouse, first)
    if objective != "in_batch_softmax":
        return examples
    least = cfg.dataset.positive_min if cfg.dataset.task == "rating" else 1.0
    return examples.where((F.col("label") >= least) & (F.col("weight") > 0))


def _feeds(
    warehouse: Warehouse,
    cfg: Config,
    recipe: models.Recipe,
    objective: str,
    sizes: tuple[int, int],
    taken: DataFrame,
) -> "Feeds":
    from tastemill.training.feeds import FeedMaker  # noqa: PLC0415 - torch, as above

    versions = {label: str(version) for label, version in recipe.versions.items()}
    versions["rows"] = str(recipe.params["rows"])
    versions[INPUTS_FROM] = str(recipe.params.get(INPUTS_FROM, ""))
    folder, leave_out = paths.artifacts(cfg) / "feeds", cfg.dataset.exclude_seen
    maker = FeedMaker(folder, versions, cfg.deep, sizes, leave_out)
    if cfg.deep.is_sequence:
        feeds = maker.of_histories(taken)
    elif cfg.deep.learns_from_events(cfg.dataset.task):
        feeds = maker.of_pairs(taken)
        if cfg.deep.model == "deep_mf":
            return replace(feeds, begin=maker.of_rows(taken))
    else:
        examples = _examples(warehouse, cfg, recipe, objective)
        feeds = maker.of_examples(examples, taken, objective)
    if first := recipe.params.get(INIT_FROM):
        users, items = (warehouse.read(t, where=first).select("idx", "vector") for t in FACTORS)
        return replace(feeds, begin=maker.of_factors(users, items, first))
    return feeds


def _vectors(
    warehouse: Warehouse, cfg: Config, fitted: models.Fitted, taken: DataFrame
) -> tuple[DataFrame, DataFrame]:
    """(idx, vector) of users who are known, and of all items."""
    from tastemill.retrieval.networks import vectors_of  # noqa: PLC0415 - torch, as above

    users, items = taken.select("user_idx").distinct(), warehouse.read(tables.ITEM_INDEX)
    items = items.select("item_idx")
    if cfg.deep.model == "two_tower":
        day = str(fitted.recipe.as_of.date())
        told = warehouse.read(tables.ITEM_PROFILES, where=day).select("item_idx", "item_vector")
        width = told.agg(F.max(F.size("item_vector"))).collect()[0][0] or 0
        zeros = F.array_repeat(F.lit(0.0).cast("float"), width)
        known = F.coalesce("item_vector", zeros).alias("item_vector")
        items = items.join(told, "item_idx", "left").select("item_idx", known)
        users = warehouse.read(tables.USER_PROFILES, where=day).select("user_idx", "user_vector")
    users, items = (with_inputs_of(fitted.model, rows, warehouse) for rows in (users, items))
    artifact = str(fitted.artifact)
    return vectors_of(users, artifact, "user"), vectors_of(items, artifact, "item")


def _first(warehouse: Warehouse, cfg: Config, kind: str) -> str:
    """The model of a kind whose factors a network begins with or takes."""
    known = passes.newest_models(warehouse, cfg)
    if kind not in known or not warehouse.exists(tables.USER_FACTORS):
        raise ContractError(
            f"no factors of {kind} for {cfg.deep.model}",
            expected=", ".join(known) or "a model that is fitted before",
            fix="fit it in the same run: als.models",
        )
    return known[kind]


def _fitted(warehouse: Warehouse, cfg: Config, kind: str) -> models.Model:
    """A network that was trained before."""
    known = passes.newest_models(warehouse, cfg)
    if kind not in known:
        raise ContractError(
            f"no {kind} for {cfg.deep.model} to begin with",
            expected="gmf and mlp, trained before it under the same split",
            fix="train them in the same run: tastemill job train_deep",
        )
    return models.find(warehouse, known[kind])


def _taken(warehouse: Warehouse, cfg: Config) -> DataFrame:
    """What users took before the cut."""
    events = passes.numbered_events(warehouse, cfg, passes.times_of(warehouse, cfg))
    past = events.where(is_past() & taken(cfg.dataset.positive_min))
    return past.select("user_idx", "item_idx", "split", "event_id", *ORDER)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("train_deep", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
