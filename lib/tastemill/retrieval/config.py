"""Settings of recommend."""

from typing import Literal

from pydantic import Field

from tastemill.config import Section


class RecommendConfig(Section):
    """Which model is shown, where, and how long its lists are."""

    model: str = Field(
        "als",
        description="Kind of the model that production publishes. Where `deep.model` is given and "
        "this is not, that network.",
    )
    surface: str = Field("home", description="Where the lists are shown.")
    seen: Literal["any", "taken"] = Field(
        "any", description="What lists leave out: whatever the user met, or only what was taken."
    )
    candidates: str = Field(
        "",
        description="CSV of user_id and item_id, with a header: in a backtest lists are chosen "
        "among these alone, for these users alone, whatever they met. For published protocols.",
    )
    top_k: int = Field(100, ge=1, description="Length of a list.")
