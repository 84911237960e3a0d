"""Neural collaborative filtering: GMF, MLP, and NeuMF, which is both of them side by side.

Source: He et al., Neural Collaborative Filtering (WWW 2017).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tastemill.deep.ids import Ids
from tastemill.deep.perceptron import PairPerceptron


@dataclass(frozen=True)
class NeuMFConfig:
    """The numbers that make a `NeuralCF`.

    Attributes:
        num_users: Rows of the user index; num_users means unknown.
        num_items: The same for items.
        embedding_dim: Length of each id's embedding, in each of the two parts.
        product: Whether there is the part of products (GMF).
        hidden: Widths of the hidden layers of the part of layers (MLP); none for no such part.
        id_dropout: Share of ids replaced by unknown in training, each side by itself.
        output_bias: First value of the output's bias.
        sparse: Whether the tables of ids have sparse gradients.
    """

    num_users: int
    num_items: int
    embedding_dim: int = 32
    product: bool = True
    hidden: tuple[int, ...] = (64, 32, 16)
    id_dropout: float = 0.0
    output_bias: float = 0.0
    sparse: bool = False


@dataclass(frozen=True)
class GMFConfig(NeuMFConfig):
    """Generalized matrix factorization: the part of products alone."""

    hidden: tuple[int, ...] = ()


@dataclass(frozen=True)
class MLPConfig(NeuMFConfig):
    """The part of layers alone."""

    product: bool = False


class NeuralCF(nn.Module):
    """Score of a user and an item from their ids.

    The sum of w · (p_u ⊙ q_i) and of a perceptron over (p'_u, q'_i): the same function as one
    output layer over both parts. Each side's two embeddings lie side by side in one table.
    """

    inputs: ClassVar[tuple[str, ...]] = ("user_idx", "item_idx")

    def __init__(self, config: NeuMFConfig) -> None:
        super().__init__()
        self.config, dim = config, config.embedding_dim
        if not (config.product or config.hidden):
            raise ValueError("a part of products, a part of layers, or both")
        parts = int(config.product) + bool(config.hidden)
        width, dropout = parts * dim, config.id_dropout
        self.users = Ids(config.num_users, width, dropout, sparse=config.sparse)
        self.items = Ids(config.num_items, width, dropout, sparse=config.sparse)
        if config.product:
            self.weights = nn.Linear(dim, 1, bias=not config.hidden)
            # Ones, as in plain matrix factorization: small weights on small products learn nothing.
            nn.init.ones_(self.weights.weight)
            if not config.hidden:
                nn.init.constant_(self.weights.bias, config.output_bias)
        if config.hidden:
            self.perceptron = PairPerceptron(dim, dim, config.hidden, config.output_bias)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: user_idx (B,) int64 and item_idx (B,) int64; other keys are ignored.
        """
        users = self.users(self.users.dropped(batch["user_idx"]))
        items = self.items(self.items.dropped(batch["item_idx"]))
        parts = []
        if self.config.product:
            p, q = self._product_part(users), self._product_part(items)
            parts.append(self.weights(p * q).squeeze(-1))
        if self.config.hidden:
            parts.append(self.perceptron(self._layer_part(users), self._layer_part(items)))
        return torch.stack(parts).sum(dim=0)

    def user_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Of GMF alone: vectors (B, d + 1) of user_idx (B,); times those of items, the scores."""
        users = self.users(self.users.clipped(batch["user_idx"]))
        bias = self.weights.bias.expand(len(users), 1)
        return torch.cat((users * self.weights.weight, bias), dim=1)

    def item_vectors(self, batch: dict[str, Tensor]) -> Tensor:
        """Of GMF alone: vectors (B, d + 1) of item_idx (B,)."""
        items = self.items(self.items.clipped(batch["item_idx"]))
        return torch.cat((items, items.new_ones(len(items), 1)), dim=1)

    def embeddings(self) -> dict[str, nn.Embedding]:
        """The table of each side's ids, a row for each idx, by the column of a batch."""
        return {"user_idx": self.users.table, "item_idx": self.items.table}

    @torch.no_grad()
    def score_all(self, users: dict[str, Tensor], items: dict[str, Tensor]) -> Tensor:
        """Scores (B, M) of every user with every item, equal to `forward` pair by pair.

        Args:
            users: user_idx (B,); an idx beyond the table is unknown.
            items: item_idx (M,).
        """
        left = self.users(self.users.clipped(users["user_idx"]))
        right = self.items(self.items.clipped(items["item_idx"]))
        scores: Tensor = left.new_zeros(len(left), len(right))
        if self.config.hidden:
            scores = self.perceptron.of_all(self._layer_part(left), self._layer_part(right))
        if self.config.product:
            weighted = self._product_part(left) * self.weights.weight
            scores += weighted @ self._product_part(right).T
            if self.weights.bias is not None:
                scores += self.weights.bias
        return scores

    @torch.no_grad()
    def start_from(self, gmf: "NeuralCF", mlp: "NeuralCF", share: float = 0.5) -> None:
        """Take the weights of trained parts, the outputs in the shares α and 1 - α.

        Args:
            gmf: Of a `GMFConfig` of the same sizes.
            mlp: Of an `MLPConfig` of the same sizes.
            share: α, of the part of products.
        """
        for own, product, layers in zip(
            (self.users, self.items), (gmf.users, gmf.items), (mlp.users, mlp.items), strict=True
        ):
            own.table.weight.copy_(torch.cat((product.table.weight, layers.table.weight), dim=1))
        self.perceptron.load_state_dict(mlp.perceptron.state_dict())
        self.weights.weight.copy_(share * gmf.weights.weight)
        output, bias = self.perceptron.output, (1 - share) * mlp.perceptron.output.bias
        output.weight.mul_(1 - share)
        output.bias.copy_(bias + share * gmf.weights.bias)

    def _product_part(self, embeddings: Tensor) -> Tensor:
        return embeddings[:, : self.config.embedding_dim]

    def _layer_part(self, embeddings: Tensor) -> Tensor:
        return embeddings[:, -self.config.embedding_dim :]
