"""Settings of the quality gate."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tastemill.config.sections import Section


class Expectation(Section):
    """What is expected of one column, or of several together."""

    column: str = Field("", description="The column that the keys below but unique are about.")
    unique: tuple[str, ...] = Field((), description="Columns that no two rows have alike.")
    known: float | None = Field(
        None, ge=0, le=1, description="Smallest share of rows in which the column isn't null."
    )
    at_least: float | None = Field(None, description="Smallest value.")
    at_most: float | None = Field(None, description="Largest value.")
    one_of: tuple[str, ...] = Field((), description="Values there are.")
    share: float = Field(
        1.0, ge=0, le=1, description="Of the known values, which share keeps to these three."
    )
    fresh_days: int | None = Field(
        None, ge=1, description="Days since the newest time at most, when it is checked."
    )
    max_psi: float | None = Field(
        None, gt=0, description="Largest population stability index against the last run: 0.2."
    )
    max_ks: float | None = Field(
        None, gt=0, le=1, description="Largest Kolmogorov-Smirnov distance from the last run."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        wants_column = any(check != "unique" for check, _ in self.says)
        if wants_column != bool(self.column):
            raise ValueError("an expectation of a column names it, and what is expected of it")
        if not self.says:
            raise ValueError("expects nothing: name a column, or unique columns")
        return self

    @property
    def says(self) -> list[tuple[str, str]]:
        """(check, column or columns) of everything that it expects."""
        said = {
            "known": self.known is not None,
            "range": self.at_least is not None or self.at_most is not None,
            "one_of": bool(self.one_of),
            "fresh": self.fresh_days is not None,
            "psi": self.max_psi is not None,
            "ks": self.max_ks is not None,
        }
        of_rows = [("unique", ", ".join(self.unique))] if self.unique else []
        return [(check, self.column) for check, is_said in said.items() if is_said] + of_rows

    @property
    def drifts(self) -> bool:
        """Whether the column is held against what it was in the last run."""
        return self.max_psi is not None or self.max_ks is not None


class QualityConfig(Section):
    """What tables are expected to be like before anything is trained on them."""

    on_failure: Literal["fail", "warn"] = Field(
        "fail", description="Whether the line stops where an expectation doesn't hold."
    )
    tables: dict[str, tuple[Expectation, ...]] = Field(
        default_factory=dict, description="By table: [[quality.tables.events]]."
    )

    @model_validator(mode="after")
    def _each_stands_once(self) -> Self:
        for name, expected in self.tables.items():
            said = [key for each in expected for key in each.says]
            twice = next((key for key in said if said.count(key) > 1), None)
            if twice:
                raise ValueError(f"{name}: {' of '.join(twice)} stands twice")
        return self
