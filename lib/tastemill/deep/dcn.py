"""DCN-v2: layers that multiply features with each other, beside layers that don't.

Source: Wang et al., DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale
Learning to Rank Systems (WWW 2021).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tastemill.deep.feature_input import FeatureInput, FeaturesConfig
from tastemill.deep.perceptron import layers


@dataclass(frozen=True)
class DCNConfig(FeaturesConfig):
    """The numbers that make a `DCN`.

    Attributes:
        num_crosses: Cross layers; n of them make products of n + 1 features.
        rank: Of each cross layer's matrix; 0 for a full one.
    """

    num_crosses: int = 2
    rank: int = 0


class Cross(nn.Module):
    """x₀ ⊙ (W x + b) + x, with W whole or of low rank (equations 1 and 2 of the paper)."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Linear(width, rank, bias=False)] if rank else []
        self.linear = nn.Sequential(*parts, nn.Linear(rank or width, width))

    def forward(self, first: Tensor, x: Tensor) -> Tensor:
        """(B, width) of x₀ (B, width) and x (B, width)."""
        crossed: Tensor = first * self.linear(x) + x
        return crossed


class DCN(nn.Module):
    """One output over cross layers and hidden layers, which both begin with all features."""

    inputs: ClassVar[tuple[str, ...]] = ("numeric", "categorical")

    def __init__(self, config: DCNConfig) -> None:
        super().__init__()
        self.config = config
        self.input = FeatureInput(config)
        crosses = [Cross(config.width, config.rank) for _ in range(config.num_crosses)]
        self.crosses = nn.ModuleList(crosses)
        self.deep = layers(config.width, *config.hidden)
        deep_width = config.hidden[-1] if config.hidden else config.width
        self.output = nn.Linear(config.width + deep_width, 1)
        nn.init.constant_(self.output.bias, config.output_bias)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: numeric (B, Fn) float32, categorical (B, Fc) int64; other keys are ignored.
        """
        first = crossed = self.input.flat(batch)
        for cross in self.crosses:
            crossed = cross(first, crossed)
        scores: Tensor = self.output(torch.cat((crossed, self.deep(first)), dim=1))
        return scores.squeeze(-1)
