"""Deep matrix factorization: towers over what a user took and over who took an item."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from tastemill.deep.perceptron import layers


@dataclass(frozen=True)
class DeepMFConfig:
    """The numbers that make a `DeepMF`.

    Attributes:
        num_users: Rows of the user index; num_users means unknown.
        num_items: The same for items.
        embedding_dim: d, length of both towers' vectors.
        hidden: Widths of the hidden layers of each tower.
        max_length: L, how many of a user's items, and of an item's users, a tower sees.
        temperature: Scores are cosines divided by it.
    """

    num_users: int
    num_items: int
    embedding_dim: int = 32
    hidden: tuple[int, ...] = (64,)
    max_length: int = 100
    temperature: float = 0.1


class RowTower(nn.Module):
    """Rows of the matrix of users and items as vectors of length 1.

    Args:
        num: Ids of the side whose rows these are.
        others: Ids of the other side; that number fills up rows.
        config: Of both towers.
    """

    rows: Tensor

    def __init__(self, num: int, others: int, config: DeepMFConfig) -> None:
        super().__init__()
        self.num, self.others = num, others
        # The last row, of whoever is unknown, stays empty.
        empty = torch.full((num + 1, config.max_length), others, dtype=torch.int32)
        self.register_buffer("rows", empty)
        # A layer over a row of zeros and ones is the sum of its weights where there are ones.
        self.first = nn.EmbeddingBag(others + 1, config.hidden[0], mode="sum", padding_idx=others)
        nn.init.normal_(self.first.weight, std=0.1)
        self.rest = nn.Sequential(
            nn.ReLU(), layers(*config.hidden), nn.Linear(config.hidden[-1], config.embedding_dim)
        )

    def forward(self, ids: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Vectors (B, d) of ids (B,), without the entries hidden (B,) of their rows."""
        rows = self.rows[ids.clamp(max=self.num)].long()
        if hidden is not None:
            rows = rows.masked_fill(rows == hidden[:, None], self.others)
        known = (rows < self.others).sum(dim=1, keepdim=True).clamp(min=1)
        return nnf.normalize(self.rest(self.first(rows) / known.sqrt()), dim=1)


class DeepMF(nn.Module):
    """Cosine of a user's and an item's vector, by a temperature.

    What is to be told isn't shown: in training a pair is hidden in both rows.

    Source: Xue et al., Deep Matrix Factorization Models for Recommender Systems (IJCAI 2017); the
    rows hold what was taken last, as ones.
    """

    inputs: ClassVar[tuple[str, ...]] = ("user_idx", "item_idx")

    def __init__(self, config: DeepMFConfig) -> None:
        super().__init__()
        self.config = config
        self.user_tower = RowTower(config.num_users, config.num_items, config)
        self.item_tower = RowTower(config.num_items, config.num_users, config)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: user_idx (B,) int64 and item_idx (B,) int64; other keys are ignored.
        """
        users, items = batch["user_idx"], batch["item_idx"]
        hidden = (items, users) if self.training else (None, None)
        left, right = self.user_tower(users, hidden[0]), self.item_tower(items, hidden[1])
        scores: Tensor = (left * right).sum(dim=1) / self.config.temperature
        return scores

    def user_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, d) of user_idx (B,), whose products with those of items are the scores."""
        vectors: Tensor = self.user_tower(batch["user_idx"])
        return vectors / self.config.temperature

    def item_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, d) of item_idx (B,)."""
        vectors: Tensor = self.item_tower(batch["item_idx"])
        return vectors

    def rows(self) -> dict[str, Tensor]:
        """Each side's rows, by the column of a batch; to be filled before training."""
        return {"user_idx": self.user_tower.rows, "item_idx": self.item_tower.rows}

    @torch.no_grad()
    def score_all(self, users: dict[str, Tensor], items: dict[str, Tensor]) -> Tensor:
        """Scores (B, M) of every user with every item, equal to `forward` pair by pair.

        Args:
            users: user_idx (B,).
            items: item_idx (M,).
        """
        return self.user_vectors(users) @ self.item_vectors(items).T
