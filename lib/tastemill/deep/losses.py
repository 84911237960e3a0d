"""Weighted losses, as sums: whoever knows the weight of all ranks divides."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as nnf

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def squared_error_sum(scores: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Sum of weight × (score - label)²; scores, label, weight (B,), result ()."""
    return torch.sum(weight * (scores - label) ** 2)


def log_loss_sum(scores: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Sum of weight × cross entropy in nats; scores (B,) are log-odds, label (B,) in [0, 1]."""
    return nnf.binary_cross_entropy_with_logits(scores, label, weight=weight, reduction="sum")


LOSSES: dict[str, Loss] = {"mse": squared_error_sum, "bce": log_loss_sum}
