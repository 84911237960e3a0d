"""Settings of rankers."""

from typing import Literal

from pydantic import Field

from tastemill.config import Section
from tastemill.training.config import FeatureNetwork


class RankerConfig(Section):
    """Models over the features of a pool: a linear one over their bins, and networks."""

    enabled: bool = Field(False, description="Whether the line builds features and fits it.")
    models: tuple[Literal["linear"] | FeatureNetwork, ...] = Field(
        ("linear",),
        min_length=1,
        description="Which are fitted. Networks are trained as [deep] says, and "
        "`deep.by_model.dcn` and the like.",
    )
    pool: str = Field("kept", description="Which features it learns from: [features.pools.NAME].")
    bins: Literal["edges", "cuts"] = Field(
        "edges",
        description="linear: numbers are cut where they were counted, or only where the label "
        "changes (supervised, by entropy: MDLP).",
    )
    reg: float = Field(1e-4, ge=0, description="linear: L2 regularization.")
    max_iter: int = Field(50, ge=1, description="linear: iterations at most.")
