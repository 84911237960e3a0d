"""Settings of a network tried under a protocol, on the validation part inside train.

Every combination is trained on what came before the validation part and judged on it after every
epoch; the test part is neither learned from nor judged, and no lists are made.
"""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

from tastemill import models
from tastemill.benchmark import only, plan_of, scratch_line
from tastemill.config.load import Config
from tastemill.errors import UsageError
from tastemill.line.stages import Plan
from tastemill.protocols import protocol_of
from tastemill.training.config import Network

Row = dict[str, Any]
FIGURES = ("valid_rmse", "valid_ndcg@10", "valid_hit@10", "train_loss", "epoch")


def run_trials(
    name: str,
    data_root: Path,
    network: str,
    tries: Iterable[str],
    settings: tuple[str, ...] = (),
) -> list[Row]:
    """Train every combination; its figures are those of its best epoch.

    Args:
        name: of the protocol.
        data_root: holds one folder per data set.
        network: the network.
        tries: key=[value, …], the keys being settings of the section `deep`.
        settings: key=value, the same for all.

    Returns:
        A row for each combination: its values, then its figures. First that of the lowest RMSE
        where stars are learned, else of the highest NDCG@10.
    """
    if network not in get_args(Network):
        known = ", ".join(get_args(Network))
        raise UsageError("--try takes settings of one network", expected=known, found=network)
    values = dict(map(_values, tries))
    shared = (*only((network,)), *settings, "deep.validate_epochs=true")
    rows = []
    with scratch_line(protocol_of(name), data_root) as line:
        for chosen in product(*values.values()):
            tried = dict(zip(values, chosen, strict=True))
            own = (f"deep.by_model.{network}.{k}={json.dumps(v)}" for k, v in tried.items())
            run = line((*shared, *own), _training)
            fitted = models.find(run.warehouse, run.models["backtest"][network])
            figures = {key: fitted.metrics[key] for key in FIGURES if key in fitted.metrics}
            rows.append({**tried, **figures})
    return sorted(
        rows, key=lambda row: (row.get("valid_rmse", 0.0), -row.get("valid_ndcg@10", 0.0))
    )


def _training(cfg: Config) -> Plan:
    """The line up to the networks, without models that aren't tried."""
    plan = plan_of(cfg)
    needless = {"check_quality", "build_features", "train_baselines"}
    return replace(plan, last="train_deep", leave_out=plan.leave_out | needless)


def _values(text: str) -> tuple[str, list[Any]]:
    """A setting's name and the values to try."""
    key, _, given = text.partition("=")
    try:
        values = tomllib.loads(f"values = {given}")["values"]
    except tomllib.TOMLDecodeError:
        values = None
    if not isinstance(values, list) or not values:
        raise UsageError(
            "--try wants key=[value, value]",
            found=text,
            fix="--try learning_rate=[0.001,0.002], a setting of the section deep",
        )
    return key.strip().removeprefix("deep."), values
