"""What training costs beside the network itself, as ratios in one run; it needs no Spark.

python -m tests.benchmarks.training [--rows 1000000] [--epochs 4]

The feed beside plain pyarrow that reads in order, a training beside the same one on batches that
lie in memory, two processes beside one.
"""

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tastemill.console import show
from tastemill.testing.feeds import write_feed
from tastemill.training import loop
from tastemill.training.feed import Batch, BatchSource, open_feed
from tastemill.training.groups import Shard
from tastemill.training.process import keep_freed_memory
from tastemill.training.spec import FeedColumn, FeedSpec, TrainResult, TrainSpec
from tastemill.training.told import SPEED, WAITING

WIDTH, BATCH, ROUNDS = 50, 8192, 3
USERS, ITEMS, LENGTH = 6_040, 3_706, 100
GROUP_ROWS = 131_072
Columns = tuple[FeedColumn, ...]


def parts_of(rows: int, make: Any) -> list[pa.Table]:
    """Row groups as large as those of `materialize`, four at least."""
    size = min(GROUP_ROWS, -(-rows // 4))
    return [make(min(size, rows - start), start) for start in range(0, rows, size)]


def lists(values: np.ndarray) -> pa.ListArray:
    """Rows (n, width) as Arrow's lists."""
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, values.reshape(-1))


def floats(rows: int, seed: int, width: int = WIDTH) -> np.ndarray:
    """Random float32 (rows, width)."""
    return np.random.default_rng(seed).random((rows, width), dtype=np.float32)


def scalar_feed(folder: Path, rows: int) -> FeedSpec:
    """A column for each of fifty floats."""
    names = [f"float_{n}" for n in range(WIDTH)]

    def make(size: int, seed: int) -> pa.Table:
        return pa.table(dict(zip(names, floats(size, seed).T.copy(), strict=True)))

    return write_feed(folder, parts_of(rows, make), tuple(map(FeedColumn, names)))


def array_feed(folder: Path, rows: int) -> FeedSpec:
    """One column of lists of fifty floats."""

    def make(size: int, seed: int) -> pa.Table:
        return pa.table({"user_vector": lists(floats(size, seed))})

    return write_feed(folder, parts_of(rows, make), (FeedColumn("user_vector", WIDTH),))


def pair_feed(folder: Path, rows: int, *, shares: bool = False) -> FeedSpec:
    """Users, items, stars and the vectors of both, with shares also how likely an item is."""
    told = {"item_share": 1 / ITEMS} if shares else {}

    def make(size: int, seed: int) -> pa.Table:
        draw = np.random.default_rng(seed)
        return pa.table(
            {
                **{name: np.full(size, value, np.float32) for name, value in told.items()},
                "user_idx": draw.integers(USERS, size=size, dtype=np.int32),
                "item_idx": draw.integers(ITEMS, size=size, dtype=np.int32),
                "label": draw.integers(1, 6, size=size).astype(np.float32),
                "weight": np.ones(size, np.float32),
                "user_vector": lists(floats(size, seed, WIDTH // 2)),
                "item_vector": lists(floats(size, seed + 1, WIDTH // 2)),
            }
        )

    ids = (FeedColumn("user_idx", high=USERS - 1), FeedColumn("item_idx", high=ITEMS - 1))
    vectors = (FeedColumn("user_vector", WIDTH // 2), FeedColumn("item_vector", WIDTH // 2))
    columns = (*ids, *map(FeedColumn, ("label", "weight", *told)), *vectors)
    return write_feed(folder, parts_of(rows, make), columns, mean_label=3.0)


def history_feed(folder: Path, rows: int) -> FeedSpec:
    """Items in the order in which users took them."""

    def make(size: int, seed: int) -> pa.Table:
        items = np.random.default_rng(seed).integers(ITEMS, size=(size, LENGTH + 1), dtype=np.int32)
        return pa.table({"history": lists(items)})

    column = FeedColumn("history", LENGTH + 1, ITEMS - 1)
    return write_feed(folder, parts_of(rows, make), (column,))


def bench_feeds(folder: Path, rows: int) -> None:
    """Rows a second from Parquet to tensors, each feed in turn; the fastest round counts."""
    found = []
    for name, make in (("50 columns", scalar_feed), ("1 column of lists", array_feed)):
        spec = make(folder / name.replace(" ", "-"), rows)
        ways = [(kind, order) for kind in ("pyarrow", "petastorm") for order in (False, True)]
        best = dict.fromkeys(ways, 0.0)
        for number in range(ROUNDS + 1):
            for kind, shuffle in ways:
                feed = open_feed(spec, kind, Shard(batch_size=BATCH, shuffle=shuffle))
                began = time.perf_counter()
                read = sum(len(next(iter(batch.values()))) for batch in feed.epoch(number))
                speed = read / (time.perf_counter() - began)
                if number:  # the first round warms up
                    best[kind, shuffle] = max(best[kind, shuffle], speed)
        plain = best["pyarrow", False]
        found += [
            {
                "of": name,
                "feed": f"{kind}, shuffled" if shuffle else kind,
                "rows/s": speed,
                "ratio": speed / plain,
                "goal": "" if kind == "pyarrow" else ">= 0.5" if shuffle else ">= 0.8",
            }
            for (kind, shuffle), speed in best.items()
        ]
    show(f"Feeds: {rows:,} rows of {WIDTH} floats, batches of {BATCH:,}", found)


class InMemory:
    """A feed's first epoch, kept."""

    def __init__(self, feed: BatchSource) -> None:
        self.steps, self.rows = feed.steps, feed.rows
        self._batches = list(feed.epoch(0))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The same batches, whatever the number."""
        return iter(self._batches)


def trainings(folder: Path, rows: int, epochs: int) -> dict[str, TrainSpec]:
    """The trainings to measure, by name."""
    pairs = {"num_users": USERS, "num_items": ITEMS, "user_dim": 25, "item_dim": 25}
    sequence = {"num_items": ITEMS, "max_length": LENGTH, "embedding_dim": 64}
    network = {"checkpoint_dir": "", "artifact_dir": "", "epochs": epochs}
    return {
        "embedding_mlp": TrainSpec(
            train=pair_feed(folder / "pairs", rows),
            network="embedding_mlp",
            params=json.dumps(pairs),
            objective="mse",
            batch_size=BATCH,
            **network,
        ),
        "sasrec": TrainSpec(
            train=history_feed(folder / "histories", max(512, rows // 1000)),
            network="sasrec",
            params=json.dumps(sequence),
            objective="sampled_softmax",
            negatives=256,
            batch_size=64,
            **network,
        ),
    }


def rank_of(
    number: int, world: int, port: int, spec: TrainSpec, ends: Any, *, in_memory: bool
) -> None:
    """One process of a training, as `training.worker` has it."""
    keep_freed_memory()
    if in_memory:
        opened = loop.open_feed
        loop.open_feed = lambda *given: InMemory(opened(*given))
    place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in {**place, **address}.items()})
    result = loop.train(spec)
    if number == 0:
        ends.put(result)


def trained(spec: TrainSpec, world: int = 1, *, in_memory: bool = False) -> TrainResult:
    """A training in processes of its own, in folders of its own.

    In memory: on batches that lie there already.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        spec = replace(spec, checkpoint_dir=f"{folder}/c", artifact_dir=f"{folder}/a")
        context = multiprocessing.get_context("spawn")
        ends = context.Queue()
        processes = [
            context.Process(
                target=rank_of,
                args=(number, world, port, spec, ends),
                kwargs={"in_memory": in_memory},
            )
            for number in range(world)
        ]
        for process in processes:
            process.start()
        while ends.empty():
            if failed := [p.exitcode for p in processes if p.exitcode]:
                raise RuntimeError(f"a training process ended with {failed[0]}")
            time.sleep(0.1)
        result: TrainResult = ends.get()
        for process in processes:
            process.join()
        return result


def of_epochs(result: TrainResult, metric: str) -> float:
    """The median of a metric over all epochs but the first."""
    return statistics.median(v for epoch, name, v in result.history if name == metric and epoch)


def bench_training(specs: dict[str, TrainSpec]) -> None:
    """Examples a second of whole trainings, one process of one thread."""
    found = []
    for name, spec in specs.items():
        by_memory = of_epochs(trained(spec, in_memory=True), SPEED)
        for feed in ("petastorm", "pyarrow"):
            result = trained(replace(spec, feed=feed))
            speed = of_epochs(result, SPEED)
            found.append(
                {
                    "network": name,
                    "feed": feed,
                    "examples/s": speed,
                    "of in memory": speed / by_memory,
                    "goal": ">= 0.9",
                    "waiting": of_epochs(result, WAITING),
                    "at most": 0.05,
                }
            )
    show("Training, beside the same on batches in memory", found)


def bench_processes(specs: dict[str, TrainSpec]) -> None:
    """Examples a second of one process, of one with two threads, and of two."""
    found = []
    for name, spec in specs.items():
        ways = {
            "1 process": trained(spec),
            "1 process, 2 threads": trained(replace(spec, num_threads=2)),
            "2 processes": trained(spec, world=2),
        }
        alone = of_epochs(ways["1 process"], SPEED)
        found += [
            {
                "network": name,
                "with": way,
                "examples/s": of_epochs(result, SPEED),
                "ratio": of_epochs(result, SPEED) / alone,
                "goal": ">= 1.6" if way == "2 processes" else "",
                "losses": " ".join(
                    f"{value:.4f}" for _, metric, value in result.history if metric == "train_loss"
                ),
            }
            for way, result in ways.items()
        ]
    show("Processes, each of one thread if nothing else is said", found)


def main() -> None:
    """Print all figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--epochs", type=int, default=4)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tastemill-bench-") as scratch:
        folder = Path(scratch)
        bench_feeds(folder, asked.rows)
        specs = trainings(folder, asked.rows, asked.epochs)
        bench_training(specs)
        bench_processes(specs)


if __name__ == "__main__":
    main()
