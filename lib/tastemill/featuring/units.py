"""Tests of what rows can't be taken for: attributes of users and items, and a user's past."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from tastemill.columns import as_array, list_parts
from tastemill.features.by_unit import mean_labels, shares_taken, users_by_value
from tastemill.features.crosses import Cross
from tastemill.features.extract import Extracted
from tastemill.features.known import Known
from tastemill.features.likeness import Pairs
from tastemill.features.selection import Tested
from tastemill.features.units import Spread, p_of_attributes, p_of_pairs

BOTH = ("affinity", "recent")  # families that are about a user and an item
PRICE, PRICE_BUCKET = "item_price", "item_price_bucket"


@dataclass(frozen=True)
class UnitTests:
    """Tests of what rows can't be taken for.

    Args:
        by_feature: of attributes of items and users.
        pairs: p-values of attributes of users with those of items, by both names.
        paired: whether each positive has negatives of the same user and time.
    """

    by_feature: Mapping[str, Tested]
    pairs: Mapping[tuple[str, str], float]
    paired: bool

    def found(self, alpha: float) -> list[tuple[str, str]]:
        """Pairs that aren't told from chance by less than alpha, corrected for all (Bonferroni)."""
        return [pair for pair, p in self.pairs.items() if p * len(self.pairs) <= alpha]

    def of(self, made: Extracted, crosses: Sequence[Cross]) -> dict[str, Tested]:
        """With crosses, and with the past of users.

        What encodes an attribute is tested as that is. A cross is tested by users where both its
        sides are attributes, else on rows. A user's past is the same for a positive and its
        negatives: alone it tells nothing; it counts with the item's.
        """
        tests = dict(self.by_feature)
        encoded = (f for f in made.numeric if f.family == "encoding")
        tests |= {f.name: tests[f.goes_by[0]] for f in encoded if f.goes_by[0] in tests}
        if not self.paired:
            return tests
        attributes = {_parts(name) for name in self.by_feature}
        p_values = {(_parts(user), _parts(item)): p for (user, item), p in self.pairs.items()}
        for cross in crosses:
            sides = _parts(cross.of_side("user")), _parts(cross.of_side("item"))
            if sum(map(len, sides)) == len(cross.parts) and attributes.issuperset(sides):
                tests[cross.name] = Tested("users", p_values.get(sides, 1.0))
        past = (f for f in made.numeric if f.name.startswith("user_") and f.family not in BOTH)
        return tests | {f.name: Tested("users", None, alone=False) for f in past}


def _parts(name: str) -> frozenset[str]:
    return frozenset(name.split(":"))


def tests_by_unit(rows: DataFrame, users: Known, items: Known, task: str) -> UnitTests:
    """Test attributes of items and of users, and of an implicit task both together.

    Args:
        rows: examples that models learn from.
        users: attributes of users.
        items: attributes of items.
        task: rating or implicit.
    """
    numbers = _numbers()
    names = [*items.features, *numbers]
    sums = _by_value(mean_labels(rows, items, tuple(numbers.values())))
    of_items = zip(names, p_of_attributes(sums, len(names)), strict=True)
    found = {name: Tested("items", p) for name, p in of_items}
    found |= {PRICE: found[PRICE_BUCKET]} if PRICE_BUCKET in found else {}
    if task == "rating":
        of_users = p_of_attributes(_by_value(mean_labels(rows, users)), len(users.names))
        named = zip(users.features, of_users, strict=True)
        return UnitTests(found | {name: Tested("users", p) for name, p in named}, {}, paired=False)
    taken = rows.where("n = 0")
    asked = {row["user_place"]: row for row in users_by_value(taken, users).collect()}
    spreads = {
        (row["user_place"], (row["item_place"], row["item_index"])): Spread(
            asked[row["user_place"]]["groups"],
            asked[row["user_place"]]["units"],
            *(float(row[name]) for name in ("total", "of_groups", "squares")),
        )
        for row in shares_taken(taken, users, items).collect()
    }
    by_place = p_of_pairs(spreads)
    pairs = {(users.features[u], items.features[i]): p for (u, i), p in by_place.items()}
    for name in users.features:
        of_user = [p for (user, _), p in pairs.items() if user == name]
        p = min(1.0, min(of_user, default=1.0) * len(of_user))
        found[name] = Tested("users", p, alone=False)
    return UnitTests(found, pairs, paired=True)


def tests_of_likeness(
    sample: pa.Table, names: Sequence[str], items: Known, seed: int
) -> dict[str, Tested]:
    """Test shares of items of the same attribute in users' past, item by item.

    None where what users met last isn't known (`features.recent_items` is 0). The driver holds
    the attributes of the items in the sample.

    Args:
        sample: rows of `features` with item_idx, recent and label.
        names: of all features.
        items: attributes of items.
        seed: of permutations.
    """
    shares = {f"user_{name}_share": place for place, name in enumerate(items.names)}
    shares = {name: place for name, place in shares.items() if name in names}
    recent = sample["recent"].combine_chunks()
    if not shares or recent.null_count == len(recent):
        return {}
    met, lengths = list_parts(recent)
    known = np.arange(lengths.max(initial=0)) < lengths[:, None]
    last = np.full(known.shape, -1, dtype=np.int64)
    last[known] = met
    labels = sample["label"].to_numpy().astype(np.float64)
    pairs = Pairs.of(sample["item_idx"].to_numpy().astype(np.int64), last, labels)
    asked = items.table.sparkSession.createDataFrame(
        pa.table({items.key: pa.array(pairs.items, type=pa.int32())})
    )
    table = asked.join(items.last, items.key, "left")
    told = table.select(items.key, items.all_of("indices").alias("indices")).toArrow()
    values = as_array(told["indices"].combine_chunks(), "indices")
    values = values[np.argsort(told[items.key].to_numpy())]
    return {
        name: Tested("items", pairs.p_value(values[:, place].astype(np.int64), seed))
        for name, place in shares.items()
    }


def _numbers() -> dict[str, Column]:
    """Numbers that are an item's own, in so few values as an attribute; its price has a range."""
    return {"item_num_categories": F.col("num_categories")}


def _by_value(rows: DataFrame) -> dict[tuple[int, int], tuple[float, float, float]]:
    return {(row["place"], row["index"]): _sums(row) for row in rows.collect()}


def _sums(row: Row) -> tuple[float, float, float]:
    return float(row["units"]), float(row["total"]), float(row["squares"])
