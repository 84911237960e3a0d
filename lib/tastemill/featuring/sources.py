"""What the features of a pass are made of: the past, users and items."""

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill import passes
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.features.feature import Shapes
from tastemill.features.kinds import Kinds
from tastemill.features.known import Side, item_side, times_met, user_side
from tastemill.profiles.items import fit_price_edges
from tastemill.states import last_of
from tastemill.tables import ITEM_INDEX, USER_INDEX


def kinds_of(past: DataFrame, cfg: Config, as_of: datetime) -> Kinds:
    """What the past is told apart by: its most frequent types, and what is configured.

    Args:
        past: events that features see; `sought` where there are searches.
        cfg: windows, attributes and the like.
        as_of: the end of the past.
    """
    counted = past.groupBy("event_type").count().orderBy(F.desc("count"), "event_type")
    found = [row["event_type"] for row in counted.limit(max(cfg.features.max_types, 2)).collect()]
    types = found[: cfg.features.max_types] if len(found) > 1 else []
    return Kinds(
        as_of=as_of,
        types=tuple(sorted(types)),
        days=tuple(sorted(set(cfg.features.windows_days))),
        prior=cfg.features.prior_events,
        attributes=("category", "price_bucket", *cfg.features.item_attributes),
        positive_min=cfg.dataset.positive_min,
        searched="sought" in past.columns,
        gap_minutes=cfg.profiles.session_gap_minutes,
        shapes=Shapes(cfg.features.clip, cfg.features.log),
    )


def sides(warehouse: Warehouse, cfg: Config, learned: DataFrame, as_of: datetime) -> list[Side]:
    """Users and items with what was known of them.

    Args:
        warehouse: with users, items and their indexes.
        cfg: which attributes.
        learned: events that are learned from.
        as_of: what the source changed later isn't known yet.
    """
    users = warehouse.read(USER_INDEX).join(passes.users_told(warehouse, as_of), "user_id", "left")
    items = warehouse.read(ITEM_INDEX).join(passes.items_told(warehouse, as_of), "item_id", "left")
    met = times_met(learned, "item_idx")
    edges = fit_price_edges(last_of(items).join(met, "item_idx")).collect()[0]["price_edges"] or []
    return [user_side(users, learned, cfg.features), item_side(items, met, edges, cfg.features)]
