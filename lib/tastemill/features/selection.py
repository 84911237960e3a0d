"""Which features are worth learning from, and why the others are not.

A feature passes gates one after the other; the first that it fails is its reason:

missing      too many rows lack it
constant     (almost) all rows lie in one bin
leak         it tells so much of the label that it must know it
independent  chi-square doesn't tell it from chance, corrected for how many are tested
weak         significant, as anything is in enough rows, but it tells next to nothing
redundant    it goes with a kept feature that tells more
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tastemill.features.association import Association, association, false_discovery_rate
from tastemill.features.bins import Floats
from tastemill.features.config import SelectionConfig
from tastemill.features.tally import Tally, Whole


@dataclass(frozen=True)
class Decision:
    """What became of one feature.

    `corrected` is the p-value after Benjamini and Hochberg; `reason` is empty for a kept feature.
    """

    name: str
    missing: float
    found: Association
    corrected: float
    reason: str

    @property
    def kept(self) -> bool:
        """Whether models learn from it."""
        return not self.reason


def select(names: Sequence[str], tally: Tally, cfg: SelectionConfig) -> list[Decision]:
    """Decide on every feature, in the order of `names`.

    Args:
        names: of the numeric features, then of the categorical ones.
        tally: what was counted of them; numeric features have their missing values last, and
            categorical ones first, at index 0.
        cfg: the gates.
    """
    numeric = len(tally.means)
    found = [association(counts) for counts in tally.counts]
    corrected = false_discovery_rate([each.p_value for each in found])
    lost = [
        _share(counts[-1 if place < numeric else 0], counts)
        for place, counts in enumerate(tally.counts)
    ]
    decided = [
        Decision(name, missing, each, p, _reason(counts, missing, each, p, cfg))
        for name, missing, each, p, counts in zip(
            names, lost, found, corrected, tally.counts, strict=True
        )
    ]
    return _without_redundant(decided, tally.correlations, cfg.max_correlation)


def _reason(
    counts: Whole, missing: float, found: Association, corrected: float, cfg: SelectionConfig
) -> str:
    """The reason of the first gate that holds a feature back."""
    told = found.told
    same = _share(counts[counts.sum(axis=1).argmax()], counts)
    gates = (
        (missing > cfg.max_missing, f"missing in {missing:.1%} of the rows"),
        (same > cfg.max_same, f"constant: {same:.2%} of the rows lie in one bin"),
        (not found.entropy, "the label has one class: nothing can be told of it"),
        (told > cfg.max_told, f"leak: it tells {told:.0%} of the label"),
        (corrected > cfg.alpha, f"independent of the label (p = {corrected:.2g})"),
        (told < cfg.min_information, f"weak: it tells {told:.2g} of the label"),
    )
    return next((reason for held_back, reason in gates if held_back), "")


def _share(part: Whole, counts: Whole) -> float:
    return float(part.sum() / max(counts.sum(), 1))


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
        Decision(each.name, each.missing, each.found, each.corrected, reasons.get(n, each.reason))
        for n, each in enumerate(decided)
    ]
