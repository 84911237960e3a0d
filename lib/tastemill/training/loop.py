"""The training loop: pure torch over a feed.

The same function runs in one process, under torchrun and under TorchDistributor; rank and world
size come from the environment. The network, its loss and its optimizer are the same whatever the
number of ranks: a step takes `batch_size` rows over all of them and divides by their weight. Only
in_batch_softmax holds a row against fewer others then: those of its own rank, and of its own part
where `accumulate` cuts a step.
"""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tastemill.deep.ids import finish
from tastemill.deep.objectives import OBJECTIVES, Objective
from tastemill.deep.registry import build, save_network
from tastemill.errors import TrainingError
from tastemill.training import checkpoint as checkpoints
from tastemill.training.begin import begin_with
from tastemill.training.checks import (
    check_agreement,
    check_columns,
    check_device,
    check_tables,
    check_weights,
    no_number,
)
from tastemill.training.faults import trip
from tastemill.training.feed import (
    Batch,
    BatchSource,
    exhaust,
    open_feed,
    open_measured,
    parts_of,
)
from tastemill.training.groups import Shard
from tastemill.training.optimizers import Optimizers, optimizer_of
from tastemill.training.ranking import HIT, NDCG, Ranking, best_epoch, is_over, ranking_of
from tastemill.training.ranks import Ranks, joined
from tastemill.training.schedule import learning_rate
from tastemill.training.spec import History, TrainResult, TrainSpec
from tastemill.training.told import SPEED, WAITING, leave_figures


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
    while run.next_epoch < spec.epochs and not is_over(run.history, spec.patience):
        run.epoch(run.next_epoch)
    seconds = time.perf_counter() - began
    rows = spec.train.rows * (run.next_epoch - first)
    return run.finish(rows / seconds if rows > 0 else 0.0)


@dataclass
class _Run:
    """One rank's training under way."""

    spec: TrainSpec
    ranks: Ranks
    objective: Objective
    parallel: nn.Module
    optimizer: Optimizers
    train_feed: BatchSource
    valid_feed: BatchSource | None
    ranking: Ranking | None
    history: History
    begun: checkpoints.Begun | None

    @property
    def network(self) -> nn.Module:
        network: nn.Module = self.objective.network
        return network

    @property
    def next_epoch(self) -> int:
        return self.history[-1][0] + 1 if self.history else 0

    def epoch(self, epoch: int) -> None:
        """Train on every row once, measure, leave a checkpoint."""
        began = time.perf_counter()
        first = self.begun.step if self.begun else 0
        totals, waited = self._learn(epoch, first)
        seconds = time.perf_counter() - began
        self._settle(epoch)
        self._note(epoch, "train", totals)
        if self.valid_feed is not None:
            self._note(epoch, "valid", self._measure(self.valid_feed))
        if self.ranking is not None:
            self._rank(epoch, self.ranking)
        rate = self.spec.train.rows * (1 - first / self.train_feed.steps) / seconds
        self.history += [(epoch, SPEED, rate), (epoch, WAITING, waited / seconds)]
        self.begun = None
        self._save()
        if self.ranks.rank == 0:
            leave_figures(self.spec, self.history)
        trip(self.spec.faults, **self._where(epoch), at="epoch_end")

    def finish(self, rows_per_second: float) -> TrainResult:
        """Leave the artifact, of the best epoch where that is known, and agree on the result."""
        best = best_epoch(self.history)
        if self.ranks.rank == 0:
            if best is not None and best != self.next_epoch - 1:
                folder = Path(self.spec.checkpoint_dir)
                checkpoints.of_epoch(folder, best).restore_weights(self.network)
            finish(self.network)
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

    def _learn(self, epoch: int, first: int) -> tuple[Tensor, float]:
        """(loss sum, weight sum) of this rank, and the seconds spent waiting for rows.

        Args:
            epoch: its number.
            first: steps that a checkpoint holds: their rows are read and passed over.
        """
        self.parallel.train()
        totals, waited, every = self._so_far(), 0.0, self.spec.checkpoint_steps
        _seed(self.spec.seed, epoch, self.ranks.rank, first)
        batches = self.train_feed.epoch(epoch)
        for step in range(self.train_feed.steps):
            began = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - began
            if step < first:
                continue
            if every and step > first and step % every == 0:
                totals = self._pause(epoch, step, totals)
            trip(self.spec.faults, **self._where(epoch), step=step)
            totals += self._step(batch, epoch, step)
        exhaust(batches)
        return totals, waited

    def _pause(self, epoch: int, step: int, totals: Tensor) -> Tensor:
        """Leave a checkpoint within an epoch, and go on as who finds it would."""
        self._settle(epoch)
        loss_sum, weight_sum = self.ranks.sum(totals.to(self.ranks.device)).tolist()
        self.begun = checkpoints.Begun(epoch, step, (loss_sum, weight_sum))
        self._save()
        _seed(self.spec.seed, epoch, self.ranks.rank, step)
        return self._so_far()

    def _so_far(self) -> Tensor:
        """This rank's part of what an epoch under way has summed up: rank 0 has it all."""
        begun = self.begun if self.ranks.rank == 0 else None
        return torch.tensor(begun.totals if begun else (0.0, 0.0), dtype=torch.float64)

    def _settle(self, epoch: int) -> None:
        """Make sure that the ranks' networks are one, of numbers."""
        check_weights(self.network, {"epoch": epoch, "rank": self.ranks.rank})
        self.ranks.unite_marks(self.network)

    def _step(self, batch: Batch, epoch: int, step: int) -> Tensor:
        """One step of the optimizer; (loss sum, weight sum) of this rank's rows."""
        batch = self.ranks.moved(batch)
        own = self.objective.weight(batch)
        total = own.clone()
        pending = self.ranks.sum_begun(total)
        self.optimizer.zero_grad()
        parts, value = parts_of(batch, self.spec.accumulate), 0.0
        for place, part in enumerate(parts):
            with self.ranks.alone(self.parallel, wanted=place + 1 < len(parts)):
                with self.ranks.autocast(self.spec.precision):
                    loss: Tensor = self.parallel(part)
                value += float(loss.detach())
                if not np.isfinite(value):
                    at = {"epoch": epoch, "step": step, "rank": self.ranks.rank}
                    raise no_number(value, batch, Path(self.spec.checkpoint_dir), at)
                if pending is not None:
                    pending.wait()
                # Gradients are averaged over ranks, so the sum of a rank counts `world` times.
                (loss * (self.ranks.world / total.clamp_min(1e-12))).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if self.spec.max_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.spec.max_norm)
        self._set_rate(epoch * self.train_feed.steps + step)
        self.optimizer.step()
        return torch.tensor([value, float(own)], dtype=torch.float64)

    def _set_rate(self, step: int) -> None:
        """Follows from the step alone, so that a resumed training goes on with it."""
        spec, steps = self.spec, self.spec.scheduled * self.train_feed.steps
        for group in self.optimizer.groups:
            group["lr"] = learning_rate(
                spec.learning_rate, step, steps, warmup=spec.warmup, decay=spec.decay
            )

    @torch.no_grad()
    def _measure(self, feed: BatchSource) -> Tensor:
        """(loss sum, weight sum) of this rank's rows, in evaluation mode."""
        self.objective.eval()
        totals = torch.zeros(2, dtype=torch.float64)
        for batch in feed.epoch(0):
            moved = self.ranks.moved(batch)
            with self.ranks.autocast(self.spec.precision):
                loss = self.objective(moved)
            totals += torch.stack((loss.float(), self.objective.weight(moved))).cpu()
        return totals

    @torch.no_grad()
    def _rank(self, epoch: int, ranking: Ranking) -> None:
        """Add what lists of the whole catalogue are worth to the history."""
        self.objective.eval()
        totals = self.ranks.sum(ranking.measure(self.network).to(self.ranks.device))
        ndcg, hits, users = totals.tolist()
        if users:
            self.history += [(epoch, NDCG, ndcg / users), (epoch, HIT, hits / users)]

    def _note(self, epoch: int, part: str, totals: Tensor) -> None:
        """Add a part's mean loss over all ranks to the history."""
        loss_sum, weight_sum = self.ranks.sum(totals.to(self.ranks.device)).tolist()
        mean = loss_sum / weight_sum if weight_sum else float("nan")
        self.history.append((epoch, f"{part}_loss", mean))
        if self.spec.objective == "mse":
            self.history.append((epoch, f"{part}_rmse", mean**0.5))

    def _save(self) -> None:
        if self.ranks.rank == 0:
            checkpoints.save(
                Path(self.spec.checkpoint_dir),
                self.network,
                self.optimizer,
                checkpoints.Progress(self.history, self.begun, best_epoch(self.history)),
                self.spec.identity(),
            )

    def _where(self, epoch: int) -> dict[str, int]:
        return {"rank": self.ranks.rank, "epoch": epoch, "attempt": self.spec.attempt}


def _start(spec: TrainSpec, ranks: Ranks) -> _Run:
    """Everything a training needs, put back to its newest checkpoint."""
    if spec.objective not in OBJECTIVES:
        known = " or ".join(OBJECTIVES)
        raise TrainingError("unknown objective", expected=known, found=spec.objective)
    _seed(spec.seed, 0, 0)
    network = build(spec.network, json.loads(spec.params)).to(ranks.device)
    objective = OBJECTIVES[spec.objective](network, spec.negatives)
    check_columns(spec, objective)
    check_tables(spec, network)
    check_device(ranks, network)
    if spec.compiled:
        objective.compile()
    begin_with(network, spec)
    optimizer = optimizer_of(spec, network, ranks.device)
    progress = checkpoints.Progress([])
    if found := checkpoints.latest(Path(spec.checkpoint_dir)):
        checkpoints.check_identity(found, spec.identity())
        found.restore(network, optimizer)
        progress = found.progress
    check_agreement(ranks, progress)
    shard = Shard(ranks.rank, ranks.world, spec.batch_size, spec.seed, spec.shuffle)
    plain = replace(shard, shuffle=False)
    return _Run(
        spec=spec,
        ranks=ranks,
        objective=objective,
        parallel=ranks.wrap(objective),
        optimizer=optimizer,
        train_feed=open_feed(spec.train, spec.feed, shard),
        valid_feed=open_measured(spec.valid, spec.feed, plain) if spec.valid else None,
        ranking=ranking_of(spec, network, plain),
        history=list(progress.history),
        begun=progress.begun,
    )


def _seed(seed: int, epoch: int, rank: int, step: int = 0) -> None:
    """Seed torch's generators so that the numbers from a checkpoint on depend on nothing before."""
    place = (seed, epoch, rank, step) if step else (seed, epoch, rank)
    torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
