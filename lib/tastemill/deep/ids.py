"""Embeddings of ids, with a row for whoever is unknown."""

import torch
from torch import Tensor, nn

STD = 0.05  # small values keep the first scores near the output's bias


class Ids(nn.Module):
    """A table of embeddings for ids 0 … num - 1; its last row, num, stands for unknown.

    In training a share of the ids is replaced by unknown, so that its row learns what to say of
    somebody never met; `finish` copies it into the rows that no example has touched, and scoring
    needs no special case.

    Source: Volkovs et al., DropoutNet (NeurIPS 2017), for the dropped ids.

    Args:
        num: Ids of the index.
        dim: Length of an embedding.
        dropout: Share of ids that `dropped` replaces in training.
        sparse: Whether gradients hold only the rows that a step met (see `training.optimizers`).
    """

    seen: Tensor

    def __init__(self, num: int, dim: int, dropout: float = 0.0, *, sparse: bool = False) -> None:
        super().__init__()
        self.num, self.dropout = num, dropout
        self.table = nn.Embedding(num + 1, dim, sparse=sparse)
        nn.init.normal_(self.table.weight, std=STD)
        self.register_buffer("seen", torch.zeros(num + 1, dtype=torch.bool))

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings (…, dim) of ids (…,) int64."""
        embeddings: Tensor = self.table(ids)
        return embeddings

    def dropped(self, ids: Tensor) -> Tensor:
        """In training: ids (…,) with a share replaced by unknown; what is left counts as seen.

        Else: ids of which those beyond the table are unknown.
        """
        if not self.training:
            return self.clipped(ids)
        if self.dropout > 0:
            hidden = torch.rand(ids.shape, device=ids.device) < self.dropout
            ids = ids.masked_fill(hidden, self.num)
        self.seen[ids] = True
        return ids

    def clipped(self, ids: Tensor) -> Tensor:
        """Ids (…,) of which those beyond the table are unknown: they came up after training."""
        return torch.clamp(ids, max=self.num)

    @torch.no_grad()
    def finish(self) -> None:
        """Give the rows that no example has touched the unknown row's values."""
        self.table.weight[~self.seen] = self.table.weight[-1].clone()


def finish(network: nn.Module) -> None:
    """Finish all tables of a network after its last epoch."""
    for module in network.modules():
        if isinstance(module, Ids):
            module.finish()
