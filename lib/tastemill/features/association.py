"""How much a feature tells of the label, from one table of counts: chi-square and information."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, chi2_contingency, false_discovery_control

Counts = NDArray[np.int64]
FULL = 500  # rows from which on a count is as good as normal


@dataclass(frozen=True)
class Association:
    """Of one feature with the label.

    `mutual_information` and `entropy` (of the label) are in nats; `p_value` is that of
    independence, 1 where a table has one row or one column only. `by_chance` is the information
    that a feature of such bins would seem to have of a label that is independent of it; without
    it, `told` is the share of the label's entropy that the feature tells, 0 to 1.
    """

    chi_square: float
    degrees: int
    p_value: float
    mutual_information: float
    entropy: float
    by_chance: float
    told: float


def association(counts: Counts) -> Association:
    """Chi-square and mutual information of a contingency table.

    Args:
        counts: `(bins, classes)` rows of each class in each bin.

    Chi-square is that of `scipy.stats.chi2_contingency` (Pearson's; Yates' correction with one
    degree of freedom); information is Σ p(b, c) ln(p(b, c) / (p(b) p(c))) (Cover & Thomas 2006,
    eq. 2.28), as `sklearn.metrics.mutual_info_score` has it.
    """
    table = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if not table.size:
        return Association(0.0, 0, 1.0, 0.0, 0.0, 0.0, 0.0)
    classes = table.sum(axis=0) / table.sum()
    entropy = float(-(classes * np.log(classes)).sum())
    if min(table.shape) == 1:
        return Association(0.0, 0, 1.0, 0.0, entropy, 0.0, 0.0)
    found = chi2_contingency(table)
    information, seeming = mutual_information(table), information_by_chance(table)
    return Association(
        float(found.statistic),
        int(found.dof),
        float(found.pvalue),
        information,
        entropy,
        seeming,
        max(0.0, information - seeming) / entropy,
    )


def mutual_information(counts: Counts) -> float:
    """Mutual information of rows and columns in nats; never below 0."""
    rows = counts.sum()
    if not rows:
        return 0.0
    joint = counts / rows
    alone = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return max(0.0, float((joint[there] * np.log(joint[there] / alone[there])).sum()))


def information_by_chance(counts: Counts) -> float:
    """Mean mutual information, in nats, of a label that is independent of bins of these sizes.

    Twice the rows times it is about the degrees of freedom where bins are full (Miller 1955); where
    they hold a few rows each it is far from that, and the mean over binomial counts is taken.

    Args:
        counts: `(bins, classes)`; no class is empty.
    """
    rows = int(counts.sum())
    shares = counts.sum(axis=0) / rows
    sizes, times = np.unique(counts.sum(axis=1), return_counts=True)
    each = [_of_one_bin(int(size), tuple(shares.tolist())) for size in sizes]
    return max(0.0, float(np.dot(each, times)) - (len(shares) - 1)) / (2 * rows)


@lru_cache(maxsize=1 << 16)
def _of_one_bin(rows: int, shares: tuple[float, ...]) -> float:
    """Mean of 2 Σ k ln(k / (n p)) over binomial counts k of n rows, p being shares of classes."""
    return sum(_of_one_count(rows, p) for p in shares)


def _of_one_count(rows: int, p: float) -> float:
    mean, q = rows * p, 1 - p
    if mean * q > FULL:  # its expansion in 1 / mean, to the second term
        return q + (q**2 / 2 - q * (1 - 2 * p) / 3) / mean
    reach = 10 * (mean * q) ** 0.5 + 30
    k = np.arange(max(1, int(mean - reach)), min(rows, int(mean + reach)) + 1)
    return 2 * float(binom.pmf(k, rows, p) @ (k * np.log(k / mean)))


def false_discovery_rate(p_values: list[float]) -> list[float]:
    """P-values corrected for how many there are (Benjamini & Hochberg 1995)."""
    if not p_values:
        return []
    return [float(p) for p in false_discovery_control(p_values, method="bh")]
