"""Embedding + multilayer perceptron: ids and profile vectors of both sides to one score."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tastemill.deep.ids import Ids
from tastemill.deep.perceptron import PairPerceptron


@dataclass(frozen=True)
class EmbeddingMLPConfig:
    """The numbers that make an `EmbeddingMLP`.

    Attributes:
        num_users: Rows of the user index; ids are 0 … num_users - 1, num_users means unknown.
        num_items: The same for items.
        user_dim: Length of the user profile vector (Pu), 0 for none.
        item_dim: Length of the item profile vector (Pi), 0 for none.
        embedding_dim: Length of each id's embedding.
        hidden: Widths of the hidden layers; the output layer comes after them.
        id_dropout: Share of ids replaced by unknown in training, each side by itself.
        output_bias: First value of the output's bias, such as the mean label (mse).
        sparse: Whether the tables of ids have sparse gradients.
    """

    num_users: int
    num_items: int
    user_dim: int
    item_dim: int
    embedding_dim: int = 32
    hidden: tuple[int, ...] = (64, 32)
    id_dropout: float = 0.05
    output_bias: float = 0.0
    sparse: bool = False


class EmbeddingMLP(nn.Module):
    """Score of a user and an item from embeddings and profile vectors.

    Who is unknown has no profile either: with a dropped user id the user's vector is zeros.

    Source: He et al., Neural Collaborative Filtering (WWW 2017), the MLP part, with profile vectors
    beside the ids.
    """

    inputs: ClassVar[tuple[str, ...]] = ("user_idx", "item_idx", "user_vector", "item_vector")

    def __init__(self, config: EmbeddingMLPConfig) -> None:
        super().__init__()
        self.config, dim = config, config.embedding_dim
        self.users = Ids(config.num_users, dim, config.id_dropout, sparse=config.sparse)
        self.items = Ids(config.num_items, dim, config.id_dropout, sparse=config.sparse)
        self.perceptron = PairPerceptron(
            dim + config.user_dim, dim + config.item_dim, config.hidden, config.output_bias
        )

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: user_idx (B,) int64, item_idx (B,) int64, user_vector (B, Pu) float32,
                item_vector (B, Pi) float32; other keys are ignored.
        """
        users = self.users.dropped(batch["user_idx"])
        items = self.items.dropped(batch["item_idx"])
        user_vector = batch["user_vector"]
        if self.training:
            user_vector = user_vector.masked_fill((users == self.users.num)[:, None], 0.0)
        left = torch.cat((self.users(users), user_vector), dim=1)
        right = torch.cat((self.items(items), batch["item_vector"]), dim=1)
        scores: Tensor = self.perceptron(left, right)
        return scores

    def embeddings(self) -> dict[str, nn.Embedding]:
        """The table of each side's ids, a row for each idx, by the column of a batch."""
        return {"user_idx": self.users.table, "item_idx": self.items.table}

    @torch.no_grad()
    def score_all(self, users: dict[str, Tensor], items: dict[str, Tensor]) -> Tensor:
        """Scores (B, M) of every user with every item, equal to `forward` pair by pair.

        Args:
            users: user_idx (B,) and user_vector (B, Pu); an idx beyond the table is unknown.
            items: item_idx (M,) and item_vector (M, Pi).
        """
        left = self.users(self.users.clipped(users["user_idx"]))
        right = self.items(self.items.clipped(items["item_idx"]))
        return self.perceptron.of_all(
            torch.cat((left, users["user_vector"]), dim=1),
            torch.cat((right, items["item_vector"]), dim=1),
        )
