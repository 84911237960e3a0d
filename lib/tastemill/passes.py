"""What a pass sees and what it makes: its times, its events, its models.

A pass is the line as of one of two moments: a backtest's or production's.
"""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import models, states
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.errors import ContractError
from tastemill.job import TableSlice
from tastemill.profiles.history import Moment
from tastemill.release import code_hash
from tastemill.splits import split_label, with_split
from tastemill.tables import (
    BACKTEST_LISTS,
    EVENTS,
    ITEM_INDEX,
    ITEM_STATES,
    ITEMS,
    USER_INDEX,
    USER_STATES,
    USERS,
    Table,
)
from tastemill.times import Times, resolve_times, up_to

USERS_TOLD, ITEMS_TOLD = (USERS, USER_STATES), (ITEMS, ITEM_STATES)  # newest, and what it was


def given_times(cfg: Config) -> tuple[datetime | None, ...]:
    """The times that the configuration names, in the order of Times."""
    return (cfg.run.valid_from, cfg.run.cut, cfg.run.as_of)


def times_of(warehouse: Warehouse, cfg: Config) -> Times:
    """The times of the run: as configured, else worked out from the events."""
    given = given_times(cfg)
    if cfg.split.by != "time" and cfg.run.as_of:
        return up_to(cfg.run.as_of)
    if all(given):
        return Times(*(at for at in given if at))
    found = resolve_times(warehouse.read(EVENTS), cfg.split, cfg.dataset)
    return Times(*(at or other for at, other in zip(given, astuple(found), strict=True)))


def events_of(warehouse: Warehouse, cfg: Config, times: Times) -> DataFrame:
    """Events before as_of, with the part of the split that each falls into."""
    events = warehouse.read(EVENTS).where(Moment(times.as_of).before)
    return with_split(events, cfg.split, times, cfg.run.purpose, cfg.dataset.positive_min)


def numbered_events(warehouse: Warehouse, cfg: Config, times: Times) -> DataFrame:
    """Those of `events_of` that have an item, with user_idx and item_idx."""
    events = events_of(warehouse, cfg, times)
    numbered = events.join(warehouse.read(USER_INDEX), "user_id")
    return numbered.join(warehouse.read(ITEM_INDEX), "item_id")


def known_events(warehouse: Warehouse, cfg: Config, times: Times) -> DataFrame:
    """Those of `events_of` with user_idx and item_idx; a search has no item and no item_idx."""
    events = events_of(warehouse, cfg, times).join(warehouse.read(USER_INDEX), "user_id")
    # In an outer join all searches would meet at one key.
    searches = events.where("item_id IS NULL")
    with_item = events.join(warehouse.read(ITEM_INDEX), "item_id")
    return with_item.unionByName(searches, allowMissingColumns=True)


def users_told(warehouse: Warehouse, as_of: datetime) -> DataFrame:
    """`users` in all states that were told before as_of, with `since` and `until`."""
    return _told(warehouse, *USERS_TOLD, as_of)


def items_told(warehouse: Warehouse, as_of: datetime) -> DataFrame:
    """`items` in all states that were told before as_of, with `since` and `until`."""
    return _told(warehouse, *ITEMS_TOLD, as_of)


def _told(warehouse: Warehouse, newest: Table, states_of: Table, as_of: datetime) -> DataFrame:
    earlier = warehouse.read(states_of) if warehouse.exists(states_of) else None
    return states.told_by(warehouse.read_or_empty(newest), earlier, newest.keys[0], as_of)


def kinds_to_fit(cfg: Config, own: Sequence[str]) -> list[str]:
    """Which of a job's kinds a pass needs: all in a backtest, in production the chosen one.

    And the one whose factors a chosen network begins with or takes.
    """
    if cfg.run.purpose == "backtest":
        return list(own)
    return [kind for kind in own if kind in published(cfg)]


def published(cfg: Config) -> tuple[str, ...]:
    """The model of production's lists, and what has to be fitted before it."""
    kind = cfg.recommend.model
    parts = [part for each in cfg.deep.networks if each == kind for part in cfg.deep.of(each).parts]
    wanted = [cfg.deep.of(each) for each in cfg.deep.networks if each in (kind, *parts)]
    first = [model for each in wanted for model in (each.init_from, each.inputs_from) if model]
    return (kind, *parts, *first)


def recipe(
    warehouse: Warehouse,
    cfg: Config,
    kind: str,
    seed: int,
    inputs: Sequence[TableSlice] = (),
) -> models.Recipe:
    """The recipe of a model fitted now, its own parameters still to be named.

    Args:
        warehouse: where the inputs are.
        cfg: purpose and times.
        kind: the model's kind.
        seed: of all that is random in it.
        inputs: what it learns from; events and their indexes by default.
    """
    read = inputs or [TableSlice(t) for t in (EVENTS, USER_INDEX, ITEM_INDEX)]
    versions = {i.label: warehouse.data_version(i.table, i.where) or 0 for i in read}
    times = times_of(warehouse, cfg)
    # What it was kept from seeing, where its as_of doesn't tell.
    judged_by = _judged_by(cfg, times)
    params = {"split": judged_by} if judged_by else {}
    as_of = times.of(cfg.run.purpose)
    return models.Recipe(kind, cfg.run.purpose, as_of, params, seed, versions, code_hash())


def models_of(warehouse: Warehouse, cfg: Config) -> list[models.Model]:
    """The models that a pass makes lists of: all of a backtest, in production the chosen one."""
    ids = dict(cfg.run.models) or newest_models(warehouse, cfg)
    if cfg.run.purpose == "production":
        ids = {kind: ids[kind] for kind in [cfg.recommend.model] if kind in ids}
    if not ids:
        raise ContractError(
            f"no model to make {cfg.run.purpose} lists with",
            expected=cfg.recommend.model,
            fix="fit one first: tastemill run, or tastemill job train_als",
        )
    return [models.find(warehouse, model_id) for model_id in ids.values()]


def lists_of(warehouse: Warehouse, chosen: Sequence[models.Model]) -> DataFrame:
    """(model_id, user_idx, items) of the lists of a backtest's models."""
    wanted = F.col("model_id").isin([m.model_id for m in chosen])
    lists = warehouse.read(BACKTEST_LISTS).where(wanted)
    numbered = lists.join(warehouse.read(USER_INDEX), "user_id")
    return numbered.select("model_id", "user_idx", F.col("items.item_id").alias("items"))


def newest_models(warehouse: Warehouse, cfg: Config) -> dict[str, str]:
    """Kind to model_id of what was fitted last; in a backtest, of what hasn't seen its test."""
    if cfg.run.purpose == "production":
        return models.newest(warehouse, "production")
    times = times_of(warehouse, cfg)
    return models.newest(warehouse, "backtest", as_of=times.cut, split=_judged_by(cfg, times))


def _judged_by(cfg: Config, times: Times) -> str:
    if cfg.run.purpose == "production":
        return ""
    return split_label(cfg.split, times, cfg.dataset.positive_min)
