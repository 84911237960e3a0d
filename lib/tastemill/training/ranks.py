"""The processes of one training, as one of them sees the others."""

import gc
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among the others.

    Attributes:
        rank: From 0.
        world: Processes in all; 1 needs no process group.
        device: Where this process computes.
    """

    rank: int
    world: int
    device: torch.device

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all ranks, in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def sum_begun(self, values: Tensor) -> dist.Work | None:
        """Begin the same; wait on what is returned before reading the values."""
        return dist.all_reduce(values, async_op=True) if self.world > 1 else None

    def unite_marks(self, network: nn.Module) -> None:
        """Make each bool buffer true where it is on any rank."""
        for marks in network.buffers():
            if self.world > 1 and marks.dtype == torch.bool:
                counts = self.sum(marks.to(torch.int32))
                marks.copy_(counts > 0)

    def moved(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch on this rank's device; copies of pinned memory go on beside the computing."""
        if self.device.type == "cpu":
            return batch
        return {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}

    def autocast(self, precision: str) -> torch.autocast:
        """Where products are of `TrainSpec.precision`."""
        wanted = precision == "bfloat16" or (precision == "auto" and self.device.type == "cuda")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over the ranks.

        Buffers stay each rank's own: they hold marks that `unite_marks` brings together.
        """
        if self.world == 1:
            return network
        return DistributedDataParallel(network, broadcast_buffers=False)

    def alone(self, parallel: nn.Module, *, wanted: bool) -> AbstractContextManager[None]:
        """Where wanted, gradients stay this rank's own inside, to be summed up with later ones."""
        if wanted and isinstance(parallel, DistributedDataParallel):
            return parallel.no_sync()
        return nullcontext()

    def first(self, value: T) -> T:
        """Rank 0's value, on every rank; returns when all ranks have come this far."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        dist.barrier()
        return box[0]


@contextmanager
def joined(*, use_gpu: bool, timeout_s: int) -> Iterator[Ranks]:
    """Join the process group that the environment describes (torchrun's variables)."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    gpus = torch.cuda.device_count() if use_gpu else 0
    device = _device(gpus)
    if world > 1:
        # NCCL refuses two ranks on one device; gloo takes them.
        own = gpus >= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        dist.init_process_group(
            "nccl" if own and gpus else "gloo", timeout=timedelta(seconds=timeout_s)
        )
    try:
        yield Ranks(rank, world, device)
    finally:
        if world > 1:
            # The wrapped network may sit in a reference cycle and holds the group, whose threads
            # live on with it. Processes aborted at exit now and then ("terminate called without
            # an active exception"), most likely for a thread that outlived the interpreter.
            gc.collect()
            dist.destroy_process_group()


def _device(gpus: int) -> torch.device:
    if not gpus:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % gpus)
    torch.cuda.set_device(device)
    return device
