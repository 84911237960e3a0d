"""What a synthetic data set is made from: sizes, seed, and the strength of what is planted."""

from datetime import UTC, date, datetime, time, timedelta

from pydantic import Field, model_validator

from tastemill.config import Section
from tastemill.synth.topics import TOPICS


class SynthConfig(Section):
    """Sizes, seed and strengths; equal values make equal rows."""

    num_users: int = Field(2_000, ge=1, le=2**31, description="Users.")
    num_items: int = Field(1_000, ge=1, le=2**31, description="Items; at least num_topics.")
    num_events: int = Field(100_000, ge=1, le=2**36, description="Events, exactly.")
    seed: int = Field(1, ge=-(2**63), lt=2**63, description="Of every random number.")
    num_days: int = Field(180, ge=1, le=36_500, description="Days that the events span.")
    first_day: date = Field(date(2024, 1, 1), description="Day of the first events, UTC.")

    num_topics: int = Field(
        len(TOPICS), ge=2, le=len(TOPICS), description="Latent topics: what a taste is made of."
    )
    topic_skew: float = Field(
        1.5, ge=1, description="Topic k of K is drawn by K u^skew: 1 all alike, more: unequal."
    )
    steady_share: float = Field(
        0.4, ge=0, le=1, description="Weight of the topic that a user keeps; the rest moves."
    )
    drifting_users: float = Field(0.6, ge=0, le=1, description="Share of users whose taste moves.")
    founding_users: float = Field(0.5, gt=0, le=1, description="Share of users there from day 1.")
    founding_items: float = Field(0.6, gt=0, le=1, description="Share of items there before it.")
    half_life_days: float = Field(30.0, gt=0, description="Of an item's novelty after release.")
    evergreen: float = Field(0.25, gt=0, le=1, description="Popularity that outlives the novelty.")
    price_weight: float = Field(3.0, ge=0, description="Loss of utility per distance from budget.")
    language_weight: float = Field(1.5, ge=0, description="Utility of an item in the own language.")
    brand_weight: float = Field(1.5, ge=0, description="Utility of the best brand over the worst.")
    missing_share: float = Field(
        0.12, ge=0, lt=1, description="Share of users that keep an attribute to themselves, each."
    )

    @model_validator(mode="after")
    def _an_item_for_each_topic(self) -> "SynthConfig":
        if self.num_items < self.num_topics:
            raise ValueError(f"num_items must be at least num_topics = {self.num_topics}")
        return self

    @property
    def start(self) -> datetime:
        """The first moment, UTC."""
        return datetime.combine(self.first_day, time(), UTC)

    @property
    def end(self) -> datetime:
        """The moment after the last day."""
        return self.start + timedelta(days=self.num_days)
