"""The training loop: pure torch over a feed.

The same function runs in one process, under torchrun and under TorchDistributor; rank and world
size come from the environment. The network, its loss and its optimizer are the same whatever the
number of ranks: a step takes `batch_size` rows over all of them and divides by their weight.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tastemill.deep.losses import LOSSES, Loss
from tastemill.deep.registry import build, save_network
from tastemill.errors import TrainingError
from tastemill.training import checkpoint as checkpoints
from tastemill.training.faults import trip
from tastemill.training.feed import Batch, BatchSource, open_feed
from tastemill.training.groups import Shard
from tastemill.training.ranks import Ranks, joined
from tastemill.training.spec import FeedSpec, TrainResult, TrainSpec


def train(spec: TrainSpec) -> TrainResult:
    """Train a network, from its newest checkpoint if there is one; every rank calls this.

    Returns:
        Rank 0's result, on every rank.

    Raises:
        TrainingError: A loss that isn't a number, ids beyond the network's tables, or a
            checkpoint of another training.
        FeedError: A feed that doesn't give the rows it should.
    """
    torch.set_num_threads(spec.num_threads)
    with joined(use_gpu=spec.use_gpu, timeout_s=spec.timeout_s) as ranks:
        return _trained(spec, ranks)


def _trained(spec: TrainSpec, ranks: Ranks) -> TrainResult:
    """Every epoch that is left; a function, so that nothing of it outlives the process group."""
    run = _start(spec, ranks)
    began, first = time.perf_counter(), run.next_epoch
    for epoch in range(first, spec.epochs):
        run.epoch(epoch)
    seconds = time.perf_counter() - began
    rows = spec.train.rows * (spec.epochs - first)
    return run.finish(rows / seconds if rows > 0 else 0.0)


@dataclass
class _Run:
    """One rank's training under way."""

    spec: TrainSpec
    ranks: Ranks
    network: nn.Module
    parallel: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    train_feed: BatchSource
    valid_feed: BatchSource | None
    history: checkpoints.History

    @property
    def next_epoch(self) -> int:
        return self.history[-1][0] + 1 if self.history else 0

    def epoch(self, epoch: int) -> None:
        """Train on every row once, measure, leave a checkpoint."""
        began = time.perf_counter()
        _seed(self.spec.seed, epoch, self.ranks.rank)
        totals, waited = self._learn(epoch)
        seconds = time.perf_counter() - began
        self.ranks.unite_marks(self.network)
        self._note(epoch, "train", totals)
        if self.valid_feed is not None:
            self._note(epoch, "valid", self._measure(self.valid_feed))
        rate = self.spec.train.rows / seconds
        self.history.append((epoch, "examples_per_second", rate))
        self.history.append((epoch, "input_wait_share", waited / seconds))
        self._save()
        trip(self.spec.faults, **self._where(epoch), at="epoch_end")

    def finish(self, rows_per_second: float) -> TrainResult:
        """Leave the artifact and agree on the result."""
        finish = getattr(self.network, "finish_training", None)
        if finish is not None:
            finish()
        if self.ranks.rank == 0:
            save_network(self.spec.artifact_dir, self.spec.network, self.network)
        return self.ranks.first(
            TrainResult(
                history=tuple(self.history),
                artifact=self.spec.artifact_dir,
                rows_per_second=rows_per_second,
                epochs=self.next_epoch,
                world=self.ranks.world,
                device=str(self.ranks.device),
            )
        )

    def _learn(self, epoch: int) -> tuple[Tensor, float]:
        """(loss sum, weight sum) of this rank, and the seconds spent waiting for rows."""
        self.parallel.train()
        totals, waited = torch.zeros(2, dtype=torch.float64), 0.0
        batches = self.train_feed.epoch(epoch)
        for step in range(self.train_feed.steps):
            began = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - began
            trip(self.spec.faults, **self._where(epoch), step=step)
            totals += self._step(batch, epoch, step)
        _exhaust(batches)
        return totals, waited

    def _step(self, batch: Batch, epoch: int, step: int) -> Tensor:
        """One step of the optimizer; (loss sum, weight sum) of this rank's rows."""
        batch = self._to_device(batch)
        own = batch["weight"].sum()
        total = own.clone()
        pending = self.ranks.sum_begun(total)
        loss = self.loss(self.parallel(batch), batch["label"], batch["weight"])
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in epoch {epoch}, step {step}, rank {self.ranks.rank}",
                fix="lower the learning rate, or look for extreme labels and vectors",
            )
        if pending is not None:
            pending.wait()
        self.optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over ranks, so the sum of a rank counts `world` times.
        (loss * (self.ranks.world / total.clamp_min(1e-12))).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimizer.step()
        return torch.tensor([value, float(own)], dtype=torch.float64)

    @torch.no_grad()
    def _measure(self, feed: BatchSource) -> Tensor:
        """(loss sum, weight sum) of this rank's rows, in evaluation mode."""
        self.network.eval()
        totals = torch.zeros(2, dtype=torch.float64)
        for batch in feed.epoch(0):
            moved = self._to_device(batch)
            loss = self.loss(self.network(moved), moved["label"], moved["weight"])
            totals += torch.tensor([float(loss), float(moved["weight"].sum())])
        return totals

    def _note(self, epoch: int, part: str, totals: Tensor) -> None:
        """Add a part's mean loss over all ranks to the history."""
        loss_sum, weight_sum = self.ranks.sum(totals.to(self.ranks.device)).tolist()
        mean = loss_sum / weight_sum if weight_sum else float("nan")
        self.history.append((epoch, f"{part}_loss", mean))
        if self.spec.loss == "mse":
            self.history.append((epoch, f"{part}_rmse", mean**0.5))

    def _save(self) -> None:
        if self.ranks.rank == 0:
            checkpoints.save(
                Path(self.spec.checkpoint_dir),
                self.network,
                self.optimizer,
                history=self.history,
                identity=self.spec.identity(),
            )

    def _to_device(self, batch: Batch) -> Batch:
        if self.ranks.device.type == "cpu":
            return batch
        return {k: v.to(self.ranks.device, non_blocking=True) for k, v in batch.items()}

    def _where(self, epoch: int) -> dict[str, int]:
        return {"rank": self.ranks.rank, "epoch": epoch, "attempt": self.spec.attempt}


def _start(spec: TrainSpec, ranks: Ranks) -> _Run:
    """Everything a training needs, put back to its newest checkpoint."""
    if spec.loss not in LOSSES:
        raise TrainingError("unknown loss", expected=" or ".join(LOSSES), found=spec.loss)
    _seed(spec.seed, 0, 0)
    network = build(spec.network, json.loads(spec.params)).to(ranks.device)
    _check_tables(spec, network)
    optimizer = torch.optim.Adam(
        network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
    )
    history: checkpoints.History = []
    if found := checkpoints.latest(Path(spec.checkpoint_dir)):
        checkpoints.check_identity(found, spec.identity())
        found.restore(network, optimizer)
        history = list(found.history)
    _agree(ranks, len(history))
    shard = Shard(ranks.rank, ranks.world, spec.batch_size, spec.seed, spec.shuffle)
    plain = replace(shard, shuffle=False)
    return _Run(
        spec=spec,
        ranks=ranks,
        network=network,
        parallel=ranks.wrap(network),
        optimizer=optimizer,
        loss=LOSSES[spec.loss],
        train_feed=open_feed(spec.train, spec.feed, shard),
        valid_feed=open_feed(spec.valid, spec.feed, plain) if spec.valid else None,
        history=history,
    )


def _agree(ranks: Ranks, progress: int) -> None:
    """All ranks must carry on from the same checkpoint, which they don't where each sees its own.

    Raises:
        TrainingError: This rank found another one than rank 0.
    """
    if ranks.first(progress) != progress:
        raise TrainingError(
            f"rank {ranks.rank} finds another checkpoint than rank 0",
            fix="put checkpoint_dir on a file system that all processes share",
        )


def _check_tables(spec: TrainSpec, network: nn.Module) -> None:
    """Refuse a feed that doesn't fit the network, before an index error deep in a worker."""
    config = getattr(network, "config", None)
    for feed in (spec.train, spec.valid):
        if feed is not None:
            _refuse_unfit(feed, config)


def _refuse_unfit(feed: FeedSpec, config: object) -> None:
    facts = {
        "num_users": feed.max_user_idx,
        "num_items": feed.max_item_idx,
        "user_dim": feed.user_width,
        "item_dim": feed.item_width,
    }
    for name, found in facts.items():
        expected = getattr(config, name, found)
        # The row one past the last id is the unknown one, which a feed may name.
        fits = found <= expected if name.startswith("num_") else found == expected
        if not fits:
            raise TrainingError(
                f"the feed doesn't fit the network's {name}",
                expected=str(expected),
                found=f"{found} in {feed.folder}",
            )


def _seed(seed: int, epoch: int, rank: int) -> None:
    """Seed torch's generators so that an epoch's numbers depend on nothing before it."""
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1)[0]))


def _exhaust(batches: Iterator[Batch]) -> None:
    """Ask once more: the feed counts its rows when it ends."""
    if next(batches, None) is not None:
        raise TrainingError("the feed gave more steps than it announced")
