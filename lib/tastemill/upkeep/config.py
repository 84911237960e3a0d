"""Settings of maintain_tables."""

from pydantic import Field

from tastemill.config import Section
from tastemill.contracts import RETENTION_DAYS


class MaintainConfig(Section):
    """What is kept, and for how long."""

    retention_days: float = Field(
        RETENTION_DAYS,
        ge=7,
        description="Versions and weights are kept so long: as far back goes run --repro.",
    )
    scratch_days: float = Field(
        1.0, ge=0, description="Feeds, checkpoints and scratch folders are kept so long."
    )
    max_file_mib: float = Field(
        32.0,
        gt=0,
        description="Compacted files are no larger than about this: a MERGE rewrites whole files.",
    )
