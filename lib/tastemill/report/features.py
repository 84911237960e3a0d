"""What the page shows of features."""

import re
from collections import Counter

from pyspark.sql import functions as F

from tastemill import tables
from tastemill.config.load import Config
from tastemill.delta import Warehouse
from tastemill.features.skew import SKEWED
from tastemill.line.stages import builds_features
from tastemill.report.contents.features import Features, Telling

SHOWN = 25
FIGURES = re.compile(r"(:| in [\d.]+%| \(p =).*")  # what a reason says of one feature alone


def collect_features(warehouse: Warehouse, cfg: Config) -> Features | None:
    """The features of the backtest, where the line builds them."""
    if not builds_features(cfg):
        return None
    chosen, stats = (
        warehouse.read_or_empty(table).where("purpose = 'backtest'")
        for table in (tables.FEATURE_SELECTION, tables.FEATURE_STATS)
    )
    joined = chosen.select("feature", "told", "reason").join(
        stats.select("feature", "psi"), "feature"
    )
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
        skewed=tuple(row["feature"] for row in kept if (row["psi"] or 0.0) > SKEWED),
    )
