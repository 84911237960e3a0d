"""The most important thing in one sentence: which model makes the best lists, and is it certain."""

from dataclasses import dataclass
from typing import Literal

from tastemill.evaluation.comparison import METRIC, POPULAR
from tastemill.report.comparison import reference_of
from tastemill.report.contents import ReportData
from tastemill.report.contents.quality import Difference, Figure, MetricsTable
from tastemill.report.numbers import decimals

SIGNIFICANT = 0.05
Verdict = Literal["better", "unclear", "untested", "popular", "alone"]


@dataclass(frozen=True)
class Headline:
    """The best model in figures, and how it stands to the strongest popular list.

    Verdicts: `better` or `unclear` by the paired test; `untested` where there is none; `popular`
    where the popular list itself is best, `other` then being the best of the rest; `alone` where
    there is nothing to compare with.
    """

    kind: str
    k: int | None
    ndcg: Figure
    hit: Figure | None
    verdict: Verdict
    other: str | None = None
    other_ndcg: Figure | None = None
    difference: Difference | None = None
    rating_kind: str | None = None
    rmse: Figure | None = None

    @property
    def places(self) -> int:
        """Decimals that tell the values of NDCG apart."""
        return decimals([self.ndcg.value])


def headline(data: ReportData) -> Headline | None:
    """The sentence's parts; None where no lists were judged."""
    table = overall(data.metrics)
    ranked = [kind for kind, row in table.rows.items() if METRIC in row] if table else []
    if table is None or not ranked:
        return None
    best, reference = ranked[0], reference_of(table)
    ndcg = table.rows[best][METRIC]
    personal = next((kind for kind in ranked if kind not in POPULAR), None)
    other = personal if best in POPULAR else reference
    difference = _difference(data, best, other)
    return Headline(
        best,
        table.k,
        ndcg,
        table.rows[best].get("hit"),
        _verdict(best, other, difference),
        other,
        table.rows[other][METRIC] if other else None,
        difference,
        *_best_rating(data),
    )


def overall(tables: tuple[MetricsTable, ...]) -> MetricsTable | None:
    """The table of all users."""
    return next((t for t in tables if t.segment == "all"), None)


def _difference(data: ReportData, best: str, other: str | None) -> Difference | None:
    """The test of the best model against the reference; of a popular one, that of its rival."""
    if data.comparison is None or other is None:
        return None
    kind = other if best in POPULAR else best
    return next((d for d in data.comparison.differences if d.kind == kind), None)


def _verdict(best: str, other: str | None, difference: Difference | None) -> Verdict:
    if best in POPULAR:
        return "popular"
    if other is None:
        return "alone"
    if difference is None:
        return "untested"
    return "better" if difference.p_value <= SIGNIFICANT and difference.value > 0 else "unclear"


def _best_rating(data: ReportData) -> tuple[str | None, Figure | None]:
    table = overall(data.ratings)
    found = (
        {kind: row["rmse"] for kind, row in table.rows.items() if "rmse" in row} if table else {}
    )
    if not found:
        return None, None
    kind = min(found, key=lambda k: found[k].value)
    return kind, found[kind]
