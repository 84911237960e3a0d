"""What the page, or a notebook, shows of features."""

import re
from collections import Counter

from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config import Purpose
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.features.skew import is_skewed
from tastemill.report.contents.features import Features, Telling
from tastemill.report.plots import told

SHOWN = 25
COLOURS = "--ink: #1d2733; --muted: #8a94a3; --line: #d5dae1; --first: #2563c9"
FIGURES = re.compile(r"(:| in [\d.]+%| \(p =).*")  # what a reason says of one feature alone


def collect_features(warehouse: Warehouse, cfg: Config) -> Features | None:
    """The features of the backtest, where the line builds them."""
    return features_of(warehouse, "backtest") if cfg.builds_features else None


def features_of(warehouse: Warehouse, purpose: Purpose) -> Features | None:
    """The features of a pass; None where none were built."""
    chosen, stats = (
        warehouse.read_or_empty(table).where(F.col("purpose") == purpose)
        for table in (tables.FEATURE_SELECTION, tables.FEATURE_STATS)
    )
    chosen = chosen.select("feature", "told", "reason")
    joined = chosen.join(stats.select("feature", "psi", "counts", "later"), "feature")
    rows = joined.orderBy(F.desc("told"), "feature").collect()
    if not rows:
        return None
    reasons = Counter(FIGURES.sub("", row["reason"]) for row in rows if row["reason"])
    kept = [row for row in rows if not row["reason"]]
    return Features(
        total=len(rows),
        kept=len(kept),
        best=tuple(Telling(r["feature"], r["told"], r["reason"]) for r in rows[:SHOWN]),
        reasons=tuple(sorted(reasons.items(), key=lambda each: (-each[1], each[0]))),
        skewed=tuple(row["feature"] for row in kept if is_skewed(row.asDict())),
    )


def as_html(features: Features) -> str:
    """What each feature tells, as a picture for a notebook: displayHTML, or IPython's HTML."""
    return f'<div style="max-width: 40em; {COLOURS}">{told(features.best)}</div>'
