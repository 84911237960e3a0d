"""What the page shows, as plain values: no Spark, no HTML.

A module for each part of the page, as in `report/parts/`.
"""

from dataclasses import dataclass

from tastemill.report.contents.data import Expected, Quarantine, Shape
from tastemill.report.contents.features import Features
from tastemill.report.contents.people import Lists, Profiles
from tastemill.report.contents.quality import Comparison, MetricsTable, Prediction
from tastemill.report.contents.run import Curve, Model, Overview, Stage, TableVersions


@dataclass(frozen=True)
class ReportData:
    """Everything on the page; an empty part is left out of it."""

    overview: Overview
    models: tuple[Model, ...] = ()
    metrics: tuple[MetricsTable, ...] = ()
    ratings: tuple[MetricsTable, ...] = ()
    labels: tuple[MetricsTable, ...] = ()
    comparison: Comparison | None = None
    curves: tuple[Curve, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    lists: Lists | None = None
    profiles: Profiles | None = None
    shape: Shape | None = None
    quarantine: Quarantine | None = None
    expectations: tuple[Expected, ...] = ()
    features: Features | None = None
    stages: tuple[Stage, ...] = ()
    versions: tuple[TableVersions, ...] = ()
