"""What is known of users and of items whatever they do: their attributes as indices."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from tastemill.features.config import FeaturesConfig
from tastemill.features.vocabulary import MISSING, fit_vocabulary, indices, long_form
from tastemill.profiles.items import fit_price_edges, price_bucket


@dataclass(frozen=True)
class Known:
    """What is known of users, or of items.

    Args:
        side: user or item, with which the names of categorical features begin.
        table: user_idx or item_idx, `indices` array<int>; of items also price, released_on and
            num_categories.
        names: of the indices, without the side.
    """

    side: str
    table: DataFrame
    names: tuple[str, ...]

    @property
    def features(self) -> list[str]:
        """Names of the categorical features."""
        return [f"{self.side}_{name}" for name in self.names]

    def all_of(self, column: str) -> Column:
        """All indices; those of a user or an item that isn't in the table are missing."""
        return F.coalesce(column, F.array_repeat(F.lit(MISSING), len(self.names)))

    def index(self, name: str) -> Column:
        """One of the indices, null where the value is missing."""
        return F.nullif(F.get("indices", self.names.index(name)), F.lit(MISSING)).alias(name)


@dataclass(frozen=True)
class Side:
    """Users or items with their attributes.

    Args:
        name: user or item.
        table: `users` or `items` with user_idx or item_idx.
        values: each attribute as a text.
    """

    name: str
    table: DataFrame
    values: Mapping[str, Column]

    @property
    def key(self) -> str:
        """user_idx or item_idx."""
        return f"{self.name}_idx"

    @property
    def long(self) -> DataFrame:
        """(key, feature, value) of every attribute that is there."""
        named = {f"{self.name}_{name}": value for name, value in self.values.items()}
        return long_form(self.table, self.key, named)

    def vocabulary(self, events: DataFrame, at_most: int) -> DataFrame:
        """(feature, value, index, rows): the values met most in these events."""
        met = events.groupBy(self.key).agg(F.count("*").alias("rows"))
        return fit_vocabulary(self.long, met, self.key, at_most)

    def known(self, vocabulary: DataFrame) -> Known:
        """The attributes as indices of a vocabulary."""
        names = [f"{self.name}_{name}" for name in self.values]
        found = indices(self.long, vocabulary, self.key, names)
        kept = {"item": ("price", "released_on", "num_categories")}.get(self.name, ())
        table = self.table.select(self.key, *kept).join(found, self.key, "left")
        return Known(self.name, table, tuple(self.values))


def user_side(users: DataFrame, cfg: FeaturesConfig) -> Side:
    """Users with age, gender, occupation, and the attributes that are configured."""
    own = {name: F.col(name) for name in ("age", "gender", "occupation")}
    return Side("user", users, {**own, **_attributes(cfg.user_attributes)})


def item_side(items: DataFrame, cfg: FeaturesConfig) -> Side:
    """Items with their first category, a bucket of their price, and the configured attributes."""
    priced = items.crossJoin(F.broadcast(fit_price_edges(items))).withColumns(
        {
            "price_bucket": price_bucket(F.col("price"), F.col("price_edges")).cast("string"),
            "num_categories": F.coalesce(F.size("categories"), F.lit(0)),
        }
    )
    own = {"category": F.get("categories", F.lit(0)), "price_bucket": F.col("price_bucket")}
    return Side("item", priced, {**own, **_attributes(cfg.item_attributes)})


def _attributes(names: tuple[str, ...]) -> dict[str, Column]:
    return {name: F.try_element_at("attributes", F.lit(name)) for name in names}
