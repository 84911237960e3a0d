"""Embedding + multilayer perceptron: ids and profile vectors of both sides to one score."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

MAX_HIDDEN_FLOATS = {"cpu": 500_000, "cuda": 32_000_000}
"""Floats of the widest hidden tensor in `score_all`: 2 MB stay in a processor's cache."""


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
        output_bias: First value of the output's bias: mean label (mse) or its log-odds (bce).
    """

    num_users: int
    num_items: int
    user_dim: int
    item_dim: int
    embedding_dim: int = 32
    hidden: tuple[int, ...] = (64, 32)
    id_dropout: float = 0.05
    output_bias: float = 0.0


class EmbeddingMLP(nn.Module):
    """Score of a user and an item from embeddings and profile vectors.

    The last row of each embedding table stands for unknown. In training a share of the ids is
    replaced by it, with the user's vector set to zeros, so that it learns what to say of somebody
    never met; `finish_training` copies it into the rows no example has touched, and scoring needs
    no special case.

    Source: He et al., Neural Collaborative Filtering (2017), the MLP part, with profile vectors
    beside the ids; Volkovs et al., DropoutNet (2017), for the dropped ids.
    """

    seen_users: Tensor
    seen_items: Tensor

    def __init__(self, config: EmbeddingMLPConfig) -> None:
        super().__init__()
        self.config = config
        self.user_embedding = _table(config.num_users, config.embedding_dim)
        self.item_embedding = _table(config.num_items, config.embedding_dim)
        self.user_width = config.embedding_dim + config.user_dim
        widths = (self.user_width + config.embedding_dim + config.item_dim, *config.hidden, 1)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        nn.init.constant_(self._linear(-1).bias, config.output_bias)
        self.register_buffer("seen_users", torch.zeros(config.num_users + 1, dtype=torch.bool))
        self.register_buffer("seen_items", torch.zeros(config.num_items + 1, dtype=torch.bool))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: user_idx (B,) int64, item_idx (B,) int64, user_vector (B, Pu) float32,
                item_vector (B, Pi) float32; other keys are ignored.
        """
        users = self._drop(batch["user_idx"], self.config.num_users, self.seen_users)
        items = self._drop(batch["item_idx"], self.config.num_items, self.seen_items)
        user_vector = batch["user_vector"]
        if self.training:
            # Somebody never met has no history either, which is a vector of zeros.
            user_vector = user_vector.masked_fill((users == self.config.num_users)[:, None], 0.0)
        parts = (
            self.user_embedding(users),
            user_vector,
            self.item_embedding(items),
            batch["item_vector"],
        )
        return self._above(self._linear(0)(torch.cat(parts, dim=1)))

    @torch.no_grad()
    def adopt_unknown(self, seen_users: Tensor, seen_items: Tensor) -> None:
        """Copy the unknown row into every row not seen.

        Args:
            seen_users: (num_users + 1,) bool, true where training has moved the row.
            seen_items: (num_items + 1,) bool.
        """
        for table, seen in ((self.user_embedding, seen_users), (self.item_embedding, seen_items)):
            table.weight[~seen.to(table.weight.device)] = table.weight[-1].clone()

    def finish_training(self) -> None:
        """Give the rows that no example has touched the unknown row's values."""
        self.adopt_unknown(self.seen_users, self.seen_items)

    @torch.no_grad()
    def score_all(
        self,
        user_idx: Tensor,
        user_vector: Tensor,
        item_vectors: Tensor,
        items: Tensor | None = None,
    ) -> Tensor:
        """Scores (B, M) of M items for each user, equal to `forward` pair by pair.

        The first layer is linear, so its user half and item half are computed once per user and
        once per item, and only their sum is made per pair, in chunks of bounded memory.

        Args:
            user_idx: (B,) int64; num_users or more means unknown.
            user_vector: (B, Pu) float32.
            item_vectors: (M, Pi) float32, a row for each item.
            items: (M,) int64, their indices; all of the network's in order by default.
        """
        users = torch.clamp(user_idx, max=self.config.num_users)
        weight, bias = self._linear(0).weight, self._linear(0).bias
        user_side = torch.cat((self.user_embedding(users), user_vector), dim=1)
        embeddings = (
            self.item_embedding.weight[:-1] if items is None else self.item_embedding(items)
        )
        item_side = torch.cat((embeddings, item_vectors), dim=1)
        user_half = user_side @ weight[:, : self.user_width].T + bias
        item_half = item_side @ weight[:, self.user_width :].T
        scores = user_half.new_empty(len(user_half), len(item_half))
        floats = MAX_HIDDEN_FLOATS.get(scores.device.type, MAX_HIDDEN_FLOATS["cpu"])
        rows, columns = _chunk(len(item_half), max(1, floats // max(self.config.hidden)))
        for r in range(0, len(user_half), rows):
            for c in range(0, len(item_half), columns):
                pairs = user_half[r : r + rows, None] + item_half[None, c : c + columns]
                scores[r : r + rows, c : c + columns] = self._above(pairs)
        return scores

    def _above(self, first: Tensor) -> Tensor:
        """Scores (…,) from the first layer's values (…, hidden[0]) before their ReLU."""
        values = first
        for layer in list(self.layers)[1:]:
            values = layer(torch.relu(values))
        return values.squeeze(-1)

    def _drop(self, ids: Tensor, unknown: int, seen: Tensor) -> Tensor:
        """In training: ids with a share replaced by unknown; what is left is marked as seen."""
        if not self.training:
            return ids
        if self.config.id_dropout > 0:
            dropped = torch.rand(ids.shape, device=ids.device) < self.config.id_dropout
            ids = ids.masked_fill(dropped, unknown)
        seen[ids] = True
        return ids

    def _linear(self, position: int) -> nn.Linear:
        layer = self.layers[position]
        assert isinstance(layer, nn.Linear)
        return layer


def _table(rows: int, dim: int) -> nn.Embedding:
    """Embedding of rows + 1 (the last is unknown); small values keep the first scores near bias."""
    table = nn.Embedding(rows + 1, dim)
    nn.init.normal_(table.weight, std=0.05)
    return table


def _chunk(num_items: int, pairs: int) -> tuple[int, int]:
    """Users and items of one chunk of at most so many pairs."""
    columns = max(1, min(num_items, pairs))
    return max(1, pairs // columns), columns
