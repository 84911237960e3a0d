"""Features of the past and their selection: ours beside pandas on one thread and Polars on all.

python -m tests.benchmarks.features    (MovieLens 1M from TASTEMILL_DATA, else the shipped data)

The others get events and examples from memory and work out the same features, which are held
against ours; what they don't do is read, join attributes, and write.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from scipy.stats import chi2_contingency

from tastemill import job, tables
from tastemill.config.load import Config, Request, load_config
from tastemill.console import err, show
from tastemill.jobs import build_examples, build_features, build_profiles, ingest
from tastemill.passes import known_events, times_of
from tastemill.session import build_session
from tastemill.splits import is_past

DAY = 86_400 * 1_000_000
WINDOWS, PRIOR, BINS = (1, 7, 30, 90), 10.0, 32
KEYS = {"user": "user_idx", "item": "item_idx"}
R = TypeVar("R")
Table = dict[str, NDArray[np.float64]]


def config(folder: str) -> Config:
    """Implicit, four negatives for each positive."""
    place = [f"run.warehouse='{folder}/warehouse'"]
    root = os.environ.get("TASTEMILL_DATA")
    if root is None:
        return load_config(Request("completejourney", settings=tuple(place)))
    place += [f"run.data='{Path(root).resolve()}/ml-1m'", "dataset.task=implicit"]
    place += ["dataset.positive_min=4"]
    return load_config(Request("movielens-1m", settings=tuple(place)))


def by_numpy(events: pd.DataFrame, rows: pd.DataFrame) -> Table:
    """Counts, mean value, recency and trends: pandas sorts, numpy looks up, on one thread."""
    found: Table = {}
    for name, key in KEYS.items():
        past = events.sort_values([key, "at"])
        step = int(past["at"].max() - past["at"].min()) + 100 * DAY
        first = int(past["at"].min()) - 95 * DAY
        places = past[key].to_numpy() * step + past["at"].to_numpy() - first
        asked = rows[key].to_numpy() * step
        at = np.minimum(rows["at"].to_numpy() - first, step - 1)
        values = np.concatenate([[0.0], past["value"].fillna(0.0).cumsum().to_numpy()])
        known = np.concatenate([[0], past["value"].notna().cumsum().to_numpy()])
        begin = np.searchsorted(places, asked, side="left")
        end = np.searchsorted(places, asked + at, side="left")
        counts = {"lifetime": end - begin}
        for days in WINDOWS:
            low = np.searchsorted(places, asked + np.maximum(at - days * DAY, 0), side="left")
            counts[f"{days}d"] = end - low
        found |= {f"{name}_event_count_{span}": n.astype(float) for span, n in counts.items()}
        with np.errstate(all="ignore"):
            found[f"{name}_value_mean"] = (values[end] - values[begin]) / (
                known[end] - known[begin]
            )
        last = past["at"].to_numpy()[np.maximum(end - 1, 0)]
        since = (at + first - last) / 1e6
        found[f"{name}_event_recency"] = np.where(end > begin, since, np.nan)
        found |= trends(name, counts)
    return found


def trends(name: str, counts: dict[str, NDArray[np.int64]]) -> Table:
    """ln of the pace of each window by that of the longest."""
    longest = WINDOWS[-1]
    return {
        f"{name}_trend_{days}d": np.log(
            (counts[f"{days}d"] + 1) / (counts[f"{longest}d"] * (days / longest) + 1)
        )
        for days in WINDOWS[:-1]
    }


def by_polars(events: pl.DataFrame, rows: pl.DataFrame) -> Table:
    """The same by as-of joins with running sums, on all threads."""
    found: Table = {}
    for name, key in KEYS.items():
        past = events.sort("at").with_columns(
            pl.int_range(1, pl.len() + 1).over(key).alias("n"),
            pl.col("value").fill_null(0.0).cum_sum().over(key).alias("total"),
            pl.col("value").is_not_null().cum_sum().over(key).alias("known"),
            pl.col("at").alias("last"),
        )
        past = past.select(key, "at", "n", "total", "known", "last")
        asked = rows.select("row", key, "at")
        now = before(past, asked, key, 0)
        number = now["n"].fill_null(0).to_numpy()
        counts = {"lifetime": number}
        for days in WINDOWS:
            older = before(past, asked, key, days)["n"].fill_null(0)
            counts[f"{days}d"] = number - older.to_numpy()
        found |= {f"{name}_event_count_{span}": n.astype(float) for span, n in counts.items()}
        found[f"{name}_value_mean"] = (now["total"] / now["known"]).fill_null(np.nan).to_numpy()
        at = rows["at"].to_numpy()
        found[f"{name}_event_recency"] = (at - now["last"].cast(pl.Float64).to_numpy()) / 1e6
        found |= trends(name, counts)
    return found


def before(past: pl.DataFrame, asked: pl.DataFrame, key: str, days: int) -> pl.DataFrame:
    """Of each row the newest event more than so many days before it; strictly before, for none."""
    shifted = asked.with_columns(pl.col("at") - days * DAY - 1).sort("at")
    return shifted.join_asof(past, on="at", by=key, check_sortedness=False).sort("row")


def selected(table: Table, label: NDArray[np.float64]) -> dict[str, float]:
    """Chi-square and mutual information of each feature, in bins of one size; one p-value each."""
    found = {}
    classes = label.astype(np.int64)
    for name, column in table.items():
        sample = column[:: max(len(column) // 50_000, 1)]
        edges = np.unique(np.nanquantile(sample, np.arange(1, BINS) / BINS))
        bins = np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, "right"))
        met = np.bincount(bins * 2 + classes, minlength=2 * len(edges) + 4).reshape(-1, 2)
        met = met[met.sum(axis=1) > 0]
        found[name] = float(chi2_contingency(met).pvalue)
    return found


def timed(work: Callable[[], R]) -> tuple[R, float]:
    """What it makes, and in how many seconds."""
    start = time.monotonic()
    made = work()
    return made, time.monotonic() - start


def main() -> None:
    """Print seconds of each, and how far their features lie from ours."""
    with tempfile.TemporaryDirectory(prefix="tastemill-features-") as folder:
        cfg = config(folder)
        spark = build_session(cfg.session)
        stages = {}
        for module in (ingest, build_profiles, build_examples, build_features):
            _, stages[module.__name__.rpartition(".")[2]] = timed(
                lambda m=module: m.run(spark, cfg)
            )
            err.print(stages, highlight=False)
        events, rows, ours = told(spark, cfg)
        theirs, pandas_s = timed(lambda: by_numpy(events, rows))
        _, selection_s = timed(lambda: selected(theirs, rows["label"].to_numpy()))
        in_polars = pl.from_pandas(events), pl.from_pandas(rows)
        others, polars_s = timed(lambda: by_polars(*in_polars))
        for name, table in (("pandas", theirs), ("Polars", others)):
            compare(name, table, ours, rows)
        figures = [{"stage": name, "seconds": seconds} for name, seconds in stages.items()]
        show("Ours, all features", figures)
        others_s = [
            {"by": "pandas and numpy, one thread", "features": len(theirs), "seconds": pandas_s},
            {"by": "Polars, all threads", "features": len(others), "seconds": polars_s},
            {
                "by": "selection by numpy, one thread",
                "features": len(theirs),
                "seconds": selection_s,
            },
        ]
        show(f"{len(events):,} events, {len(rows):,} examples", others_s)
        print(json.dumps({"ours": stages, "theirs": others_s, "examples": len(rows)}))


def told(spark: SparkSession, cfg: Config) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Events of the past, examples, and our features of a thousandth of them."""
    warehouse = job.open_warehouse(spark, cfg)
    times = times_of(warehouse, cfg)
    seen = F.unix_micros(F.least("event_time", F.lit(times.of("backtest")))).alias("at")
    past = (
        known_events(warehouse, cfg, times)
        .where(is_past())
        .where("item_idx IS NOT NULL AND event_time IS NOT NULL")
    )
    events = past.select("user_idx", "item_idx", "value", seen).toPandas()
    features = warehouse.read(tables.FEATURES, where="backtest")
    keys = ("event_id", "n", "user_idx", "item_idx", "label", seen)
    rows = features.select(*keys).toPandas().reset_index(names="row")
    first = events.groupby(["user_idx", "item_idx"])["at"].min().rename("met_at").reset_index()
    rows["own"] = rows.merge(first, on=["user_idx", "item_idx"], how="left")["met_at"] < rows["at"]
    stats = warehouse.read(tables.FEATURE_STATS, where="backtest").where("kind = 'numeric'")
    place = {row["feature"]: row["place"] for row in stats.collect()}
    some = features.where(F.pmod(F.xxhash64("event_id"), F.lit(1000)) == 0)
    picked = [F.get("numeric", F.lit(at)).cast("double").alias(name) for name, at in place.items()]
    return events, rows, some.select("event_id", "n", *picked).toPandas()


def compare(name: str, table: Table, ours: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Hold what they found against ours.

    An item's past is with us that with other users: it is held against theirs where the user had
    none with the item.

    Raises:
        AssertionError: a feature differs by more than float32 rounds.
    """
    theirs = rows[["event_id", "n", "own"]].assign(**table)
    both = ours.merge(theirs, on=["event_id", "n"], suffixes=("", "_theirs"))
    assert len(both) == len(ours) > 100
    for feature in table:
        # Of several types of events each has a mean of its own.
        mine = feature if feature in ours else feature.replace("_value_", "_purchase_value_")
        held = both[~both["own"]] if feature.startswith("item_") else both
        other = held[f"{feature}_theirs"] if f"{feature}_theirs" in held else held[feature]
        np.testing.assert_allclose(held[mine], other, rtol=1e-5, atol=1e-6, err_msg=feature)
    err.print(f"{name}: {len(table)} features of {len(both)} examples are ours", highlight=False)


if __name__ == "__main__":
    main()
