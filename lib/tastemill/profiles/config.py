"""Settings of profiles."""

from pydantic import Field

from tastemill.config import Section


class ProfilesConfig(Section):
    """What a profile is made of."""

    num_categories: int = Field(
        64, ge=2, description="Length of the interest vector: most frequent categories, and other."
    )
    half_life_days: float = Field(
        90.0, gt=0, description="Days after which an event weighs half in the interest vector."
    )
    prior_events: float = Field(
        10.0, ge=0, description="Events at the overall mean added before a mean value is taken."
    )
    session_gap_minutes: float = Field(30.0, gt=0, description="A longer gap starts a session.")
