"""What is known of users and of items whatever they do: their attributes as indices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.config import CATEGORICAL, FeaturesConfig
from tastemill.features.crosses import Cross, combinations_met, with_crosses
from tastemill.features.vocabulary import FIRST, MISSING, fit_vocabulary, with_index
from tastemill.profiles.items import price_bucket
from tastemill.states import SINCE, UNTIL, holds_at, last_of

DESCRIBED = {"item": ("price", "released_on", "num_categories"), "user": ()}  # numbers and days


@dataclass(frozen=True)
class Known:
    """What is known of users, or of items.

    Args:
        side: user or item, with which the names of categorical features begin.
        table: user_idx or item_idx, since, until and `indices` array<int>, a row for each state;
            of items also price, released_on and num_categories.
        names: of the indices, without the side.
    """

    side: str
    table: DataFrame
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """user_idx or item_idx."""
        return f"{self.side}_idx"

    @property
    def features(self) -> list[str]:
        """Names of the categorical features."""
        return [f"{self.side}_{name}" for name in self.names]

    @property
    def last(self) -> DataFrame:
        """The table with one row of each: its last state."""
        return last_of(self.table)

    def looked_up(self, rows: DataFrame, *columns: str | Column, at: str | Column) -> DataFrame:
        """Rows with columns of what was known just before a time; null where it was nothing.

        Args:
            rows: user_idx or item_idx.
            columns: of the table.
            at: the time, a column of the rows.
        """
        told = self.table.select(F.col(self.key).alias("_key"), SINCE, UNTIL, *columns)
        timed = rows.withColumn("_at", F.col(at) if isinstance(at, str) else at)
        on = (F.col(self.key) == F.col("_key")) & holds_at(F.col("_at"))
        return timed.join(told, on, "left").drop("_key", "_at", SINCE, UNTIL)

    def crossed(self, crosses: Sequence[Cross], fitted: DataFrame) -> "Known":
        """With combinations of its attributes as further attributes.

        Args:
            crosses: each of attributes of this side.
            fitted: what `fit_crosses` returned.
        """
        table = with_crosses(self.table, "indices", self.features, crosses, fitted)
        names = (cross.name.removeprefix(f"{self.side}_") for cross in crosses)
        return replace(self, table=table, names=(*self.names, *names))

    def all_of(self, column: str) -> Column:
        """All indices; those of a user or an item that isn't in the table are missing."""
        return F.coalesce(column, F.array_repeat(F.lit(MISSING), len(self.names)))

    def told_apart(self, name: str) -> Column:
        """One of the indices, null where the value is missing or not in the vocabulary."""
        index = F.get("indices", self.names.index(name))
        return F.when(index >= FIRST, index)


@dataclass(frozen=True)
class Side:
    """Users or items with their attributes.

    Args:
        name: user or item.
        table: states of `users` or `items` with user_idx or item_idx, since and until.
        values: each attribute as a text.
        met: (user_idx or item_idx, rows): how often each is met in what is learned from.
    """

    name: str
    table: DataFrame
    values: Mapping[str, Column]
    met: DataFrame

    @property
    def last(self) -> DataFrame:
        """The table with one row of each: its last state."""
        return last_of(self.table)

    def vocabulary(self, cfg: FeaturesConfig) -> DataFrame:
        """(feature, value, index, rows): the values that are met most."""
        met = self.last.join(self.met, f"{self.name}_idx")
        return fit_vocabulary(met, self._named(), cfg.max_values, cfg.min_rows)

    def combinations(self, known: Known, crosses: Sequence[Cross]) -> DataFrame:
        """(feature, of, rows): how often combinations of attributes are met."""
        met = known.last.join(self.met, known.key)
        return combinations_met(met, "indices", known.features, crosses)

    def known(self, vocabulary: DataFrame) -> Known:
        """The attributes as indices of a vocabulary."""
        table = self.table
        for name, value in self._named().items():
            table = with_index(table, name, value, vocabulary)
        kept = (f"{self.name}_idx", SINCE, UNTIL, *DESCRIBED[self.name])
        table = table.select(*kept, F.array(*self._named()).alias("indices"))
        return Known(self.name, table, tuple(self.values))

    def _named(self) -> dict[str, Column]:
        return {f"{self.name}_{name}": value for name, value in self.values.items()}


def user_side(users: DataFrame, past: DataFrame, cfg: FeaturesConfig) -> Side:
    """Users with age, gender, occupation, and the attributes that are configured.

    Args:
        users: states of `users` with user_idx, since and until.
        past: events that are learned from, with user_idx.
        cfg: which attributes.
    """
    own = {name: F.col(name) for name in CATEGORICAL["user"]}
    values = {**own, **_attributes(cfg.user_attributes)}
    return Side("user", users, values, times_met(past, "user_idx"))


def item_side(
    items: DataFrame, met: DataFrame, price_edges: Sequence[float], cfg: FeaturesConfig
) -> Side:
    """Items with their first category, a bucket of their price, and the configured attributes.

    Args:
        items: states of `items` with item_idx, since and until.
        met: (item_idx, rows), as `times_met` returns.
        price_edges: of the buckets; none where no item has a price.
        cfg: which attributes.
    """
    described = items.withColumns(
        {
            "price_bucket": price_range(F.col("price"), price_edges),
            "num_categories": F.coalesce(F.array_size("categories"), F.lit(0)),
        }
    )
    own = {"category": F.get("categories", F.lit(0)), "price_bucket": F.col("price_bucket")}
    return Side("item", described, {**own, **_attributes(cfg.item_attributes)}, met)


def price_range(price: Column, edges: Sequence[float]) -> Column:
    """Between which edges a price lies, as a text: 2.5–3.99; null without a price or edges."""
    if not edges:
        return F.lit(None).cast("string")
    ends = ["", *(f"{edge:.12g}" for edge in edges), ""]
    ranges = F.array(*[F.lit(f"{low}–{high}") for low, high in pairwise(ends)])
    return F.get(ranges, price_bucket(price, F.array(*map(F.lit, edges))))


def times_met(past: DataFrame, key: str) -> DataFrame:
    """(key, rows): how often each user, or each item, is met in events."""
    known = past.where(F.col(key).isNotNull())
    return known.groupBy(key).agg(F.count("*").alias("rows"))


def _attributes(names: tuple[str, ...]) -> dict[str, Column]:
    return {name: F.try_element_at("attributes", F.lit(name)) for name in names}
