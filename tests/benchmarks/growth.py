"""How time grows with synthetic events, and what our parsing of a CSV costs beside Spark's own.

python -m tests.benchmarks.growth [--millions 1 4 16] [--csv-mib 500] [--features]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tastemill.config.load import Config, Request, load_config
from tastemill.console import err, show
from tastemill.jobs import build_examples, build_features, build_profiles, ingest
from tastemill.session import build_session
from tastemill.sources.mapping import SourceConfig
from tastemill.sources.tabular import read
from tastemill.synth.params import SynthConfig
from tastemill.synth.write import synthesize

MEMORY = "4g"
STAGES: dict[str, Any] = {
    "ingest": ingest,
    "profiles": build_profiles,
    "examples": build_examples,
    "features": build_features,
}
WITH_FEATURES = ("examples", "features")
EVENTS_PER_USER, EVENTS_PER_ITEM = 100, 400
ROUNDS = 3  # of each way to read the CSV, in turn; the fastest counts
# A text file of the same events; the columns that every log has.
COLUMNS = {
    "event_id": "string",
    "user_id": "string",
    "item_id": "string",
    "event_type": "string",
    "value": "double",
    "event_time": "timestamp",
}
MAPPING = SourceConfig.model_validate(
    {
        "title": "synthetic",
        "events": [
            {
                "file": "*.csv",
                "event_id": "event_id",
                "user_id": "user_id",
                "item_id": "item_id",
                "type": {"column": "event_type"},
                "value": "value",
                "time": "event_time",
            }
        ],
    }
)


def config(folder: Path) -> Config:
    """The synthetic dataset, on a driver of so much memory."""
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    # Of a hundred events three are purchases, each with four negatives.
    settings = ("examples.types=['purchase']", *place)
    cfg = load_config(Request("synthetic", settings=settings))
    conf = {**cfg.session.conf, "spark.driver.memory": MEMORY}
    return cfg.model_copy(update={"session": cfg.session.model_copy(update={"conf": conf})})


def make(spark: SparkSession, folder: Path, events: int) -> float:
    """Write so many events; how many a second."""
    sizes = {
        "num_users": events // EVENTS_PER_USER,
        "num_items": events // EVENTS_PER_ITEM,
        "num_events": events,
    }
    made = synthesize(spark, SynthConfig(**sizes), folder / "data", command="growth")
    return made.events_per_second


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def grow(
    spark: SparkSession, folder: Path, millions: list[int], *, features: bool
) -> list[dict[str, float]]:
    """Each stage at each size, in one session; the smallest comes twice and warms it."""
    found = []
    for place, size in enumerate([min(millions), *millions]):
        here = folder / f"{place}-{size}"
        here.mkdir()
        made, cfg = make(spark, here, size * 1_000_000), config(here)
        row = {"events": size * 1_000_000, "made/s": made}
        for name, module in STAGES.items():
            if features or name not in WITH_FEATURES:
                row[f"{name} s"] = timed(lambda module=module, cfg=cfg: module.run(spark, cfg))
        row["events/s"] = size * 1_000_000 / seconds(row)
        err.print(row, highlight=False)
        found.append(row)
    return found[1:]


def seconds(row: dict[str, float]) -> float:
    """Of all stages."""
    return sum(row.get(f"{name} s", 0.0) for name in STAGES)


def growth_of(rows: list[dict[str, float]]) -> str:
    """How many times longer the last size took than the one before it."""
    before, last = (seconds(row) for row in rows[-2:])
    more = rows[-1]["events"] / rows[-2]["events"]
    took = last / before
    return f"{more:g} times the events take {took:.2f} times as long; goal <= {1.1 * more:.1f}"


def write_csv(events: DataFrame, folder: Path, mib: int) -> float:
    """Write about so many MiB of text; how many there are."""
    events = events.select(*COLUMNS)
    row = events.limit(1000).select(F.avg(F.length(F.to_csv(F.struct(*COLUMNS)))).alias("size"))
    share = mib * 2**20 / ((row.collect()[0]["size"] + 1) * events.count())
    options = {"header": "true", "timestampFormat": "yyyy-MM-dd HH:mm:ss"}
    events.sample(min(1.0, share), seed=1).write.options(**options).csv(f"file://{folder}")
    return sum(file.stat().st_size for file in folder.glob("*.csv")) / 2**20


def parse(spark: SparkSession, folder: Path, mib: int) -> dict[str, float]:
    """Seconds to read the text: Spark's reader told the types, and ours with its mapping."""
    events = spark.read.parquet(f"file://{folder}/data/events")
    size = write_csv(events, folder / "csv", mib)
    schema = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    options = {"header": "true", "timestampFormat": "yyyy-MM-dd HH:mm:ss"}
    bare = spark.read.schema(schema).options(**options).csv(f"file://{folder}/csv")
    ours = read(spark, folder / "csv", MAPPING).events
    assert ours.where("reason IS NOT NULL").isEmpty()
    seconds = [
        [timed(frame.write.format("noop").mode("overwrite").save) for frame in (bare, ours)]
        for _ in range(ROUNDS)
    ]
    theirs, mine = (min(times) for times in zip(*seconds, strict=True))
    return {
        "MiB": size,
        "Spark's reader s": theirs,
        "Tastemill's s": mine,
        "ratio": mine / theirs,
        "goal": 1.5,
    }


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(prog="growth")
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--csv-mib", type=int, default=500)
    parser.add_argument("--features", action="store_true", help="examples and features too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tastemill-growth-") as name:
        folder = Path(name)
        spark = build_session(config(folder).session)
        rows = grow(spark, folder, given.millions, features=given.features)
        largest = folder / f"{len(given.millions)}-{given.millions[-1]}"
        text = parse(spark, largest, given.csv_mib)
    show(f"Stages on {MEMORY}", rows)
    if len(rows) > 1:
        print(growth_of(rows))
    show("Reading a CSV", [text])
    print(json.dumps({"growth": rows, "csv": text}))


if __name__ == "__main__":
    main()
