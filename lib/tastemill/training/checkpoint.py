"""Checkpoints: one folder per epoch, whole or not there, never pickled.

`epoch-00003/` holds the weights and the optimizer's tensors (safetensors) and a state.json with
their hashes, which carries its own. It is written beside its place, synced and renamed; reading
goes from the newest back and takes the first that is whole. Random numbers need no place in it:
each epoch seeds them anew from (seed, epoch, rank).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
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
class Checkpoint:
    """A whole checkpoint on disk.

    Attributes:
        folder: Its folder.
        epoch: The last epoch it holds, from 0.
        history: Metrics of all epochs so far.
        identity: `TrainSpec.identity` of the training that wrote it.
        groups: Each optimizer's parameter groups.
    """

    folder: Path
    epoch: int
    history: History
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
    *,
    history: History,
    identity: Mapping[str, Any],
    best: int | None = None,
) -> None:
    """Write the checkpoint of the history's last epoch; the oldest beyond `KEEP` go.

    Args:
        root: Of all checkpoints of a training.
        network: Its weights.
        optimizer: Its state.
        history: Metrics of all epochs so far.
        identity: `TrainSpec.identity`.
        best: An epoch that is kept however old it is.
    """
    epoch = history[-1][0]
    place = root / _name(epoch)
    part = root / f".{place.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors, groups = optimizer.state()
    _write_tensors(part / WEIGHTS, network.state_dict())
    _write_tensors(part / OPTIMIZER, tensors)
    content = {
        "epoch": epoch,
        "history": history,
        "identity": dict(identity),
        "groups": groups,
        "sha256": {name: _sha256(part / name) for name in (WEIGHTS, OPTIMIZER)},
    }
    _write_synced(part / STATE, json.dumps({"content": content, "digest": digest(content)}))
    _sync_folder(part)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)
    _name_latest(root, place)
    for old in sorted(root.glob("epoch-*"))[:-KEEP]:
        if best is None or old.name != _name(best):
            shutil.rmtree(old)


def latest(root: Path) -> Checkpoint | None:
    """The newest whole checkpoint; torn ones are passed over."""
    for folder in sorted(root.glob("epoch-*"), reverse=True):
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


def _name(epoch: int) -> str:
    return f"epoch-{epoch:05d}"


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
    return Checkpoint(folder, content["epoch"], history, content["identity"], content["groups"])


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
