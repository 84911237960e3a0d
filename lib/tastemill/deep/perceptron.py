"""A multilayer perceptron over pairs: its first layer is worked out once for each side."""

from itertools import pairwise

import torch
from torch import Tensor, nn

MAX_HIDDEN_FLOATS = {"cpu": 500_000, "cuda": 32_000_000}
"""Floats of the widest hidden tensor in `of_all`: 2 MB stay in a processor's cache."""


def layers(*widths: int) -> nn.Sequential:
    """Linear layers with a ReLU after each."""
    parts = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(widths)]
    return nn.Sequential(*(part for pair in parts for part in pair))


class PairPerceptron(nn.Module):
    """One score from what is known of a user and of an item.

    Args:
        left: Width of the user's side.
        right: Width of the item's side.
        hidden: Widths of the hidden layers, at least one; the output layer comes after them.
        output_bias: First value of the output's bias.
    """

    def __init__(
        self, left: int, right: int, hidden: tuple[int, ...], output_bias: float = 0.0
    ) -> None:
        super().__init__()
        self.left, self.hidden = left, hidden
        self.first = nn.Linear(left + right, hidden[0])
        self.rest = layers(*hidden)
        self.output = nn.Linear(hidden[-1], 1)
        nn.init.constant_(self.output.bias, output_bias)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Scores (B,) of pairs side by side, left (B, L) and right (B, R)."""
        return self._above(self.first(torch.cat((left, right), dim=1)))

    @torch.no_grad()
    def of_all(self, left: Tensor, right: Tensor) -> Tensor:
        """Scores (B, M) of every left (B, L) with every right (M, R), equal to `forward`.

        The first layer is linear, so its two halves are computed once per user and once per item,
        and only their sum is made per pair, in chunks of bounded memory.
        """
        left_half = left @ self.first.weight[:, : self.left].T + self.first.bias
        right_half = right @ self.first.weight[:, self.left :].T
        scores = left_half.new_empty(len(left), len(right))
        floats = MAX_HIDDEN_FLOATS.get(scores.device.type, MAX_HIDDEN_FLOATS["cpu"])
        rows, columns = _chunk(len(right), max(1, floats // max(self.hidden)))
        for r in range(0, len(left), rows):
            for c in range(0, len(right), columns):
                pairs = left_half[r : r + rows, None] + right_half[None, c : c + columns]
                scores[r : r + rows, c : c + columns] = self._above(pairs)
        return scores

    def _above(self, first: Tensor) -> Tensor:
        """Scores (…,) from the first layer's values (…, hidden[0]) before their ReLU."""
        scores: Tensor = self.output(self.rest(torch.relu(first)))
        return scores.squeeze(-1)


def _chunk(num_items: int, pairs: int) -> tuple[int, int]:
    """Users and items of one chunk of at most so many pairs."""
    columns = max(1, min(num_items, pairs))
    return max(1, pairs // columns), columns
