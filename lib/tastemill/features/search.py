"""Which pairs of features tell together what neither tells alone: a greedy search with a budget.

A pair gains what it tells beyond both its parts. With each pair that is taken, the others gain at
most what they tell beyond that one: colour and shade with a category are one pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from scipy.stats import chi2

from tastemill.features.association import Association, association
from tastemill.features.bins import Floats
from tastemill.features.one_pass import Whole
from tastemill.features.together import (
    STEPS,
    Choice,
    Counted,
    Scores,
    Tables,
    steps_of,
)

RIVALS = 50  # pairs that are held against those taken, in one pass


class Ask(Protocol):
    """Counts tables, all in one pass over the rows."""

    def __call__(self, what: Counted) -> Whole:
        """Counts of the shape of `what`."""


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


@dataclass
class Search:
    """A search among pairs.

    Args:
        ask: one pass before the first pair is taken, and about one after each.
        gain: what counts as one.
        sizes: number of indices of each feature.
        label_edges: of the classes of the label.
    """

    ask: Ask
    gain: Gain
    sizes: tuple[int, ...]
    label_edges: Floats

    def best(self, pairs: Sequence[Choice], budget: int, least: float) -> dict[Choice, float]:
        """The pairs that gain most, the best first, and what each gained when it was taken.

        Args:
            pairs: to choose from.
            budget: pairs that are taken at most.
            least: gain below which no pair is taken.
        """
        if not pairs or not budget:
            return {}
        gains = self._alone(pairs)
        taken: dict[Choice, float] = {}
        held = dict.fromkeys(gains, 0)  # against so many of those taken
        while gains and len(taken) < budget:
            best = min(gains, key=lambda pair: (-gains[pair], pair))
            if gains[best] <= 0 or gains[best] < least:
                break
            if held[best] == len(taken):
                taken[best] = gains.pop(best)
                continue
            behind = [pair for pair in gains if held[pair] < len(taken)]
            behind.sort(key=lambda pair: (-gains[pair], pair))
            rivals = {pair: list(taken)[held[pair] :] for pair in behind[:RIVALS]}
            gains |= self._beside(rivals, gains)
            held |= dict.fromkeys(rivals, len(taken))
        return taken

    def _alone(self, pairs: Sequence[Choice]) -> dict[Choice, float]:
        """What each pair tells beyond its parts; of many pairs, the best are counted again.

        The fewer there are, the more buckets each has: what is hashed tells less, and an echo of it
        that is hashed otherwise would tell the rest.
        """
        gains = self._counted(pairs)
        best = sorted(pairs, key=lambda pair: (-gains[pair], pair))[: RIVALS + 1]
        hashed = max(prod(self.sizes[at] for at in pair) for pair in best) > self.tables.buckets
        return self._counted(best) if hashed and len(best) < len(pairs) else gains

    def _counted(self, pairs: Sequence[Choice]) -> dict[Choice, float]:
        """Count pairs and their parts, and keep the tables."""
        singles = sorted({(place,) for pair in pairs for place in pair})
        self.tables = Tables((*singles, *pairs), self.sizes, self.label_edges)
        self.counts = dict(zip(self.tables.choices, self.ask(self.tables), strict=True))
        found = {choice: association(counts) for choice, counts in self.counts.items()}
        return {
            pair: self.gain.beyond(found[pair], [found[a,] for a in pair], len(pairs))
            for pair in pairs
        }

    def _beside(
        self, rivals: Mapping[Choice, Sequence[Choice]], gains: Mapping[Choice, float]
    ) -> dict[Choice, float]:
        """What each pair gains at most beyond pairs that were taken.

        Four features together have too many combinations to count; each pair is taken as what it
        predicts. That is fitted on the same rows, so a pair never gains more than it did before.
        """
        asked = tuple((one, pair) for pair, ones in rivals.items() for one in ones)
        steps = {choice: steps_of(self.counts[choice]) for both in asked for choice in both}
        scores = Scores(self.tables, asked, steps)
        found = dict(zip(asked, self.ask(scores), strict=True))

        def beyond(one: Choice, pair: Choice) -> float:
            both = found[one, pair]
            of_one = both.reshape(STEPS, STEPS, -1).sum(axis=1)
            return self.gain.beyond(association(both), [association(of_one)], len(asked))

        return {
            pair: min(gains[pair], *(beyond(one, pair) for one in ones))
            for pair, ones in rivals.items()
        }
