"""Tests of what rows can't be taken for: attributes of users and items, and a user's past."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row

from tastemill.features.by_unit import mean_labels, shares_taken, users_by_value
from tastemill.features.crosses import Cross
from tastemill.features.extract import Extracted
from tastemill.features.known import Known
from tastemill.features.selection import Tested
from tastemill.features.units import Spread, p_of_attributes, p_of_pairs

BOTH = ("affinity", "recent")  # families that are about a user and an item


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

        A cross is tested by users where both its sides are attributes, else on rows. A user's past
        is the same for a positive and its negatives: alone it tells nothing; it counts with the
        item's.
        """
        tests = dict(self.by_feature)
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
    of_items = p_of_attributes(_by_value(mean_labels(rows, items)), len(items.names))
    found = {name: Tested("items", p) for name, p in zip(items.features, of_items, strict=True)}
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


def _by_value(rows: DataFrame) -> dict[tuple[int, int], tuple[float, float, float]]:
    return {(row["place"], row["index"]): _sums(row) for row in rows.collect()}


def _sums(row: Row) -> tuple[float, float, float]:
    return float(row["units"]), float(row["total"]), float(row["squares"])
