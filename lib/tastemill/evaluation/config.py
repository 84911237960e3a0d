"""Settings of evaluate."""

from pydantic import Field

from tastemill.config import Section


class EvaluationConfig(Section):
    """What is measured."""

    ks: tuple[int, ...] = Field((10, 20), min_length=1, description="Lengths of list judged.")
    num_replicates: int = Field(200, ge=1, description="Bootstrap replicates of the intervals.")
    seed: int = Field(1, description="Seed of the bootstrap.")
