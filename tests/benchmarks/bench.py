"""make bench: what the line costs beside what it does, as ratios in one run.

MovieLens 1M from TASTEMILL_DATA where it is set, else the shipped data.
"""

import os
import tempfile
import time
from pathlib import Path

from pyspark.sql import SparkSession

from tastemill import tables
from tastemill.config.load import Config, Request, load_config
from tastemill.console import show
from tastemill.line.runner import Run
from tastemill.line.stages import Plan
from tastemill.progress import StageProgress
from tastemill.session import build_session
from tastemill.testing.versions import table_versions

ALS_ONLY = (
    "als.models=['als']",
    "als.rank=32",
    "als.max_iter=15",
    "als.num_blocks=2",
    "baselines.models=[]",
    "deep.enabled=false",
    "dataset.task=implicit",
    "run.refit=false",
)
PLAN = Plan(
    leave_out=frozenset({"build_profiles", "build_examples", "train_baselines", "train_deep"})
)


def config(warehouse: str) -> Config:
    """ALS alone, on the largest real data there is."""
    root = os.environ.get("TASTEMILL_DATA")
    place = (f"run.warehouse={warehouse!r}",)
    if root is None:
        return load_config(Request("completejourney", settings=(*ALS_ONLY, *place)))
    data = (f"run.data={str(Path(root).resolve() / 'ml-1m')!r}",)
    return load_config(Request("movielens-1m", settings=(*ALS_ONLY, *place, *data)))


def bench_line(spark: SparkSession, warehouse: str) -> None:
    """Everything around the ALS fit against the fit; then an idle second run."""
    start = time.monotonic()
    run = _execute(spark, warehouse)
    total = time.monotonic() - start
    fit = run.warehouse.read(tables.MODELS).collect()[0]["seconds"]
    stages = [{"stage": name, "seconds": record.seconds} for name, _, record in run.records]
    show("Stages", stages)
    before = table_versions(run.warehouse)
    start = time.monotonic()
    second = _execute(spark, warehouse)
    idle = time.monotonic() - start
    after = table_versions(second.warehouse)
    changed = {name: (before[name], v) for name, v in after.items() if v != before[name]}
    show(
        "The line",
        [
            {"what": "ALS fit, s", "figure": fit, "goal": ""},
            {"what": "everything around it, s", "figure": total - fit, "goal": ""},
            {"what": "around / fit", "figure": (total - fit) / fit, "goal": "<= 2"},
            {"what": "idle second run, s", "figure": idle, "goal": "<= 20"},
            {"what": "tables changed by it", "figure": str(changed), "goal": "runs only"},
            {"what": "driver memory at most, GiB", "figure": peak_memory(), "goal": "< 4"},
        ],
    )


def _execute(spark: SparkSession, warehouse: str) -> Run:
    with StageProgress() as progress:
        run = Run(spark, config(warehouse), "bench", progress)
        run.execute(PLAN)
    return run


def peak_memory() -> float:
    """GiB of this process and of the JVM it started, each at its highest."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except (OSError, ValueError):
            continue
        high = int(fields.get("VmHWM", "0 kB").split()[0])
        parents[int(fields["Pid"])] = (int(fields["PPid"]), fields["Name"].strip(), high)
    own = {os.getpid()}
    jvms = {pid for pid, (parent, name, _) in parents.items() if name == "java" and parent in own}
    return sum(parents[pid][2] for pid in own | jvms) / 2**20


def main() -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory(prefix="tastemill-bench-") as folder:
        spark = build_session(config(folder).session)
        bench_line(spark, f"{folder}/warehouse")


if __name__ == "__main__":
    main()
