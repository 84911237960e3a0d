"""Checkpoints: whole or passed over, and nothing else than what was saved."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tastemill.errors import TrainingError
from tastemill.training import checkpoint as checkpoints
from tastemill.training.optimizers import Optimizers

IDENTITY = {"seed": 1, "params.hidden": (4, 2)}


def _trained(seed: int = 1) -> tuple[nn.Module, Optimizers]:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Embedding(5, 3, sparse=True), nn.Linear(3, 1))
    optimizer = Optimizers(
        torch.optim.Adam(network[1].parameters(), lr=0.1),
        torch.optim.SparseAdam([network[0].weight], lr=0.2),
    )
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.randint(5, (4,))).sum().backward()
        optimizer.step()
    return network, optimizer


def _save(root: Path, epochs: int) -> tuple[nn.Module, Optimizers]:
    network, optimizer = _trained()
    history = []
    for epoch in range(epochs):
        history.append((epoch, "train_loss", 1.0 / (epoch + 3)))
        checkpoints.save(root, network, optimizer, checkpoints.Progress(history), IDENTITY)
    return network, optimizer


def test_weights_optimizer_and_history_come_back_to_the_bit(tmp_path: Path) -> None:
    network, optimizer = _save(tmp_path, 2)
    other, other_optimizer = _trained(seed=2)
    found = checkpoints.latest(tmp_path)
    assert found is not None
    found.restore(other, other_optimizer)
    assert (found.progress.epoch, found.progress.history[-1]) == (1, (1, "train_loss", 1.0 / 4))
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    tensors, others = optimizer.state()[0], other_optimizer.state()[0]
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[key], others[key]) for key in tensors)
    assert [group["lr"] for group in other_optimizer.groups] == [0.1, 0.2]
    # And both go on alike.
    for trained, its in ((network, optimizer), (other, other_optimizer)):
        its.zero_grad()
        trained(torch.tensor([0, 3, 3])).sum().backward()
        its.step()
    assert torch.equal(network[0].weight, other[0].weight)


def test_the_last_two_are_kept_and_nothing_is_a_pickle(tmp_path: Path) -> None:
    _save(tmp_path, 4)
    assert sorted(p.name for p in tmp_path.glob("epoch-*")) == ["epoch-00002", "epoch-00003"]
    suffixes = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert suffixes == {".json", ".safetensors"}
    assert json.loads((tmp_path / "latest.json").read_text())["folder"] == "epoch-00003"


@pytest.mark.parametrize("name", [checkpoints.WEIGHTS, checkpoints.OPTIMIZER, checkpoints.STATE])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_torn_checkpoint_is_passed_over(tmp_path: Path, name: str, damage: str) -> None:
    _save(tmp_path, 3)
    path = tmp_path / "epoch-00002" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert found.progress.epoch == 1


def test_what_a_killed_writer_leaves_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".epoch-00000.part").mkdir()
    (tmp_path / ".epoch-00000.part" / checkpoints.WEIGHTS).write_bytes(b"half")
    assert checkpoints.latest(tmp_path) is None
    _save(tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["epoch-00000"]


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path / "nowhere") is None


def test_another_trainings_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    _save(tmp_path, 1)
    found = checkpoints.latest(tmp_path)
    assert found is not None
    checkpoints.check_identity(found, IDENTITY)
    with pytest.raises(TrainingError, match=r"expected: seed = 2\n *found: seed = 1"):
        checkpoints.check_identity(found, {**IDENTITY, "seed": 2})
