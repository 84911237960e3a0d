"""Whether feed, objective and network fit together, before an index error deep in a worker."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tastemill.deep.objectives import Objective
from tastemill.errors import TrainingError
from tastemill.training.checkpoint import Progress
from tastemill.training.feed import Batch
from tastemill.training.optimizers import sparse_tables
from tastemill.training.ranks import Ranks
from tastemill.training.spec import FeedSpec, TrainSpec


def check_columns(spec: TrainSpec, objective: Objective) -> None:
    """Refuse a feed that lacks what network and objective take."""
    for feed in filter(None, (spec.train, spec.valid)):
        found = [column.name for column in feed.columns]
        if missing := [name for name in objective.columns if name not in found]:
            raise TrainingError(
                f"the feed lacks {', '.join(missing)}",
                expected=f"what {spec.network} takes for {spec.objective}",
                found=f"{', '.join(found)} in {feed.folder}",
            )


def check_device(ranks: Ranks, network: nn.Module) -> None:
    """Refuse what the device's library can't do."""
    if ranks.world > 1 and ranks.device.type == "cuda" and sparse_tables(network):
        raise TrainingError(
            "several GPUs can't bring sparse gradients together",
            found="deep.sparse = true",
            fix="train in one process, on CPUs (deep.use_gpu = 'no'), or without deep.sparse",
        )


def check_agreement(ranks: Ranks, progress: Progress) -> None:
    """Refuse to carry on from different checkpoints, as ranks would that see a folder each."""
    found = (len(progress.history), progress.step)
    if ranks.first(found) != found:
        raise TrainingError(
            f"rank {ranks.rank} finds another checkpoint than rank 0",
            fix="put checkpoint_dir on a file system that all processes share",
        )


def check_tables(spec: TrainSpec, network: nn.Module) -> None:
    """Refuse a feed that doesn't fit the network."""
    config = getattr(network, "config", None)
    for feed in (spec.train, spec.valid):
        if feed is not None:
            _refuse_unfit(feed, config)


def _refuse_unfit(feed: FeedSpec, config: object) -> None:
    # The row one past the last id is the unknown one, which a feed may name.
    most = {
        "num_users": feed.column("user_idx").high,
        "num_items": max(feed.column("item_idx").high, feed.column("history").high),
    }
    exactly = {
        "user_dim": feed.column("user_vector").width,
        "item_dim": feed.column("item_vector").width,
        "num_numbers": feed.column("numeric").width,
    }
    for name, found in {**most, **exactly}.items():
        expected = getattr(config, name, found)
        if found > expected or (name in exactly and found != expected):
            raise TrainingError(
                f"the feed doesn't fit the network's {name}",
                expected=str(expected),
                found=f"{found} in {feed.folder}",
            )


def check_weights(network: nn.Module, place: Mapping[str, int]) -> None:
    """Refuse weights that are no numbers, before a checkpoint holds them.

    A step's loss is told before it moves them, and the next one may be the next start's first.
    """
    for name, weight in network.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise TrainingError(
                f"{name} became NaN or infinite in {_words(place)}",
                fix="lower the learning rate, or set deep.max_norm",
            )


def _words(place: Mapping[str, int]) -> str:
    return ", ".join(f"{k} {v}" for k, v in place.items())


def no_number(value: float, batch: Batch, folder: Path, place: Mapping[str, int]) -> TrainingError:
    """What stops a training whose loss became NaN or infinite; the rows are kept beside it.

    Args:
        value: the loss.
        batch: what it was of.
        folder: where checkpoints lie.
        place: epoch, step and rank.
    """
    rows = folder / f"bad-batch-rank-{place['rank']}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: values.cpu().contiguous() for name, values in batch.items()}, rows)
    return TrainingError(
        f"the loss became {value} in {_words(place)}",
        found=f"the rows are in {rows}",
        fix="lower the learning rate, or look for extreme labels, weights and vectors",
    )
