"""What a training tells while it runs: rank 0 leaves an epoch's figures, the driver reads them."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tastemill.training.spec import History, TrainSpec

log = logging.getLogger("tastemill.progress")

FILE = "progress.json"
EVERY_S = 0.5
SPEED, WAITING = "examples_per_second", "input_wait_share"


def leave_figures(spec: TrainSpec, history: History) -> None:
    """Put the newest epoch's figures where the driver looks; a reader finds all or none."""
    if not spec.status_dir:
        return
    folder, newest = Path(spec.status_dir), history[-1][0]
    folder.mkdir(parents=True, exist_ok=True)
    figures = {metric: value for epoch, metric, value in history if epoch == newest}
    part = folder / f".{FILE}.part"
    part.write_text(json.dumps({"epoch": newest, "figures": figures}))
    part.replace(folder / FILE)


@contextmanager
def telling(spec: TrainSpec) -> Iterator[None]:
    """Log each epoch of a training that other processes do, but for some that are very short."""
    over = threading.Event()
    thread = threading.Thread(target=_tell, args=(spec, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _tell(spec: TrainSpec, over: threading.Event) -> None:
    place, told, last = Path(spec.status_dir) / FILE, -1, False
    while not last:
        last = over.wait(EVERY_S)  # after the end it looks once more
        try:
            found = json.loads(place.read_text())
        except (OSError, ValueError):  # nothing is there yet, or a mount is slow
            continue
        if found["epoch"] > told:
            told = found["epoch"]
            log.info("%s: %s", spec.network, words_of(told, spec.epochs, found["figures"]))


def words_of(epoch: int, epochs: int, figures: dict[str, float]) -> str:
    """For a person: epoch 3 of 60, train_loss 5.1234, 1,234 examples/s, 1 % waiting."""
    measured = [f"{k} {v:.4f}" for k, v in figures.items() if k not in (SPEED, WAITING)]
    speed = f"{figures[SPEED]:,.0f} examples/s, {figures[WAITING]:.0%} waiting"
    return ", ".join([f"epoch {epoch + 1} of {epochs}", *measured, speed])
