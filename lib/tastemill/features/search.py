"""Which pairs of features tell together what neither tells alone: a greedy search with a budget.

A pair gains what it tells beyond both its parts. With each pair that is taken, the others gain at
most what they tell beyond that one: colour and shade with a category are one pair.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import chi2

from tastemill.features.association import Association
from tastemill.features.together import Choice

RIVALS = 50  # pairs that are held against those taken, in one pass

Ask = Callable[[Sequence[Choice]], Mapping[Choice, Association]]
"""What choices of features have to do with the label, all asked about in one pass over the rows."""


@dataclass(frozen=True)
class Gain:
    """What choices of features tell beyond others.

    Args:
        rows: that were counted.
        alpha: a gain whose chance p-value, by a G-test, is above this counts as none.
    """

    rows: int
    alpha: float

    def beyond(self, more: Association, parts: Iterable[Association], tested: int) -> float:
        """The share of the label's entropy that `more` tells beyond its parts, 0 at least.

        Twice the rows times the information gained is chi-square distributed where nothing is to
        be gained, with as many degrees of freedom as are added (Sokal & Rohlf 1995, ch. 17). Where
        bins hold few rows each its mean is another; it is moved to where it should be.

        Args:
            more: of all features.
            parts: of some of them each.
            tested: how many such gains are asked about at once (Bonferroni).
        """
        degrees, information = more.degrees, more.mutual_information - more.by_chance
        told = more.told
        for part in parts:
            degrees -= part.degrees
            information -= part.mutual_information - part.by_chance
            told -= part.told
        statistic = 2 * self.rows * information + degrees
        by_chance = chi2.sf(statistic, degrees) if degrees > 0 else 1.0
        return max(told, 0.0) if by_chance * tested <= self.alpha else 0.0


def search(
    pairs: Sequence[Choice], ask: Ask, gain: Gain, budget: int, least: float
) -> dict[Choice, float]:
    """The pairs that gain most, the best first, and what each gained when it was taken.

    Args:
        pairs: to choose from.
        ask: one pass before the first pair is taken, and about one after each.
        gain: what counts as one.
        budget: pairs that are taken at most.
        least: gain below which no pair is taken.
    """
    if not pairs or not budget:
        return {}
    found = ask([*sorted({(place,) for pair in pairs for place in pair}), *pairs])
    gains = {
        pair: gain.beyond(found[pair], [found[a,] for a in pair], len(pairs)) for pair in pairs
    }
    taken: dict[Choice, float] = {}
    held = dict.fromkeys(pairs, 0)  # against so many of those taken
    while gains and len(taken) < budget:
        best = min(gains, key=lambda pair: (-gains[pair], pair))
        if gains[best] <= 0 or gains[best] < least:
            break
        if held[best] == len(taken):
            taken[best] = gains.pop(best)
            continue
        behind = sorted((p for p in gains if held[p] < len(taken)), key=lambda p: (-gains[p], p))
        rivals = {pair: list(taken)[held[pair] :] for pair in behind[:RIVALS]}
        gains |= _held_against(rivals, gains, ask, gain)
        held |= dict.fromkeys(rivals, len(taken))
    return taken


def _held_against(
    rivals: Mapping[Choice, Sequence[Choice]], gains: Mapping[Choice, float], ask: Ask, gain: Gain
) -> dict[Choice, float]:
    """What each pair gains at most beyond the pairs that were taken."""
    both = {
        (pair, one): tuple(sorted({*pair, *one})) for pair, ones in rivals.items() for one in ones
    }
    # Those taken are asked about again: counted in as many buckets, they can be compared.
    alone = {one for _, one in both}
    found = ask(sorted({*both.values(), *alone}))
    return {
        pair: min(
            gains[pair],
            *(gain.beyond(found[both[pair, one]], [found[one]], len(both)) for one in ones),
        )
        for pair, ones in rivals.items()
    }
