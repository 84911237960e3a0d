"""Two towers: a vector for the user, a vector for the item, and their product as the score."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from tastemill.deep.ids import Ids
from tastemill.deep.perceptron import layers


@dataclass(frozen=True)
class TwoTowerConfig:
    """The numbers that make a `TwoTower`.

    Attributes:
        num_users: Rows of the user index; num_users means unknown.
        num_items: The same for items.
        user_dim: Length of the user profile vector (Pu), 0 for none.
        item_dim: Length of the item profile vector (Pi), 0 for none.
        embedding_dim: Length of each id's embedding, and d, that of both towers' vectors.
        hidden: Widths of the hidden layers of each tower.
        id_dropout: Share of ids replaced by unknown in training, each side by itself.
        temperature: Scores are cosines divided by it.
        sparse: Whether the tables of ids have sparse gradients.
    """

    num_users: int
    num_items: int
    user_dim: int
    item_dim: int
    embedding_dim: int = 32
    hidden: tuple[int, ...] = (64,)
    id_dropout: float = 0.05
    temperature: float = 0.1
    sparse: bool = False


class Tower(nn.Module):
    """Ids and profile vectors of one side as vectors of length 1.

    Args:
        num: Ids of the side.
        width: Length of its profile vector (P).
        config: Of both towers.
    """

    def __init__(self, num: int, width: int, config: TwoTowerConfig) -> None:
        super().__init__()
        dim = config.embedding_dim
        self.ids = Ids(num, dim, config.id_dropout, sparse=config.sparse)
        widths = (dim + width, *config.hidden)
        self.layers = nn.Sequential(layers(*widths), nn.Linear(widths[-1], dim))

    def forward(self, ids: Tensor, vector: Tensor) -> Tensor:
        """Vectors (B, d) of ids (B,) and profile vectors (B, P).

        Who is unknown has no profile either: with a dropped id the vector is zeros.
        """
        ids = self.ids.dropped(self.ids.clipped(ids))
        if self.training:
            vector = vector.masked_fill((ids == self.ids.num)[:, None], 0.0)
        return nnf.normalize(self.layers(torch.cat((self.ids(ids), vector), dim=1)), dim=1)


class TwoTower(nn.Module):
    """Cosine of a user's and an item's vector, by a temperature.

    Source: Yi et al., Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations (RecSys 2019).
    """

    inputs: ClassVar[tuple[str, ...]] = ("user_idx", "item_idx", "user_vector", "item_vector")

    def __init__(self, config: TwoTowerConfig) -> None:
        super().__init__()
        self.config = config
        self.user_tower = Tower(config.num_users, config.user_dim, config)
        self.item_tower = Tower(config.num_items, config.item_dim, config)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: user_idx (B,) int64, item_idx (B,) int64, user_vector (B, Pu) float32,
                item_vector (B, Pi) float32; other keys are ignored.
        """
        return (self.user_vectors(batch) * self.item_vectors(batch)).sum(dim=1)

    def user_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, d), whose products with those of items are the scores.

        Args:
            batch: user_idx (B,) and user_vector (B, Pu).
        """
        vectors: Tensor = self.user_tower(batch["user_idx"], batch["user_vector"])
        return vectors / self.config.temperature

    def item_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, d) of item_idx (B,) and item_vector (B, Pi)."""
        vectors: Tensor = self.item_tower(batch["item_idx"], batch["item_vector"])
        return vectors

    def embeddings(self) -> dict[str, nn.Embedding]:
        """The table of each side's ids, a row for each idx, by the column of a batch."""
        return {"user_idx": self.user_tower.ids.table, "item_idx": self.item_tower.ids.table}

    @torch.no_grad()
    def score_all(self, users: dict[str, Tensor], items: dict[str, Tensor]) -> Tensor:
        """Scores (B, M) of every user with every item, equal to `forward` pair by pair.

        Args:
            users: user_idx (B,) and user_vector (B, Pu).
            items: item_idx (M,) and item_vector (M, Pi).
        """
        return self.user_vectors(users) @ self.item_vectors(items).T
