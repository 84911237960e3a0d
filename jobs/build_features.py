"""examples, events, users, items → features, feature_vocabulary, _stats, _selection, _pools.

Every feature is as of just before the example's event. What is fitted (vocabularies, edges, the
choice of features) is fitted on the training part. Pools, named sets of features, come last.
"""

from collections.abc import Sequence
from contextlib import ExitStack

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tastemill import job, passes, tables
from tastemill.config.load import Config
from tastemill.errors import DataError
from tastemill.features.encoding import Encodings
from tastemill.features.extract import BEHAVIOUR, extract
from tastemill.features.pools import check_patterns
from tastemill.featuring.categories import fit_categories
from tastemill.featuring.judge import judge
from tastemill.featuring.output import Output
from tastemill.featuring.pools import rows_of_pools
from tastemill.featuring.searches import with_sought
from tastemill.featuring.sources import kinds_of, sides
from tastemill.featuring.vectors import item_vectors
from tastemill.splits import is_past

SECTIONS = ("dataset", "split", "profiles", "examples", "features")
INPUTS = (
    tables.EXAMPLES,
    tables.EVENTS,
    *passes.USERS_TOLD,
    *passes.ITEMS_TOLD,
    tables.USER_INDEX,
    tables.ITEM_INDEX,
    tables.CATEGORY_SLOTS,
)
OUTPUTS = (
    tables.FEATURE_VOCABULARY,
    tables.FEATURES,
    tables.FEATURE_STATS,
    tables.FEATURE_SELECTION,
    tables.FEATURE_POOLS,
)


def run(spark: SparkSession, cfg: Config) -> job.JobResult:
    """Rewrite the slices of one purpose."""
    warehouse = job.open_warehouse(spark, cfg)
    purpose, times = cfg.run.purpose, passes.times_of(warehouse, cfg)
    past = passes.known_events(warehouse, cfg, times).where(is_past())
    past = past.select("user_idx", "item_idx", "event_time", "split", *BEHAVIOUR, "query")
    examples = warehouse.read(tables.EXAMPLES, where=purpose)
    if examples.where("split = 'train' AND event_time IS NOT NULL").isEmpty():
        raise DataError(
            "no example to judge features by",
            expected="examples of known times in the training part",
            fix="check the times of the events; with few of them lower split.test_fraction",
        )

    as_of = times.of(purpose)
    slots = warehouse.read(tables.CATEGORY_SLOTS, where=str(as_of.date()))
    output = Output(warehouse, purpose)
    with ExitStack() as after:
        past = past.persist()
        after.callback(past.unpersist)
        users, items = sides(warehouse, cfg, past.where("split = 'train'"), as_of)
        vectors = item_vectors(items, slots, cfg, after)
        categories = fit_categories(examples, users, items, cfg)
        after.callback(categories.release)
        described = categories.described.encoded(Encodings.of(cfg.features), as_of)
        seen = with_sought(past, vectors.words, categories.items)
        kinds = kinds_of(seen, cfg, as_of)
        made = extract(seen, described, categories.items, kinds, vectors.shared)
        check_patterns(cfg.features, made.names)
        words = vectors.with_words(categories.vocabulary)
        words = output.write(tables.FEATURE_VOCABULARY, words)
        rows = output.write(tables.FEATURES, made.rows)

    learned, later = (rows.where(F.col("split") == split) for split in ("train", "test"))
    judged = judge(learned, later, made, categories, words, cfg.features)
    output.write_rows(tables.FEATURE_STATS, judged.stats)
    output.write_rows(tables.FEATURE_SELECTION, judged.selection)
    version = warehouse.data_version(tables.FEATURES, purpose)
    output.write_rows(
        tables.FEATURE_POOLS, rows_of_pools(judged, words, cfg.features.pools, version or 0)
    )
    return job.JobResult(rows.count(), detail=judged.summary)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of spark-submit and of the wheel."""
    return job.main("build_features", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
