"""What a selection of features found of what was planted, and what it took for a signal."""

from collections.abc import Collection
from dataclasses import dataclass

from tastemill.synth.topics import NOISE, SIGNAL

# Attributes that are features under other names; the others are called after their table.
NAMES = {
    ("items", "categories"): ("item_category",),
    ("items", "price"): ("item_price", "item_price_bucket"),
    ("items", "released_on"): ("item_age",),
}


@dataclass(frozen=True)
class Found:
    """Of the attributes that are features.

    Args:
        found: signals of which a feature was kept: the attribute, a cross with it, a share of it.
        missed: signals of which none was.
        fooled_by: features of noise that were kept.
    """

    found: tuple[str, ...]
    missed: tuple[str, ...]
    fooled_by: tuple[str, ...]

    @property
    def precision(self) -> float:
        """Which share of what was kept is signal; 0 where nothing was."""
        return len(self.found) / max(len(self.found) + len(self.fooled_by), 1)

    @property
    def recall(self) -> float:
        """Which share of the signals was kept; 0 where there are none."""
        return len(self.found) / max(len(self.found) + len(self.missed), 1)


def held_against_truth(features: Collection[str], kept: Collection[str]) -> Found:
    """Hold a selection against what was planted.

    Args:
        features: names of all of them; an attribute without one is left out.
        kept: those that were kept.
    """

    def sorted_out(planted: dict[str, Collection[str]]) -> tuple[list[str], list[str]]:
        there: list[str] = []
        gone: list[str] = []
        for table, attributes in planted.items():
            for attribute in attributes:
                own = NAMES.get((table, attribute), (f"{table.removesuffix('s')}_{attribute}",))
                if any(name in features for name in own):
                    found = any(set(own) & _made_of(name) for name in kept)
                    (there if found else gone).append(own[0])
        return there, gone

    found, missed = sorted_out({table: tuple(names) for table, names in SIGNAL.items()})
    noise = {f"{table.removesuffix('s')}_{name}" for table in NOISE for name in NOISE[table]}
    fooled_by = [name for name in kept if noise & _made_of(name)]
    return Found(tuple(found), tuple(missed), tuple(sorted(fooled_by)))


def _made_of(feature: str) -> set[str]:
    """Attributes that a feature goes by: itself, parts of a cross, what a share is a share of."""
    parts = feature.removesuffix("_target").removesuffix("_frequency").split(":")
    share = feature.removeprefix("user_").removesuffix("_share")
    return {*parts, f"item_{share}"} if feature.endswith("_share") else set(parts)
