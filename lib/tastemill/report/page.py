"""Turns what was collected into one HTML page that needs nothing but itself."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.report import numbers, plots, shape_plots, words
from tastemill.report.contents import ReportData
from tastemill.report.contents.data import Shape, Timeline
from tastemill.report.contents.people import Profiles
from tastemill.report.contents.quality import MetricsTable, Prediction
from tastemill.report.data import LABEL_METRICS, RANKING_METRICS, RATING_METRICS, collect
from tastemill.report.headline import headline, overall

TEMPLATE = "report.html.j2"
LOWER_IS_BETTER = frozenset((*RATING_METRICS, "log_loss"))
MAX_SERIES = 5
FILTERS = (
    *(numbers.count, numbers.seconds, numbers.moment, numbers.number, numbers.parameter),
    *(numbers.versions, numbers.percent, numbers.signed, numbers.p_value, numbers.short),
    numbers.score,
)


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
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_template),
    )
    environment.filters |= {function.__name__: function for function in FILTERS}
    environment.globals |= {"column": column, "words": words}
    return environment.get_template(TEMPLATE).render(
        data=data,
        plots=_plots(data),
        headline=headline(data),
        contents=words.contents(data),
        ranking=RANKING_METRICS,
        ratings=RATING_METRICS,
        labels=LABEL_METRICS,
    )


def _template(name: str) -> str:
    """A template of this package, wherever it lies: in a folder or an archive."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def column(table: MetricsTable, metric: str) -> dict[str, object] | None:
    """How to show a metric in a table: its decimals and best value; None where nobody has it."""
    values = [row[metric].value for row in table.rows.values() if metric in row]
    if not values:
        return None
    best = min(values) if metric in LOWER_IS_BETTER else max(values)
    return {"decimals": numbers.decimals(values), "best": best}


def _plots(data: ReportData) -> dict[str, object]:
    of_all = overall(data.metrics)
    ndcg = {kind: r["ndcg"] for kind, r in of_all.rows.items() if "ndcg" in r} if of_all else {}
    label = f"NDCG@{of_all.k}" if of_all else ""
    return {
        "ndcg": Markup(plots.intervals(ndcg, label)) if ndcg else "",
        "curves": [(c, Markup(plots.loss_curve(c))) for c in data.curves],
        "predictions": [(p, Markup(_predicted(p))) for p in data.predictions],
        "told": Markup(plots.told(data.features.best)) if data.features else "",
        **(_of_shape(data.shape, data) if data.shape else {}),
        **(_of_profiles(data.profiles) if data.profiles else {}),
    }


def _of_shape(shape: Shape, data: ReportData) -> dict[str, object]:
    times = few_series(shape.timeline) if shape.timeline else None
    users, tail = shape.activity, shape.tail
    of_users = users and shape_plots.histogram(users.bins, "events per user", "users")
    return {
        "times": times,
        "over_time": Markup(shape_plots.over_time(times, data.overview.cut)) if times else "",
        "tail": Markup(shape_plots.long_tail(tail)) if tail else "",
        "activity": Markup(of_users or ""),
    }


def _of_profiles(profiles: Profiles) -> dict[str, object]:
    visits = profiles.visits
    drawn = shape_plots.histogram(visits, "visits per week", "users") if visits else ""
    return {"visits": Markup(drawn)}


def few_series(times: Timeline) -> Timeline:
    """The most frequent types, as many as can be told apart, and the others as one."""
    named = [s for s in times.series if s[0] is not None]
    rest = [s for s in times.series if s[0] is None] + named[MAX_SERIES:]
    if not rest:
        return times
    others = tuple(map(sum, zip(*(counts for _, counts in rest), strict=True)))
    return replace(times, series=(*named[:MAX_SERIES], (None, others)))


def _predicted(prediction: Prediction) -> str:
    if prediction.spreads:
        return plots.rating_spread(prediction.spreads, prediction.kind)
    return plots.calibration(prediction.deciles, prediction.kind)
