"""Features of an example as a network takes them: numbers on one scale, indices as embeddings."""

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from tastemill.deep.ids import STD

UNKNOWN = 1  # the index of what isn't in a vocabulary, as `features.categorical` has it
FAR = 5.0  # standard deviations; a number beyond counts as this


@dataclass(frozen=True)
class FeaturesConfig:
    """The features, and the numbers that every network over them has.

    Attributes:
        means: Of each number where it is known (Fn of them).
        deviations: Their standard deviations; 0 for a constant.
        sizes: How many indices each category has (Fc of them), 0 being missing, 1 unknown.
        embedding_dim: Length of each category's embedding.
        hidden: Widths of the hidden layers.
        output_bias: First value of the output's bias.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    sizes: tuple[int, ...]
    embedding_dim: int = 16
    hidden: tuple[int, ...] = (64, 32)
    output_bias: float = 0.0

    @property
    def num_numbers(self) -> int:
        """Fn, and as many marks of what is missing."""
        return len(self.means)

    @property
    def width(self) -> int:
        """Of `FeatureInput.flat`."""
        return 2 * self.num_numbers + len(self.sizes) * self.embedding_dim


class FeatureInput(nn.Module):
    """Numbers with mean 0 and deviation 1, missing ones 0 and marked; embeddings of categories."""

    mean: Tensor
    scale: Tensor
    starts: Tensor
    last: Tensor

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(config.means))
        scale = [1.0 / deviation if deviation > 0 else 0.0 for deviation in config.deviations]
        self.register_buffer("scale", torch.tensor(scale))
        starts = list(accumulate(config.sizes, initial=0))
        self.register_buffer("starts", torch.tensor(starts[:-1], dtype=torch.int64))
        self.register_buffer("last", torch.tensor(config.sizes, dtype=torch.int64) - 1)
        self.table = nn.Embedding(max(1, starts[-1]), config.embedding_dim)
        nn.init.normal_(self.table.weight, std=STD)

    def numbers(self, numeric: Tensor) -> Tensor:
        """(B, 2 Fn) of numeric (B, Fn), NaN or infinite where it is missing."""
        known = torch.isfinite(numeric)
        scaled = (torch.nan_to_num(numeric, 0.0, 0.0, 0.0) - self.mean) * self.scale
        scaled = torch.where(known, scaled.clamp(-FAR, FAR), torch.zeros_like(scaled))
        return torch.cat((scaled, known.logical_not().to(scaled.dtype)), dim=1)

    def places(self, categorical: Tensor) -> Tensor:
        """(B, Fc): rows of one table over all categories; late indices are unknown ones."""
        within = torch.where(categorical > self.last, UNKNOWN, categorical)
        return within + self.starts

    def embedded(self, categorical: Tensor) -> Tensor:
        """(B, Fc, d) of categorical (B, Fc)."""
        embeddings: Tensor = self.table(self.places(categorical))
        return embeddings

    def flat(self, batch: dict[str, Tensor]) -> Tensor:
        """(B, width): all numbers, then all embeddings."""
        embedded = self.embedded(batch["categorical"]).flatten(1)
        return torch.cat((self.numbers(batch["numeric"]), embedded), dim=1)
