"""Which features are worth learning from, and why the others are not.

A feature passes gates one after the other; the first that it fails is its reason:

missing      too many rows lack it
constant     (almost) all rows lie in one bin
leak         it tells so much of the label that it must know it
independent  a test doesn't tell it from chance, corrected for how many are tested
weak         significant, as anything is in enough rows, but it tells next to nothing
adds nothing a cross that tells no more than its parts do
redundant    it goes with a kept feature that tells more

The test is chi-square on rows, and for attributes of items and users one on these (see `units`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tastemill.features.association import Association, association, false_discovery_rate
from tastemill.features.bins import Floats
from tastemill.features.config import SelectionConfig
from tastemill.features.tally import Tally, Whole


@dataclass(frozen=True)
class Tested:
    """How a feature was told from chance.

    Args:
        unit: what counts as one observation: rows, items or users.
        p_value: of independence; None where the feature alone can't be tested, and passes.
        alone: whether it can tell something of the label alone; else it passes the gate for weak
            ones.
    """

    unit: str
    p_value: float | None
    alone: bool = True


@dataclass(frozen=True)
class Decision:
    """What became of one feature.

    `corrected` is the p-value after Benjamini and Hochberg; `reason` is empty for a kept feature.
    """

    name: str
    missing: float
    found: Association
    test: Tested
    corrected: float | None
    reason: str

    @property
    def kept(self) -> bool:
        """Whether models learn from it."""
        return not self.reason


def select(
    names: Sequence[str], tally: Tally, tests: Mapping[str, Tested], cfg: SelectionConfig
) -> list[Decision]:
    """Decide on every feature, in the order of `names`.

    Args:
        names: of the numeric features, then of the categorical ones.
        tally: what was counted of them; numeric features have their missing values last, and
            categorical ones first, at index 0.
        tests: of features that aren't tested on rows, by name.
        cfg: the gates.
    """
    numeric = len(tally.moments.means)
    found = [association(counts) for counts in tally.counts]
    tested = [
        tests.get(name, Tested("rows", each.p_value))
        for name, each in zip(names, found, strict=True)
    ]
    corrected = _corrected([test.p_value for test in tested])
    lost = [
        _share(counts[-1 if place < numeric else 0], counts)
        for place, counts in enumerate(tally.counts)
    ]
    decided = [
        Decision(name, missing, each, test, p, "")
        for name, missing, each, test, p in zip(names, lost, found, tested, corrected, strict=True)
    ]
    decided = [
        replace(each, reason=_reason(each, counts, cfg))
        for each, counts in zip(decided, tally.counts, strict=True)
    ]
    decided = _without_needless(decided, numeric, cfg.min_information)
    return _without_redundant(decided, tally.correlations, cfg.max_correlation)


def _reason(each: Decision, counts: Whole, cfg: SelectionConfig) -> str:
    """The reason of the first gate that holds a feature back."""
    told, missing = each.found.told, each.missing
    p = 0.0 if each.corrected is None else each.corrected
    same = _share(counts[counts.sum(axis=1).argmax()], counts)
    gates = (
        (missing > cfg.max_missing, f"missing in {missing:.1%} of the rows"),
        (same > cfg.max_same, f"constant: {same:.2%} of the rows lie in one bin"),
        (not each.found.entropy, "the label has one class: nothing can be told of it"),
        (told > cfg.max_told, f"leak: it tells {told:.0%} of the label"),
        (p > cfg.alpha, f"independent of the label (p = {p:.2g}, tested on {each.test.unit})"),
        (each.test.alone and told < cfg.min_information, f"weak: it tells {told:.2g} of the label"),
    )
    return next((reason for held_back, reason in gates if held_back), "")


def _corrected(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected for how many are tested; what isn't stays None."""
    found = iter(false_discovery_rate([p for p in p_values if p is not None]))
    return [None if p is None else next(found) for p in p_values]


def _share(part: Whole, counts: Whole) -> float:
    return float(part.sum() / max(counts.sum(), 1))


def _without_needless(decided: list[Decision], numeric: int, least: float) -> list[Decision]:
    """Crosses have to tell what their parts don't.

    Of users with items: more than both sides together. Parts of one side share what they tell: a
    cross of them has to tell more than the best one.
    """
    told = {each.name: each.found.told for each in decided[numeric:]}

    def checked(each: Decision) -> Decision:
        parts = each.name.split(":")
        sides = {part.partition("_")[0] for part in parts}
        if len(parts) == 1 or not (each.kept and each.test.alone):
            return each
        together = sum if {"user", "item"} <= sides else max
        if each.found.told - together(told[part] for part in parts) >= least:
            return each
        return replace(each, reason="adds nothing to what its parts tell")

    return decided[:numeric] + [checked(each) for each in decided[numeric:]]


def _without_redundant(
    decided: list[Decision], correlations: Floats, at_most: float
) -> list[Decision]:
    """Numeric features from the most telling on; each rules out those that go with it."""
    order = sorted(range(len(correlations)), key=lambda place: -decided[place].found.told)
    reasons = {}
    kept: list[int] = []
    for place in (place for place in order if decided[place].kept):
        with_kept = np.abs(correlations[place, kept])
        if kept and with_kept.max() > at_most:
            other = decided[kept[int(with_kept.argmax())]].name
            reasons[place] = f"redundant: correlation {with_kept.max():.3f} with {other}"
        else:
            kept.append(place)
    return [
        replace(each, reason=reasons.get(place, each.reason)) for place, each in enumerate(decided)
    ]
