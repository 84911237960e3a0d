"""What a feature is: a name, what it means, and the column that works it out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
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


@dataclass(frozen=True)
class Shapes:
    """Which features are clipped, and of which logarithms are taken, by patterns of their names.

    Args:
        clip: the least and the greatest value.
        log: of what ln(1 + x) is taken, after clipping; what is below 0 counts as 0.
    """

    clip: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    log: tuple[str, ...] = ()

    def of(self, feature: Feature) -> Feature:
        """The feature in its shape; its definition says so."""
        for pattern, (low, high) in self.clip.items():
            if fnmatchcase(feature.name, pattern):
                value, words = feature.value, f"{feature.definition}, within {low:g} and {high:g}"
                # least and greatest pass over nulls and NaN; what isn't known stays so.
                within = F.greatest(F.least(value, F.lit(high)), F.lit(low))
                known = F.when(value.isNotNull() & ~F.isnan(value), within)
                feature = replace(feature, value=known, definition=words)
                break
        if any(fnmatchcase(feature.name, pattern) for pattern in self.log):
            value = F.log1p(F.greatest(feature.value, F.lit(0.0)))
            known = F.when(feature.value.isNotNull(), value)
            feature = replace(feature, value=known, definition=f"ln(1 + {feature.definition})")
        return feature


def packed(features: list[Feature]) -> Column:
    """Their values as array<float>, in this order."""
    return F.array(*[feature.value.cast("float") for feature in features])
