"""events, items, category_slots → examples: what the deep models learn from.

Every example carries its profiles as of just before its event; rows after the cut of a backtest
see the state at the cut, as they would have in life.
"""

from collections.abc import Sequence

from pyspark.sql import SparkSession

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.examples import Recipe, build_examples
from tastemill.profiles.categories import with_category_shares
from tastemill.states import last_of

SECTIONS = ("dataset", "split", "profiles", "examples")
INPUTS = (
    tables.EVENTS,
    *passes.ITEMS_TOLD,
    tables.USER_INDEX,
    tables.ITEM_INDEX,
    tables.CATEGORY_SLOTS,
)
OUTPUTS = (tables.EXAMPLES,)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Rewrite the slice of one purpose."""
    warehouse = job.open_warehouse(spark, cfg)
    purpose = cfg.run.purpose
    times = passes.times_of(warehouse, cfg)
    recipe = Recipe(purpose, times, cfg.dataset, cfg.profiles, cfg.examples)
    ds = str(recipe.moment.as_of.date())
    index = warehouse.read(tables.ITEM_INDEX)
    told = last_of(passes.items_told(warehouse, recipe.moment.as_of))
    known = index.join(told, "item_id", "left")
    slots = warehouse.read(tables.CATEGORY_SLOTS, where=ds)
    shares = with_category_shares(known, slots, cfg.profiles.num_categories)
    items = known.select("item_id", "item_idx", "released_on").join(shares, "item_id")
    examples = build_examples(passes.numbered_events(warehouse, cfg, times), items, recipe)
    warehouse.overwrite_slice(tables.EXAMPLES, examples, purpose)
    return job.JobResult(warehouse.read(tables.EXAMPLES, where=purpose).count())


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("build_examples", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
