"""Categorical features of a pass: attributes, the calendar, and crosses, declared or found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tastemill.config.load import Config
from tastemill.features.config import FeaturesConfig
from tastemill.features.crosses import Cross, collisions, combinations_met, fit_crosses, in_words
from tastemill.features.extract import Described, describe
from tastemill.features.figures import Crossing
from tastemill.features.known import Known, Side
from tastemill.features.layout import label_edges
from tastemill.features.measure import drawn
from tastemill.features.one_pass import Whole
from tastemill.features.own import CALENDAR
from tastemill.features.search import Gain, Search
from tastemill.features.together import Choice, Counted, counted_together, tables_of
from tastemill.features.vocabulary import FIRST
from tastemill.featuring.units import UnitTests, tests_by_unit

LEARNED = ("event_id", "n", "user_idx", "item_idx", "label", "categorical")


@dataclass(frozen=True)
class Categories:
    """All that is categorical about the examples of a pass.

    Args:
        described: the examples.
        items: what is known of items.
        vocabulary: (feature, value, index, rows) of the features that have one.
        crossings: the crosses by name.
        sizes: number of indices of each feature.
        tests: of attributes, and of pairs of them.
        cached: what is kept until `release`.
    """

    described: Described
    items: Known
    vocabulary: DataFrame
    crossings: Mapping[str, Crossing]
    sizes: Sequence[int]
    tests: UnitTests
    cached: Sequence[DataFrame]

    def release(self) -> None:
        """To be called when everything is written."""
        for frame in self.cached:
            frame.unpersist()


@dataclass
class _Vocabulary:
    """Grows with each set of crosses that is fitted."""

    rows: DataFrame
    cfg: FeaturesConfig

    def __post_init__(self) -> None:
        self.crossings: dict[str, Crossing] = {}
        self.attributes = self.rows = _held(self.rows)
        self.cached: list[DataFrame] = []

    def fit(self, met: DataFrame, crosses: Sequence[Cross]) -> DataFrame:
        """(feature, of, index, rows) of the exact ones among the crosses."""
        fitted = _held(fit_crosses(met, crosses, self.cfg.max_values, self.cfg.min_rows))
        self.rows = self.rows.unionByName(in_words(fitted, crosses, self.attributes))
        shared: dict[str, float] = {}
        if any(cross.buckets for cross in crosses):
            shared = dict(map(tuple, collisions(met, crosses).collect()))
        self.crossings |= {c.name: Crossing(c, shared.get(c.name)) for c in crosses}
        return fitted

    def sizes(self, names: Sequence[str]) -> list[int]:
        """How many indices each feature has."""
        largest = self.rows.groupBy("feature").agg(F.max("index").alias("index")).collect()
        known = {row["feature"]: row["index"] + 1 for row in largest}
        known |= {
            name: FIRST + crossing.cross.buckets
            for name, crossing in self.crossings.items()
            if crossing.cross.buckets
        }
        return [CALENDAR.get(name) or known.get(name, FIRST) for name in names]


def _held(rows: DataFrame) -> DataFrame:
    """Rows that are few, as a frame that doesn't remember where they came from.

    A vocabulary has `max_values` for each feature. Each attribute is joined with it, and a plan of
    which each of these joins is a part takes the driver minutes to look through.
    """
    return rows.sparkSession.createDataFrame(rows.toArrow(), rows.schema)


def fit_categories(examples: DataFrame, users: Side, items: Side, cfg: Config) -> Categories:
    """Fit vocabularies and crosses on the training part, and describe all examples by them.

    Args:
        examples: rows of `examples` for one purpose.
        users: users with their attributes.
        items: items with their attributes.
        cfg: which crosses; the task.
    """
    sides = (users, items)
    found = users.vocabulary(cfg.features).unionByName(items.vocabulary(cfg.features))
    vocabulary = _Vocabulary(found, cfg.features)
    known_users, known_items = (_crossed(side, vocabulary) for side in sides)
    described = describe(examples, known_users, known_items)
    vocabulary.cached.append(described.rows.persist())
    of_training = described.rows.where("split = 'train'")
    learned = of_training.select(*LEARNED, F.lit(1).alias("rows"))
    tests = tests_by_unit(learned, known_users, known_items, cfg.dataset.task)
    crosses = _declared(cfg.features, None)
    crosses += _found(learned, described.names, vocabulary, tests, cfg.features)
    if crosses:
        met = combinations_met(learned, "categorical", described.names, crosses)
        described = described.crossed(crosses, vocabulary.fit(met, crosses))
    sizes = vocabulary.sizes(described.names)
    return Categories(
        described,
        known_items,
        vocabulary.rows,
        vocabulary.crossings,
        sizes,
        tests,
        vocabulary.cached,
    )


def _declared(cfg: FeaturesConfig, side: str | None) -> list[Cross]:
    """The crosses of the settings that are of users, of items, or (None) of rows."""
    crosses = (Cross(each.of, each.buckets) for each in cfg.crosses)
    return [cross for cross in crosses if cross.side == side]


def _crossed(side: Side, vocabulary: _Vocabulary) -> Known:
    """Users or items with combinations of their attributes."""
    known = side.known(vocabulary.attributes)
    crosses = _declared(vocabulary.cfg, side.name)
    if not crosses:
        return known
    return known.crossed(crosses, vocabulary.fit(side.combinations(known, crosses), crosses))


def _found(
    rows: DataFrame,
    names: Sequence[str],
    vocabulary: _Vocabulary,
    tests: UnitTests,
    cfg: FeaturesConfig,
) -> list[Cross]:
    """Pairs of a user's attribute and an item's that tell together what neither tells alone.

    They are tested by users, which an implicit task allows: rows aren't independent. In others
    none are looked for.
    """
    if not (cfg.search_crosses and tests.found(cfg.selection.alpha)):
        return []
    num_rows = rows.count()
    sample = rows.where(drawn(num_rows, cfg.sample_rows, cfg.seed)).select("label").toArrow()
    edges, sizes = label_edges(sample["label"].to_numpy()), tuple(vocabulary.sizes(names))

    def ask(what: Counted) -> Whole:
        return tables_of(what, counted_together(rows, what).toArrow())

    alpha, least = cfg.selection.alpha, cfg.selection.min_information
    declared = {frozenset(each.of) for each in cfg.crosses}
    place = {name: number for number, name in enumerate(names) if ":" not in name}
    pairs: dict[Choice, Cross] = {
        (place[item], place[user]): Cross((user, item))
        for user, item in tests.found(alpha)
        if {user, item} <= set(place) and frozenset((user, item)) not in declared
    }
    search = Search(ask, Gain(num_rows, alpha), sizes, edges)
    return [pairs[pair] for pair in search.best(sorted(pairs), cfg.search_crosses, least)]
