"""make soak: fifty small runs on data that grows, and what they leave behind beside their tables.

Every tenth run ends with upkeep. Old versions of tables are kept on purpose, for as long as a run
can be done again; at the end the retention is let run out, and nothing is left but what tables
hold.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.console import err, show
from tastemill.delta import Warehouse
from tastemill.jobs import maintain_tables
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.testing.observer import Silent
from tastemill.testing.session import start_session
from tastemill.testing.toy import write_movielens

SETTINGS = (
    "baselines.models=['popularity']",
    "als.rank=4",
    "als.max_iter=11",
    "deep.epochs=1",
    "deep.embedding_dim=4",
    "deep.hidden=[8]",
    "deep.num_processes=1",
    "recommend.top_k=5",
    "evaluation.num_replicates=20",
    "maintain.scratch_days=0",
    "maintain.retention_days=7",
)
USERS = 20
WARM, EVERY = 10, 10  # caches are full after so many runs; then it is measured every so often
PATIENCE = 20  # seconds for Spark to clear up after itself
FITTED_EVERY = 5  # ALS, which leaves checkpoints, and a network, in processes, are fitted so often
# Tests start with the quick compiler alone; over so many runs the thorough one pays.
JAVA = "spark.driver.extraJavaOptions"
LONG_RUNNING = "-XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC -Xms1g -Xmn512m"
# Growth from the first measure to the last that is still called none.
ALLOWED = {
    "other artifacts": 0,
    "temporary files": 0,
    "temporary folders": 0,
    "processes": 2,  # Spark's idle Python workers come and go
    "open files": 4,
    "threads": 8,
    "Python MiB": 40,
    "heap MiB": 40,
}


@dataclass(frozen=True)
class Left:
    """What is there after some runs, beside what the tables hold."""

    run: int
    seconds: float
    figures: dict[str, float]


def own_temporary_folder(folder: Path) -> None:
    """Have this process, its JVM and all they start put temporary files where no one else does."""
    folder.mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    os.environ["JDK_JAVA_OPTIONS"] = f"-Djava.io.tmpdir={folder}"


def config(folder: Path, number: int) -> Config:
    """The line as small as it gets; every so often with all that is fitted."""
    place = (f"run.data='{folder}/data'", f"run.warehouse='{folder}/warehouse'")
    fitted = number % FITTED_EVERY == 0
    models = (f"als.models={['als'] if fitted else []}", f"deep.enabled={str(fitted).lower()}")
    model = f"recommend.model={'als' if fitted else 'popularity'}"
    return load_config(Request("movielens-100k", settings=(*SETTINGS, *models, model, *place)))


def one_run(spark: SparkSession, folder: Path, number: int) -> None:
    """More ratings, the whole line, then, now and then, upkeep."""
    write_movielens(folder / "data", users=USERS + number // EVERY, seed=number)
    cfg = config(folder, number)
    run = Run(spark, cfg, "soak", Silent())
    run.execute(Plan())
    if number % EVERY == 0:
        maintain_tables.run(spark, cfg)


def measured(spark: SparkSession, folder: Path) -> dict[str, float]:
    """Files, handles and memory of this process and its JVM."""
    jvm = spark._jvm
    assert jvm is not None
    context = spark.sparkContext._jsc
    cached, views = len(context.getPersistentRDDs()), len(spark.catalog.listTables())
    # Delta caches the state of the tables that were used last, and with it the shuffle it came of.
    jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    settle(jvm)
    runtime = jvm.java.lang.Runtime.getRuntime()
    java = int(jvm.java.lang.ProcessHandle.current().pid())
    heap = (runtime.totalMemory() - runtime.freeMemory()) / 2**20
    own = Warehouse(spark, f"{folder}/warehouse", "movielens-100k")
    there = [table for table in tables.ALL if own.exists(table)]
    on_disk = [file for t in there for file in Path(own.path(t)).rglob("*.parquet")]
    data = [file for file in on_disk if "_delta_log" not in file.parts]
    artifacts = [f for f in (folder / "warehouse" / "_artifacts").rglob("*") if f.is_file()]
    weights = [f for f in artifacts if f.is_relative_to(folder / "warehouse/_artifacts/models")]
    temporary = list(Path(tempfile.gettempdir()).rglob("*"))
    return {
        "table files": len(data),
        "of them live": sum(len(own.read(t).inputFiles()) for t in there),
        "weights": len(weights),
        "other artifacts": len(artifacts) - len(weights),
        "processes": len(list(descendants("self"))),
        "temporary files": sum(path.is_file() for path in temporary),
        "temporary folders": sum(path.is_dir() for path in temporary),
        "open files": sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (java, "self")),
        "threads": sum(len(list(Path(f"/proc/{p}/task").iterdir())) for p in (java, "self")),
        "Python MiB": _resident("self"),
        "heap MiB": heap,
        "cached": cached,
        "views": views,
    }


def settle(jvm: Any) -> None:
    """Collect garbage until Spark, which removes shuffles and blocks in its own time, is done."""
    left = -1
    for _ in range(PATIENCE):
        gc.collect()  # what Python holds of the JVM's objects goes first
        jvm.java.lang.System.gc()
        time.sleep(1)
        before, left = left, sum(1 for _ in Path(tempfile.gettempdir()).rglob("*"))
        if left == before:
            return


def descendants(pid: str) -> Iterator[str]:
    """Processes that a process started, and that those started."""
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            yield child
            yield from descendants(child)


def _resident(pid: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 2**10


def let_retention_run_out(spark: SparkSession, folder: Path) -> dict[str, float]:
    """Vacuum as if all was older than the retention; what is left is what the tables hold."""
    own = Warehouse(spark, f"{folder}/warehouse", "movielens-100k")
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    for table in tables.ALL:
        if own.exists(table):
            own.vacuum(table, 0)
    return measured(spark, folder)


def soak(spark: SparkSession, folder: Path, runs: int) -> list[Left]:
    """Run so often; measure every tenth time."""
    found = []
    for number in range(1, runs + 1):
        start = time.monotonic()
        one_run(spark, folder, number)
        seconds = time.monotonic() - start
        err.print(f"run {number} of {runs}: {seconds:.1f} s", highlight=False)
        if number >= WARM and number % EVERY == 0:
            found.append(Left(number, seconds, measured(spark, folder)))
            # Said as it goes: hours may pass until the table.
            told = {name: round(figure) for name, figure in found[-1].figures.items()}
            err.print(told, highlight=False)
    return found


def growth(found: list[Left]) -> dict[str, float]:
    """What grew by more than is allowed, from the first measure to the last."""
    first, last = found[0].figures, found[-1].figures
    grown = {name: last[name] - first[name] for name in (*ALLOWED, "cached", "views")}
    return {name: value for name, value in grown.items() if value > ALLOWED.get(name, 0)}


def main() -> int:
    """Print what is left every ten runs; end with 1 when something grew."""
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--runs", type=int, default=50)
    runs = max(WARM + EVERY, parser.parse_args().runs)  # two measures at least
    with tempfile.TemporaryDirectory(prefix="tastemill-soak-") as name:
        folder = Path(name)
        own_temporary_folder(folder / "tmp")
        spark = start_session(**{"spark.sql.warehouse.dir": f"{folder}/hive", JAVA: LONG_RUNNING})
        found = soak(spark, folder, runs)
        rest = let_retention_run_out(spark, folder)
    rows = [{"runs": left.run, "s": left.seconds, **left.figures} for left in found]
    rows.append({"runs": "retention over", "s": None, **rest})
    show(f"After {runs} runs", rows)
    grown = growth(found)
    orphans = rest["table files"] - rest["of them live"]
    err.print(f"grown: {grown or 'nothing'}; files that no table names: {orphans:.0f}")
    return 1 if grown or orphans else 0


if __name__ == "__main__":
    sys.exit(main())
