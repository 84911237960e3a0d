"""How much a feature tells of the label, from one table of counts: chi-square and information."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, false_discovery_control

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Association:
    """Of one feature with the label.

    `mutual_information` and `entropy` (of the label) are in nats; `p_value` is that of
    independence, 1 where a table has one row or one column only. `told` is the share of the
    label's entropy that the feature tells, 0 to 1, without what any feature of so many bins would
    seem to tell of so many rows: degrees / (2 rows) (Miller 1955).
    """

    chi_square: float
    degrees: int
    p_value: float
    mutual_information: float
    entropy: float
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
        return Association(0.0, 0, 1.0, 0.0, 0.0, 0.0)
    classes = table.sum(axis=0) / table.sum()
    entropy = float(-(classes * np.log(classes)).sum())
    if min(table.shape) == 1:
        return Association(0.0, 0, 1.0, 0.0, entropy, 0.0)
    found = chi2_contingency(table)
    degrees, information = int(found.dof), mutual_information(table)
    told = max(0.0, information - degrees / (2 * int(table.sum()))) / entropy
    return Association(
        float(found.statistic), degrees, float(found.pvalue), information, entropy, told
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


def false_discovery_rate(p_values: list[float]) -> list[float]:
    """P-values corrected for how many there are (Benjamini & Hochberg 1995)."""
    if not p_values:
        return []
    return [float(p) for p in false_discovery_control(p_values, method="bh")]
