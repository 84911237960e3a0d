"""The map of the line: every Delta table as a constant."""

from tastemill.tables.features import (
    FEATURE_POOLS,
    FEATURE_SELECTION,
    FEATURE_STATS,
    FEATURE_VOCABULARY,
    FEATURES,
)
from tastemill.tables.lists import BACKTEST_LISTS, RECOMMENDATIONS
from tastemill.tables.models import (
    CALIBRATION,
    COMPARISONS,
    ITEM_FACTORS,
    METRICS,
    MODELS,
    TRAINING_HISTORY,
    USER_FACTORS,
)
from tastemill.tables.profiles import CATEGORY_SLOTS, EXAMPLES, ITEM_PROFILES, USER_PROFILES
from tastemill.tables.quality import QUALITY
from tastemill.tables.raw import (
    CATEGORY_INDEX,
    EVENTS,
    INGESTED_FILES,
    ITEM_INDEX,
    ITEMS,
    QUARANTINE,
    RELATIONS,
    USER_INDEX,
    USERS,
)
from tastemill.tables.runs import LEASES, RUNS
from tastemill.tables.table import Table

ALL: tuple[Table, ...] = (
    EVENTS,
    INGESTED_FILES,
    QUARANTINE,
    USERS,
    ITEMS,
    RELATIONS,
    USER_INDEX,
    ITEM_INDEX,
    CATEGORY_INDEX,
    CATEGORY_SLOTS,
    USER_PROFILES,
    ITEM_PROFILES,
    EXAMPLES,
    QUALITY,
    FEATURE_VOCABULARY,
    FEATURES,
    FEATURE_STATS,
    FEATURE_SELECTION,
    FEATURE_POOLS,
    MODELS,
    USER_FACTORS,
    ITEM_FACTORS,
    TRAINING_HISTORY,
    RECOMMENDATIONS,
    BACKTEST_LISTS,
    METRICS,
    CALIBRATION,
    COMPARISONS,
    RUNS,
    LEASES,
)
BY_NAME = {table.name: table for table in ALL}

__all__ = [
    "ALL",
    "BACKTEST_LISTS",
    "BY_NAME",
    "CALIBRATION",
    "CATEGORY_INDEX",
    "CATEGORY_SLOTS",
    "COMPARISONS",
    "EVENTS",
    "EXAMPLES",
    "FEATURES",
    "FEATURE_POOLS",
    "FEATURE_SELECTION",
    "FEATURE_STATS",
    "FEATURE_VOCABULARY",
    "INGESTED_FILES",
    "ITEMS",
    "ITEM_FACTORS",
    "ITEM_INDEX",
    "ITEM_PROFILES",
    "LEASES",
    "METRICS",
    "MODELS",
    "QUALITY",
    "QUARANTINE",
    "RECOMMENDATIONS",
    "RELATIONS",
    "RUNS",
    "TRAINING_HISTORY",
    "USERS",
    "USER_FACTORS",
    "USER_INDEX",
    "USER_PROFILES",
    "Table",
]
