"""Wide & Deep: a weight for each value, beside layers over all of them.

Source: Cheng et al., Wide & Deep Learning for Recommender Systems (DLRS 2016).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from tastemill.deep.feature_input import FeatureInput, FeaturesConfig
from tastemill.deep.perceptron import layers


class WideDeep(nn.Module):
    """Sum of a linear model over numbers, categories and crosses, and of a perceptron.

    Crosses are features like others: `build_features` declares and finds them.
    """

    inputs: ClassVar[tuple[str, ...]] = ("numeric", "categorical")

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.config = config
        self.input = FeatureInput(config)
        self.wide_values = nn.Embedding(max(1, sum(config.sizes)), 1)
        nn.init.zeros_(self.wide_values.weight)
        self.wide_numbers = nn.Linear(2 * config.num_numbers, 1)
        nn.init.constant_(self.wide_numbers.bias, config.output_bias)
        widths = (config.width, *config.hidden)
        self.deep = nn.Sequential(layers(*widths), nn.Linear(widths[-1], 1, bias=False))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (B,).

        Args:
            batch: numeric (B, Fn) float32, categorical (B, Fc) int64; other keys are ignored.
        """
        numbers = self.input.numbers(batch["numeric"])
        places = self.input.places(batch["categorical"])
        wide = self.wide_numbers(numbers).squeeze(-1) + self.wide_values(places).sum(dim=(1, 2))
        embedded = self.input.table(places).flatten(1)
        scores: Tensor = wide + self.deep(torch.cat((numbers, embedded), dim=1)).squeeze(-1)
        return scores
