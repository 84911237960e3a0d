"""Settings of features."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tastemill.config import Section

CATEGORICAL = {"item": ("category", "price_bucket"), "user": ("age", "gender", "occupation")}
NUMERIC = {"item": ("price", "age", "num_categories"), "user": ()}
TIME = ("hour", "weekday")
Binning = Literal["size", "width"]
Pooling = Literal["mean", "max"]


class SelectionConfig(Section):
    """Which features are kept."""

    max_missing: float = Field(
        0.95, ge=0, le=1, description="Largest share of rows in which a feature may be missing."
    )
    max_same: float = Field(
        0.9999, gt=0, le=1, description="Largest share of rows that may lie in one bin."
    )
    max_told: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Share of the label's entropy above which a feature is taken for a leak.",
    )
    alpha: float = Field(
        0.01, gt=0, lt=1, description="False discovery rate of the chi-square tests."
    )
    min_information: float = Field(
        1e-4, ge=0, description="Smallest share of the label's entropy that a feature has to tell."
    )
    max_correlation: float = Field(
        0.98, gt=0, le=1, description="Largest correlation with a kept feature that tells more."
    )


class CrossConfig(Section):
    """A combination of categorical features that is a feature of its own."""

    of: tuple[str, ...] = Field(
        min_length=2, description='Features: ["user_age", "item_category"].'
    )
    buckets: int = Field(
        0,
        ge=0,
        le=1 << 20,
        description="Buckets into which combinations are hashed; 0: they have a vocabulary.",
    )


class PoolConfig(Section):
    """A named set of features."""

    include: tuple[str, ...] = Field(
        ("*",), min_length=1, description='Names or patterns: ["item_*", "user_age"].'
    )
    exclude: tuple[str, ...] = Field((), description="Names or patterns of those that stay out.")
    only_kept: bool = Field(True, description="Whether only kept features are in it.")


class FeaturesConfig(Section):
    """What is worked out of behaviour, and how it is judged."""

    enabled: bool = Field(False, description="Whether the line builds features.")
    windows_days: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 7, 30, 90), min_length=1, description="Lengths of the windows that end at each row."
    )
    item_attributes: tuple[str, ...] = Field(
        (), description="Of items.attributes: which are features, beside category and price."
    )
    user_attributes: tuple[str, ...] = Field(
        (), description="Of users.attributes: which are features, beside age, gender, occupation."
    )
    log: tuple[str, ...] = Field(
        (), description='Names or patterns of numbers of which ln(1 + x) is taken: ["*_count_*"].'
    )
    clip: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description='Least and greatest value by name or pattern: { "item_price" = [0, 500] }; the '
        "first that fits counts.",
    )
    encode: tuple[str, ...] = Field(
        (),
        description="Categorical features that are numbers too: mean label, and how often met.",
    )
    recent_items: int = Field(
        20, ge=0, le=1_000, description="Of what a user took last, items that are looked at."
    )
    text_buckets: int = Field(
        128, ge=0, le=4_096, description="Length of items' text vectors; 0: texts are passed over."
    )
    pooled: tuple[Pooling, ...] = Field(
        (), description="Of the vectors of recent items, what is kept: mean, max."
    )
    crosses: tuple[CrossConfig, ...] = Field(
        (), description="Combinations of categorical features: [[features.crosses]]."
    )
    search_crosses: int = Field(
        0,
        ge=0,
        description="Pairs of a user's and an item's to look for; not for ratings.",
    )
    prior_events: float = Field(
        10.0, gt=0, description="Events added to a past before a share of it is taken."
    )
    max_types: int = Field(
        12, ge=1, description="Types of events that are told apart, the most frequent ones."
    )
    max_values: int = Field(
        1_000, ge=1, description="Values of a categorical feature that are told apart."
    )
    min_rows: int = Field(
        5, ge=1, description="Events that a value has to be met in to be told apart from others."
    )
    num_bins: int = Field(32, ge=2, le=256, description="Bins at most in which numbers are judged.")
    binning: Binning = Field(
        "size", description="Bins hold as many rows each, or (width) are as wide as each other."
    )
    sample_rows: int = Field(
        50_000, ge=1_000, description="Rows, drawn by a hash, that edges and quantiles come from."
    )
    seed: int = Field(1, ge=0, description="Of that draw.")
    selection: SelectionConfig = SelectionConfig()
    pools: dict[str, PoolConfig] = Field(
        default_factory=dict, description="Named sets of features, beside `kept`, which has all."
    )

    @model_validator(mode="after")
    def _names_are_told_apart(self) -> Self:
        for side, names in (("item", self.item_attributes), ("user", self.user_attributes)):
            twice = _repeated([*CATEGORICAL[side], *NUMERIC[side], *names])
            if twice:
                raise ValueError(f"{side}_attributes: {', '.join(twice)} would be two features")
            joined = [name for name in names if ":" in name]
            if joined:
                raise ValueError(f"{side}_attributes: {joined[0]}: a colon joins names of crosses")
        return self

    @model_validator(mode="after")
    def _crosses_are_of_categorical_features(self) -> Self:
        for cross in self.crosses:
            unknown = [part for part in cross.of if part not in self.categorical]
            if unknown:
                raise ValueError(
                    f"crosses: {unknown[0]} is no categorical feature; "
                    f"there are {', '.join(self.categorical)}"
                )
            if twice := _repeated(cross.of):
                raise ValueError(f"crosses: {twice[0]} stands twice in one")
        if twice := _repeated(":".join(sorted(cross.of)) for cross in self.crosses):
            raise ValueError(f"crosses: {twice[0]} is there twice")
        return self

    @model_validator(mode="after")
    def _encoded_are_categorical_features(self) -> Self:
        known = (*self.categorical, *(":".join(cross.of) for cross in self.crosses))
        if unknown := [name for name in self.encode if name not in known]:
            raise ValueError(
                f"encode: {unknown[0]} is no categorical feature; there are {', '.join(known)}"
            )
        if twice := _repeated(self.encode):
            raise ValueError(f"encode: {twice[0]} stands twice")
        return self

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of all categorical features but crosses."""
        items = (*CATEGORICAL["item"], *self.item_attributes)
        users = (*CATEGORICAL["user"], *self.user_attributes)
        return (*TIME, *(f"item_{name}" for name in items), *(f"user_{name}" for name in users))


def _repeated(names: Iterable[str]) -> list[str]:
    counted = Counter(names)
    return [name for name, times in counted.items() if times > 1]
