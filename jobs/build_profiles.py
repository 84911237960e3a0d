"""events, users, items → category_slots, user_profiles, item_profiles, as of one moment.

A profile sees only events strictly before its moment, so the same code serves the backtest (as of
the cut) and production (as of now).
"""

from collections.abc import Sequence

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.parallel import at_once
from tastemill.profiles.categories import fit_category_slots, with_category_shares
from tastemill.profiles.history import Moment
from tastemill.profiles.items import build_item_profiles
from tastemill.profiles.users import build_user_profiles
from tastemill.sources.cleaning import as_table
from tastemill.splits import is_past
from tastemill.states import last_of

SECTIONS = ("dataset", "split", "profiles")
INPUTS = (
    tables.EVENTS,
    *passes.USERS_TOLD,
    *passes.ITEMS_TOLD,
    tables.USER_INDEX,
    tables.ITEM_INDEX,
)
OUTPUTS = (tables.CATEGORY_SLOTS, tables.USER_PROFILES, tables.ITEM_PROFILES)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Rewrite the day's slice of the three tables."""
    warehouse = job.open_warehouse(spark, cfg)
    times = passes.times_of(warehouse, cfg)
    moment = Moment(times.of(cfg.run.purpose))
    ds, size = moment.as_of.date(), cfg.profiles.num_categories
    past = passes.events_of(warehouse, cfg, times).where(is_past())
    people = last_of(passes.users_told(warehouse, moment.as_of))
    items = last_of(passes.items_told(warehouse, moment.as_of))
    slots = fit_category_slots(past, items, size)
    rows = as_table(slots.withColumn("ds", F.lit(ds)), tables.CATEGORY_SLOTS)
    warehouse.overwrite_slice(tables.CATEGORY_SLOTS, rows, str(ds))

    known = warehouse.read(tables.ITEM_INDEX).join(items, "item_id", "left")
    slots = warehouse.read(tables.CATEGORY_SLOTS, where=str(ds))
    shares = with_category_shares(known, slots, size).persist()
    numbered = past.join(warehouse.read(tables.USER_INDEX), "user_id")
    users = build_user_profiles(
        numbered,
        shares,
        people,
        moment,
        cfg.profiles,
        cfg.dataset.positive_min,
    )
    profiles = build_item_profiles(past, shares, known, moment, cfg.profiles)
    at_once(
        spark,
        lambda: warehouse.overwrite_slice(tables.USER_PROFILES, users, str(ds)),
        lambda: warehouse.overwrite_slice(tables.ITEM_PROFILES, profiles, str(ds)),
    )
    shares.unpersist()
    return job.JobResult(warehouse.read(tables.USER_PROFILES, where=str(ds)).count())


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("build_profiles", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
