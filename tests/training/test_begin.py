"""Embeddings that begin with another model's vectors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from tastemill.deep.registry import load_network
from tastemill.errors import TrainingError
from tastemill.testing.feeds import write_feed
from tastemill.training.loop import train
from tastemill.training.spec import FeedColumn, FeedSpec, TrainSpec

WIDTH, IDS = 3, [4, 0, 2]
VECTORS = np.arange(9, dtype=np.float32).reshape(3, WIDTH)
PARAMS = {"num_users": 7, "num_items": 11, "embedding_dim": 5}
TABLES = {
    "embedding_mlp": ("users.table.weight", "items.table.weight"),
    "gmf": ("users.table.weight", "items.table.weight"),
    "neumf": ("users.table.weight", "items.table.weight"),
    "two_tower": ("user_tower.ids.table.weight", "item_tower.ids.table.weight"),
}


def factors(folder: Path, side: str) -> FeedSpec:
    lists = pa.array(list(VECTORS), type=pa.list_(pa.float32()))
    part = pa.table({f"{side}_idx": pa.array(IDS, pa.int32()), f"{side}_vector": lists})
    columns = (FeedColumn(f"{side}_idx", high=4), FeedColumn(f"{side}_vector", WIDTH))
    return write_feed(folder / side, [part], columns)


@pytest.fixture
def spec(make_feed: Callable[..., FeedSpec], tmp_path: Path) -> TrainSpec:
    return TrainSpec(
        train=make_feed([40]),
        begin=(factors(tmp_path, "user"), factors(tmp_path, "item")),
        checkpoint_dir=str(tmp_path / "checkpoints"),
        artifact_dir=str(tmp_path / "artifact"),
        network="gmf",
        params=json.dumps(PARAMS),
        learning_rate=1e-9,
        epochs=1,
        feed="pyarrow",
    )


def trained(spec: TrainSpec, kind: str) -> dict[str, torch.Tensor]:
    more = {"user_dim": 2, "item_dim": 2} if kind in ("embedding_mlp", "two_tower") else {}
    train(replace(spec, network=kind, params=json.dumps({**PARAMS, **more})))
    return load_file(Path(spec.checkpoint_dir) / "epoch-00000" / "weights.safetensors")


@pytest.mark.parametrize("kind", TABLES)
def test_each_vector_fills_the_front_of_its_embedding(spec: TrainSpec, kind: str) -> None:
    weights = trained(spec, kind)
    for name in TABLES[kind]:
        torch.testing.assert_close(weights[name][IDS, :WIDTH], torch.tensor(VECTORS))
        # What no vector is there for is random.
        assert weights[name][:, WIDTH:].abs().max() < 0.5
        assert weights[name][1].abs().max() < 0.5


def test_vectors_longer_than_embeddings(spec: TrainSpec) -> None:
    with pytest.raises(TrainingError, match="longer than its embeddings"):
        train(replace(spec, params=json.dumps({**PARAMS, "embedding_dim": 2})))


def test_a_resumed_training_does_not_begin_again(spec: TrainSpec) -> None:
    train(replace(spec, learning_rate=0.1))
    train(replace(spec, learning_rate=0.1, epochs=2))
    weights = load_file(Path(spec.checkpoint_dir) / "epoch-00001" / "weights.safetensors")
    assert not torch.equal(weights["users.table.weight"][IDS, :WIDTH], torch.tensor(VECTORS))
    with pytest.raises(TrainingError, match="begin_sha256"):
        train(replace(spec, learning_rate=0.1, epochs=3, begin=spec.begin[:1]))


@pytest.fixture
def parts(spec: TrainSpec, tmp_path: Path) -> tuple[str, ...]:
    """Trained networks of both parts, in folders as the line lays them."""
    folders = []
    for kind in ("gmf", "mlp"):
        artifact = tmp_path / f"{kind}-1" / "network"
        place = {"artifact_dir": str(artifact), "checkpoint_dir": str(tmp_path / kind)}
        train(replace(spec, network=kind, begin=(), learning_rate=0.1, **place))
        folders.append(str(artifact))
    return tuple(folders)


def test_neumf_begins_as_half_the_sum_of_its_parts(spec: TrainSpec, parts: tuple[str, ...]) -> None:
    train(replace(spec, network="neumf", begin=(), parts=parts))
    batch = {"user_idx": torch.arange(7), "item_idx": torch.arange(7)}
    gmf, mlp, both = (load_network(f).eval()(batch) for f in (*parts, spec.artifact_dir))
    torch.testing.assert_close(both, (gmf + mlp) / 2)
    with pytest.raises(TrainingError, match="parts"):
        train(replace(spec, network="neumf", begin=(), epochs=2))


def test_parts_of_other_sizes(spec: TrainSpec, parts: tuple[str, ...]) -> None:
    wider = json.dumps({**PARAMS, "embedding_dim": 6})
    with pytest.raises(TrainingError, match="another embedding_dim"):
        train(replace(spec, network="neumf", begin=(), parts=parts, params=wider))
