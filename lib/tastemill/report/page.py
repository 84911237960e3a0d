"""Turns what was collected into one HTML page that needs nothing but itself."""

import uuid
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.report import numbers, plots
from tastemill.report.contents import MetricsTable, Prediction, ReportData
from tastemill.report.data import RANKING_METRICS, RATING_METRICS, collect

TEMPLATE = "report.html.j2"
LOWER_IS_BETTER = frozenset(RATING_METRICS)
NAMES = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "hit": "Hit",
    "map": "MAP",
    "mrr": "MRR",
    "precision": "Precision",
    "coverage": "Coverage",
    "rmse": "RMSE",
    "mae": "MAE",
}


def write_report(
    warehouse: Warehouse, cfg: Config, run_id: str, models: Mapping[str, str], path: Path
) -> Path:
    """Write the page of a run; a reader sees the old page or the new one, never half of one.

    Args:
        warehouse: where the tables are.
        cfg: the run's configuration, times included.
        run_id: the run, as in `runs`.
        models: kind to model_id of the backtest.
        path: the file to write.
    """
    text = render(collect(warehouse, cfg, run_id, models))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def render(data: ReportData) -> str:
    """The page; all text is escaped, parts without data are left out."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for function in (numbers.count, numbers.seconds, numbers.moment, numbers.number):
        environment.filters[function.__name__] = function
    environment.filters["parameter"] = numbers.parameter
    environment.filters["versions"] = numbers.versions
    text = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    page = environment.from_string(text)
    return page.render(
        data=data, plots=_plots(data), names=NAMES, column=column,
        ranking=RANKING_METRICS, ratings=RATING_METRICS,
    )  # fmt: skip


def column(table: MetricsTable, metric: str) -> dict[str, object] | None:
    """How to show a metric in a table: its decimals and best value; None where nobody has it."""
    values = [row[metric].value for row in table.rows.values() if metric in row]
    if not values:
        return None
    best = min(values) if metric in LOWER_IS_BETTER else max(values)
    return {"decimals": numbers.decimals(values), "best": best}


def _plots(data: ReportData) -> dict[str, object]:
    overall = next((t for t in data.metrics if t.segment == "all"), None)
    ndcg = {kind: r["ndcg"] for kind, r in overall.rows.items() if "ndcg" in r} if overall else {}
    label = f"NDCG@{overall.k}" if overall else ""
    return {
        "ndcg": Markup(plots.intervals(ndcg, label)) if ndcg else "",
        "curves": [(c, Markup(plots.loss_curve(c))) for c in data.curves],
        "predictions": [(p, Markup(_predicted(p))) for p in data.predictions],
    }


def _predicted(prediction: Prediction) -> str:
    if prediction.spreads:
        return plots.rating_spread(prediction.spreads, prediction.kind)
    return plots.calibration(prediction.deciles, prediction.kind)
