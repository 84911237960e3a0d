"""Predicted against actual on the newest part of a backtest, as the evaluation binned it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyspark.sql import Row
from pyspark.sql import functions as F

from tastemill import tables
from tastemill.delta import Warehouse
from tastemill.report.contents.quality import Decile, Prediction, Spread

NUM_DECILES = 10


def collect_predictions(
    warehouse: Warehouse, kinds: Mapping[str, str], task: str
) -> tuple[Prediction, ...]:
    """Predicted against actual of every model that predicts labels.

    Args:
        warehouse: with `calibration`.
        kinds: model id to kind of the backtest, in the order of the page.
        task: rating or implicit.
    """
    wanted = F.col("model_id").isin(list(kinds))
    bins: dict[str, list[Row]] = defaultdict(list)
    for row in warehouse.read_or_empty(tables.CALIBRATION).where(wanted).orderBy("bin").collect():
        bins[row["model_id"]].append(row)
    known = {model_id: kind for model_id, kind in kinds.items() if model_id in bins}
    if task == "rating":
        return tuple(Prediction(kind, spreads=spreads(bins[m])) for m, kind in known.items())
    return tuple(Prediction(kind, deciles=deciles(bins[m])) for m, kind in known.items())


def spreads(bins: Sequence[Row]) -> tuple[Spread, ...]:
    """A spread for each number of stars."""
    return tuple(Spread(r["bin"], r["rows"], r["predicted"], tuple(r["quantiles"])) for r in bins)


def deciles(bins: Sequence[Row]) -> tuple[Decile, ...]:
    """Tenths of the examples, put together from whole bins in their order, lowest scores first.

    A bin that holds more than a tenth makes for fewer parts.
    """
    total = sum(r["rows"] for r in bins)
    parts: list[list[Row]] = [[] for _ in range(NUM_DECILES)]
    before = 0
    for row in bins:
        middle = before + row["rows"] / 2
        parts[min(NUM_DECILES - 1, int(NUM_DECILES * middle / total))].append(row)
        before += row["rows"]
    return tuple(_decile(part) for part in parts if part)


def _decile(bins: Sequence[Row]) -> Decile:
    weight = sum(r["weight"] for r in bins)
    predicted, actual = (
        sum(r["weight"] * r[name] for r in bins) / weight for name in ("predicted", "actual")
    )
    return Decile(sum(r["rows"] for r in bins), predicted, actual)
