"""Settings of rankers."""

from typing import Literal

from pydantic import Field

from tastemill.config import Section


class RankerConfig(Section):
    """A linear model over the features of a pool, each cut into its bins."""

    enabled: bool = Field(False, description="Whether the line builds features and fits it.")
    pool: str = Field("kept", description="Which features it learns from: [features.pools.NAME].")
    bins: Literal["edges", "cuts"] = Field(
        "edges",
        description="Numbers are cut where they were counted, or only where the label changes "
        "(supervised, by entropy: MDLP).",
    )
    reg: float = Field(1e-4, ge=0, description="L2 regularization.")
    max_iter: int = Field(50, ge=1, description="Iterations at most.")
