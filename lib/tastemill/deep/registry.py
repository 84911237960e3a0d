"""Networks by name, and the folder form of a trained one: model.json + model.safetensors."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from tastemill.deep.dcn import DCN, DCNConfig
from tastemill.deep.deep_mf import DeepMF, DeepMFConfig
from tastemill.deep.dlrm import DLRM
from tastemill.deep.embedding_mlp import EmbeddingMLP, EmbeddingMLPConfig
from tastemill.deep.feature_input import FeaturesConfig
from tastemill.deep.neural_cf import GMFConfig, MLPConfig, NeuMFConfig, NeuralCF
from tastemill.deep.sequence import ESASRecConfig, HSTUConfig, SASRecConfig, SequenceNetwork
from tastemill.deep.two_tower import TwoTower, TwoTowerConfig
from tastemill.deep.wide_deep import WideDeep
from tastemill.errors import TrainingError

NETWORKS: dict[str, tuple[type[Any], type[nn.Module]]] = {
    "embedding_mlp": (EmbeddingMLPConfig, EmbeddingMLP),
    "gmf": (GMFConfig, NeuralCF),
    "mlp": (MLPConfig, NeuralCF),
    "neumf": (NeuMFConfig, NeuralCF),
    "deep_mf": (DeepMFConfig, DeepMF),
    "two_tower": (TwoTowerConfig, TwoTower),
    "wide_deep": (FeaturesConfig, WideDeep),
    "dcn": (DCNConfig, DCN),
    "dlrm": (FeaturesConfig, DLRM),
    "sasrec": (SASRecConfig, SequenceNetwork),
    "esasrec": (ESASRecConfig, SequenceNetwork),
    "hstu": (HSTUConfig, SequenceNetwork),
}


def build(kind: str, params: Mapping[str, Any]) -> nn.Module:
    """An untrained network.

    Args:
        kind: A key of `NETWORKS`.
        params: The fields of its config class; lists stand for tuples, as JSON gives them.

    Raises:
        TrainingError: Unknown kind or parameter.
    """
    if kind not in NETWORKS:
        raise TrainingError(
            f"unknown network {kind!r}", expected=" or ".join(NETWORKS), found=repr(kind)
        )
    config_class, network_class = NETWORKS[kind]
    known = {field.name for field in fields(config_class)}
    if unknown := set(params) - known:
        raise TrainingError(
            f"{kind}: unknown parameters {sorted(unknown)}", expected=", ".join(sorted(known))
        )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in params.items()}
    return network_class(config_class(**values))


def save_network(artifact_dir: str, kind: str, network: nn.Module) -> None:
    """Write a network's folder: the weights first, then model.json with their hash."""
    folder = Path(artifact_dir)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.safetensors"
    part = folder / "model.safetensors.part"
    save_file({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}, part)
    part.replace(weights)
    config = NETWORKS[kind][0]
    assert isinstance(network.config, config)
    text = json.dumps(
        {"kind": kind, "params": asdict(network.config), "weights_sha256": _sha256(weights)},
        indent=2,
        sort_keys=True,
    )
    part = folder / "model.json.part"
    part.write_text(text + "\n")
    part.replace(folder / "model.json")


def load_network(artifact_dir: str) -> nn.Module:
    """A trained network, in evaluation mode.

    Raises:
        TrainingError: The folder is incomplete, or its weights are not those model.json names.
    """
    folder = Path(artifact_dir)
    try:
        described = json.loads((folder / "model.json").read_text())
        found = _sha256(folder / "model.safetensors")
    except (OSError, ValueError) as error:
        raise TrainingError(f"no network in {artifact_dir}", found=str(error)) from error
    if found != described["weights_sha256"]:
        raise TrainingError(
            f"the weights in {artifact_dir} are not those that were saved",
            expected=described["weights_sha256"],
            found=found,
        )
    network = build(described["kind"], described["params"])
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network.eval()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
