"""Sequence networks: what a user took so far, in order, to what comes next.

Sources: SASRec (Kang and McAuley, ICDM 2018); eSASRec (Tikhonovich et al., RecSys 2025); HSTU (Zhai
et al., ICML 2024). They differ in their blocks, and share embeddings, positions and output.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from tastemill.deep.blocks import BLOCKS
from tastemill.deep.packing import Packing

STD = 0.02


@dataclass(frozen=True)
class SASRecConfig:
    """The numbers that make a `SequenceNetwork`.

    Attributes:
        num_items: Rows of the item index; ids are 0 … num_items - 1, num_items is padding.
        max_length: L, the longest history.
        embedding_dim: d, length of an item's embedding and of a state.
        num_blocks: Blocks, one after another.
        num_heads: Heads of each, which divide d.
        dropout: Share of numbers dropped in training.
        block: A key of `BLOCKS`.
        temperature: Scores are cosines divided by it; 0 for plain products.
    """

    num_items: int
    max_length: int = 200
    embedding_dim: int = 64
    num_blocks: int = 2
    num_heads: int = 1
    dropout: float = 0.1
    block: str = "transformer"
    temperature: float = 0.0


@dataclass(frozen=True)
class ESASRecConfig(SASRecConfig):
    """With gated blocks."""

    block: str = "gated"


@dataclass(frozen=True)
class HSTUConfig(SASRecConfig):
    """With HSTU's blocks, and scores as its authors have them."""

    block: str = "hstu"
    temperature: float = 0.05


class SequenceNetwork(nn.Module):
    """Product of the state after a history and an item's embedding.

    Histories begin at position 0 and are padded at their ends. Positions are counted from the
    newest item: the same for long and short histories, wherever an old one is cut off.
    """

    inputs: ClassVar[tuple[str, ...]] = ("history",)

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        self.config, dim = config, config.embedding_dim
        self.items = nn.Embedding(config.num_items + 1, dim, padding_idx=config.num_items)
        self.positions = nn.Embedding(config.max_length, dim)
        for table in (self.items, self.positions):
            nn.init.normal_(table.weight, std=STD)
        with torch.no_grad():  # never trained: nothing, rather than something at random
            self.items.weight[config.num_items] = 0.0
        block = BLOCKS[config.block]
        parts = (config.num_heads, config.dropout, config.max_length)
        self.blocks = nn.ModuleList(block(dim, *parts) for _ in range(config.num_blocks))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: history (B, L) int64 and item_idx (B,) int64; other keys are ignored.
        """
        return (self.user_vectors(batch) * self.item_vectors(batch)).sum(dim=1)

    def states(self, history: Tensor, known: Tensor) -> Tensor:
        """(N, d): at each position, what comes after the items up to it.

        Args:
            history: (B, L) int64.
            known: (B, L), which positions to look at: the first ones of each row, N in all. States
                of a row follow one another.
        """
        places = torch.arange(history.shape[1], device=history.device)
        from_newest = known.sum(dim=1, keepdim=True) - 1 - places
        packing = Packing.of(known)
        x = self.items(packing.packed(history).clamp(max=self.config.num_items))
        x = self.dropout(x + self.positions(packing.packed(from_newest)))
        for block in self.blocks:
            x = block(x, packing)
        return self.scaled(self.norm(x))

    def user_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, d): the state after each whole history; of an empty one, after nothing.

        Items that came up after training are passed over.

        Args:
            batch: history (B, L) int64, padded at the end.
        """
        history = batch["history"]
        strange = (history >= self.config.num_items).to(torch.uint8)
        history = history.gather(1, strange.argsort(dim=1, stable=True))
        known = history < self.config.num_items
        known = torch.cat((torch.ones_like(known[:, :1]), known[:, 1:]), dim=1)
        return self.states(history, known)[known.sum(dim=1).cumsum(dim=0) - 1]

    def item_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, d) of item_idx (B,)."""
        return self.of_items(self.items(batch["item_idx"].clamp(max=self.config.num_items)))

    def all_item_vectors(self) -> Tensor:
        """Vectors (num_items, d)."""
        return self.of_items(self.items.weight[:-1])

    def embeddings(self) -> dict[str, nn.Embedding]:
        """The table of each side's ids, a row for each idx, by the column of a batch."""
        return {"item_idx": self.items}

    @torch.no_grad()
    def score_all(self, users: dict[str, Tensor], items: dict[str, Tensor]) -> Tensor:
        """Scores (B, M) of every user with every item, equal to `forward` pair by pair.

        Args:
            users: history (B, L).
            items: item_idx (M,).
        """
        return self.user_vectors(users) @ self.item_vectors(items).T

    def scaled(self, states: Tensor) -> Tensor:
        """States (…, d) as they are multiplied with items."""
        if self.config.temperature <= 0:
            return states
        return nnf.normalize(states, dim=-1) / self.config.temperature

    def of_items(self, embeddings: Tensor) -> Tensor:
        """Embeddings (…, d) as they are multiplied with states."""
        return nnf.normalize(embeddings, dim=-1) if self.config.temperature > 0 else embeddings
