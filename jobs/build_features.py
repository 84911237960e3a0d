"""examples, events, users, items → features, feature_vocabulary, feature_stats, feature_selection.

Every feature is as of just before the example's event. What is fitted (vocabularies, edges, the
choice of features) is fitted on the training part.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.errors import DataError
from tastemill.features.extract import BEHAVIOUR, extract
from tastemill.featuring.categories import fit_categories
from tastemill.featuring.judge import judge
from tastemill.featuring.sources import kinds_of, sides
from tastemill.sources.cleaning import as_table
from tastemill.splits import is_past

SECTIONS = ("dataset", "split", "profiles", "examples", "features")
INPUTS = (
    tables.EXAMPLES,
    tables.EVENTS,
    tables.USERS,
    tables.ITEMS,
    tables.USER_INDEX,
    tables.ITEM_INDEX,
)
OUTPUTS = (
    tables.FEATURE_VOCABULARY,
    tables.FEATURES,
    tables.FEATURE_STATS,
    tables.FEATURE_SELECTION,
)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Rewrite the slices of one purpose."""
    warehouse = job.open_warehouse(spark, cfg)
    purpose, times = cfg.run.purpose, passes.times_of(warehouse, cfg)
    past = passes.known_events(warehouse, cfg, times).where(is_past())
    past = past.select("user_idx", "item_idx", "event_time", "split", *BEHAVIOUR).persist()
    examples = warehouse.read(tables.EXAMPLES, where=purpose)
    if examples.where("split = 'train' AND event_time IS NOT NULL").isEmpty():
        raise DataError(
            "no example to judge features by",
            expected="examples of known times in the training part",
            fix="check the times of the events; with few of them lower split.test_fraction",
        )

    def write(table: tables.Table, rows: DataFrame) -> DataFrame:
        named = as_table(rows.withColumn("purpose", F.lit(purpose)), table)
        warehouse.overwrite_slice(table, named, purpose)
        return warehouse.read(table, where=purpose)

    as_of = times.of(purpose)
    users, items = sides(warehouse, cfg, past.where("split = 'train'"), as_of)
    categories = fit_categories(examples, users, items, cfg)
    write(tables.FEATURE_VOCABULARY, categories.vocabulary)
    kinds = kinds_of(past, cfg, as_of)
    made = extract(past, categories.described, categories.items, kinds)
    rows = write(tables.FEATURES, made.rows)
    categories.release()
    past.unpersist()

    learned, later = (rows.where(F.col("split") == split) for split in ("train", "test"))
    judged = judge(learned, later, made, categories, cfg.features)
    write(tables.FEATURE_STATS, judged.stats)
    write(tables.FEATURE_SELECTION, judged.selection)
    return job.JobResult(rows.count(), detail=judged.summary)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("build_features", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
