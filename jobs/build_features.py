"""examples, events, users, items → features, feature_vocabulary, feature_stats, feature_selection.

Every feature is as of just before the example's event. What is fitted (vocabularies, edges, the
choice of features) is fitted on rows before the cut: vocabularies on the past, the rest on the
training part of the examples.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.features.extract import extract
from tastemill.features.known import item_side, user_side
from tastemill.features.past import Kinds
from tastemill.judging import judge
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
    users = user_side(passes.with_index(warehouse, tables.USERS, tables.USER_INDEX), cfg.features)
    items = item_side(passes.with_index(warehouse, tables.ITEMS, tables.ITEM_INDEX), cfg.features)

    def write(table: tables.Table, rows: DataFrame) -> DataFrame:
        named = as_table(rows.withColumn("purpose", F.lit(purpose)), table)
        warehouse.overwrite_slice(table, named, purpose)
        return warehouse.read(table, where=purpose)

    most = cfg.features.max_values
    found = users.vocabulary(past, most).unionByName(items.vocabulary(past, most))
    vocabulary = write(tables.FEATURE_VOCABULARY, found)
    types = [row["event_type"] for row in past.select("event_type").distinct().collect()]
    kinds = Kinds.of(cfg.features, types, times.of(purpose), cfg.profiles.num_categories)
    examples = warehouse.read(tables.EXAMPLES, where=purpose)
    made = extract(past, examples, users.known(vocabulary), items.known(vocabulary), kinds)
    rows = write(tables.FEATURES, made.rows)

    judged = judge(rows.where("split = 'train'"), made, vocabulary, cfg.features)
    write(tables.FEATURE_STATS, judged.stats)
    write(tables.FEATURE_SELECTION, judged.selection)
    return job.JobResult(rows.count(), detail=judged.summary)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("build_features", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
