"""What was measured and decided as rows of `feature_stats` and `feature_selection`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tastemill.features.bins import mdlp
from tastemill.features.crosses import Cross
from tastemill.features.feature import Feature
from tastemill.features.selection import Decision
from tastemill.features.tally import Layout, Tally

Row = dict[str, Any]


@dataclass(frozen=True)
class Crossing:
    """A cross, and which share of its combinations share a bucket; None where none is hashed."""

    cross: Cross
    collisions: float | None


CALENDAR = "hour of the day or day of the week (UTC)"


def stats_of_numbers(
    features: Sequence[Feature], measured: Sequence[Row], layout: Layout, tally: Tally
) -> list[Row]:
    """Rows of numeric features, in their order.

    Args:
        features: what they are.
        measured: of each, rows, missing, infinite, zeros, low, high, quantiles and top.
        layout: the edges in which they were counted.
        tally: what was counted.
    """
    rows, moments = [], tally.moments
    for place, (feature, figures) in enumerate(zip(features, measured, strict=True)):
        counts, edges = tally.counts[place], layout.edges[place]
        rows.append(
            {
                "feature": feature.name,
                "kind": "numeric",
                "place": place,
                "family": feature.family,
                "definition": feature.definition,
                "goes_by": list(feature.goes_by),
                **figures,
                "mean": _known(moments.means[place]),
                "deviation": _known(moments.variances[place] ** 0.5),
                "skewness": _known(moments.skewness[place]),
                "kurtosis": _known(moments.kurtosis[place]),
                "edges": edges.tolist(),
                "cuts": [float(edges[at - 1]) for at in mdlp(counts[:-1])],
                "size": len(counts),
                "counts": counts.sum(axis=1).tolist(),
            }
        )
    return rows


def stats_of_indices(
    names: Sequence[str], crosses: Mapping[str, Crossing], layout: Layout, tally: Tally
) -> list[Row]:
    """Rows of categorical features, in their order."""
    rows = []
    for place, name in enumerate(names):
        counts = tally.counts[len(layout.edges) + place].sum(axis=1)
        cross = crosses.get(name)
        family, definition = _of_cross(cross) if cross else _of_attribute(name)
        rows.append(
            {
                "feature": name,
                "kind": "categorical",
                "place": place,
                "family": family,
                "definition": definition,
                # Indices of a cross follow from those of its parts.
                "goes_by": sorted({name, *name.split(":")}),
                "rows": int(counts.sum()),
                "missing": int(counts[0]),
                "size": len(counts),
                "counts": counts.tolist(),
                "collisions": cross.collisions if cross else None,
            }
        )
    return rows


def _of_attribute(name: str) -> tuple[str, str]:
    whose, _, attribute = name.partition("_")
    return (whose, f"{attribute} of the {whose}") if attribute else ("time", CALENDAR)


def _of_cross(crossing: Crossing) -> tuple[str, str]:
    buckets = crossing.cross.buckets
    how = f", hashed into {buckets} buckets" if buckets else ""
    return "cross", f"each combination of {' and '.join(crossing.cross.parts)}{how}"


def selection_rows(decisions: Sequence[Decision]) -> list[Row]:
    """Rows of `feature_selection`, but for the purpose."""
    return [
        {
            "feature": each.name,
            "kept": each.kept,
            "reason": each.reason,
            "missing": each.missing,
            "chi_square": each.found.chi_square,
            "degrees": each.found.degrees,
            "p_chi_square": each.found.p_value,
            "unit": each.test.unit,
            "p_value": each.test.p_value,
            "p_corrected": each.corrected,
            "mutual_information": each.found.mutual_information,
            "told": each.found.told,
        }
        for each in decisions
    ]


def _known(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124 - NaN alone is not itself
