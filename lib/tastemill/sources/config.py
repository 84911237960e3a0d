"""Settings of ingest."""

from pydantic import Field

from tastemill.config import Section


class IngestConfig(Section):
    """How raw files become events, users and items."""

    max_quarantine_share: float = Field(
        0.5, ge=0, le=1, description="Ingest fails, writing nothing, when more rows are rejected."
    )
