"""Settings of features."""

from pydantic import Field

from tastemill.config import Section
from tastemill.features.selection import SelectionConfig


class FeaturesConfig(Section):
    """What is worked out of behaviour, and how it is judged."""

    windows_days: tuple[int, ...] = Field(
        (1, 7, 30, 90), min_length=1, description="Lengths of the windows that end at each row."
    )
    item_attributes: tuple[str, ...] = Field(
        (), description="Of items.attributes: which are features, beside category and price."
    )
    user_attributes: tuple[str, ...] = Field(
        (), description="Of users.attributes: which are features, beside age, gender, occupation."
    )
    prior_events: float = Field(
        10.0, gt=0, description="Events at the mean that are added before a share or mean is taken."
    )
    max_values: int = Field(
        1_000, ge=1, description="Values of a categorical feature that are told apart."
    )
    num_bins: int = Field(
        32, ge=2, le=256, description="Bins of equal size in which numbers are judged."
    )
    sample_rows: int = Field(
        50_000, ge=1_000, description="Rows, drawn by a hash, that edges and quantiles come from."
    )
    seed: int = Field(1, ge=0, description="Of that draw.")
    selection: SelectionConfig = SelectionConfig()
