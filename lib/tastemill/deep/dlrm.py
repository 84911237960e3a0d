"""DLRM: products of all pairs of embeddings, the numbers being one of them.

Source: Naumov et al., Deep Learning Recommendation Model for Personalization and Recommendation
Systems (2019).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from tastemill.deep.feature_input import FeatureInput, FeaturesConfig
from tastemill.deep.perceptron import layers


class DLRM(nn.Module):
    """Layers over the numbers, products of pairs, layers over these."""

    inputs: ClassVar[tuple[str, ...]] = ("numeric", "categorical")
    upper: Tensor

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.config, dim = config, config.embedding_dim
        self.input = FeatureInput(config)
        self.bottom = layers(2 * config.num_numbers, *config.hidden, dim)
        vectors = 1 + len(config.sizes)
        pairs = torch.triu_indices(vectors, vectors, offset=1)
        self.register_buffer("upper", pairs[0] * vectors + pairs[1], persistent=False)
        widths = (dim + pairs.shape[1], *config.hidden)
        self.top = nn.Sequential(layers(*widths), nn.Linear(widths[-1], 1))
        output = self.top[-1]
        assert isinstance(output, nn.Linear)
        nn.init.constant_(output.bias, config.output_bias)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: numeric (B, Fn) float32, categorical (B, Fc) int64; other keys are ignored.
        """
        numbers = self.bottom(self.input.numbers(batch["numeric"]))
        vectors = torch.cat((numbers[:, None], self.input.embedded(batch["categorical"])), dim=1)
        products = torch.bmm(vectors, vectors.transpose(1, 2)).flatten(1)[:, self.upper]
        scores: Tensor = self.top(torch.cat((numbers, products), dim=1))
        return scores.squeeze(-1)
