"""Sections that belong to the line as a whole; every other model stands beside its code."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Purpose = Literal["backtest", "production"]


def _in_utc(at: datetime) -> datetime:
    """A time without a zone is UTC, whatever the zone of the machine."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


UtcTime = Annotated[datetime, AfterValidator(_in_utc)]


class Section(BaseModel):
    """One table of the TOML files: unknown keys are refused, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunConfig(Section):
    """What is run, on what, as of when."""

    data: str = Field("", description="Folder of raw files; empty: what the package ships.")
    warehouse: str = Field("", description="Path, URI or catalog.schema; empty: warehouse/<name>.")
    artifacts: str = Field("", description="Folder of feeds, weights, reports; empty: beside it.")
    purpose: Purpose = Field("backtest", description="Time of a single job: before the cut or now.")
    valid_from: UtcTime | None = Field(None, description="Begin of valid; empty: worked out.")
    cut: UtcTime | None = Field(None, description="Begin of test; empty: worked out.")
    as_of: UtcTime | None = Field(
        None, description="End of what production sees; empty: the day after the newest event."
    )
    refit: bool = Field(True, description="Fit the chosen model again on everything and publish.")
    run_id: str = Field("", description="Set by the runner.")
    run_seq: int = Field(0, description="Set by the runner; 0: the next number.")
    pins: dict[str, int] = Field(
        default_factory=dict, description="Set by --repro: versions of tables of `pinned_from`."
    )
    pinned_from: str = Field("", description="Set by --repro: the warehouse that is read only.")
    models: dict[str, str] = Field(
        default_factory=dict, description="Model ids by kind; empty: the newest of the purpose."
    )


class DatasetConfig(Section):
    """What a dataset is and how it wants to be judged."""

    name: str = Field("", description="Name of the dataset, and of its warehouse.")
    task: Literal["rating", "implicit"] = Field("implicit", description="What a label is.")
    allow_missing_time: bool = Field(False, description="Whether events may lack a time.")
    exclude_seen: bool = Field(True, description="Whether lists leave out what the user has had.")
    min_item_events: int = Field(1, ge=1, description="Events that put an item in the catalogue.")
    positive_min: float = Field(
        0.0, description="Smallest value that counts as taken, in lists and in ranking metrics."
    )
    event_weights: dict[str, float] = Field(
        default_factory=dict, description="Weight by event type; empty: every type weighs 1."
    )


class SplitConfig(Section):
    """What a backtest is judged by: the newest events, unless told otherwise."""

    by: Literal["time", "leave_one_out", "k_fold", "listed"] = Field(
        "time",
        description="Newest events, each user's last, a random part, or listed pairs are the test.",
    )
    test_fraction: float = Field(0.2, gt=0, lt=1, description="By time: share of events in test.")
    valid_fraction: float = Field(0.1, gt=0, lt=1, description="Share of the rest in valid.")
    num_folds: int = Field(5, ge=2, description="By k-fold: number of parts.")
    fold: int = Field(0, ge=0, description="By k-fold: the part that is the test, from 0.")
    seed: int = Field(1, ge=0, description="By k-fold: of the hash that makes the parts.")
    file: str = Field(
        "",
        description="By listed: CSV of user_id and item_id, with a header: the test.",
    )

    @model_validator(mode="after")
    def _fold_exists(self) -> "SplitConfig":
        if self.fold >= self.num_folds:
            raise ValueError(f"fold must be below num_folds = {self.num_folds}")
        return self

    @model_validator(mode="after")
    def _has_its_file(self) -> "SplitConfig":
        if (self.by == "listed") != bool(self.file):
            raise ValueError("a split by listed pairs names their file, and no other split does")
        return self
