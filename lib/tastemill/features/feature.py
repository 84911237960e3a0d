"""What a feature is: a name, what it means, and the column that works it out."""

from dataclasses import dataclass
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Feature:
    """One number, or one value of few, about an example.

    Args:
        name: begins with what it is about: user, item, user_brand, …
        family: what it is made of: count, share, recency, …
        definition: in words, for `feature_stats`.
        value: the column, of rows that carry what it needs.
        goes_by: the vocabularies that it follows from.
    """

    name: str
    family: str
    definition: str
    value: Column
    goes_by: tuple[str, ...] = ()


def packed(features: list[Feature]) -> Column:
    """Their values as array<float>, in this order."""
    return F.array(*[feature.value.cast("float") for feature in features])
