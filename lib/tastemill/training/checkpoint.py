"""Checkpoints: a folder each, whole or not there, never pickled.

`epoch-00003/`, or `epoch-00003-step-000500/` of an epoch under way, holds the weights and the
optimizer's tensors (safetensors) and a state.json with their hashes, which carries its own. It is
written beside its place, synced and renamed; reading goes from the newest back and takes the first
that is whole. Random numbers need no place in it: they are seeded anew after each checkpoint, from
(seed, epoch, rank, step).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tastemill.errors import TrainingError
from tastemill.training.optimizers import Optimizers
from tastemill.training.spec import History, digest

KEEP = 2
WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True)
class Begun:
    """An epoch under way.

    Attributes:
        epoch: Its number, from 0.
        step: Steps done.
        totals: Loss sum and weight sum of these, over all ranks.
    """

    epoch: int
    step: int
    totals: tuple[float, float]


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        history: Metrics of all whole epochs so far.
        begun: The epoch after these, where a part of it is done.
        best: An epoch whose checkpoint is kept however old it is.
    """

    history: History
    begun: Begun | None = None
    best: int | None = None

    @property
    def epoch(self) -> int:
        """The last epoch, whole or begun."""
        return self.begun.epoch if self.begun else self.history[-1][0]

    @property
    def step(self) -> int:
        """Steps done of an epoch that isn't whole; else 0."""
        return self.begun.step if self.begun else 0


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk.

    Attributes:
        folder: Its folder.
        progress: How far the training was.
        identity: `TrainSpec.identity` of the training that wrote it.
        groups: Each optimizer's parameter groups.
    """

    folder: Path
    progress: Progress
    identity: dict[str, Any]
    groups: list[list[dict[str, Any]]]

    def restore(self, network: nn.Module, optimizer: Optimizers) -> None:
        """Put weights and optimizer state back."""
        self.restore_weights(network)
        optimizer.restore(load_file(self.folder / OPTIMIZER), self.groups)

    def restore_weights(self, network: nn.Module) -> None:
        """Put the weights back."""
        network.load_state_dict(load_file(self.folder / WEIGHTS))


def save(
    root: Path,
    network: nn.Module,
    optimizer: Optimizers,
    progress: Progress,
    identity: Mapping[str, Any],
) -> None:
    """Write a checkpoint; the oldest beyond `KEEP` go.

    Args:
        root: Of all checkpoints of a training.
        network: Its weights.
        optimizer: Its state.
        progress: How far the training is.
        identity: `TrainSpec.identity`.
    """
    place = root / _name(progress.epoch, progress.step)
    part = root / f".{place.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors, groups = optimizer.state()
    _write_tensors(part / WEIGHTS, network.state_dict())
    _write_tensors(part / OPTIMIZER, tensors)
    content = {
        "begun": asdict(progress.begun) if progress.begun else None,
        "history": progress.history,
        "identity": dict(identity),
        "groups": groups,
        "sha256": {name: _sha256(part / name) for name in (WEIGHTS, OPTIMIZER)},
    }
    _write_synced(part / STATE, json.dumps({"content": content, "digest": digest(content)}))
    _sync_folder(part)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)
    _name_latest(root, place)
    for old in _newest_first(root)[KEEP:]:
        if progress.best is None or old.name != _name(progress.best):
            shutil.rmtree(old)


def latest(root: Path) -> Checkpoint | None:
    """The newest whole checkpoint; torn ones are passed over."""
    for folder in _newest_first(root):
        if checkpoint := _read(folder):
            return checkpoint
    return None


def of_epoch(root: Path, epoch: int) -> Checkpoint:
    """The checkpoint of an epoch.

    Raises:
        TrainingError: It isn't there, or isn't whole.
    """
    found = _read(root / _name(epoch))
    if found is None:
        raise TrainingError(
            f"no whole checkpoint of epoch {epoch} in {root}",
            fix="remove the checkpoints and train again",
        )
    return found


def check_identity(checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Refuse to carry on with the checkpoint of another training.

    Raises:
        TrainingError: Naming what differs.
    """
    # Through JSON, since tuples come back from the file as lists.
    wanted = json.loads(json.dumps(identity))
    names = sorted(set(wanted) | set(checkpoint.identity))
    differing = [n for n in names if wanted.get(n) != checkpoint.identity.get(n)]
    if differing:
        raise TrainingError(
            f"the checkpoint in {checkpoint.folder} is of another training",
            expected=", ".join(f"{n} = {wanted.get(n)}" for n in differing),
            found=", ".join(f"{n} = {checkpoint.identity.get(n)}" for n in differing),
            fix="give the training a folder of its own, or remove the old checkpoints",
        )


def _name(epoch: int, step: int = 0) -> str:
    return f"epoch-{epoch:05d}" + (f"-step-{step:09d}" if step else "")


def _newest_first(root: Path) -> list[Path]:
    """An epoch's own folder comes after those of its steps, and they after the epoch before."""
    return sorted(root.glob("epoch-*"), key=lambda place: f"{place.name}-whole", reverse=True)


def _read(folder: Path) -> Checkpoint | None:
    try:
        values = json.loads((folder / STATE).read_text())
        content = values["content"]
        whole = values["digest"] == digest(content) and all(
            _sha256(folder / name) == expected for name, expected in content["sha256"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole:
        return None
    history = [(int(e), str(m), float(v)) for e, m, v in content["history"]]
    begun = content.get("begun")
    if begun is not None:
        begun = Begun(begun["epoch"], begun["step"], (begun["totals"][0], begun["totals"][1]))
    progress = Progress(history, begun)
    return Checkpoint(folder, progress, content["identity"], content["groups"])


def _name_latest(root: Path, place: Path) -> None:
    """latest.json: for people and scripts; reading relies on the folders' own hashes."""
    part = root / ".latest.part"
    state = {"folder": place.name, "sha256": _sha256(place / STATE)}
    _write_synced(part, json.dumps(state))
    part.replace(root / "latest.json")
    _sync_folder(root)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _write_synced(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
