"""The events that a report looks at, parted as its backtest parted them."""

from datetime import datetime

from pyspark.sql import DataFrame

from tastemill import tables
from tastemill.config import SplitConfig
from tastemill.delta import Warehouse
from tastemill.profiles.history import Moment
from tastemill.splits import with_split
from tastemill.times import Times


def parted_events(
    warehouse: Warehouse,
    split: SplitConfig,
    positive_min: float,
    cut: datetime,
    as_of: datetime | None,
) -> DataFrame:
    """Events before as_of (None: all) with `split`; the split by time is at the cut."""
    events = warehouse.read_or_empty(tables.EVENTS)
    if as_of is not None:
        events = events.where(Moment(as_of).before)
    return with_split(events, split, Times(cut, cut, cut), "backtest", positive_min)
