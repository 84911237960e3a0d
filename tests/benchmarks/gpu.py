"""What a GPU makes of the training loop; it needs torch and a CUDA device, and no Spark.

python -m tests.benchmarks.gpu [--rows 2000000] [--table 4000000] [--device cpu]

Examples a second and the share of time spent waiting, of two towers and of a sequence network; the
memory bandwidth of looking embeddings up and moving them, beside that of a plain copy.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from tests.benchmarks import training as cpu
from torch import nn

from tastemill.console import show
from tastemill.training.spec import TrainSpec
from tastemill.training.told import SPEED, WAITING

DIM, IDS, ROUNDS = 128, 262_144, 30
FLOAT_BYTES = 4
# A machine for training alone may have no Petastorm.
FEEDS = ("petastorm", "pyarrow") if find_spec("petastorm") else ("pyarrow",)
# Passes over the rows that a step met: read and written by the look-up; the gradient, and with
# SparseAdam weight and both moments, read and written.
LOOK_UP, MOVE = 2, 2 + 3 * 2


def trainings(folder: Path, rows: int) -> dict[str, TrainSpec]:
    """The trainings to measure, by name."""
    specs = cpu.trainings(folder, rows, epochs=4)
    pairs = specs["embedding_mlp"]
    towers = replace(
        pairs,
        train=cpu.pair_feed(folder / "towers", rows, shares=True),
        network="two_tower",
        params=json.dumps({**json.loads(pairs.params), "embedding_dim": 64, "hidden": [256]}),
        objective="in_batch_softmax",
    )
    return {"two_tower": towers, "sasrec": replace(specs["sasrec"], batch_size=512)}


def bench_trainings(folder: Path, rows: int, *, use_gpu: bool) -> None:
    """Examples a second of whole trainings, one process, both feeds."""
    found = []
    for name, spec in trainings(folder, rows).items():
        for feed in FEEDS:
            result = cpu.trained(replace(spec, feed=feed, use_gpu=use_gpu))
            found.append(
                {
                    "network": name,
                    "feed": feed,
                    "on": result.device,
                    "examples/s": cpu.of_epochs(result, SPEED),
                    "waiting": cpu.of_epochs(result, WAITING),
                    "at most": 0.05,
                }
            )
    show("Training, one process", found)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of one call, in the mean."""
    for _ in range(3):
        work()
    _wait(device)
    began = time.perf_counter()
    for _ in range(ROUNDS):
        work()
    _wait(device)
    return (time.perf_counter() - began) / ROUNDS


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bench_embeddings(num_rows: int, device: torch.device) -> None:
    """Bytes a second of a table of embeddings, and its share of a copy's."""
    table = nn.Embedding(num_rows, DIM, sparse=True, device=device)
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=0.001)
    ids = torch.randperm(num_rows, device=device)[:IDS]
    gradient = torch.ones(len(ids), DIM, device=device)

    def move() -> None:
        optimizer.zero_grad()
        table(ids).backward(gradient)
        optimizer.step()

    source = torch.ones(num_rows, DIM, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.numel() * FLOAT_BYTES / seconds(lambda: target.copy_(source), device)
    once = ids.numel() * DIM * FLOAT_BYTES
    with torch.no_grad():
        looked_up = LOOK_UP * once / seconds(lambda: table(ids), device)
    moved = (LOOK_UP + MOVE) * once / seconds(move, device)
    figures = {"copy": copied, "look-up": looked_up, "look-up and update": moved}
    show(
        f"Embeddings: {num_rows:,} rows of {DIM} floats, {len(ids):,} ids a step, {device}",
        [
            {"of": name, "GB/s": value / 1e9, "of a copy": value / copied}
            for name, value in figures.items()
        ],
    )


def main() -> None:
    """Print all figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=2_000_000)
    options.add_argument("--table", type=int, default=4_000_000)
    options.add_argument("--device", default="cuda")
    asked = options.parse_args()
    device = torch.device(asked.device)
    bench_embeddings(asked.table, device)
    with tempfile.TemporaryDirectory(prefix="tastemill-bench-") as scratch:
        bench_trainings(Path(scratch), asked.rows, use_gpu=device.type == "cuda")


if __name__ == "__main__":
    main()
