"""The folders beside the tables: what each is for, and when it may go."""

import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

DAY_S = 86_400.0
# Made again when they are needed: examples as feeds, ALS's checkpoints, runs done again.
SCRATCH = ("feeds", "checkpoints/als", "repro")
WEIGHTS = "models"
OF_A_TRAINING = "checkpoints"  # beside the weights; of no use once these are there


def sweep(
    artifacts: Path, *, scratch_days: float, weights_days: float, kept: Collection[str]
) -> int:
    """Delete what is old enough; return how many bytes that were.

    Args:
        artifacts: the folder of feeds, checkpoints and weights.
        scratch_days: age from which what can be made again goes, and checkpoints of what is kept.
        weights_days: age from which weights go that no model names.
        kept: the models whose weights are kept; each model's folder has its name.
    """
    old = [path for name in SCRATCH for path in _older(artifacts / name, scratch_days)]
    weights = artifacts / WEIGHTS
    old += [path for path in _older(weights, weights_days) if path.name not in kept]
    of_kept = [path for name in kept for path in _older(weights / name, scratch_days)]
    old += [path for path in of_kept if path.name == OF_A_TRAINING]
    freed = sum(_size(path) for path in old)
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return freed


def _older(folder: Path, days: float) -> Iterator[Path]:
    """Folders in a folder in which nothing was written since."""
    before = time.time() - days * DAY_S
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and max(p.lstat().st_mtime for p in (path, *path.rglob("*"))) < before:
            yield path


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
